"""Nothing outside of the artifact is read, nothing remote is fetched, nothing foreign is run: K1 to K5."""

import contextlib
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.kustomize import jail, kustomization_file
from tidegate.kustomize.errors import BuildError, PathError
from tidegate.kustomize.tests.trees import a_config_map, built, names, plant
from tidegate_api.codec import JsonObject

SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: stolen}\n"
PLUGIN = "apiVersion: builtin\nkind: %s\nmetadata: {name: x}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An artifact beside which something lies that it may not have."""
    (tmp_path / "secret.yaml").write_text(SECRET)
    plant(tmp_path / "outside", {"kustomization.yaml": "resources: [../secret.yaml]"})
    return plant(tmp_path / "artifact", {"deploy/app.yaml": a_config_map("app")})


@pytest.mark.parametrize("path", ["..", "../..", "../outside", "deploy/../../outside", "./../artifact", "a\0b"])
async def test_k1_a_path_that_climbs_out_is_refused(root: Path, path: str) -> None:
    with pytest.raises(PathError, match="kustomization path not found"):
        await built(root, path=path)


@pytest.mark.parametrize("path", ["/deploy", "./deploy", "deploy/", "//deploy", "deploy/../deploy", "deploy/."])
async def test_k1_an_absolute_path_starts_at_the_root_of_the_artifact(root: Path, path: str) -> None:
    assert names(await built(root, path=path)) == ["app"]


async def test_k1_a_path_through_a_link_is_refused(root: Path) -> None:
    (root / "link").symlink_to(root.parent / "outside")

    with pytest.raises(PathError):
        await built(root, path="link")


@pytest.mark.parametrize("path", ["/etc", "nothing", "deploy/app.yaml"])
async def test_k1_a_path_that_is_no_directory_is_refused(root: Path, path: str) -> None:
    with pytest.raises(PathError, match="kustomization path not found: stat"):
        await built(root, path=path)


