import pytest

from tidegate_api import codec
from tidegate_api.codec import Duration, JsonObject
from tidegate_api.helm.v2.helm_release import HelmRelease
from tidegate_api.kustomize.v1.kustomization import Kustomization
from tidegate_api.meta.objects import ObjectKey
from tidegate_api.meta.status import ReconciledObject
from tidegate_api.source.v1.git_repository import GitRepository
from tidegate_api.source.v1.helm_chart import HelmChart
from tidegate_api.source.v1.helm_repository import HelmRepository
from tidegate_api.source.v1.oci_repository import OCIRepository

REPOSITORY = {
    "metadata": {"name": "app", "namespace": "apps"},
    "spec": {"url": "ssh://git@example.com/app", "interval": "1h", "provider": "from-the-future"},
}


def test_values_that_break_their_schema_still_decode() -> None:
    repository = codec.decode(GitRepository, REPOSITORY | {"status": {"artifact": None, "observedGeneration": -1}})

    assert (repository.spec.provider, repository.status.observed_generation) == ("from-the-future", -1)


def test_durations_are_timedeltas() -> None:
    spec = codec.decode(GitRepository, REPOSITORY).spec

    assert spec.interval - spec.timeout == Duration(minutes=59)


def test_an_object_is_written_with_its_kind() -> None:
    written = codec.encode(codec.decode(GitRepository, REPOSITORY))

    assert (written["apiVersion"], written["kind"]) == ("source.toolkit.fluxcd.io/v1", "GitRepository")


@pytest.mark.parametrize("kind", [GitRepository, HelmChart, HelmRelease, HelmRepository, Kustomization, OCIRepository])
@pytest.mark.parametrize("spec", [{}, {"spec": None}], ids=["absent", "null"])
def test_an_object_without_a_spec_decodes(kind: type[ReconciledObject], spec: JsonObject) -> None:
    decoded = codec.decode(kind, {"metadata": {"name": "a", "finalizers": ["finalizers.fluxcd.io"]}, **spec})

    assert (decoded.metadata.finalizers, decoded.status.observed_generation) == (["finalizers.fluxcd.io"], 0)


def test_nulls_in_values_stay_because_they_take_a_default_away() -> None:
    values = {"image": {"tag": None}, "args": [None]}
    release = {"spec": {"interval": "1m", "chart": None, "values": values}}

    assert codec.decode(HelmRelease, release).spec.values == values


def test_required_fields_are_written_at_any_value() -> None:
    assert codec.encode(codec.decode(Kustomization, {}))["spec"] == {
        "interval": "0s",
        "prune": False,
        "sourceRef": {"kind": "", "name": ""},
    }


def test_objects_do_not_share_their_defaults() -> None:
    codec.decode(GitRepository, REPOSITORY).metadata.finalizers.append("x")

    assert codec.decode(GitRepository, REPOSITORY).metadata.finalizers == []


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        pytest.param({"metadata": {"name": "a", "namespace": "ns"}}, "ns/a", id="namespaced"),
        pytest.param({"metadata": {"name": "a"}}, "a", id="cluster-scoped"),
        pytest.param({"metadata": {"name": "a", "namespace": None}}, "a", id="null-namespace"),
    ],
)
def test_a_key_reads_as_kubernetes_writes_it(obj: JsonObject, text: str) -> None:
    assert str(ObjectKey.of(obj)) == text


def test_keys_sort_by_namespace_then_name() -> None:
    keys = [ObjectKey("b", "a"), ObjectKey("a", "b"), ObjectKey("a", "a")]

    assert sorted(keys) == [ObjectKey("a", "a"), ObjectKey("a", "b"), ObjectKey("b", "a")]
