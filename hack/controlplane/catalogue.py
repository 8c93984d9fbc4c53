"""What can be built, and how: names, Go modules, packages, link flags. Pure; nothing here runs anything.

Versions are pinned by the go.mod files beside this one and nowhere else.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

MODULES = Path(__file__).parent
KUBERNETES_VERSION = {
    f"{package}.{variable}": value
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    for variable, value in (("gitVersion", "v{bare}"), ("gitMajor", "{major}"), ("gitMinor", "{minor}"))
}


@dataclass(frozen=True)
class Program:
    """One binary: built from `package`, at the version that `module`/go.mod pins for `pinned`."""

    name: str
    module: str
    pinned: str
    package: str
    cold: timedelta
    """How long the build takes on two cores when nothing is cached."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Go variables that are told the version when the program is linked."""
    extra_files: Mapping[str, str] = field(default_factory=dict)
    """Module directory in the Go module cache -> name below the cached build, for files that belong to the program."""
    in_place: bool = False
    """Built inside a copy of its own module: for a command whose repository generates what it embeds."""

    @property
    def directory(self) -> Path:
        return MODULES / self.module

    @property
    def version(self) -> str:
        return pinned_version((self.directory / "go.mod").read_text(), self.pinned)

    @property
    def build_name(self) -> str:
        """`name-version-digest`: another pin of anything that goes into the build gives another name."""
        return f"{self.name}-{self.version}-{inputs_digest(self)[:12]}"


def pinned_version(go_mod: str, module: str) -> str:
    """The version that a go.mod requires of a module.

    Raises:
        LookupError: the module is not required there.
    """
    found = re.search(rf"^(?:require)?\s+{re.escape(module)} (v\S+)", go_mod, re.MULTILINE)
    if found is None:
        raise LookupError(f"go.mod pins no version of {module}")
    return found.group(1)


def inputs_digest(program: Program) -> str:
    """A digest of everything in this repository that decides how the binary comes out."""
    settings = (program.package, sorted(program.variables.items()), sorted(program.extra_files.items()))
    digest = hashlib.sha256(repr(settings).encode())
    for name in ("go.mod", "go.sum", "main.go"):
        file = program.directory / name
        if file.exists():
            digest.update(name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def link_flags(program: Program) -> str:
    """The value of `-ldflags`: no symbols, and the version where the program wants to be told."""
    bare = program.version.removeprefix("v")
    major, minor = bare.split(".")[:2]
    told = (f"-X {name}={value}" for name, value in program.variables.items())
    return " ".join(["-s", "-w", *told]).format(bare=bare, major=major, minor=minor)


def _kubernetes(name: str, *, minutes: float) -> Program:
    return Program(
        name=name,
        module="kubernetes",
        pinned="k8s.io/kubernetes",
        package=f"k8s.io/kubernetes/cmd/{name}",
        cold=timedelta(minutes=minutes),
        variables=KUBERNETES_VERSION,
    )


PROGRAMS: tuple[Program, ...] = (
    Program("etcd", "etcd", "go.etcd.io/etcd/server/v3", ".", timedelta(seconds=30)),
    _kubernetes("kube-apiserver", minutes=4),
    _kubernetes("kube-controller-manager", minutes=2),
    _kubernetes("kube-scheduler", minutes=0.4),
    Program(
        name="kwok",
        module="kwok",
        pinned="sigs.k8s.io/kwok",
        package="sigs.k8s.io/kwok/cmd/kwok",
        cold=timedelta(minutes=1),
        extra_files={"kustomize/stage": "stages"},
    ),
    Program(
        name="registry",
        module="registry",
        pinned="github.com/distribution/distribution/v3",
        package="github.com/distribution/distribution/v3/cmd/registry",
        cold=timedelta(seconds=45),
    ),
    Program(
        name="helm",
        module="helm",
        pinned="helm.sh/helm/v4",
        package="helm.sh/helm/v4/cmd/helm",
        cold=timedelta(minutes=2),
        variables={"helm.sh/helm/v4/internal/version.version": "v{bare}"},
    ),
    Program(
        name="flux",
        module="flux",
        pinned="github.com/fluxcd/flux2/v2",
        package="./cmd/flux",
        cold=timedelta(seconds=90),
        variables={"main.VERSION": "{bare}"},
        in_place=True,
    ),
)
BY_NAME: Mapping[str, Program] = {program.name: program for program in PROGRAMS}
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")


def select(names: Iterable[str]) -> list[Program]:
    """The programs of these names, in the order of the catalogue.

    Raises:
        LookupError: a name is unknown.
    """
    wanted = set(names)
    unknown = wanted - set(BY_NAME)
    if unknown:
        raise LookupError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(BY_NAME)}")
    return [program for program in PROGRAMS if program.name in wanted]
