"""YAML as Kubernetes and Kustomize read it: the only door to the YAML parser (PyYAML's libyaml). No files, no streams.

libyaml because go-yaml is a port of it, so that both see the same events in the same bytes, and because foreign bytes
cannot crash it: rapidyaml is quicker at parsing alone, but 30 bytes of tags and line breaks make it write through a
wild pointer, and with its tree walked from Python it is slower than this.
"""

import enum
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from tidegate.adapters import yaml_scalars, yaml_text
from tidegate.adapters.yaml_scalars import Scalar, ScalarError
from tidegate.runtime.errors import TidegateError

JsonValue = dict[str, Any] | list[Any] | Scalar

MAX_BYTES = 10 << 20
MAX_DEPTH = 300
"""A third of Python's recursion limit, so that what is read here can be walked, compared and written elsewhere."""
MAX_EXPANSIONS = 10_000
MAX_EXPANDED = 64 << 20
_NODE_WEIGHT = 64
_MAX_DIRECTIVES = 100
# Kustomize splits a file by text before it parses it, and go-yaml and libyaml part on stranger line breaks.
_UNUSUAL_LAYOUT = re.compile(rb"(?m)^%|^\.\.\.|^---[ \t]*[^\s#]|\xef\xbb\xbf|\xc2\x85|\xe2\x80[\xa8\xa9]|\r(?!\n)")
_UNSTABLE = re.compile("[\x7f-\x9f\ufeff\ufffe\uffff]")


class YamlError(TidegateError):
    """Bytes are not the YAML that was asked for; `line` and `column` count from 1 and are 0 where unknown.

    The message quotes `excerpt` from the bytes; `problem` is free of them, for where they may be secret.
    """

    def __init__(self, problem: str, line: int = 0, column: int = 0, excerpt: str = "") -> None:
        self.problem = problem
        self.line = line
        self.column = column
        where = f"line {line}, column {column}: " if line else ""
        super().__init__(f"{where}{problem}{f': {excerpt[:64]!r}' if excerpt else ''}")


class YamlBoundError(YamlError):
    """Bytes may be YAML, but they break a bound; nobody should try to read them."""


class YamlDoubt(YamlError):
    """Only go-yaml itself can tell what it makes of these bytes."""


class DuplicateKeys(enum.Enum):
    """What a second equal key in a mapping does."""

    REFUSE = enum.auto()
    LAST = enum.auto()


class Reader(enum.Enum):
    """Whose reading of scalars, keys and merges counts.

    KUSTOMIZE raises YamlDoubt for what Kustomize rewrites on its way: dates, aliases, keys that are no texts.
    """

    KUBERNETES = enum.auto()
    KUSTOMIZE = enum.auto()


def load_all(
    data: bytes,
    *,
    duplicate_keys: DuplicateKeys = DuplicateKeys.REFUSE,
    reader: Reader = Reader.KUBERNETES,
    max_bytes: int = MAX_BYTES,
) -> list[JsonValue]:
    """Every document in `data`, as the JSON that Go makes of it; an empty document is None.

    Raises:
        YamlError: the bytes are no YAML, repeat a key, have no JSON form, or break a bound.
    """
    _require_bounds(data, max_bytes)
    return list(_Documents(data, duplicate_keys, reader).read())


def load(data: bytes, *, duplicate_keys: DuplicateKeys = DuplicateKeys.REFUSE) -> JsonValue:
    """The first document in `data`; what follows it is not even parsed, as in Go's Unmarshal.

    Raises:
        YamlError: as `load_all`.
    """
    _require_bounds(data, MAX_BYTES)
    return next(_Documents(data, duplicate_keys, Reader.KUBERNETES).read(), None)


def dump(value: JsonValue, *, keeps_order: bool = False) -> str:
    """`value` as sigs.k8s.io/yaml writes it, byte for byte: sorted keys, block style, lines folded at 80 columns.

    With `keeps_order` as go-yaml writes a map slice: keys in the order that they have.
    """
    return yaml_text.write(value, keeps_order=keeps_order)


class _Anchor(NamedTuple):
    value: JsonValue
    weight: int
    expansions: int


class _Frame:
    """A collection being built, what its expanded size is so far, and in a mapping the key that waits for its value."""

    __slots__ = ("anchor", "expansions", "explicit", "is_flow", "items", "key", "merge", "weight")

    def __init__(self, items: dict[str, Any] | list[Any], anchor: str | None, *, is_flow: bool) -> None:
        self.items = items
        self.anchor = anchor
        self.is_flow = is_flow
        self.key: str | None = None
        self.merge = False
        self.explicit: set[str] = set()
        self.weight = _NODE_WEIGHT
        self.expansions = 0

    def expects_key(self) -> bool:
        """Whether what comes next is a mapping's key."""
        return self.key is None and not self.merge and isinstance(self.items, dict)


