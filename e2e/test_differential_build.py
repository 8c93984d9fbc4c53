"""Builds and substitutions are those of the real flux command, on real repositories and on random ones (P13, P15)."""

import asyncio
import os
import random
import shutil
import subprocess
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml as pyyaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.adapters import yaml
from tidegate.kustomize import build, envsubst, substitute
from tidegate.kustomize.errors import BuildError, SubstitutionError
from tidegate_api import codec
from tidegate_api.codec import JsonObject
from tidegate_api.kustomize.v1.kustomization import Kustomization

CORPUS = Path(os.environ.get("TIDEGATE_CORPUS", Path(__file__).parents[2] / "shared" / "corpus"))
OWNER_LABELS = ("kustomize.toolkit.fluxcd.io/name", "kustomize.toolkit.fluxcd.io/namespace")


def a_kustomization(**spec: Any) -> JsonObject:
    required = {"interval": "1m", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "x"}}
    head = {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization"}
    return {**head, "metadata": {"name": "apps", "namespace": "flux-system"}, "spec": {**required, **spec}}


async def ours(root: Path, kustomization: JsonObject) -> list[JsonObject]:
    """What our build makes of the artifact in `root`, variables included."""
    spec = codec.decode(Kustomization, kustomization).spec
    objects = (await build.build(root, spec, build.Options())).objects
    if spec.post_build is None:
        return objects
    return substitute.substitute_all(objects, spec.post_build.substitute, spec.post_build.substitute_strategy)


async def theirs(flux: Path, root: Path, kustomization: JsonObject) -> list[Any]:
    """What flux prints for the same; an AssertionError with its message where it fails."""
    manifest = root.parent / f"{root.name}-kustomization.yaml"
    manifest.write_text(pyyaml.safe_dump(kustomization))
    path = kustomization["spec"].get("path", ".")
    command = [flux, "build", "kustomization", kustomization["metadata"]["name"], "--dry-run", "--strict-substitute"]
    command += ["--kustomization-file", manifest, "--path", root / path]
    done = await asyncio.to_thread(run, command, cwd=root)
    assert done.returncode == 0, done.stderr.decode()
    return [without_owner(obj) for obj in yaml.load_all(done.stdout) if obj is not None]


def run(command: Sequence[Any], **options: Any) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([str(word) for word in command], capture_output=True, check=False, timeout=50, **options)


def without_owner(obj: Any) -> Any:
    metadata = obj["metadata"]
    labels = {key: value for key, value in metadata.get("labels", {}).items() if key not in OWNER_LABELS}
    rest = {key: value for key, value in metadata.items() if key != "labels"}
    return {**obj, "metadata": {**rest, **({"labels": labels} if labels else {})}}


def without_empty_labels(obj: JsonObject) -> JsonObject:
    """flux's owner labels take the place of an empty mapping of labels."""
    metadata = {key: value for key, value in obj["metadata"].items() if key != "labels" or value}
    return {**obj, "metadata": metadata}


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of a real GitOps repository."""
    bundle = CORPUS / "repos" / "flux2-kustomize-helm-example.bundle"
    if not bundle.exists():
        pytest.skip(f"the corpus is not at {CORPUS}: TIDEGATE_CORPUS names another place")
    clone = tmp_path_factory.mktemp("corpus") / "example"
    subprocess.run(["git", "clone", "--quiet", bundle, clone], check=True, capture_output=True)
    shutil.rmtree(clone / ".git")
    return clone


ACME = "- op: replace\n  path: /spec/acme/server\n  value: https://acme.example.com/directory\n"


@pytest.mark.parametrize(
    "spec",
    [
        *[{"path": "apps/production"}, {"path": "apps/staging"}, {"path": "apps/base", "targetNamespace": "x"}],
        *[{"path": "infrastructure/controllers"}, {"path": "clusters/staging"}, {"path": "clusters/production"}],
        *[{"path": "infrastructure/configs", "patches": [{"patch": ACME, "target": {"kind": "ClusterIssuer"}}]}],
        *[{"path": "clusters/production/flux-system", "images": [{"name": "ghcr.io/fluxcd/source-controller"}]}],
        *[{"path": "clusters/staging", "namePrefix": "p-"}, {"path": "scripts"}],
    ],
    ids="-".join,
)  # fmt: skip
async def test_p15_a_real_repository_is_built_as_flux_builds_it(
    flux: Path, repository: Path, tmp_path: Path, spec: JsonObject
) -> None:
    kustomization = a_kustomization(**spec)
    expected = await theirs(flux, shutil.copytree(repository, tmp_path / "theirs"), kustomization)

    built = await ours(shutil.copytree(repository, tmp_path / "ours"), kustomization)
    assert list(map(without_empty_labels, built)) == expected


async def test_k8_a_file_that_is_no_manifest_is_named_as_flux_names_it(flux: Path, tmp_path: Path) -> None:
    for root in (tmp_path / "theirs", tmp_path / "ours"):
        (root / "apps").mkdir(parents=True)
        (root / "apps" / "broken.yaml").write_text("apiVersion: v1\nkind: ConfigMap\n")
    kustomization = a_kustomization(path="apps")

    message = r"failed to decode Kubernetes YAML from (/.*/)?apps/broken.yaml: missing metadata.name in object"
    with pytest.raises(AssertionError, match=message):
        await theirs(flux, tmp_path / "theirs", kustomization)
    with pytest.raises(BuildError, match=f"^{message}"):
        await ours(tmp_path / "ours", kustomization)


class Source(random.Random):
    """Random artifacts and specs."""

    def spec(self) -> JsonObject:
        """A few of the fields that change a build."""
        patch = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: all}\ndata: {patched: yes}\n"
        fields: JsonObject = {
            "targetNamespace": "space",
            "namePrefix": "pre-",
            "nameSuffix": "-suf",
            "images": [{"name": "app", "newTag": "2"}, {"name": "other", "newName": "x/y"}],
            "patches": [{"patch": patch, "target": {"kind": "ConfigMap"}}],
            "components": ["../component"],
            "buildMetadata": ["originAnnotations"],
            "commonMetadata": {},
            "postBuild": {"substitute": {"a": "1", "b": "yes", "c": "x: y", "d": "'q'", "n": "l1\nl2"}},
        }
        return {"path": "apps", **{name: value for name, value in fields.items() if self.random() < 0.3}}

    def text(self) -> str:
        """A value with and without variables, quotes and breaks."""
        parts = ["${a}", "${b}", "${d}", "$$", "${a:=z}", "yes", "0644", "1.0", "x y", "'", '"', "é", "word " * 25, "#"]
        glue = self.choice(["", " ", "\n"])
        return glue.join(self.choice(parts) for _ in range(self.randint(1, 4)))

    def manifest(self, position: int) -> str:
        """A ConfigMap or a Deployment."""
        name = {"name": f"x{position}", "labels": {"app": f"n {self.text()}"} if self.random() < 0.3 else {}}
        if self.random() < 0.3:
            name["annotations"] = {"note": f"n {self.text()}"}
        container = {"name": "c", "image": self.choice(["app:1", "other", "app@sha256:abc"])}
        template = {"template": {"spec": {"containers": [container]}}}
        obj: JsonObject = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": name, "spec": template}
        if self.random() < 0.6:
            data = {f"k{i}": self.text() for i in range(self.randint(0, 3))}
            obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": name, "data": data}
        return pyyaml.safe_dump(obj, default_style=self.choice([None, None, '"']), width=self.choice([40, 200]))

    def plant(self, root: Path) -> Path:
        """An artifact with plain manifests, a base and a component."""
        places = ["apps/a.yaml", "apps/z.yaml", "apps/sub/b.yaml", "apps/sub-b.yml", "apps/base/c.yaml", "base/d.yaml"]
        files = {place: self.manifest(position) for position, place in enumerate(places)}
        files["apps/base/kustomization.yaml"] = "resources: [c.yaml]\nnameSuffix: -base\n"
        files["component/kustomization.yaml"] = "kind: Component\ncommonAnnotations: {from: component}\n"
        if self.random() < 0.5:
            files["base/kustomization.yaml"] = self.choice(["resources: [d.yaml]", "resources: [d.yaml]\nnamespace: q"])
            files["apps/kustomization.yaml"] = "resources: [a.yaml, ../base, sub/b.yaml]\n" + self.choice(
                ["", "namespace: own\n", "images: [{name: app, newTag: '3', newName: n}]\n", "commonLabels: {v: 1.0}\n"]
            )
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return root


@pytest.mark.parametrize("seed", range(40))
async def test_p15_random_artifacts_are_built_as_flux_builds_them(flux: Path, tmp_path: Path, seed: int) -> None:
    source = Source(seed)
    root = source.plant(tmp_path / "theirs")
    kustomization = a_kustomization(**source.spec())
    copy = shutil.copytree(root, tmp_path / "ours")
    expected = await outcome(theirs(flux, root, kustomization))
    built = await outcome(ours(copy, kustomization))
    assert list(map(without_empty_labels, built)) == expected


async def outcome(making: Awaitable[list[Any]]) -> list[Any]:
    """The objects; none where a value breaks the YAML that it is put into, which both must see."""
    try:
        return await making
    except (AssertionError, BuildError) as error:
        return [] if "YAMLToJSON" in str(error) else [str(error)]


VALUES = {
    "a": "abc",
    "path": "x/y/file.tar.gz",
    "e": "",
    "u": "äöü日",
    "n": "12",
    "s": "ßİ",
    "g": "a*b[c]",
    "d": "$x${a}",
}
NAMES = st.sampled_from([*VALUES, "missing"])
WORDS = st.text(alphabet="ab*?./\\[]^-ä c01", max_size=4)


def calls(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Every operator, its arguments texts or calls."""
    argument = WORDS | inner
    unary = st.sampled_from(["", "^", "^^", ",", ",,"])
    default = st.sampled_from([":=", ":-", "=", ":?", ":+", "#", "##", "%", "%%", ":"])
    return (
        st.builds("${{{}{}}}".format, NAMES, unary)
        | st.builds("${{#{}}}".format, NAMES)
        | st.builds("${{{}{}{}}}".format, NAMES, default, argument)
        | st.builds("${{{}:{}:{}}}".format, NAMES, st.integers(-5, 9), st.integers(-5, 9))
        | st.builds("${{{}{}{}/{}}}".format, NAMES, st.sampled_from(["/", "//", "/#", "/%"]), argument, argument)
    )


TEMPLATES = st.lists(st.recursive(WORDS | st.sampled_from(["$", "$$", "${", "}"]), calls, max_leaves=4), max_size=4)


def expanded(template: str, *, strict: bool) -> bytes | None:
    try:
        return envsubst.evaluate(template, VALUES, strict=strict).encode("utf-8", "surrogateescape")
    except SubstitutionError:
        return None


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "lenient"])
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(templates=st.lists(TEMPLATES.map("".join), min_size=150, max_size=300))
def test_p13_templates_mean_what_flux_says(flux: Path, strict: bool, templates: list[str]) -> None:  # noqa: FBT001
    """flux reads a template a line and stops at the first bad one, so the good ones go together, a bad one alone."""
    good = [template for template in templates if expanded(template, strict=strict) is not None]
    bad = [template for template in templates if template not in good]
    command = [flux, "envsubst", *(["--strict"] if strict else [])]
    done = run(command, input="\n".join([*good, ""]).encode(), env=VALUES)

    assert done.returncode == 0, done.stderr
    assert done.stdout.split(b"\n")[: len(good)] == [expanded(template, strict=strict) for template in good]
    for template in bad[:2]:
        assert run(command, input=template.encode(), env=VALUES).returncode != 0
