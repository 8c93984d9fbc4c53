"""Ranks and orders."""

import random

from tidegate.engine import identity, stages
from tidegate.engine.identity import ObjectId
from tidegate.engine.stages import Stage
from tidegate_api.codec import JsonObject

RBAC = "rbac.authorization.k8s.io"
CRD = "apiextensions.k8s.io/v1"


def an_object(api_version: str, kind: str, name: str = "x", namespace: str = "") -> JsonObject:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace}}


def an_id(group: str, kind: str, name: str = "x", namespace: str = "") -> ObjectId:
    return ObjectId(namespace, name, group, kind)


# Upstream's order of a mixed set, first to last.
IN_FLUX_ORDER = [
    an_id("apiextensions.k8s.io", "CustomResourceDefinition"),
    an_id("", "Namespace"),
    an_id(RBAC, "ClusterRole"),
    an_id("storage.k8s.io", "StorageClass"),
    an_id(RBAC, "ClusterRoleBinding"),
    an_id("", "ServiceAccount", namespace="a"),
    an_id(RBAC, "Role", namespace="a"),
    an_id(RBAC, "RoleBinding", namespace="a"),
    an_id("", "ConfigMap", "a", namespace="a"),
    an_id("", "ConfigMap", "b", namespace="a"),
    an_id("", "ConfigMap", "a", namespace="b"),
    an_id("", "Secret", namespace="a"),
    an_id("", "Service", namespace="a"),
    an_id("serving.knative.dev", "Service", namespace="a"),
    an_id("apps", "Deployment", namespace="a"),
    an_id("apps", "StatefulSet", namespace="a"),
    an_id("batch", "CronJob", namespace="a"),
    an_id("", "PersistentVolumeClaim", namespace="a"),
    an_id("apiregistration.k8s.io", "APIService"),
    an_id("apps", "DaemonSet", namespace="a"),
    an_id("networking.k8s.io", "Ingress", namespace="a"),
    an_id("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    an_id("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
]


def test_report_and_prune_order_are_fluxs():
    shuffled = random.Random(1).sample(IN_FLUX_ORDER, len(IN_FLUX_ORDER))

    assert stages.report_order(shuffled) == IN_FLUX_ORDER
    assert stages.prune_order(shuffled) == IN_FLUX_ORDER[::-1]


def test_report_order_follows_fluxs_stages_before_its_kinds():
    device_class = an_id("resource.k8s.io", "DeviceClass")
    policy = an_id("kyverno.io", "ClusterPolicy")
    binding = an_id(RBAC, "ClusterRoleBinding")

    order = stages.report_order([binding, policy, device_class], {("kyverno.io", "ClusterPolicy")})

    assert order == [device_class, policy, binding]


def test_each_kind_has_its_rank():
    assert {oid: stages.stage_of(oid) for oid in IN_FLUX_ORDER} == {
        oid: stage
        for stage, oids in {
            Stage.DEFINITIONS: IN_FLUX_ORDER[0:4],
            Stage.CONFIGURATION: [IN_FLUX_ORDER[4], *IN_FLUX_ORDER[7:13], IN_FLUX_ORDER[17]],
            Stage.ACCOUNTS: IN_FLUX_ORDER[5:7],
            Stage.WORKLOADS: [*IN_FLUX_ORDER[13:17], *IN_FLUX_ORDER[19:21]],
            Stage.ADMISSION: [IN_FLUX_ORDER[18], *IN_FLUX_ORDER[21:]],
        }.items()
        for oid in oids
    }


def test_class_of_a_custom_resource_comes_after_the_definitions():
    assert stages.stage_of(an_id("gateway.networking.k8s.io", "GatewayClass")) is Stage.CLASSES
    assert stages.stage_of(an_id("storage.k8s.io", "StorageClass")) is Stage.DEFINITIONS


def test_custom_kinds_have_a_rank_of_their_own_unless_they_define_others():
    custom = stages.parse_kinds("kyverno.io/ClusterPolicy, Secret,apiextensions.k8s.io/CustomResourceDefinition,")

    assert custom == {
        ("kyverno.io", "ClusterPolicy"),
        ("", "Secret"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
    }
    assert stages.stage_of(an_id("kyverno.io", "ClusterPolicy"), custom) is Stage.CUSTOM
    assert stages.stage_of(an_id("", "Secret"), custom) is Stage.CUSTOM
    assert stages.stage_of(an_id("apiextensions.k8s.io", "CustomResourceDefinition"), custom) is Stage.DEFINITIONS


def test_only_definitions_are_waited_for_and_no_rank_is_empty():
    objects = [
        an_object("example.com/v1", "Widget", "w", "apps"),
        an_object("v1", "Namespace", "apps"),
        an_object(CRD, "CustomResourceDefinition", "widgets.example.com"),
        an_object(f"{RBAC}/v1", "RoleBinding", "b", "apps"),
        an_object(f"{RBAC}/v1", "Role", "r", "apps"),
    ]

    ranks = stages.build_ranks(objects)

    assert [[obj["kind"] for obj in rank.objects] for rank in ranks] == [
        ["CustomResourceDefinition", "Namespace"],
        ["Role"],
        ["RoleBinding"],
        ["Widget"],
    ]
    assert [rank.wait_for for rank in ranks] == [(identity.object_id(objects[2]),), (), (), ()]


def test_nothing_to_apply_has_no_ranks():
    assert stages.build_ranks([]) == []
