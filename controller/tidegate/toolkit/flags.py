"""Command line flags as Flux's controllers take them: pflag's syntax, Flux's names, defaults and environment variables.

`--x v`, `--x=v`; for booleans `--x` and `--x=false`; durations in Go's form.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, NoReturn

from tidegate.runtime.errors import TidegateError
from tidegate_api import codec

# Flux's gates (flux-v2-behaviour.md 1.10): one process has one flag for all of its programs.
_OFF = """
    CacheSecretsAndConfigMaps ObjectLevelWorkloadIdentity DisableConfigWatchers AdditiveCELDependencyCheck
    ExternalArtifact DirectSourceFetch CancelHealthCheckOnNewRevision DisableFailFastBehavior GroupChangeLog
    MigrateAPIVersion DetectDrift CorrectDrift AdoptLegacyReleases AllowDNSLookups OOMWatch
    DisableChartDigestTracking UseHelm3Defaults DefaultToRetryOnFailure
"""
GATES = {
    **dict.fromkeys(_OFF.split(), False),
    **dict.fromkeys(("DisableStatusPollerCache", "StrictPostBuildSubstitutions"), True),
}


class BadFlag(TidegateError):
    """A flag is unknown, or its value does not fit."""


class FlagSet(argparse.ArgumentParser):
    """Flags of one program; `parse` refuses what it does not know."""

    def __init__(self, program: str, description: str) -> None:
        super().__init__(prog=program, description=description, allow_abbrev=False)
        self._defined: set[str] = set()
        self._switches: set[str] = set()

    def text(self, name: str, default: str, help_text: str, env: str = "") -> None:
        """A text flag; `env` names the variable that its default is read from."""
        self._define(name, os.environ.get(env, default) if env else default, help_text, str, "string")

    def number(self, name: str, default: int, help_text: str) -> None:
        """A whole number."""
        self._define(name, default, help_text, _whole, "int")

    def duration(self, name: str, default: timedelta, help_text: str) -> None:
        """A duration such as 30s or 1h30m."""
        self._define(name, default, help_text, _duration, "duration")

    def boolean(self, name: str, help_text: str, *, default: bool = False) -> None:
        """A switch: `--name` is true, `--name=false` false."""
        self._switches.add(name)
        self._define(name, default, help_text, _boolean, "bool")

    def texts(self, name: str, help_text: str) -> None:
        """A flag that may be repeated, or hold a comma-separated list."""
        if self._is_new(name):
            self.add_argument(f"--{name}", action="extend", type=_commas, default=[], help=help_text, metavar="strings")

    def accepted(self, help_text: str, *names: str) -> None:
        """Flags of Flux that tune what is not here: any value is taken, none has an effect; `help_text` says why."""
        for name in names:
            self.text(name, "", f"accepted for compatibility: {help_text}")

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """The values by name, dashes as underscores. Raises: BadFlag."""
        return self.parse_args(list(self._spelled_out(argv)))

    def error(self, message: str) -> NoReturn:
        """A mistake in the arguments is ours to report, not argparse's to exit with."""
        raise BadFlag(message)

    def _spelled_out(self, argv: Sequence[str]) -> Iterator[str]:
        """Each flag as `--name=value`, by pflag's rules: a switch takes no next argument, everything else takes any.

        What is no flag is left out: Flux's controllers have no use for it, and do not complain.
        """
        rest = iter(argv)
        for argument in rest:
            if argument == "--":
                return
            flag = _double_dash(argument)
            name = flag.removeprefix("--")
            if name in self._switches:
                yield f"{flag}=true"
            elif name in self._defined:
                value = next(rest, None)
                if value is None:
                    self.error(f"flag needs an argument: {flag}")
                yield f"{flag}={value}"
            elif flag.startswith("-") and flag != "-":
                yield flag

    def _define(self, name: str, default: Any, help_text: str, kind: Any, metavar: str) -> None:
        if self._is_new(name):
            text = help_text.replace("%", "%%")
            self.add_argument(f"--{name}", default=default, type=kind, help=text, metavar=metavar)

    def _is_new(self, name: str) -> bool:
        """Controllers in one process share their common flags: the first to name one defines it."""
        fresh = name not in self._defined
        self._defined.add(name)
        return fresh


