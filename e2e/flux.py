"""The real flux binary."""

import asyncio
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from hack.controlplane.api import JsonObject

SECONDS = 50.0


class FluxFailed(Exception):
    """flux ended badly; the message has all that it said."""


@dataclass(frozen=True)
class Flux:
    """`await flux("get", "sources", "git", namespace=…)`: what it printed, on both streams."""

    binary: Path
    kubeconfig: Path
    home: Path

    async def __call__(self, *words: str, namespace: str = "") -> str:
        """Runs one command in a thread: the servers that it needs run in this loop.

        Raises:
            FluxFailed: it ended with another code than 0.
        """
        done = await asyncio.to_thread(self._run, words, namespace)
        if done.returncode != 0:
            raise FluxFailed(f"flux {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    async def rows(self, *words: str, namespace: str = "") -> list[dict[str, str]]:
        """A table that it prints, as rows by column."""
        done = await asyncio.to_thread(self._run, words, namespace)
        if done.returncode != 0:
            raise FluxFailed(f"flux {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}")
        head, *lines = [[cell.strip() for cell in line.split("\t")] for line in done.stdout.splitlines() if line]
        return [dict(zip(head, line, strict=False)) for line in lines]

    async def loaded(self, *words: str, namespace: str = "") -> JsonObject:
        """What it prints as JSON."""
        found = json.loads(await self(*words, namespace=namespace))
        assert isinstance(found, dict)
        return found

    def _run(self, words: tuple[str, ...], namespace: str) -> "subprocess.CompletedProcess[str]":
        where = ["--namespace", namespace] if namespace else []
        return subprocess.run(
            [str(self.binary), *words, *where, "--kubeconfig", str(self.kubeconfig), "--timeout=40s"],
            env={"PATH": os.environ["PATH"], "HOME": str(self.home)},
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