PLACES = [
    *["resources: [%s]", "bases: [%s]", "components: [%s]", "configurations: [%s]", "crds: [%s]"],
    *["openapi: {path: %s}", "patches: [{path: %s}]", "patchesJson6902: [{path: %s}]", "patchesStrategicMerge: [%s]"],
    *["replacements: [{path: %s}]", "configMapGenerator: [{name: x, files: [%s]}]"],
    *["configMapGenerator: [{name: x, files: [k=%s]}]", "configMapGenerator: [{name: x, envs: [%s]}]"],
    *["secretGenerator: [{name: x, env: %s}]"],
    *["generators: [%s]", "transformers: [%s]", "validators: [%s]"],
    *["Resources: [%s]", "RE\u017fOURCES: [%s]", "patches: [{Path: %s}]", "<<: {resources: [%s]}"],
    *["{resources: [app.yaml], resources: [%s]}", "configMapGenerator: [{name: x, FILES: [k=%s]}]"],
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("target", ["../../secret.yaml", "sub/../../../secret.yaml", "/etc/passwd", "link.yaml"])
async def test_k2_no_field_leads_out_of_the_artifact(root: Path, place: str, target: str) -> None:
    plant(root, {"deploy/kustomization.yaml": place % target, "deploy/sub/x": ""})
    (root / "deploy" / "link.yaml").symlink_to(root.parent / "secret.yaml")

    with pytest.raises(BuildError, match="is not in or below the root of the artifact"):
        await built(root, path="deploy")


@pytest.mark.parametrize("place", PLACES)
async def test_k2_no_field_leads_out_from_a_base(root: Path, place: str) -> None:
    plant(root, {"base/kustomization.yaml": place % "../../secret.yaml"})
    plant(root, {"deploy/kustomization.yaml": "resources: [../base]", "base/app.yaml": a_config_map("app")})

    with pytest.raises(BuildError, match=r"^base/kustomization.yaml: path '../../secret.yaml' is not in or below"):
        await built(root, path="deploy")


async def test_k2_a_linked_directory_outside_is_no_base(root: Path) -> None:
    plant(root, {"deploy/kustomization.yaml": "resources: [link]"})
    (root / "deploy" / "link").symlink_to(root.parent / "outside")

    with pytest.raises(BuildError, match="is not in or below"):
        await built(root, path="deploy")


async def test_k2_a_linked_kustomization_file_is_refused(root: Path) -> None:
    (root / "deploy" / "kustomization.yaml").symlink_to(root.parent / "outside" / "kustomization.yaml")

    with pytest.raises(BuildError, match=r"is a link"):
        await built(root, path="deploy")


async def test_k2_an_inline_patch_that_could_be_a_path_is_no_way_out(root: Path) -> None:
    patch = "\\n/../../../../../../../../../../../../../../etc/passwd"
    plant(root, {"deploy/kustomization.yaml": f'resources: [app.yaml]\npatchesStrategicMerge: ["{patch}"]'})

    with pytest.raises(BuildError, match="is not in or below"):
        await built(root, path="deploy")


async def test_a_base_beside_the_path_is_legal(root: Path) -> None:
    plant(root, {"base/kustomization.yaml": "resources: [../deploy/app.yaml]\nnamePrefix: x-"})
    plant(root, {"overlay/kustomization.yaml": "resources: [../base]"})

    assert names(await built(root, path="overlay")) == ["x-app"]


async def test_k3_a_cycle_of_bases_is_refused(root: Path) -> None:
    plant(root, {"a/kustomization.yaml": "resources: [../b]", "b/kustomization.yaml": "resources: [../a]"})

    with pytest.raises(BuildError, match="cycle detected: candidate root 'a' contains visited root 'a'"):
        await built(root, path="a")


@pytest.mark.parametrize("base", [".", "..", "../deploy"])
async def test_k3_a_base_at_or_above_itself_is_refused(root: Path, base: str) -> None:
    plant(root, {"deploy/kustomization.yaml": f"resources: ['{base}']"})

    with pytest.raises(BuildError, match="cycle detected"):
        await built(root, path="deploy")


async def test_k3_ten_thousand_nested_bases_are_refused_in_time(root: Path) -> None:
    chain = {f"b{i}/kustomization.yaml": f"resources: [../b{i + 1}]" for i in range(10_000)}
    plant(root, chain)
    started = time.monotonic()

    with pytest.raises(BuildError, match="nested deeper than"):
        await built(root, path="b0")
    assert time.monotonic() - started < 5


async def test_k3_bases_that_double_at_every_level_are_refused_in_time(root: Path) -> None:
    doubling = "resources: [../b{0}, ../b{0}]"
    plant(root, {f"b{i}/kustomization.yaml": doubling.format(i + 1) for i in range(40)})
    plant(root, {"b40/kustomization.yaml": "resources: [../deploy/app.yaml]"})

    with pytest.raises(BuildError, match="more than 10000 bases"):
        await built(root, path="b0")


@pytest.fixture
def requests() -> Iterator[list[str]]:
    """What a server on loopback was asked for; its address is the first entry."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(a_config_map("remote").encode())

        def log_message(self, *_: object) -> None:
            """Nothing is said."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    seen.append(f"127.0.0.1:{server.server_port}")
    yield seen
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("scheme", ["http", "HTTP"])
async def test_k4_no_field_makes_a_connection(root: Path, requests: list[str], place: str, scheme: str) -> None:
    plant(root, {"deploy/kustomization.yaml": place % f"{scheme}://{requests[0]}/x.yaml"})

    with pytest.raises(BuildError, match=r"is not allowed|neither plain YAML nor a path"):
        await built(root, path="deploy")
    assert len(requests) == 1


@pytest.mark.parametrize(
    "base",
    [
        *["https://github.com/o/r", "git::https://x.example/o/r", "git@github.com:o/r", "ssh://git@x.example/o/r"],
        *["github.com/o/r", "GitHub.com:o/r", "file:///etc", "org-1@x.example:o/r", "http:x", "HTTPS://x.example//y"],
    ],
)
async def test_k4_no_repository_is_cloned(root: Path, base: str) -> None:
    plant(root, {"deploy/kustomization.yaml": f"resources: ['{base}']", f"deploy/{base}/app.yaml": a_config_map("app")})

    with pytest.raises(BuildError, match=r"remote (entry|base) '.*' is not allowed"):
        await built(root, path="deploy")


async def test_a_remote_file_is_fetched_where_that_is_allowed(root: Path, requests: list[str]) -> None:
    plant(root, {"deploy/kustomization.yaml": f"resources: [app.yaml, 'http://{requests[0]}/x.yaml']"})

    assert names(await built(root, path="deploy", no_remote_bases=False)) == ["app", "remote"]
    assert requests[1:] == ["/x.yaml"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("helmCharts: [{name: x, releaseName: --post-renderer=/bin/sh}]", id="helm"),
        pytest.param("HelmCharts: [{name: x}]", id="helm-in-capitals"),
        pytest.param("helmChartInflationGenerator: [{chartName: x}]", id="helm-of-old"),
        pytest.param("generators: [plugin.yaml]", id="function-in-a-file"),
        pytest.param("transformers: [plugins]", id="function-in-a-directory"),
        pytest.param("validators: ['{apiVersion: x/v1, kind: Exec, metadata: {name: x}}']", id="inline-plugin"),
        pytest.param("generators: ['{apiVersion: builtin, kind: HelmChartInflationGenerator}']", id="helm-plugin"),
        pytest.param("generators: ['!x {apiVersion: builtin, kind: ConfigMapGenerator}']", id="ambiguous"),
        pytest.param("generators: [plugin.yaml?ref=x]\n<<: {generators: ['{a: @}']}", id="not-for-every-reader"),
        pytest.param("transformers: [patched]", id="configuration-made-by-a-build"),
    ],
)  # fmt: skip
async def test_k5_no_helm_and_no_foreign_plugin(root: Path, content: str) -> None:
    function = "{config.kubernetes.io/function: 'exec: {path: /bin/sh}'}"
    plugin = f"apiVersion: builtin\nkind: PrefixTransformer\nmetadata:\n  name: x\n  annotations: {function}\n"
    plant(root, {"deploy/kustomization.yaml": content, "deploy/plugin.yaml": plugin})
    plant(root, {"deploy/plugins/kustomization.yaml": "resources: [../plugin.yaml]"})
    plant(root, {"deploy/patched/kustomization.yaml": "resources: [x.yaml]\npatches: [{patch: x}]"})

    with pytest.raises(BuildError, match=r"not allowed|plain YAML|plugin configuration"):
        await built(root, path="deploy")


