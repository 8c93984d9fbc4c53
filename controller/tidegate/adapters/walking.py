"""The walk of a tree for an archive: in lexical order, without what is ignored, within bounds."""

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tidegate.adapters import bounds, ignore
from tidegate.adapters.bounds import ArchiveLimits, ArchiveTooLarge
from tidegate.adapters.folders import LONGEST_NAME, Folder, Item
from tidegate.adapters.ignore import UNDECIDED, Ignore, Verdict


@dataclass(frozen=True, slots=True)
class _Met:
    """Something on the way: what is decided of it, and the rules that hold where it lies."""

    path: bytes
    item: Item
    rules: Ignore | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of an archive: a file, or a folder where `file` is None."""

    path: bytes
    file: Item | None


class Walk:
    """The entries of an archive in order; counts what it meets. Iterated once."""

    def __init__(self, root: Folder, spec_ignore: str | None, limits: ArchiveLimits, stop: threading.Event) -> None:
        self._root = root
        self._limits = limits
        self._stop = stop
        self._ignore = None if spec_ignore is None else self._load_ignore(spec_ignore)
        self._seen = 0
        self.files = 0
        self.skipped = 0

    def __iter__(self) -> Iterator[Entry]:
        yield Entry(b".", None)
        waiting = [self._look_into(self._root, b"", self._ignore, UNDECIDED)]
        while waiting:
            met = next(waiting[-1], None)
            if met is None:
                waiting.pop()
                continue
            self._count(met.path)
            if met.item.is_folder:
                if not met.verdict.is_ignored:
                    yield Entry(met.path, None)
                if len(waiting) >= self._limits.depth:
                    raise ArchiveTooLarge(f"{self._limits.depth} folders in one another", os.fsdecode(met.path))
                # Also into an ignored one: something in it may be kept.
                waiting.append(self._look_into(met.item.folder(), met.path + b"/", met.rules, met.verdict))
            else:
                self.files += 1
                yield Entry(met.path, met.item)

    def _look_into(self, folder: Folder, prefix: bytes, rules: Ignore | None, above: Verdict) -> Iterator[_Met]:
        """What of `folder` is a folder, or a file that is neither ignored nor unholdable."""
        items = folder.items()
        if rules is not None:
            rules = self._with_own_file(items, prefix, rules)
        for item in items:
            path = prefix + item.name
            verdict = above if rules is None else rules.judge(path, is_folder=item.is_folder, above=above)
            if verdict.is_ignored and not item.is_folder:
                continue
            if len(item.name) > LONGEST_NAME:
                self.skipped += 1
                continue
            yield _Met(path, item, rules, verdict)

    def _count(self, path: bytes) -> None:
        bounds.require_wanted(self._stop)
        self._seen += 1
        if self._seen > self._limits.entries:
            raise ArchiveTooLarge(f"{self._limits.entries} entries")
        if len(path) > self._limits.path:
            raise ArchiveTooLarge(f"{self._limits.path} bytes in one path", os.fsdecode(path))

    def _with_own_file(self, items: Sequence[Item], prefix: bytes, rules: Ignore) -> Ignore:
        for item in items:
            if item.name == ignore.FILE_NAME and not item.is_folder:
                return rules.below(prefix.removesuffix(b"/"), _text(item))
        return rules

    def _load_ignore(self, spec: str) -> Ignore:
        has_own = bool(ignore.parse(spec.encode("utf-8", "surrogateescape"))) or self._has_patterns()
        return ignore.build_ignore(spec, with_defaults=not has_own)

    def _has_patterns(self) -> bool:
        """Whether any ignore file in the whole tree has a pattern: also one that lies in an ignored folder."""
        waiting: list[tuple[int, Folder]] = [(1, self._root)]
        met = 0
        while waiting:
            depth, folder = waiting.pop()
            for item in folder.items():
                met += 1
                if item.is_folder:
                    waiting.append((depth + 1, item.folder()))
                elif item.name == ignore.FILE_NAME and ignore.parse(_text(item)):
                    return True
            bounds.require_wanted(self._stop)
            if met > 5 * self._limits.entries or depth > self._limits.depth:
                raise ArchiveTooLarge(f"{self._limits.entries} entries")
        return False


def _text(item: Item) -> bytes:
    content = item.content()
    if content.size > ignore.LONGEST_TEXT:
        raise ignore.InvalidIgnoreFile(f"{ignore.LONGEST_TEXT} bytes in one file")
    return b"".join(content.pieces)
