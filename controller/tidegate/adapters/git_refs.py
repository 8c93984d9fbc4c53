"""What a Git server has: its capabilities and its references, in protocol v2 and in the v0/v1 advertisement."""

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field

from tidegate.adapters import git_packets
from tidegate.adapters.git_errors import BoundExceeded, ProtocolViolated, RemoteRefused, UnsupportedRepository
from tidegate.adapters.git_packets import Mark, Packet
from tidegate.adapters.redaction import readable

AGENT = "tidegate"
HEAD = "HEAD"

_OID = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NO_OID = "0" * 40
# git-check-ref-format: no component begins with a dot or ends with ".lock", and nothing that a path could misread.
_NAME = re.compile(r"refs(?:/(?!\.)(?:(?!\.\.|@\{)[^\x00-\x20\x7f~^:?*\[\\/])+(?<!\.lock))+(?<!\.)")
_PEELED = "^{}"


@dataclass(frozen=True)
class Refs:
    """The references of a repository at one moment.

    `head` is the name that HEAD stands for ("" where the server does not say), `oids` are full names to objects,
    `peeled` are annotated tags to the commits behind them. Only names that begin with one of `prefixes` were asked
    for; () means all of them.
    """

    head: str = ""
    oids: Mapping[str, str] = field(default_factory=dict)
    peeled: Mapping[str, str] = field(default_factory=dict)
    prefixes: tuple[str, ...] = ()

    def covers(self, prefix: str) -> bool:
        """Whether every name that begins with `prefix` would be here if it existed."""
        return not self.prefixes or prefix.startswith(self.prefixes)

    def find_commit(self, name: str) -> str | None:
        """What `name` points at: the commit behind it where it is an annotated tag; None where it does not exist."""
        plain = name.removesuffix(_PEELED)
        return self.peeled.get(plain) or self.oids.get(plain)


@dataclass(frozen=True)
class Server:
    """What a server said of itself: protocol `version`, capabilities, and with v0 and v1 its references too."""

    version: int
    capabilities: Mapping[str, str]
    refs: Refs | None = None

    def has(self, capability: str) -> bool:
        """Whether the server has `capability`; "fetch.shallow" is feature "shallow" of v2's command "fetch"."""
        command, _, feature = capability.partition(".")
        return command in self.capabilities and (not feature or feature in self.capabilities[command].split())


def is_oid(text: str) -> bool:
    """Whether `text` names a SHA-1 object."""
    return _OID.fullmatch(text) is not None


async def read_advertisement(packets: AsyncIterator[Packet], most_refs: int) -> Server:
    """The first answer of a server, whatever version it speaks.

    Raises:
        ProtocolViolated, RemoteRefused, UnsupportedRepository, BoundExceeded.
    """
    first = await _first_line(packets)
    if first == b"version 2":
        server = Server(2, await _read_capabilities(packets))
    else:
        server = await _read_classic(first, packets, most_refs)
    if server.capabilities.get("object-format", "sha1") != "sha1":
        raise UnsupportedRepository("the repository uses SHA-256 objects, which are not supported")
    return server


def request_refs(server: Server, prefixes: Iterable[str]) -> bytes:
    """The v2 request that lists the references that begin with one of `prefixes`, all where there is none."""
    head = ["command=ls-refs", *common_capabilities(server)]
    arguments = ["peel", "symrefs", *(f"ref-prefix {prefix}" for prefix in prefixes)]
    if server.has("ls-refs.unborn"):
        arguments.append("unborn")
    return git_packets.encode(*head, Mark.DELIMITER, *arguments, Mark.FLUSH)


def common_capabilities(server: Server) -> list[str]:
    """What every v2 command says of us, as far as the server knows it."""
    ours = {"agent": AGENT, "object-format": "sha1"}
    return [f"{name}={value}" for name, value in ours.items() if name in server.capabilities]


async def read_refs(packets: AsyncIterator[Packet], prefixes: tuple[str, ...], most_refs: int) -> Refs:
    """The answer to `request_refs`.

    Raises:
        ProtocolViolated, RemoteRefused, BoundExceeded.
    """
    collected = _Collected(most_refs)
    async for packet in packets:
        if packet is Mark.FLUSH:
            return Refs(collected.head, collected.oids, collected.peeled, prefixes)
        oid, name, *attributes = _fields(packet)
        if oid == "unborn":
            continue
        collected.add(oid, name)
        for attribute in attributes:
            key, _, value = attribute.partition(":")
            if key == "peeled":
                collected.add_peeled(name, value)
            elif key == "symref-target" and name == HEAD:
                collected.head = _checked_name(value)
    raise ProtocolViolated("the server's list of references has no end")


