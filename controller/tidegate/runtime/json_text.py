"""JSON from the API server as plain Python values, however deep somebody nested it."""

import re
from typing import Any

import msgspec

DEPTH = 128

# Strings are skipped as a whole, without backtracking; a bracket outside of them opens or closes a level.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', re.DOTALL)


def decode(text: bytes) -> Any:
    """The value of `text`; where it is nested too deep to be read at all, what is below `DEPTH` levels is null.

    Go's API server stores 10,000 levels, Python reads fewer than 1,000: one such object among others must not hide
    them (promise 7). Raises: msgspec.DecodeError.
    """
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        return msgspec.json.decode(_cut(text))


def _cut(text: bytes) -> bytes:
    kept: list[bytes] = []
    depth = position = 0
    for token in _TOKEN.finditer(text):
        match token[0]:
            case b"[" | b"{":
                depth += 1
                if depth == DEPTH + 1:
                    kept += text[position : token.start()], b"null"
            case b"]" | b"}":
                if depth == DEPTH + 1:
                    position = token.end()
                depth -= 1
    return b"".join([*kept, text[position:]])
