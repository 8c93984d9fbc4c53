"""JSON as the YAML text of sigs.k8s.io/yaml, byte for byte (go-yaml v2's emitter). Pure.

Variables are substituted in this text, so its quotes, escapes and line folds decide what a substitution means.
"""

import functools
import re
from collections.abc import Callable
from typing import Any

from tidegate.adapters import yaml_scalars

WIDTH = 80
INDENT = 2
_MAX_SIMPLE_KEY = 128

# Printable as go-yaml v2 sees it: tabs, carriage returns and everything beyond the basic plane are not.
_UNPRINTABLE = re.compile(r"[^\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]")
_BREAK = re.compile("[\r\n\x85\u2028\u2029]")
_BREAKS = frozenset("\r\n\x85\u2028\u2029")
_INDICATOR = re.compile(r"[#,\[\]{}&*!|>'\"%@`]|[?:-](?:[ \t]|\Z)|---|\.\.\.")
_INNER_INDICATOR = re.compile(r":(?:[ \t]|\Z)|(?<=[ \t\r\n\0\x85\u2028\u2029])#")
_BASE60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_SIMPLE = re.compile(r"[A-Za-z/$(_][A-Za-z0-9/$._()=-]*", re.ASCII)
_ESCAPES = {
    "\0": "0", "\a": "a", "\b": "b", "\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r", "\x1b": "e",
    '"': '"', "\\": "\\", "\x85": "N", "\xa0": "_", "\u2028": "L", "\u2029": "P",
}  # fmt: skip


def write(value: Any, *, keeps_order: bool = False) -> str:
    """`value` as a YAML document that ends with a line break; keys in their natural order, or in that of `value`."""
    writer = _Writer(list if keeps_order else _sorted_keys)
    writer.node(value, in_mapping=False)
    writer.end()
    return "".join(writer.parts)


class _Writer:
    """The state of go-yaml's emitter: where on the line it is, and whether only indentation stands before it."""

    def __init__(self, keys: Callable[[dict[str, Any]], list[str]]) -> None:
        self.parts: list[str] = []
        self._keys = keys
        self._column = 0
        self._indent = -INDENT
        self._whitespace = True
        self._indention = True

    def node(self, value: Any, *, in_mapping: bool) -> None:
        """Write `value` where the writer stands; a list in a mapping is not indented further."""
        if isinstance(value, dict) and value:
            self._mapping(value)
        elif isinstance(value, list) and value:
            self._sequence(value, is_indentless=in_mapping and not self._indention)
        else:
            self._scalar(value)

    def end(self) -> None:
        """End the last line, unless a block scalar has done so."""
        self._indent = 0
        self._write_indent()

    def _mapping(self, mapping: dict[str, Any]) -> None:
        self._indent += INDENT
        for key in self._keys(mapping):
            self._write_indent()
            if _is_simple_key(key):
                self._text(key, is_key=True)
                self._indicator(":", needs_space=False)
            else:
                self._indicator("?", keeps_indention=True)
                self._text(key, is_key=False)
                self._write_indent()
                self._indicator(":", keeps_indention=True)
            self.node(mapping[key], in_mapping=True)
        self._indent -= INDENT

    def _sequence(self, items: list[Any], *, is_indentless: bool) -> None:
        self._indent += 0 if is_indentless else INDENT
        for item in items:
            self._write_indent()
            self._indicator("-", keeps_indention=True)
            self.node(item, in_mapping=False)
        self._indent -= 0 if is_indentless else INDENT

    def _scalar(self, value: Any) -> None:
        match value:
            case str():
                self._text(value, is_key=False)
            case dict():
                self._indicator("{}")
            case list():
                self._indicator("[]")
            case None:
                self._indicator("null")
            case bool():
                self._indicator("true" if value else "false")
            case float():
                self._indicator(yaml_scalars.format_float(value))
            case _:
                self._indicator(str(value))

    def _text(self, text: str, *, is_key: bool) -> None:
        outer = self._indent
        # A document that is a text alone has its lines indented too: its reader takes none that are not.
        self._indent = max(outer, 0) + INDENT
        if _SIMPLE.fullmatch(text) and text not in yaml_scalars.KUBERNETES_WORDS:
            self._indicator(text)
        elif "\n" in text and not is_key and _fits_block(text):
            self._literal(text)
        elif "\n" in text or not _stays_text(text):
            self._double_quoted(text, may_fold=not is_key)
        elif _is_plain(text):
            self._folded(text, "", may_fold=not is_key)
        elif _fits_single_quotes(text):
            self._folded(text, "'", may_fold=not is_key)
        else:
            self._double_quoted(text, may_fold=not is_key)
        self._indent = outer

    def _indicator(self, text: str, *, needs_space: bool = True, keeps_indention: bool = False) -> None:
        if needs_space and not self._whitespace:
            self._put(" ")
        self._put(text)
        self._whitespace = False
        self._indention = self._indention and keeps_indention

    def _put(self, text: str) -> None:
        self.parts.append(text)
        self._column += len(text)

    def _put_break(self, text: str) -> None:
        self.parts.append(text)
        self._column = 0
        self._indention = True

    def _write_indent(self) -> None:
        indent = max(self._indent, 0)
        if not self._indention or self._column > indent or (self._column == indent and not self._whitespace):
            self._put_break("\n")
        self._put(" " * (indent - self._column))
        self._whitespace = self._indention = True

    def _folded(self, text: str, quote: str, *, may_fold: bool) -> None:
        """A plain or single-quoted scalar; it is broken at single spaces once the line is full."""
        self._indicator(quote)
        text = text.replace("'", "''") if quote else text
        position = 0
        for found in _BREAK.finditer(text):
            self._words(text[position : found.start()], may_fold=may_fold)
            self._put_break(found[0])
            position = found.end()
            if position < len(text) and text[position] not in _BREAKS:
                self._write_indent()
        self._words(text[position:], may_fold=may_fold)
        self._indicator(quote, needs_space=False)

    def _words(self, line: str, *, may_fold: bool) -> None:
        words = line.split(" ")
        for position, word in enumerate(words):
            is_single = position and word and words[position - 1]
            if is_single and may_fold and self._column > WIDTH:
                self._write_indent()
            elif position:
                self._put(" ")
            self._put(word)
            self._indention = False

    def _double_quoted(self, text: str, *, may_fold: bool) -> None:
        self._indicator('"')
        was_space = False
        starts_with_mark = text.startswith("\ufeff")
        for position, character in enumerate(text):
            is_space = character == " "
            if starts_with_mark or _needs_escape(character):
                self._put(_escape(character))
                is_space = False
            elif is_space and may_fold and not was_space and self._column > WIDTH and 0 < position < len(text) - 1:
                self._write_indent()
                if text[position + 1] == " ":
                    self._put("\\")
            else:
                self._put(character)
                self._indention = False
            was_space = is_space
        self._indicator('"', needs_space=False)

    def _literal(self, text: str) -> None:
        starts_blank = text[0] == " " or text[0] in _BREAKS
        self._indicator("|" + (str(INDENT) if starts_blank else "") + _chomping(text))
        self._put_break("\n")
        self._whitespace = True
        position = 0
        for found in _BREAK.finditer(text):
            self._literal_line(text[position : found.start()])
            self._put_break(found[0])
            position = found.end()
        self._literal_line(text[position:])

    def _literal_line(self, line: str) -> None:
        if line:
            self._write_indent()
            self._put(line)
            self._indention = False


