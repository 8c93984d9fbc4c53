"""One value set at a path in values, in the syntax of `helm --set` (helm.sh/helm/v4/pkg/strvals). Pure.

Only what spec.valuesFrom[].targetPath can say: one path with one value, whose text may hold lists and escapes.
"""

import re
from typing import Any

from tidegate.runtime.errors import TidegateError
from tidegate_api.codec import JsonObject

MAX_INDEX = MAX_PADDING = 65_536
MAX_DEPTH = 30
_WORDS = {"true": True, "false": False, "null": None}
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)


class InvalidPath(TidegateError):
    """A path or value that `--set` would refuse; the message has none of the value."""


def set_value(values: JsonObject, path: str, text: str, *, as_text: bool = False, room: int = MAX_PADDING) -> int:
    """Set `text` at `path` in `values`, changing it in place; typed as `--set` types it unless `as_text`.

    Returns how many empty list entries it took to reach the indexes in the path. Raises: InvalidPath; more than `room`.
    """
    keys = _path(path)
    value = text if as_text else _value(text)
    if len(keys) > MAX_DEPTH:
        raise InvalidPath(f"value name nested level is greater than maximum supported nested level of {MAX_DEPTH}")
    return _set(values, keys, value, room)


def _path(path: str) -> list[str | int]:
    """The names and list indexes in a path: `a.b[0].c`, a backslash before a dot or bracket that belongs to a name."""
    keys: list[str | int] = []
    name, is_named, position = "", False, 0
    while position < len(path):
        character = path[position]
        if character == "\\":
            name += path[position + 1 : position + 2]
            is_named, position = True, position + 1
        elif character == ".":
            keys += [name] if is_named else []
            name, is_named = "", False
        elif character == "[":
            keys += [name] if is_named else []
            name, is_named = "", False
            end = path.find("]", position)
            keys.append(_index(path[position + 1 : end] if end > 0 else ""))
            position = end
        else:
            name, is_named = name + character, True
        position += 1
    keys += [name] if is_named else []
    if not keys or not isinstance(keys[0], str):
        raise InvalidPath("the path names no key")
    return keys


def _index(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or len(text) > 6:
        raise InvalidPath(f"error parsing index: {text[:16]!r} is no number")
    if int(text) > MAX_INDEX:
        raise InvalidPath(f"index of {text} is greater than maximum supported index of {MAX_INDEX}")
    return int(text)


def _value(text: str) -> Any:
    """What `--set` makes of a value: a list in braces, else a scalar."""
    if text.startswith("{"):
        inner, end = text[1:], text.rfind("}")
        if end < 0:
            raise InvalidPath("list must terminate with '}'")
        inner = text[1:end]
        return [_typed(item) for item in _items(inner)]
    items = _items(text)
    if len(items) > 1:
        raise InvalidPath("a comma that is no separator needs a backslash before it")
    return _typed(items[0])


def _items(text: str) -> list[str]:
    """`text` split at its commas; a backslash takes the meaning from what follows it."""
    items, current, position = [], "", 0
    while position < len(text):
        if text[position] == "\\":
            position += 1
            current += text[position : position + 1]
        elif text[position] == ",":
            items.append(current)
            current = ""
        else:
            current += text[position]
        position += 1
    return [*items, current]


def _typed(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if text == "0":
        return 0
    is_integer = _INTEGER.fullmatch(text) is not None and not text.startswith("0")
    return int(text) if is_integer and -(1 << 63) <= int(text) < 1 << 63 else text


def _set(holder: Any, keys: list[str | int], value: Any, room: int) -> int:
    """Walk down `keys`, making what is missing, and set `value` at the last; how much of `room` that took."""
    left = room
    for place, key in enumerate(keys):
        is_last = place == len(keys) - 1
        if isinstance(key, int):
            left -= max(0, key - len(holder))
            if left < 0:
                raise InvalidPath(f"the lists are more than {MAX_PADDING} empty entries long, all paths together")
            holder.extend([None] * (key + 1 - len(holder)))
        if is_last:
            holder[key] = value
            break
        wanted: type = list if isinstance(keys[place + 1], int) else dict
        inner = holder[key] if isinstance(key, int) else holder.get(key)
        if inner is None:
            inner = holder[key] = wanted()
        elif not isinstance(inner, wanted):
            raise InvalidPath(f"the path leads through a value that is no {'list' if wanted is list else 'object'}")
        holder = inner
    return room - left
