import pytest

from hack.demo.stage.narrator import WIDTH, Narrator
from hack.demo.stage.timetable import Row, Timetable

LONG = "a sentence that goes on and on, with [bold]words[/] that matter, " * 5


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    narrator = Narrator()
    narrator.act("A title", LONG)
    narrator.done(LONG)
    narrator.quote("Somebody", "spec.ports[0].port: Invalid value")
    narrator.change([f"+ line {number}" for number in range(20)])
    timetable = Timetable()
    timetable.add(
        Row("A step with a name", "0123456", 1.234, None, "nothing applied, the cause was named after 0.21 s")
    )
    narrator.table(timetable.as_table())
    return capsys.readouterr().out.splitlines()


def test_plain_text_of_a_hundred_columns_without_a_terminal(told: list[str]) -> None:
    assert max(map(len, told)) <= WIDTH
    assert "\x1b" not in "".join(told)


def test_brackets_of_a_message_are_kept(told: list[str]) -> None:
    assert any(line.strip() == "spec.ports[0].port: Invalid value" for line in told)


def test_long_changes_are_cut_and_say_so(told: list[str]) -> None:
    assert any("… and 12 more" in line for line in told)


def test_wrapped_lines_end_without_blanks(told: list[str]) -> None:
    assert all(line == line.rstrip() for line in told if line.lstrip().startswith("a sentence"))
