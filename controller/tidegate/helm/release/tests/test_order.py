"""Helm's order of kinds."""

from tidegate.adapters.chart_manifests import INSTALL_ORDER
from tidegate.engine import identity
from tidegate.helm.release import order
from tidegate_api.codec import JsonObject


def an_object(kind: str, name: str = "a", group: str = "v1") -> JsonObject:
    return {"apiVersion": group, "kind": kind, "metadata": {"name": name}}


def test_objects_are_installed_kind_by_kind_and_those_unknown_last():
    given = [
        an_object("Widget"),
        an_object("Deployment"),
        an_object("Gadget"),
        an_object("Service", "b"),
        an_object("Namespace"),
        an_object("Service", "a"),
    ]

    ranks = order.install_ranks(given)
    names = [[f"{obj['kind']}/{obj['metadata']['name']}" for obj in rank.objects] for rank in ranks]
    assert names == [["Namespace/a"], ["Service/b", "Service/a"], ["Deployment/a"], ["Gadget/a"], ["Widget/a"]]


def test_definitions_are_waited_for():
    definition = an_object("CustomResourceDefinition", group="apiextensions.k8s.io/v1")

    (rank,) = order.install_ranks([definition])
    assert rank.wait_for == (identity.object_id(definition),)


def test_objects_are_uninstalled_in_an_order_of_its_own():
    kinds = ["Widget", "Namespace", "ConfigMap", "Deployment", "Service", "ValidatingWebhookConfiguration"]

    ordered = order.uninstall_order([identity.object_id(an_object(kind)) for kind in kinds])
    assert [oid.kind for oid in ordered] == [
        "ValidatingWebhookConfiguration",
        "Service",
        "Deployment",
        "ConfigMap",
        "Namespace",
        "Widget",
    ]


def test_the_two_orders_are_over_the_same_kinds():
    assert sorted(INSTALL_ORDER) == sorted(order.UNINSTALL_ORDER)
