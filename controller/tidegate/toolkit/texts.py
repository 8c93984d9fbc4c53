"""Text for users: valid, without control characters, within the bound of where it stands (reliability §4)."""

CONDITION = 32768
EVENT_NOTE = 1024
POSTED_EVENT = 39000

# Line breaks and tabs are structure (change sets are lists); everything else below a space could drive a terminal.
_CONTROLS = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}


def clean(text: str, limit: int = CONDITION) -> str:
    """`text` without control characters and lone surrogates, cut to `limit` characters with "..." at its end."""
    safe = text.translate(_CONTROLS).encode("utf-8", "replace").decode("utf-8")
    return safe if len(safe) <= limit else safe[: limit - 3] + "..."