def _chomping(text: str) -> str:
    if text[-1] not in _BREAKS:
        return "-"
    return "+" if len(text) == 1 or text[-2] in _BREAKS else ""


def _is_simple_key(key: str) -> bool:
    return len(key.encode("utf-8", "surrogatepass")) <= _MAX_SIMPLE_KEY and not _BREAK.search(key)


def _stays_text(text: str) -> bool:
    """Whether a reader takes the unquoted `text` for a text."""
    if not isinstance(yaml_scalars.resolve(text, yaml_scalars.KUBERNETES_WORDS), str):
        return False
    return not yaml_scalars.is_timestamp(text) and not _BASE60.fullmatch(text)


def _is_plain(text: str) -> bool:
    if text[0] == " " or text[-1] == " " or _INDICATOR.match(text) or _INNER_INDICATOR.search(text, 1):
        return False
    return not _UNPRINTABLE.search(text) and not _BREAK.search(text)


def _fits_single_quotes(text: str) -> bool:
    return not _UNPRINTABLE.search(text) and not _has_space_beside_break(text)


def _fits_block(text: str) -> bool:
    return not text.endswith(" ") and not _UNPRINTABLE.search(text) and not re.search(f" {_BREAK.pattern}", text)


def _has_space_beside_break(text: str) -> bool:
    return re.search(f" {_BREAK.pattern}|{_BREAK.pattern} ", text) is not None


def _needs_escape(character: str) -> bool:
    return character in '"\\' or character in _BREAKS or _UNPRINTABLE.match(character) is not None


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return f"\\{_ESCAPES[character]}"
    code = ord(character)
    return f"\\x{code:02X}" if code <= 0xFF else f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"


def _sorted_keys(mapping: dict[str, Any]) -> list[str]:
    keys = sorted(mapping)
    if all(map(str.isalpha, keys)):
        return keys
    return sorted(keys, key=functools.cmp_to_key(_compare_keys))


def _compare_keys(left: str, right: str) -> int:
    """go-yaml's natural order: letters after everything else, runs of digits by their value."""
    for position, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return -1 if _is_before(left, right, position) else 1
    return len(left) - len(right)


def _is_before(left: str, right: str, position: int) -> bool:
    a, b = left[position], right[position]
    if a.isalpha() or b.isalpha():
        return a < b if a.isalpha() and b.isalpha() else b.isalpha()
    start = 1 if "0" in (a, b) and _follows_digits(left, position) else 0
    a_value, a_end = _digits(left, position, start)
    b_value, b_end = _digits(right, position, start)
    return (a_value, a_end, a) < (b_value, b_end, b)


def _follows_digits(text: str, position: int) -> bool:
    """Whether the run of digits that ends at `position` holds more than zeros."""
    before = text[:position]
    return any(digit != "0" for digit in before[len(before.rstrip("0123456789")) :])


def _digits(text: str, position: int, start: int) -> tuple[int, int]:
    value = start
    while position < len(text) and text[position].isdecimal():
        value = value * 10 + ord(text[position]) - ord("0")
        position += 1
    return value, position
