"""commit -> applied -> healthy, act by act: what the demo shows at its end."""

from dataclasses import dataclass, field

from rich import box
from rich.table import Table


@dataclass(frozen=True)
class Row:
    """One step of the story. Seconds count from the commit (or what else began it)."""

    step: str
    began_with: str
    applied: float | None
    healthy: float | None
    result: str


@dataclass
class Timetable:
    """The steps that have been played."""

    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        self.rows.append(row)

    def as_table(self) -> Table:
        """For the console, 100 columns wide at most."""
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1))
        table.add_column("Step")
        table.add_column("Commit", no_wrap=True)
        table.add_column("Applied", justify="right", no_wrap=True)
        table.add_column("Healthy", justify="right", no_wrap=True)
        table.add_column("What was seen")
        for row in self.rows:
            table.add_row(row.step, row.began_with, seconds(row.applied), seconds(row.healthy), row.result)
        return table


def seconds(value: float | None) -> str:
    """A time for people; a dash where nothing was to happen."""
    return "-" if value is None else f"{value:.2f} s"