@pytest.mark.parametrize(
    "plugin",
    [
        *[
            "ConfigMapGenerator\nname: x\nfiles: [%s]",
            "SecretGenerator\nname: x\nenvs: [%s]",
            "ConfigMapGenerator\nENV: %s",
        ],
        *[
            "PatchTransformer\npath: %s",
            "PatchJson6902Transformer\npath: %s",
            "PatchStrategicMergeTransformer\npaths: [%s]",
        ],
        *["ReplacementTransformer\nreplacements: [{path: %s}]", "PatchTransformer\nPATH: %s"],
    ],
)
@pytest.mark.parametrize("place", ["inline", "in a file"])
async def test_k5_a_builtin_plugin_reads_nothing_outside(root: Path, plugin: str, place: str) -> None:
    kind, _, fields = (plugin % "/etc/passwd").partition("\n")
    configuration = PLUGIN % kind + fields
    entry = configuration.replace("\n", "\\n") if place == "inline" else "plugin.yaml"
    plant(root, {"deploy/kustomization.yaml": f'transformers: ["{entry}"]', "deploy/plugin.yaml": configuration})

    with pytest.raises(BuildError, match="'/etc/passwd' is not in or below"):
        await built(root, path="deploy")


@pytest.mark.parametrize("entry", ["plugin.yaml", "plugins", "'%s'"])
async def test_builtin_plugins_work(root: Path, entry: str) -> None:
    plugin = "{apiVersion: builtin, kind: PrefixTransformer, metadata: {name: x}, prefix: p-, FIELDS}"
    plugin = plugin.replace("FIELDS", "fieldSpecs: [{path: metadata/name}]")
    plant(root, {"deploy/kustomization.yaml": f"resources: [app.yaml]\ntransformers:\n- {entry.replace('%s', plugin)}"})
    plant(root, {"deploy/plugin.yaml": plugin, "deploy/plugins/kustomization.yaml": "resources: [../plugin.yaml]"})

    assert names(await built(root, path="deploy")) == ["p-app"]


async def test_what_was_checked_is_what_kustomize_reads(root: Path) -> None:
    """A file that two YAML readers could read differently is written out in the one way that it was read."""
    plant(root, {"deploy/kustomization.yaml": "resources: [../base]"})
    plant(root, {"base/kustomization.yaml": "resources: [a.yaml]\nnamePrefix: yes-\n<<: {nameSuffix: -x}\n"})
    plant(root, {"base/a.yaml": a_config_map("a")})

    assert names(await built(root, path="deploy")) == ["yes-a-x"]
    assert (root / "base" / "kustomization.yaml").read_text().startswith('{"resources":')


NASTY = st.sampled_from(
    ["", ".", "..", "/", "a.yaml", "a.yaml=b", "base", "\0", "\n", "x" * 5000, "../" * 99, "http://x", "{a: b}", "["]
)  # fmt: skip
JSON = st.recursive(
    NASTY | st.none() | st.booleans() | st.integers() | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["path", "files", "name"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.dictionaries(st.sampled_from([*kustomization_file.FIELDS, "Resources", "x"]), JSON, max_size=4))
def test_p3_any_kustomization_is_a_plan_or_our_error(root: Path, content: JsonObject) -> None:
    start = root / "deploy" / "kustomization.yaml"
    with contextlib.suppress(BuildError, OSError):
        jail.survey(root, start, content, allow_remote=False)
    with contextlib.suppress(BuildError, OSError):
        jail.survey(root, start, kustomization_file.typed(content, "kustomization.yaml"), allow_remote=True)
