"""What a build pipeline does with an application's chart, as one in Azure DevOps would.

A chart in the application's repository has tokens, `#{image.tag}#`, where a build has its facts. The pipeline puts the
facts in, packages the chart under the build's number, and pushes it to the registry.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from hack.testbed import charts
from hack.testbed.helm import Helm

TOKEN = re.compile(r"#\{\s*([A-Za-z0-9_.-]+)\s*\}#")
REPLACED = ("Chart.yaml", "values.yaml")


class UnknownToken(Exception):
    """A token that no variable of the pipeline stands for: such a chart is not released."""


@dataclass(frozen=True)
class Built:
    """What a run of the pipeline has pushed; `digest` is that of the manifest in the registry."""

    name: str
    version: str
    digest: str


@dataclass(frozen=True)
class Pipeline:
    """Releases charts below `charts`, an `oci://` address."""

    helm: Helm
    charts: str
    workspace: Path

    async def run(self, source: Mapping[str, str], variables: Mapping[str, str]) -> Built:
        """Replaces tokens, packages, pushes.

        Raises:
            UnknownToken: before anything is packaged.
            HelmFailed: helm refuses the chart, or the registry does.
        """
        files = {path: _filled(path, text, variables) for path, text in source.items()}
        head = yaml.safe_load(files["Chart.yaml"])
        name, version = str(head["name"]), str(head["version"])
        checkout = await asyncio.to_thread(charts.unpack, files, self.workspace / f"{name}-{version}")
        await self.helm("package", str(checkout), f"--destination={self.workspace}")
        digest = await self.helm.push_archive(self.workspace / f"{name}-{version}.tgz", self.charts)
        return Built(name, version, digest)


def replace_tokens(text: str, variables: Mapping[str, str]) -> str:
    """The text with each token's variable in its place. Raises: UnknownToken."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in variables:
            raise UnknownToken(f"no variable for {found[0]}")
        return variables[found[1]]

    return TOKEN.sub(value, text)


def _filled(path: str, text: str, variables: Mapping[str, str]) -> str:
    return replace_tokens(text, variables) if path in REPLACED else text
