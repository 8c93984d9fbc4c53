"""A real chart released by us is stored as the helm binary stores it: manifest, hooks, notes, record (P1)."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from e2e import manifests
from e2e.releases import Shop
from e2e.tenant import RELEASE, Tenant
from hack.controlplane.api import JsonObject
from hack.testbed import charts
from hack.testbed.helm import Helm

CORPUS = Path(os.environ.get("TIDEGATE_CORPUS", Path(__file__).parents[2] / "shared" / "corpus"))
CHARTS: dict[str, JsonObject] = {
    "podinfo": {"replicaCount": 2, "redis": {"enabled": True}},
    "argo-rollouts": {},  # definitions among its templates
    "kube-state-metrics": {},
    "prometheus": {"server": {"persistentVolume": {"enabled": False}}},  # four subcharts
    "prometheus-operator-admission-webhook": {},  # hooks of several events
    "argo-workflows": {},  # definitions among its templates, and hooks
}

RANDOM = re.compile(r"-test-[a-z0-9]{5}(?![a-z0-9])")
"""What podinfo draws by lot for the names of its tests."""


@pytest.mark.parametrize("name", CHARTS)
async def test_p1_a_release_is_stored_as_helm_would_store_it(
    name: str, shop: Shop, helm_on_cluster: Helm, tmp_path: Path
) -> None:
    archive = archive_of(name)
    values = CHARTS[name]
    shop.repository.push_archive(archive.read_bytes())
    version = str(charts.head_of(archive.read_bytes())["version"])
    await shop.tenant.create(manifests.a_helm_repository(shop.repository.url))
    quick = {"disableWait": True}
    await shop.tenant.create(manifests.a_helm_release("app", version, name, values=values, install=quick))
    await shop.until_released("app", version)
    ours = await stored(shop)
    await shop.tenant.delete(RELEASE, "app")
    await shop.tenant.until_gone(RELEASE, "app", seconds=60)

    file = tmp_path / "values.yaml"
    file.write_text(manifests.as_yaml(values))
    await helm_on_cluster("install", "app", str(archive), f"--values={file}", namespace=shop.tenant.namespace)
    theirs = await stored(shop)
    await helm_on_cluster("uninstall", "app", namespace=shop.tenant.namespace)
    for part in ("manifest", "hooks", "notes"):
        assert ours[0].pop(part) == theirs[0].pop(part), part
    assert ours[0] == theirs[0]
    assert ours[1] == theirs[1]


def archive_of(name: str) -> Path:
    """A chart of the corpus; without it the test says so and is skipped."""
    found = sorted(CORPUS.glob(f"charts/{name}-[0-9]*.tgz"))
    if not found:
        pytest.skip(f"THE CORPUS IS NOT at {CORPUS}: TIDEGATE_CORPUS names another place; parity with helm is unproven")
    return found[0]


async def stored(shop: Shop) -> tuple[JsonObject, JsonObject]:
    """The only record, and its Secret's labels; both without what time decides, and the mark that makes ours ours."""
    (found,) = await shop.records()
    record = json.loads(RANDOM.sub("-test-random", json.dumps(found)))
    notes = record["info"].pop("notes", "")
    hooks = [{key: value for key, value in hook.items() if key != "last_run"} for hook in record.pop("hooks", [])]
    for moment in ("first_deployed", "last_deployed"):
        assert record["info"].pop(moment)
    labels = (await _secret(shop.tenant))["metadata"]["labels"]
    labels.pop("modifiedAt")
    own = {key for key in labels if "tidegate" in key or "toolkit.fluxcd.io" in key}
    return {**record, "notes": notes, "hooks": hooks}, {key: labels[key] for key in labels if key not in own}


async def _secret(tenant: Tenant) -> JsonObject:
    found: Any = await tenant.get("Secret", "sh.helm.release.v1.app.v1")
    assert found["type"] == "helm.sh/release.v1"
    return dict(found)
