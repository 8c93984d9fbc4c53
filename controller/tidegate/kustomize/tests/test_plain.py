"""P15: a build without Kustomize makes what Kustomize makes, or leaves it to Kustomize."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml as pyyaml

from tidegate.adapters.tests.random_values import Random, as_json
from tidegate.kustomize import jail, overlay, plain
from tidegate.kustomize.errors import BuildError
from tidegate.kustomize.plain import NotPlain
from tidegate.kustomize.tests.trees import a_config_map, a_spec, built, kustomized, names, plant
from tidegate_api.codec import JsonObject


def plainly(root: Path, **fields: Any) -> list[JsonObject]:
    """The fast path alone."""
    laid = overlay.make(root, root, a_spec(**fields))
    tree = jail.survey(root, laid.path, laid.content, allow_remote=False)
    return plain.build(tree, root, laid.parsed)


def an_object(source: Random, position: int) -> JsonObject:
    metadata: dict[str, Any] = {"name": f"x{position}"}
    if source.random() < 0.5:
        metadata["annotations"] = source.choice([{}, None, {"a": source.text(), "b/c": "1"}])
    if source.random() < 0.5:
        metadata["labels"] = source.choice([{}, None, {"a": "b"}])
    if source.random() < 0.3:
        metadata["namespace"] = "apps"
    return {
        "apiVersion": source.choice(["v1", "example.com/v1"]),
        "kind": "Thing",
        "metadata": metadata,
        "spec": source.value(),
    }


class Quoting(pyyaml.SafeDumper):
    """Texts in one style wherever they can have it; values have none of their own."""

    style = "'"

    def represent_text(self, text: str) -> pyyaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=self.style)


class DoubleQuoting(Quoting):
    """The style that can hold every text."""

    style = '"'


class Literal(Quoting):
    """A block."""

    style = "|"


Quoting.add_representer(str, Quoting.represent_text)


def written(source: Random, objects: list[JsonObject]) -> str:
    """The objects as YAML, in one of the many ways that people and programs write it."""
    match source.randrange(5):
        case 0:
            return "\n---\n".join(map(as_json, objects))
        case 1:
            return "# comment\n---\n" + pyyaml.safe_dump_all(objects, explicit_start=True) + "\n---\n# nothing\n"
        case 2:
            return pyyaml.safe_dump_all(objects, allow_unicode=True, width=60, sort_keys=False)
        case 3:
            # Only double quotes can hold a carriage return.
            dumper = DoubleQuoting if "\\r" in json.dumps(objects) else source.choice([Quoting, DoubleQuoting, Literal])
            return pyyaml.dump_all(objects, Dumper=dumper, indent=4)
        case _:
            items = [{"apiVersion": "v1", "kind": "List", "items": objects}]
            return pyyaml.safe_dump_all(items, default_flow_style=source.random() < 0.3)


# A seed that draws a document that PyYAML ends with "..." (17 is one) is left to Kustomize, and no seed for this.
@pytest.mark.parametrize("seed", range(12))
async def test_p15_plain_manifests_are_built_as_kustomize_builds_them(tmp_path: Path, seed: int) -> None:
    source = Random(seed)
    places = ["a.yaml", "b.yml", "b/c.yaml", "b/a/z.yaml", "a/x.yaml", "c-d.yaml", "c/d.yaml", "z/kustomization.yaml"]
    objects = (an_object(source, position) for position in range(100))
    files = {place: written(source, [next(objects) for _ in range(source.randint(1, 3))]) for place in places[:-1]}
    files["z/kustomization.yaml"] = "resources: [two.yaml, one.yaml, sub]\n"
    files["z/sub/kustomization.yaml"] = (
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- three.yaml\n"
    )
    files |= {f"z/{name}.yaml": written(source, [next(objects)]) for name in ("one", "two", "sub/three")}
    root = plant(tmp_path / "artifact", files)

    assert plainly(root) == slowly(root)


def slowly(root: Path, **fields: Any) -> list[Any]:
    """The same kustomization, built by Kustomize."""
    laid = overlay.make(root, root, a_spec(**fields))
    laid.path.write_text(json.dumps(laid.content))
    return kustomized(root)


UNUSUAL = {
    "date": "spec: 2001-01-01",
    "merge": "spec:\n  a: &x {b: 1}\n  c: {<<: *x}",
    "number-as-a-key": "spec: {1: a}",
    "tag": "spec: !!str 1",
    "folded": "spec: >\n  a\n\n  b",
    "null-in-braces": "spec: {a: , b}",
    "annotation-that-is-no-text": "metadata: {name: x, annotations: {a: 1}}",
    "annotation-of-kustomize": "metadata: {name: x, annotations: {config.kubernetes.io/local-config: 'true'}}",
    "version-that-is-no-text": "apiVersion: [a]",
    "kind-that-is-no-text": "kind: 1",
    "name-that-is-no-text": "metadata: {name: 1}",
    "namespace-that-is-no-text": "metadata: {name: x, namespace: 1}",
    "list": "kind: ThingList\nitems: [{apiVersion: v1, kind: Thing, metadata: {name: y}}]",
    "next-line": 'spec: "a\\x85b"',
    "document-end": "spec: a\n...",
    "directive": "%YAML 1.1\n---\nspec: a",
}


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in UNUSUAL.items()])
async def test_p15_what_kustomize_changes_is_left_to_it(tmp_path: Path, text: str) -> None:
    fields = ["apiVersion: v1", "kind: Thing", "metadata: {name: x}"]
    head = [field for field in fields if field.partition(":")[0] + ":" not in text]
    directive, _, body = text.rpartition("---\n")
    root = plant(
        tmp_path / "artifact", {"a.yaml": (directive and directive + "---\n") + "\n".join([*head, body]) + "\n"}
    )

    with pytest.raises(NotPlain):
        plainly(root)


@pytest.mark.parametrize(
    "field",
    [
        *["namePrefix: x", "nameSuffix: x", "commonLabels: {a: b}", "labels: [{pairs: {a: b}}]"],
        *["commonAnnotations: {a: b}", "images: [{name: a, newTag: b}]", "replicas: [{name: a, count: 1}]", "vars: []"],
        *["patches: [{patch: x}]", "components: [x]", "configMapGenerator: [{name: x}]", "buildMetadata: [x]"],
        *["sortOptions: {order: legacy}", "kind: Component", "apiVersion: x", "Resources: [a.yaml]", "unknown: x"],
        *[
            "metadata: {name: x}",
            "bases: [../x]",
            "crds: [a.yaml]",
            "generatorOptions: {}",
            "resources: [missing.yaml]",
        ],
    ],
)
async def test_p15_a_kustomization_that_does_more_is_left_to_kustomize(tmp_path: Path, field: str) -> None:
    kustomization = {"resources": "[a.yaml]"} | dict([field.split(": ", 1)])
    text = "\n".join(f"{name}: {value}" for name, value in kustomization.items())
    plant(tmp_path, {"base/kustomization.yaml": text, "base/a.yaml": a_config_map("a"), "x/kustomization.yaml": "{}"})
    plant(tmp_path, {"kustomization.yaml": "resources: [base]"})

    with pytest.raises(NotPlain):
        plainly(tmp_path)


NAMESPACED = """
kind: Deployment | apps/v1 | spec: {template: {spec: {serviceAccountName: app, volumes: [{configMap: {name: app}}]}}}
kind: StatefulSet | apps/v1 | spec: {serviceName: app}
kind: ConfigMap | v1 | data: {}
kind: Secret | v1 | data: {}
kind: Service | v1 | spec: {}
kind: ServiceAccount | v1 | secrets: [{name: app}]
kind: PersistentVolumeClaim | v1 | spec: {}
kind: Ingress | networking.k8s.io/v1 | spec: {rules: [{http: {paths: [{backend: {service: {name: app}}}]}}]}
kind: NetworkPolicy | networking.k8s.io/v1 | spec: {}
kind: CronJob | batch/v1 | spec: {jobTemplate: {spec: {template: {spec: {serviceAccountName: app}}}}}
kind: HorizontalPodAutoscaler | autoscaling/v2 | spec: {scaleTargetRef: {kind: Deployment, name: app}}
kind: PodDisruptionBudget | policy/v1 | spec: {}
kind: Role | rbac.authorization.k8s.io/v1 | rules: [{resources: [configmaps], resourceNames: [app, other]}]
kind: HelmRelease | helm.toolkit.fluxcd.io/v2 | spec: {chartRef: {name: app, namespace: elsewhere}}
kind: Kustomization | kustomize.toolkit.fluxcd.io/v1 | spec: {sourceRef: {name: app}}
kind: Certificate | cert-manager.io/v1 | spec: {secretName: app}
"""
CLUSTERED = """
kind: Namespace | v1 | spec: {}
kind: ClusterRole | rbac.authorization.k8s.io/v1 | rules: []
kind: RoleBinding | rbac.authorization.k8s.io/v1 | subjects: [{kind: ServiceAccount, name: app}]
kind: ClusterRoleBinding | rbac.authorization.k8s.io/v1 | subjects: [{name: default, namespace: x}]
kind: ValidatingWebhookConfiguration | admissionregistration.k8s.io/v1 | webhooks: []
kind: CustomResourceDefinition | apiextensions.k8s.io/v1 | spec: {}
kind: APIService | apiregistration.k8s.io/v1 | spec: {service: {name: app}}
kind: PersistentVolume | v1 | spec: {}
kind: StorageClass | storage.k8s.io/v1 | parameters: {}
kind: RoleBinding | example.com/v1 | subjects: []
"""


def of_kinds(table: str) -> dict[str, str]:
    """A manifest for each line, as files."""
    rows = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]
    texts = (f"{kind}\napiVersion: {version}\nmetadata: {{name: app}}\n{rest}\n" for kind, version, rest in rows)
    return {f"{position:02}.yaml": text for position, text in enumerate(texts)}


@pytest.mark.parametrize("own", ["", "  namespace: own\n"])
async def test_p15_a_namespace_is_set_as_kustomize_sets_it(tmp_path: Path, own: str) -> None:
    files = of_kinds(NAMESPACED) | {"annotated.yaml": a_config_map("x", own + "  annotations: {a: b}\n")}
    root = plant(tmp_path / "artifact", files)

    built = plainly(root, targetNamespace="apps")
    assert {obj["metadata"]["namespace"] for obj in built} == {"apps"}
    assert built == slowly(root, targetNamespace="apps")


@pytest.mark.parametrize("file", of_kinds(CLUSTERED).items(), ids=CLUSTERED.strip().splitlines())
async def test_p15_kinds_whose_namespace_is_more_than_metadata_are_left_to_kustomize(
    tmp_path: Path, file: tuple[str, str]
) -> None:
    root = plant(tmp_path / "artifact", {"a.yaml": a_config_map("a"), **dict([file])})

    with pytest.raises(NotPlain):
        plainly(root, targetNamespace="apps")


async def test_p15_a_namespace_of_a_base_is_left_to_kustomize(tmp_path: Path) -> None:
    plant(tmp_path, {"base/kustomization.yaml": "resources: [a.yaml]\nnamespace: x", "base/a.yaml": a_config_map("a")})

    with pytest.raises(NotPlain):
        plainly(plant(tmp_path, {"kustomization.yaml": "resources: [base]"}))


async def test_p15_equal_objects_are_refused_by_kustomize(tmp_path: Path) -> None:
    plant(tmp_path, {"a.yaml": a_config_map("same"), "b.yaml": a_config_map("same")})

    with pytest.raises(
        BuildError, match=r"may not add resource with an already registered id: ConfigMap.v1.\[noGrp\]/same"
    ):
        await built(tmp_path)


async def test_p15_equal_names_in_two_namespaces_are_two_objects(tmp_path: Path) -> None:
    namespaces = ("  namespace: one\n", "  namespace: two\n", "")
    plant(tmp_path, {f"{i}.yaml": a_config_map("same", namespace) for i, namespace in enumerate(namespaces)})

    assert names(await built(tmp_path)) == ["same"] * 3


async def test_p15_a_list_is_taken_apart(tmp_path: Path) -> None:
    items = "\n".join(f"- {{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}}}" for name in "cab")
    root = plant(tmp_path / "artifact", {"a.yaml": f"apiVersion: v1\nkind: List\nitems:\n{items}\n"})

    assert names(plainly(root)) == ["c", "a", "b"]
    assert plainly(root) == slowly(root)


async def test_a_bomb_in_a_plain_file_never_reaches_kustomize(tmp_path: Path) -> None:
    levels = [f"a{i}: &a{i} [{','.join([f'*a{i - 1}' if i else 'x'] * 10)}]" for i in range(9)]
    plant(tmp_path, {"a.yaml": a_config_map("a") + "\n".join(levels), "kustomization.yaml": "resources: [a.yaml]"})

    with pytest.raises(BuildError, match=r"^a.yaml: .*excessive aliasing"):
        await built(tmp_path)
