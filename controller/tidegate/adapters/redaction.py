"""Secrets out of texts, and texts of strangers made fit to be shown (promises 11 and 14)."""

import base64
import json
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "*****"
_SHORTEST = 3  # shorter ones would shred every text and hide nothing


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` without `secrets`, also where they stand in base64, or escaped for a URL or for JSON."""
    forms = {form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, MASK)
    return text


def readable(foreign: bytes | str, limit: int = 300) -> str:
    """What a stranger said as one line without control characters, cut to `limit` characters."""
    text = foreign[: 4 * limit].decode("utf-8", "replace") if isinstance(foreign, bytes) else foreign[: 4 * limit]
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


def _forms(secret: str) -> Iterable[str]:
    raw = secret.encode("utf-8", "surrogateescape")
    yield secret
    for encoded in (base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()):
        yield encoded
        yield encoded.rstrip("=")
    for escaped in (quote(raw, safe=""), quote(raw), quote_plus(raw), quote(raw, safe="!*'();:@&=+$,/?#[]")):
        yield escaped
        yield _lower_escapes(escaped)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]


def _lower_escapes(escaped: str) -> str:
    head, *rest = escaped.split("%")
    return head + "".join("%" + part[:2].lower() + part[2:] for part in rest)
