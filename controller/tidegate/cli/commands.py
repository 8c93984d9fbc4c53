"""`tidegate run` and `tidegate <controller>`: arguments in, exit code out."""

import sys
from collections.abc import Sequence

import tidegate
from tidegate.cli import controllers
from tidegate.runtime import loop
from tidegate.runtime.errors import TidegateError
from tidegate.toolkit.flags import BadFlag

OK, FAILURE, USAGE = 0, 1, 2


def run(argv: Sequence[str]) -> int:
    """Run the command that `argv` names; 0 is success, 1 failure, 2 a mistake in the arguments."""
    name, *rest = argv or ["help"]
    if name in ("help", "-h", "--help"):
        print(usage())
        return OK
    if name in ("version", "--version"):
        print(f"tidegate v{tidegate.__version__}")
        return OK
    if name not in controllers.PROGRAMS:
        return _fail(f"unknown command {name!r}\n\n{usage()}", USAGE)
    return _run_controllers(name, rest)


def _run_controllers(name: str, argv: Sequence[str]) -> int:
    try:
        loop.run(controllers.run(name, argv))
    except BadFlag as error:
        return _fail(f"{error}\nsee `tidegate {name} --help`", USAGE)
    except TidegateError as error:
        return _fail(str(error), FAILURE)
    except BaseExceptionGroup as group:
        expected, unexpected = group.split(TidegateError)
        if unexpected is not None:
            raise
        return _fail("; ".join(str(error) for error in _leaves(expected or group)), FAILURE)
    return OK


def usage() -> str:
    """The text of `tidegate help`."""
    lines = [f"  tidegate {name:<24}{text}" for name, text in controllers.PROGRAMS.items()]
    examples = "  tidegate run --storage-path=./data --storage-addr=127.0.0.1:9790"
    return "\n".join(
        [
            "GitOps for Kubernetes, wire compatible with Flux v2.",
            "",
            "Examples:",
            examples,
            "",
            "Commands:",
            *lines,
            f"  tidegate {'version':<24}show the version",
        ]
    )


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    return [
        leaf
        for error in group.exceptions
        for leaf in (_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]


def _fail(text: str, code: int) -> int:
    print(f"tidegate: {text}", file=sys.stderr)
    return code