class _Documents:
    """One pass over the parser's events, without recursion, so that hostile nesting costs nothing but a bound."""

    def __init__(self, data: bytes, duplicate_keys: DuplicateKeys, reader: Reader) -> None:
        self._data = data
        self._refuse_duplicates = duplicate_keys is DuplicateKeys.REFUSE
        self._kustomize = reader is Reader.KUSTOMIZE
        self._words = yaml_scalars.KUSTOMIZE_WORDS if self._kustomize else yaml_scalars.KUBERNETES_WORDS
        self._doubt: YamlDoubt | None = None
        self._mark: Any = None
        self._reset()

    def read(self) -> Iterator[JsonValue]:
        """Yield the documents one by one."""
        if self._kustomize and _UNUSUAL_LAYOUT.search(self._data):
            self._suspect("an unusual line break or document marker")
        try:
            loader = yaml.CSafeLoader(self._data)
            yield from self._build(loader)
        except ScalarError as error:
            raise self._error(error.problem, error.excerpt) from error
        except yaml.YAMLError as error:
            raise _syntax_error(error) from error
        if self._doubt:
            raise self._doubt

    def _reset(self) -> None:
        self._stack: list[_Frame] = []
        self._anchors: dict[str, _Anchor | None] = {}
        self._root: JsonValue = None
        self._expansions = self._expanded = 0

    def _build(self, loader: Any) -> Iterator[JsonValue]:
        handlers = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._open_mapping,
            yaml.SequenceStartEvent: self._open_sequence,
            yaml.MappingEndEvent: self._close,
            yaml.SequenceEndEvent: self._close,
            yaml.AliasEvent: self._alias,
        }
        while True:
            event = loader.get_event()
            handler = handlers.get(event.__class__)
            if handler is not None:
                self._mark = event.start_mark
                handler(event)
            elif event.__class__ is yaml.DocumentEndEvent:
                root = self._root
                self._reset()
                yield root
            elif event.__class__ is yaml.StreamEndEvent:
                return

    def _scalar(self, event: Any) -> None:
        stack = self._stack
        if stack and stack[-1].expects_key():
            self._open_key(stack[-1], event)
            return
        value = yaml_scalars.json_value(self._resolve(event))
        self._put(value, event.anchor, _NODE_WEIGHT + len(event.value), 0)

    def _resolve(self, event: Any) -> Scalar:
        """As both go-yamls do: quoted means text, unless an explicit tag says otherwise."""
        text: str = event.value
        if self._kustomize:
            self._suspect_scalar(event, text)
        if event.tag is not None:
            return yaml_scalars.resolve_tagged(event.tag, text, self._words)
        return yaml_scalars.resolve(text, self._words) if event.implicit[0] else text

    def _open_key(self, frame: _Frame, event: Any) -> None:
        if event.value == "<<" and (event.tag == yaml_scalars.MERGE or (event.tag is None and event.implicit[0])):
            frame.merge = True
            return
        value = self._resolve(event)
        if self._kustomize and (not isinstance(value, str) or value == "<<"):
            self._suspect("a key that is no text")
        frame.key = key = str(value) if self._kustomize else yaml_scalars.key_text(value)
        frame.weight += _NODE_WEIGHT + len(key)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchor(key, _NODE_WEIGHT + len(key), 0)

    def _open_mapping(self, event: Any) -> None:
        self._open({}, event)

    def _open_sequence(self, event: Any) -> None:
        self._open([], event)

    def _open(self, items: dict[str, Any] | list[Any], event: Any) -> None:
        stack = self._stack
        if stack and stack[-1].expects_key():
            raise self._error("a mapping's key is not a scalar")
        if len(stack) >= MAX_DEPTH:
            raise self._bound(f"nested deeper than {MAX_DEPTH} levels")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        if event.tag is not None:
            self._suspect("a tag")
        stack.append(_Frame(items, event.anchor, is_flow=event.flow_style))

    def _close(self, _: Any) -> None:
        frame = self._stack.pop()
        self._put(frame.items, frame.anchor, frame.weight, frame.expansions)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self._anchors:
            raise self._error("unknown anchor referenced", event.anchor)
        anchor = self._anchors[event.anchor]
        if anchor is None:
            raise self._error("an anchor's value contains itself", event.anchor)
        self._expansions += 1 + anchor.expansions
        self._expanded += anchor.weight
        if self._expansions > MAX_EXPANSIONS or self._expanded > MAX_EXPANDED:
            raise self._bound("document contains excessive aliasing")
        self._suspect("an alias")
        stack = self._stack
        if stack and stack[-1].expects_key():
            if isinstance(anchor.value, dict | list):
                raise self._error("a mapping's key is not a scalar")
            stack[-1].key = yaml_scalars.key_text(anchor.value)
            return
        self._put(_copy(anchor.value), None, anchor.weight, 1 + anchor.expansions)

    def _put(self, value: JsonValue, anchor: str | None, weight: int, expansions: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = _Anchor(value, weight, expansions)
        if not self._stack:
            self._root = value
            return
        frame = self._stack[-1]
        frame.weight += weight
        frame.expansions += expansions
        if isinstance(frame.items, list):
            frame.items.append(value)
        elif frame.merge:
            frame.merge = False
            self._merge(frame.items, value)
        else:
            self._set(frame, frame.items, value)

    def _set(self, frame: _Frame, items: dict[str, Any], value: JsonValue) -> None:
        key, frame.key = frame.key or "", None
        if self._refuse_duplicates:
            if key in frame.explicit:
                raise self._error("mapping key already defined", key)
            frame.explicit.add(key)
        items[key] = value

    def _merge(self, items: dict[str, Any], value: JsonValue) -> None:
        """Where it stands, as go-yaml v2 does: keys before it are overwritten; of several mappings the first wins."""
        self._suspect("a merge key")
        for mapping in reversed(value) if isinstance(value, list) else (value,):
            if not isinstance(mapping, dict):
                raise self._error("map merge requires map or sequence of maps as the value")
            items.update(mapping)

    def _suspect_scalar(self, event: Any, text: str) -> None:
        """Kustomize writes its YAML out and reads it again before it is JSON, and that is where these change."""
        is_plain = event.implicit[0] and event.tag is None
        if event.tag is not None:
            self._suspect("a tag")
        elif is_plain and (text == "<<" or yaml_scalars.is_timestamp(text)):
            self._suspect("a date or a merge key")
        elif is_plain and (not text or "?" in text) and self._stack and self._stack[-1].is_flow:
            self._suspect("an empty value or a question mark between braces")
        elif event.style == ">" and "\n" in text[:-1]:
            self._suspect("a folded text of several lines")
        elif _UNSTABLE.search(text):
            self._suspect("a character that is not printable")

    def _suspect(self, what: str) -> None:
        if self._kustomize and self._doubt is None:
            self._doubt = YamlDoubt(f"{what} is read by Kustomize alone", *self._position())

    def _error(self, problem: str, excerpt: str = "") -> YamlError:
        return YamlError(problem, *self._position(), excerpt)

    def _bound(self, problem: str) -> YamlBoundError:
        return YamlBoundError(problem, *self._position())

    def _position(self) -> tuple[int, int]:
        return (self._mark.line + 1, self._mark.column + 1) if self._mark else (0, 0)


def _require_bounds(data: bytes, max_bytes: int) -> None:
    if len(data) > max_bytes:
        raise YamlBoundError(f"{len(data)} bytes of YAML are more than {max_bytes}")
    # libyaml compares every directive with every other one.
    if data.count(b"%TAG") > _MAX_DIRECTIVES and len(re.findall(rb"(?m)^%TAG", data)) > _MAX_DIRECTIVES:
        raise YamlBoundError(f"more than {_MAX_DIRECTIVES} directives")


def _syntax_error(error: yaml.YAMLError) -> YamlError:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        problem = ": ".join(part for part in (error.context, error.problem) if part)
        return YamlError(problem, mark.line + 1, mark.column + 1) if mark else YamlError(problem)
    if isinstance(error, yaml.reader.ReaderError):
        return YamlError(f"{error.reason} at byte {error.position}")
    return YamlError(str(error))


def _copy(value: JsonValue) -> JsonValue:
    """A deep copy without recursion, so that no two places of a document share an object."""
    if not isinstance(value, dict | list):
        return value
    root = value.copy()
    pending = [root]
    while pending:
        container = pending.pop()
        slots = container.items() if isinstance(container, dict) else enumerate(container)
        for slot, item in list(slots):
            if isinstance(item, dict | list):
                container[slot] = copied = item.copy()  # type: ignore[index,call-overload]
                pending.append(copied)
    return root
