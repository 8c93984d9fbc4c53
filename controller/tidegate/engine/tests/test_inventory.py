"""Inventories as sets."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.engine import inventory
from tidegate.engine.identity import ObjectId

WEB = ObjectId("apps", "web", "apps", "Deployment")
OLD = ObjectId("apps", "old", "apps", "Deployment")
CONFIG = ObjectId("apps", "cfg", "", "ConfigMap")
NAMESPACE = ObjectId("", "apps", "", "Namespace")

inventories = st.dictionaries(
    st.builds(
        ObjectId,
        st.sampled_from(["", "a", "b"]),
        st.sampled_from(["x", "a:b", "a__b", "y.z"]),
        st.sampled_from(["rbac.authorization.k8s.io", "apps"]),
        st.sampled_from(["Role", "Deployment"]),
    ),
    st.sampled_from(["v1", "v1beta1"]),
    max_size=8,
)


def texts(found: inventory.Inventory) -> set[str]:
    return {oid.inventory_id for oid in found}


@settings(deadline=None)
@given(inventories, inventories)
def test_p8_prune_is_part_of_old_and_never_of_new(old: inventory.Inventory, new: inventory.Inventory):
    stale = inventory.stale(old, new)

    assert texts(stale).isdisjoint(texts(new))
    assert stale.items() <= old.items()
    assert texts(inventory.union(old, new)) == texts(old) | texts(new)
    assert texts(stale) | texts(new) == texts(inventory.union(old, new))


@settings(deadline=None)
@given(inventories, inventories)
def test_survivors_are_kept_beside_what_is_new(new: inventory.Inventory, survivors: inventory.Inventory):
    merged = inventory.merge(new, survivors)

    assert texts(merged) == texts(new) | texts(survivors)
    assert merged.items() >= new.items()


@settings(deadline=None)
@given(inventories)
def test_stored_entries_read_back(found: inventory.Inventory):
    entries = inventory.entries(found)
    read, invalid = inventory.parse(entries)

    assert invalid == []
    assert texts(read) == texts(found)
    assert inventory.stale(read, found) == inventory.stale(found, read) == {}


def test_version_alone_is_no_difference_and_the_newer_wins():
    old, new = {WEB: "v1beta1"}, {WEB: "v1"}

    assert inventory.stale(old, new) == {}
    assert inventory.union(old, new) == {WEB: "v1"}


def test_entries_are_in_fluxs_order_whatever_the_order_of_apply():
    found = {WEB: "v1", CONFIG: "v1", NAMESPACE: "v1"}

    assert inventory.entries(found) == [
        ("_apps__Namespace", "v1"),
        ("apps_cfg__ConfigMap", "v1"),
        ("apps_web_apps_Deployment", "v1"),
    ]


def test_f46_entries_that_name_nothing_are_reported_and_left_out():
    entries = [
        ("apps_web_apps_Deployment", "v1"),
        ("nonsense", "v1"),
        ("apps_..__Secret", "v1"),
        ("apps_cfg__ConfigMap", "../../v1"),
        ("apps_cfg__ConfigMap", ""),
    ]

    found, invalid = inventory.parse(entries)

    assert found == {WEB: "v1"}
    assert invalid == ["nonsense", "apps_..__Secret", "apps_cfg__ConfigMap", "apps_cfg__ConfigMap"]


def test_recording_is_due_only_when_the_union_is_something_else():
    assert inventory.covers({WEB: "v1", OLD: "v1"}, {WEB: "v1"})
    assert not inventory.covers({WEB: "v1"}, {WEB: "v1", CONFIG: "v1"})
    assert not inventory.covers({WEB: "v1beta1"}, {WEB: "v1"})


def test_inventory_of_objects():
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "apps"}}

    assert inventory.of_objects([obj]) == {WEB: "v1"}


def test_k18_size_is_that_of_the_stored_entries():
    stored = '{"id":"apps_web_apps_Deployment","v":"v1"},{"id":"apps_cfg__ConfigMap","v":"v1"},'

    assert inventory.encoded_size({WEB: "v1", CONFIG: "v1"}) == len(stored)
