"""Paths of kinds and objects."""

import pytest

from tidegate.runtime.errors import InvalidObject
from tidegate.runtime.resources import CONFIG_MAPS, NAMESPACES, Resource, resource_of, split_api_version
from tidegate_api.meta.objects import ObjectKey
from tidegate_api.source.v1.git_repository import GitRepository

CLUSTER_ROLES = Resource("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", namespaced=False)


@pytest.mark.parametrize(
    ("resource", "key", "path"),
    [
        pytest.param(CONFIG_MAPS, ObjectKey("ns", "a"), "/api/v1/namespaces/ns/configmaps/a", id="core"),
        pytest.param(NAMESPACES, ObjectKey("", "ns"), "/api/v1/namespaces/ns", id="cluster-scoped"),
        pytest.param(NAMESPACES, ObjectKey("x", "ns"), "/api/v1/namespaces/ns", id="cluster-scoped-with-namespace"),
        pytest.param(
            CLUSTER_ROLES,
            ObjectKey("", "system:a/b"),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Aa%2Fb",
            id="odd-name",
        ),
        pytest.param(
            CONFIG_MAPS, ObjectKey("n/s", "?#%"), "/api/v1/namespaces/n%2Fs/configmaps/%3F%23%25", id="quoted"
        ),
    ],
)
def test_path_of_an_object(resource: Resource, key: ObjectKey, path: str):
    assert resource.path(key) == path


def test_path_of_a_subresource():
    assert CONFIG_MAPS.path(ObjectKey("ns", "a"), "status") == "/api/v1/namespaces/ns/configmaps/a/status"


@pytest.mark.parametrize(
    "key", [ObjectKey("ns", ""), ObjectKey("ns", "."), ObjectKey("ns", ".."), ObjectKey("..", "a")]
)
def test_f46_name_that_would_be_another_path_is_refused(key: ObjectKey):
    with pytest.raises(InvalidObject, match="no name"):
        CONFIG_MAPS.path(key)


def test_collection_of_all_namespaces_or_one():
    assert CONFIG_MAPS.collection() == "/api/v1/configmaps"
    assert CONFIG_MAPS.collection("ns") == "/api/v1/namespaces/ns/configmaps"


def test_resource_of_an_api_class():
    resource = resource_of(GitRepository)

    assert resource.api_version == "source.toolkit.fluxcd.io/v1"
    assert (resource.kind, resource.plural, resource.namespaced) == ("GitRepository", "gitrepositories", True)


@pytest.mark.parametrize(("text", "parts"), [("v1", ("", "v1")), ("apps/v1", ("apps", "v1"))])
def test_api_version_is_split(text: str, parts: tuple[str, str]):
    assert split_api_version(text) == parts
