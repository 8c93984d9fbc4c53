"""Text for users: valid, without control characters, within the bound of where it stands (reliability §4)."""

CONDITION = 32768
EVENT_NOTE = 1024
POSTED_EVENT = 39000

# Line breaks and tabs are structure (change sets are lists); everything else below a space could drive a terminal.
_CONTROLS = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}


def human_size(size: int) -> str:
    """A number of bytes as Go's tools for containers write it: four digits and a decimal unit."""
    value, units = float(size), iter(("B", "kB", "MB", "GB"))
    unit = next(units)
    while value >= 1000 and (larger := next(units, "")):
        value, unit = value / 1000, larger
    return f"{value:.4g}{unit}"


def clean(text: str, limit: int = CONDITION) -> str:
    """`text` without control characters and lone surrogates, cut to `limit` characters with "..." at its end."""
    safe = text.translate(_CONTROLS).encode("utf-8", "replace").decode("utf-8")
    return safe if len(safe) <= limit else safe[: limit - 3] + "..."