def check_line(packet: Packet) -> bytes:
    """The line in `packet`, without its newline.

    Raises:
        RemoteRefused: it is the server's "ERR …".
        ProtocolViolated: there is no line.
    """
    if isinstance(packet, Mark):
        raise ProtocolViolated("the server sent a packet without a line")
    if packet.startswith(b"ERR "):
        raise RemoteRefused(readable(packet[4:]))
    return packet.removesuffix(b"\n")


class _Collected:
    """References as they come in, each name checked: one never is a path here, but others may use it as one (G3)."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.head = ""
        self.oids: dict[str, str] = {}
        self.peeled: dict[str, str] = {}

    def add(self, oid: str, name: str) -> None:
        self.oids[HEAD if name == HEAD else _checked_name(name)] = _checked_oid(oid)
        if len(self.oids) > self._most:
            raise BoundExceeded(f"{self._most} references")

    def add_peeled(self, name: str, oid: str) -> None:
        self.peeled[name] = _checked_oid(oid)


async def _first_line(packets: AsyncIterator[Packet]) -> bytes:
    """The first line that says something: HTTP may put "# service=…" before it, v1 "version 1"."""
    async for packet in packets:
        if packet is Mark.FLUSH:
            continue
        line = check_line(packet)
        if not line.startswith(b"# service=") and line != b"version 1":
            return line
    # A repository without any reference may be advertised as nothing at all.
    return b""


async def _read_capabilities(packets: AsyncIterator[Packet]) -> dict[str, str]:
    capabilities: dict[str, str] = {}
    async for packet in packets:
        if packet is Mark.FLUSH:
            return capabilities
        key, _, value = _decoded(check_line(packet)).partition("=")
        capabilities[key] = value
        if len(capabilities) > 1_000:
            break
    raise ProtocolViolated("the server's list of capabilities has no end")


async def _read_classic(first: bytes, packets: AsyncIterator[Packet], most_refs: int) -> Server:
    line, _, extras = first.partition(b"\0")
    if not line and not extras:
        return Server(0, {}, Refs())
    listed = _decoded(extras).split()
    capabilities = dict(item.partition("=")[::2] for item in listed)
    collected = _Collected(most_refs)
    _add_classic(collected, line)
    async for packet in packets:
        if packet is Mark.FLUSH:
            break
        _add_classic(collected, check_line(packet))
    for item in listed:
        if item.startswith("symref=HEAD:"):
            collected.head = _checked_name(item.removeprefix("symref=HEAD:"))
    return Server(0, capabilities, Refs(collected.head, collected.oids, collected.peeled))


def _add_classic(collected: _Collected, line: bytes) -> None:
    if line.startswith(b"shallow "):
        return
    oid, name = _fields(line)[:2]
    if name.endswith(_PEELED):
        tag = name.removesuffix(_PEELED)
        if tag in collected.oids:
            collected.add_peeled(tag, oid)
        elif oid != _NO_OID:
            raise ProtocolViolated("the server sent the commit of a tag that it does not have")
    else:
        collected.add(oid, name)


def _fields(packet: Packet) -> list[str]:
    fields = _decoded(check_line(packet)).split(" ")
    if len(fields) < 2:
        raise ProtocolViolated("the server sent a malformed reference")
    return fields


def _decoded(line: bytes) -> str:
    # Names are bytes to Git: what is not UTF-8 is carried through, and matches no name that a user can write.
    return line.decode("utf-8", "surrogateescape")


def _checked_name(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise ProtocolViolated(f"the server has a reference with an unsafe name: '{readable(ascii(name)[1:-1], 100)}'")
    return name


def _checked_oid(text: str) -> str:
    if _OID.fullmatch(text) is None:
        if _SHA256.fullmatch(text):
            raise UnsupportedRepository("the repository uses SHA-256 objects, which are not supported")
        raise ProtocolViolated("the server sent a malformed object name")
    return text
