"""Runs one long command and says how it is getting on: what, for how long, of how long, and doing what just now."""

import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.markup import escape

from hack.controlplane import processes

LINE_EVERY = timedelta(seconds=20)
KEPT_LINES = 40

console = Console(stderr=True, highlight=False, soft_wrap=True)


class CommandFailed(Exception):
    """A command ended badly; the message carries the end of what it said."""

    def __init__(self, title: str, code: int, said: str) -> None:
        self.code = code
        self.said = said
        super().__init__(f"{title} failed with exit code {code}:\n{said}")


@dataclass(frozen=True)
class Command:
    """What to run, and what to call it while it runs."""

    title: str
    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    expected: timedelta


def run(command: Command) -> None:
    """Runs a command to its end. Its output is kept back and shown only when it fails.

    Raises:
        CommandFailed: it ended with another code than 0.
    """
    said: deque[str] = deque(maxlen=KEPT_LINES)
    began = time.monotonic()
    with subprocess.Popen(
        processes.dying_with_us(command.argv),
        cwd=command.cwd,
        env=command.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        listener = threading.Thread(target=_keep_lines, args=(process.stdout, said), daemon=True)
        listener.start()
        try:
            _watch(process, command, said)
        finally:
            process.kill()
            listener.join()
    if process.returncode != 0:
        raise CommandFailed(command.title, process.returncode, "\n".join(said))
    took = timedelta(seconds=time.monotonic() - began)
    console.print(f"[green]✓[/] {command.title} [dim]in {clock(took)}[/]")


def clock(duration: timedelta) -> str:
    """A duration as minutes and seconds, as on a kitchen clock."""
    seconds = round(duration.total_seconds())
    return f"{seconds // 60}:{seconds % 60:02d}"


def _keep_lines(stream: IO[str], said: deque[str]) -> None:
    for line in stream:
        said.append(line.rstrip())


def _watch(process: subprocess.Popen[str], command: Command, said: deque[str]) -> None:
    began = time.monotonic()
    next_line = LINE_EVERY
    console.print(f"{command.title} [dim](about {clock(command.expected)} when nothing is cached)[/]")
    with console.status("", spinner="dots") as status:
        while True:
            try:
                process.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                elapsed = timedelta(seconds=time.monotonic() - began)
                line = _progress_line(command, elapsed, said)
                status.update(line)
                if not console.is_terminal and elapsed >= next_line:
                    console.print(line)
                    next_line = elapsed + LINE_EVERY
            else:
                return


def _progress_line(command: Command, elapsed: timedelta, said: deque[str]) -> str:
    doing = escape(said[-1][:60]) if said else "starting"
    return f"  {command.title} [cyan]{clock(elapsed)}[/] of about {clock(command.expected)} [dim]{doing}[/]"
