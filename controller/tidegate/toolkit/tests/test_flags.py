"""Command lines as pflag reads them, with Flux's names, defaults and variables."""

import argparse
from datetime import timedelta
from typing import Any

import pytest

from tidegate.toolkit import flags as flag_sets
from tidegate.toolkit.flags import BadFlag, FlagSet


def a_flag_set() -> FlagSet:
    flags = FlagSet("test", "a program of tests")
    flags.text("name", "default", "a text of 100%")
    flags.number("count", 4, "a number")
    flags.boolean("on", "a switch")
    flags.boolean("off", "a switch that is on", default=True)
    flags.duration("wait", timedelta(seconds=30), "a duration")
    flags.texts("list", "a list")
    return flags


def common(*argv: str) -> argparse.Namespace:
    flags = FlagSet("test", "")
    flag_sets.define_common(flags)
    values = flags.parse(argv)
    flag_sets.check_common(values)
    return values


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], {"name": "default", "count": 4, "on": False, "off": True, "wait": timedelta(seconds=30), "list": []}),
        (["--name=a"], {"name": "a"}),
        (["--name", "a"], {"name": "a"}),
        (["--name="], {"name": ""}),
        (["--name", ""], {"name": ""}),
        (["--name=a=b"], {"name": "a=b"}),
        (["--name", "--on"], {"name": "--on", "on": False}),
        (["--name", "-x"], {"name": "-x"}),
        (["--name=a", "--name=b"], {"name": "b"}),
        (["--on"], {"on": True}),
        (["--on=true"], {"on": True}),
        (["--on=false", "--off=false"], {"on": False, "off": False}),
        (["--on=T", "--off=0"], {"on": True, "off": False}),
        (["--on", "false"], {"on": True}),
        (["--off", "false", "--name", "a"], {"off": True, "name": "a"}),
        (["--on", "--name", "a"], {"on": True, "name": "a"}),
        (["--count", "7"], {"count": 7}),
        (["--count=-7"], {"count": -7}),
        (["--count", "-7"], {"count": -7}),
        (["--count=0x10"], {"count": 16}),
        (["--wait=1h30m"], {"wait": timedelta(hours=1, minutes=30)}),
        (["--wait", "-5s"], {"wait": timedelta(seconds=-5)}),
        (["--list=a,b", "--list", "c"], {"list": ["a", "b", "c"]}),
        (["word", "--count=7", "another"], {"count": 7}),
        (["--count=7", "--", "--count=8"], {"count": 7}),
    ],
    ids=" ".join,
)
def test_arguments_are_read_as_pflag_reads_them(argv: list[str], expected: dict[str, Any]):
    values = vars(a_flag_set().parse(argv))

    assert {name: values[name] for name in expected} == expected


@pytest.mark.parametrize(
    "argv",
    [
        ["--unknown"],
        ["--unknown=1"],
        ["--nam=a"],
        ["-n"],
        ["-name=a"],
        ["--count=many"],
        ["--count="],
        ["--count=1.5"],
        ["--on=maybe"],
        ["--on="],
        ["--wait=5"],
        ["--wait=1d"],
        ["--name"],
        ["--on=true", "--count"],
        ["--=x"],
        ["---name=a"],
    ],
    ids=" ".join,
)
def test_mistake_in_the_arguments_is_told(argv: list[str]):
    with pytest.raises(BadFlag):
        a_flag_set().parse(argv)


def test_repeated_parsing_starts_anew():
    flags = a_flag_set()
    flags.parse(["--list=a"])

    assert flags.parse([]).list == []


def test_first_to_define_a_flag_defines_it():
    flags = a_flag_set()
    flags.text("name", "other", "again")
    flags.boolean("on", "again", default=True)

    assert (flags.parse([]).name, flags.parse([]).on) == ("default", False)


def test_help_names_every_flag(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as left:
        a_flag_set().parse(["--help"])

    text = capsys.readouterr().out
    assert left.value.code == 0
    assert all(f"--{name}" in text for name in ("name", "count", "on", "off", "wait", "list"))


def test_kubeconfig_takes_one_dash_too():
    assert common("-kubeconfig=/x").kubeconfig == "/x"
    assert common("-kubeconfig", "/x").kubeconfig == "/x"


def test_defaults_are_those_of_flux(monkeypatch: pytest.MonkeyPatch):
    for name in ("METRICS_ADDR", "EVENTS_ADDR"):
        monkeypatch.delenv(name, raising=False)
    values = vars(common())

    expected = {
        "metrics_addr": ":8080",
        "health_addr": ":9440",
        "events_addr": "",
        "concurrent": 4,
        "log_encoding": "json",
        "log_level": "info",
        "enable_leader_election": False,
        "leader_election_release_on_cancel": True,
        "leader_election_lease_duration": timedelta(seconds=35),
        "leader_election_renew_deadline": timedelta(seconds=30),
        "leader_election_retry_period": timedelta(seconds=5),
        "watch_all_namespaces": True,
        "watch_label_selector": "",
        "watch_configs_label_selector": "reconcile.fluxcd.io/watch=Enabled",
        "min_retry_delay": timedelta(milliseconds=750),
        "max_retry_delay": timedelta(minutes=15),
        "interval_jitter_percentage": 5,
        "no_cross_namespace_refs": False,
        "requeue_dependency": timedelta(seconds=30),
        "default_service_account": "",
    }
    assert {name: values[name] for name in expected} == expected


def test_environment_gives_defaults_that_flags_override(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("METRICS_ADDR", ":1")
    monkeypatch.setenv("EVENTS_ADDR", "http://x/")

    assert (common().metrics_addr, common().events_addr) == (":1", "http://x/")
    assert common("--metrics-addr=:2", "--events-addr=").metrics_addr == ":2"
    assert common("--events-addr=").events_addr == ""


@pytest.mark.parametrize(
    "argument",
    [
        "--log-encoding=xml",
        "--log-level=warn",
        "--interval-jitter-percentage=100",
        "--interval-jitter-percentage=-1",
        "--concurrent=0",
        "--leader-election-lease-duration=30s",
        "--leader-election-renew-deadline=5s",
        "--leader-election-retry-period=0s",
    ],
)
def test_value_that_cannot_work_is_told(argument: str):
    with pytest.raises(BadFlag):
        common(argument)


KNOWN = {"On": True, "Off": False}


@pytest.mark.parametrize(
    ("text", "gates"),
    [
        ("", {"On": True, "Off": False}),
        ("Off=true", {"On": True, "Off": True}),
        ("On=false, Off=true,", {"On": False, "Off": True}),
        ("Off = true", {"On": True, "Off": True}),
        ("Off=true,Off=false", {"On": True, "Off": False}),
    ],
)
def test_gates_are_read(text: str, gates: dict[str, bool]):
    assert flag_sets.parse_gates(text, KNOWN) == gates
    assert KNOWN == {"On": True, "Off": False}


@pytest.mark.parametrize("text", ["Other=true", "On", "On=", "On=maybe", "=true"])
def test_gate_that_cannot_be_read_is_told(text: str):
    with pytest.raises(BadFlag, match="feature-gate"):
        flag_sets.parse_gates(text, KNOWN)
