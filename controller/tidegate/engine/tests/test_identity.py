"""Ids and the texts they are written as."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.engine import identity
from tidegate.engine.identity import ChangeAction, InvalidId, ObjectId

RBAC = "rbac.authorization.k8s.io"
IDS = [
    pytest.param(ObjectId("apps", "frontend", "apps", "Deployment"), "apps_frontend_apps_Deployment", id="namespaced"),
    pytest.param(ObjectId("", "apps", "", "Namespace"), "_apps__Namespace", id="cluster-scoped-core"),
    pytest.param(ObjectId("apps", "cfg", "", "ConfigMap"), "apps_cfg__ConfigMap", id="core-group"),
    pytest.param(ObjectId("", "a:b:c", RBAC, "ClusterRole"), f"_a__b__c_{RBAC}_ClusterRole", id="colons-of-rbac"),
    pytest.param(ObjectId("ns", "a:b", RBAC, "RoleBinding"), f"ns_a__b_{RBAC}_RoleBinding", id="role-binding"),
    pytest.param(ObjectId("", "2001:db8::1", "networking.k8s.io", "IPAddress"), None, id="colons-elsewhere-stay"),
]


@pytest.mark.parametrize(("oid", "text"), IDS)
def test_inventory_id_reads_back_as_itself(oid: ObjectId, text: str | None):
    assert oid.inventory_id == (text or "_2001:db8::1_networking.k8s.io_IPAddress")
    assert identity.parse_inventory_id(oid.inventory_id) == oid


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("a_b_c", id="three-parts"),
        pytest.param("ns_name_apps_", id="no-kind"),
        pytest.param("ns__apps_Deployment", id="no-name"),
        pytest.param("ns_..__ConfigMap", id="parent-directory"),
        pytest.param("ns_../secrets/x__ConfigMap", id="slash-in-name"),
        pytest.param("ns_a%2fb__ConfigMap", id="escape-in-name"),
        pytest.param("../x_name__ConfigMap", id="slash-in-namespace"),
        pytest.param("ns_name_../../api_ConfigMap", id="slash-in-group"),
        pytest.param("ns_name__Config/Map", id="slash-in-kind"),
        pytest.param("ns_na\nme__ConfigMap", id="newline"),
        pytest.param("ns_" + "n" * 254 + "__ConfigMap", id="too-long"),
    ],
)
def test_f46_text_that_names_no_possible_object_is_refused(text: str):
    with pytest.raises(InvalidId):
        identity.parse_inventory_id(text)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_p3_any_text_is_an_id_or_our_error(text: str):
    try:
        oid = identity.parse_inventory_id(text)
    except InvalidId:
        return
    assert identity.parse_inventory_id(oid.inventory_id) == oid


def test_forms_for_users():
    assert str(ObjectId("apps", "web", "apps", "Deployment")) == "Deployment/apps/web"
    assert str(ObjectId("", "apps", "", "Namespace")) == "Namespace/apps"
    line = identity.change_line(ObjectId("apps", "web", "apps", "Deployment"), ChangeAction.CONFIGURED)
    assert line == "Deployment/apps/web configured"


def test_id_leaves_the_version_out():
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "apps"}}

    assert identity.object_id(obj) == ObjectId("apps", "web", "apps", "Deployment")
    assert identity.object_id({**obj, "apiVersion": "apps/v1beta1"}) == identity.object_id(obj)
    assert identity.version_of(obj) == "v1"
    assert identity.join_api_version("apps", "v1") == "apps/v1"
    assert identity.join_api_version("", "v1") == "v1"


def test_id_of_a_malformed_object_has_empty_parts():
    assert identity.object_id({"kind": 5, "metadata": []}) == ObjectId("", "", "", "")


OBJECT = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}


@pytest.mark.parametrize(
    ("obj", "problem"),
    [
        pytest.param(OBJECT, None, id="whole"),
        pytest.param({**OBJECT, "metadata": {"name": "a", "annotations": {"x": None}}}, None, id="nulls"),
        pytest.param([], "is not an object", id="no-object"),
        pytest.param({**OBJECT, "kind": ""}, "kind is missing", id="empty-kind"),
        pytest.param({**OBJECT, "apiVersion": 1}, "apiVersion is missing", id="numeric-version"),
        pytest.param({**OBJECT, "metadata": None}, "metadata.name is missing", id="no-metadata"),
        pytest.param({**OBJECT, "metadata": {"name": 5}}, "metadata.name is missing", id="numeric-name"),
        pytest.param({**OBJECT, "metadata": {"name": "a", "namespace": 0}}, "metadata.namespace is not a string"),
        pytest.param({**OBJECT, "kind": "ConfigMapList", "items": []}, "is a list of objects", id="list-in-list"),
        pytest.param(
            {**OBJECT, "metadata": {"name": "a", "labels": {"n": 1}}},
            "metadata.labels: the value of 'n' is not a string",
            id="numeric-label",
        ),
        pytest.param(
            {**OBJECT, "metadata": {"name": "a", "annotations": ["x"]}},
            "metadata.annotations is not a map",
            id="no-map",
        ),
    ],
)
def test_k9_shape_problems_are_named(obj: object, problem: str | None):
    assert identity.shape_problem(obj) == problem