def define_common(flags: FlagSet, concurrent: int = 4) -> None:
    """What every Flux controller takes (flux-v2-behaviour.md 1.9)."""
    flags.text("kubeconfig", "", "path of a kubeconfig; without one KUBECONFIG, else the pod's service account")
    flags.text("metrics-addr", ":8080", "address of /metrics", env="METRICS_ADDR")
    flags.text("health-addr", ":9440", "address of /healthz and /readyz")
    flags.text("events-addr", "", "URL of the receiver of events", env="EVENTS_ADDR")
    flags.number("concurrent", concurrent, "how many objects of a kind are worked on at the same time")
    flags.text("log-encoding", "json", "json or console")
    flags.text("log-level", "info", "trace, debug, info or error")
    flags.number("kube-api-qps", 50, "accepted for compatibility: requests are bounded by connections and the server")
    flags.number("kube-api-burst", 300, "accepted for compatibility")
    flags.accepted("no cloud tokens are held yet", "token-cache-max-size", "token-cache-max-duration")
    flags.boolean("enable-leader-election", "act only while holding the Lease")
    flags.boolean("leader-election-release-on-cancel", "give the Lease up at the end", default=True)
    flags.duration("leader-election-lease-duration", timedelta(seconds=35), "how long a silent leader is respected")
    flags.duration("leader-election-renew-deadline", timedelta(seconds=30), "how long a leader tries to renew")
    flags.duration("leader-election-retry-period", timedelta(seconds=5), "time between tries")
    flags.boolean("watch-all-namespaces", "false: only the namespace of RUNTIME_NAMESPACE", default=True)
    flags.text("watch-label-selector", "", "work only on objects that it selects")
    flags.text("watch-configs-label-selector", "reconcile.fluxcd.io/watch=Enabled", "Secrets and ConfigMaps that wake")
    flags.duration("min-retry-delay", timedelta(milliseconds=750), "first delay after a failure")
    flags.duration("max-retry-delay", timedelta(minutes=15), "longest delay after failures")
    flags.number("interval-jitter-percentage", 5, "how far intervals are spread, 0 to 99")
    flags.text("feature-gates", "", "A=true,B=false")
    flags.boolean("no-cross-namespace-refs", "refuse references into other namespaces")
    flags.duration("requeue-dependency", timedelta(seconds=30), "safety net while waiting for something else")
    flags.text("default-service-account", "", "the account for objects that name none")


def parse_gates(text: str, known: dict[str, bool]) -> dict[str, bool]:
    """The feature gates after `text` over the defaults in `known`. Raises: BadFlag for an unknown gate."""
    gates = dict(known)
    for pair in filter(None, text.split(",")):
        name, _, value = (part.strip() for part in pair.partition("="))
        if name not in known:
            raise BadFlag(f"feature-gate {name!r} is not supported")
        try:
            gates[name] = _boolean(value)
        except argparse.ArgumentTypeError as error:
            raise BadFlag(f"feature-gate {name!r}: {error}") from error
    return gates


def check_common(values: argparse.Namespace) -> None:
    """Refuse values that cannot work. Raises: BadFlag."""
    if values.log_encoding not in ("json", "console"):
        raise BadFlag(f"--log-encoding must be json or console, not {values.log_encoding!r}")
    if values.log_level not in ("trace", "debug", "info", "error"):
        raise BadFlag(f"--log-level must be trace, debug, info or error, not {values.log_level!r}")
    if not 0 <= values.interval_jitter_percentage <= 99:
        raise BadFlag("--interval-jitter-percentage must be between 0 and 99")
    if values.concurrent < 1:
        raise BadFlag("--concurrent must be at least 1")
    times = values.leader_election_retry_period, values.leader_election_renew_deadline
    if not timedelta() < times[0] < times[1] < values.leader_election_lease_duration:
        # Else a leader would go on acting when another one may begin (promise 5).
        raise BadFlag("--leader-election-retry-period, -renew-deadline and -lease-duration must grow in this order")


def _double_dash(argument: str) -> str:
    """controller-runtime registers --kubeconfig with Go's flag package, which takes one dash too."""
    return f"-{argument}" if argument.startswith("-kubeconfig") else argument


def _duration(text: str) -> timedelta:
    try:
        return codec.parse_duration(text)
    except codec.InvalidDuration as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _whole(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"invalid whole number {text!r}") from error


def _boolean(text: str) -> bool:
    match text:
        case "1" | "t" | "T" | "true" | "True" | "TRUE":
            return True
        case "0" | "f" | "F" | "false" | "False" | "FALSE":
            return False
        case _:
            raise argparse.ArgumentTypeError(f"invalid boolean value {text!r}")


def _commas(text: str) -> list[str]:
    return [part for part in text.split(",") if part]
