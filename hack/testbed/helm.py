"""The real helm binary, without anybody's settings: the reference for whatever concerns releases."""

import asyncio
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hack.testbed import charts
from hack.testbed.charts import Chart

SECONDS = 60.0


class HelmFailed(Exception):
    """helm ended badly; the message has all that it said."""


@dataclass(frozen=True)
class Helm:
    """`await helm("history", "appa", namespace=…)`: what it printed. Its configuration and caches lie in `home`."""

    binary: Path
    home: Path
    kubeconfig: Path | None = None

    async def __call__(self, *words: str, namespace: str = "") -> str:
        """Runs one command in a thread: the servers that it needs run in this loop. Returns its standard output.

        Raises:
            HelmFailed: it ended with another code than 0.
        """
        done = await asyncio.to_thread(self._run, words, namespace)
        if done.returncode != 0:
            raise HelmFailed(f"helm {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    async def loaded(self, *words: str, namespace: str = "") -> Any:
        """What it prints as JSON."""
        return json.loads(await self(*words, "--output=json", namespace=namespace))

    async def push(self, chart: Chart, where: str) -> str:
        """Pushes a chart below an `oci://` address over plain HTTP; returns the digest that it has there."""
        archive = await asyncio.to_thread(charts.write, chart, self.home / "archives")
        return await self.push_archive(archive, where)

    async def push_archive(self, archive: Path, where: str) -> str:
        """The same with a file."""
        done = await asyncio.to_thread(self._run, ("push", str(archive), where, "--plain-http"), "")
        said = done.stdout + done.stderr
        if done.returncode != 0 or "Digest: " not in said:
            raise HelmFailed(f"helm push {archive.name}: {done.returncode}\n{said}")
        return said.partition("Digest: ")[2].split()[0]

    def _run(self, words: tuple[str, ...], namespace: str) -> "subprocess.CompletedProcess[str]":
        where = ["--namespace", namespace] if namespace else []
        cluster = {"KUBECONFIG": str(self.kubeconfig)} if self.kubeconfig else {}
        places = {f"HELM_{kind}_HOME": str(self.home / kind.lower()) for kind in ("CONFIG", "CACHE", "DATA")}
        return subprocess.run(
            [str(self.binary), *words, *where],
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), **places, **cluster},
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
            start_new_session=True,  # Ctrl-C is for whoever runs us, and what has begun is over in a moment
        )
