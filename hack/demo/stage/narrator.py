"""What the user reads: short lines with the time since the start, and a spinner for whoever watches a terminal."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

WIDTH = 100
INDENT = 10
SHOWN_LINES = 8


class Narrator:
    """Tells the story on standard output: in colour on a terminal, else in plain text."""

    def __init__(self) -> None:
        probe = Console()
        width = min(probe.width, WIDTH) if probe.is_terminal else WIDTH
        no_colour = not probe.is_terminal or bool(os.environ.get("NO_COLOR"))
        self.console = Console(width=width, highlight=False, no_color=no_colour)
        self._began = time.monotonic()

    def title(self, text: str, below: str) -> None:
        """The first lines."""
        self.console.print(f"[bold]{text}[/]")
        self._print(below, style="dim", indent=0)
        self.console.print()

    def act(self, title: str, text: str) -> None:
        """A new act: what is going to happen."""
        self.console.print()
        self.console.rule(f"[bold]{title}[/]", align="left", style="dim")
        self._print(text)

    def say(self, text: str) -> None:
        """A remark."""
        self._print(text, style="dim")

    def quote(self, said_by: str, text: str) -> None:
        """What a condition or an event says, in its own words."""
        lines = text.strip().splitlines() or [""]
        self._print(f"{said_by} says:", style="dim")
        for line in lines[:SHOWN_LINES]:
            self._print(escape(line), style="yellow")

    def done(self, text: str) -> None:
        """Something has been seen to be so."""
        self._stamped("✓", "green", text)

    def change(self, lines: list[str]) -> None:
        """The lines that a commit adds and removes, or the files."""
        for line in lines[:SHOWN_LINES]:
            colour = {"+": "green", "-": "red"}.get(line[:1], "dim")
            self._print(escape(line), style=colour)
        if len(lines) > SHOWN_LINES:
            self._print(f"  … and {len(lines) - SHOWN_LINES} more", style="dim")

    def program(self, lines: list[str]) -> None:
        """What a program printed, as it printed it."""
        for line in lines:
            text = Text(" " * INDENT + line)
            text.truncate(self.console.width, overflow="ellipsis")
            self.console.print(text, soft_wrap=True)

    def table(self, table: Table) -> None:
        self.console.print()
        self.console.print(table)
        self.console.print()

    def plain(self, text: str = "", style: str = "") -> None:
        """Text as it is, to be copied from."""
        self.console.print(Text(text, style=style), soft_wrap=True)

    def failed(self, text: str) -> None:
        """The demo has found something that is not as it tells it."""
        self.console.print()
        self._stamped("✗", "bold red", escape(text))

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """While something takes its time: a spinner, on a terminal only. One at a time."""
        if not self.console.is_terminal:
            yield
            return
        with self.console.status(f"[dim]{text}…[/]", spinner="dots"):
            yield

    def _stamped(self, mark: str, style: str, text: str) -> None:
        elapsed = f"{time.monotonic() - self._began:{INDENT - 5}.1f} s"
        self._print(text, Text.assemble((elapsed, "dim"), " ", (mark, style), " "))

    def _print(self, text: str, head: Text | None = None, style: str = "", indent: int = INDENT) -> None:
        """Wrapped and indented by hand: rich's own boxes fill every line with blanks, which logs keep."""
        lines = Text.from_markup(text, style=style).wrap(self.console, self.console.width - indent)
        for number, line in enumerate(lines):
            line.rstrip()
            self.console.print((head if head and number == 0 else Text(" " * indent)) + line)
