"""Random JSON values, the same ones in every run: every shape, and texts of every YAML style."""

import json
import random
import re
from typing import Any

ATOMS = [
    *["a", "b c", "yes", "no", "0", "1", "-", "- x", ":", "a:", "a: b", "#", "a #b", "'", '"', "\\", "\n", "\t", " "],
    *["  ", "\r", "é", "\U0001f600", "{", "}", "[", "]", ",", "&", "*", "!", "|", ">", "%", "@", "`", "~", "null"],
    *["1e3", "2001-01-01", "12:30:45", "0x1", "=", "$", "${a}", "${a:=b c}", "---", "...", "word word word", "\x1b"],
    *["longlonglonglonglonglong", "/", "(", ")", "?", "? ", "true", "True", "ON", ".inf", ".5", "1_0", "+1", "\x00"],
]
NUMBERS = [0, 1, -5, 1.5, 1e21, 123456789.25, 1e-7, 0.0001, 12345678901234567890, -0.5, 1e100, 100000.5, 1234567.5]


class Random(random.Random):
    """A source of values; equal seeds make equal values."""

    def text(self) -> str:
        """Short, long enough to be folded, or of several lines."""
        match self.randrange(4):
            case 0:
                return "".join(self.choices(ATOMS, k=self.randint(0, 3)))
            case 1:
                return "".join(self.choices(ATOMS, k=self.randint(3, 12)))
            case 2:
                return " ".join(self.choice(["alpha", "gamma" * 3, "", self.choice(ATOMS)]) for _ in range(30))
            case _:
                lines = (
                    self.choice(["alpha", "", " x", "b c ", self.choice(ATOMS)]) for _ in range(self.randint(1, 6))
                )
                return "\n".join(lines)

    def key(self) -> str:
        """Ordinary more often than not; never empty and never a merge."""
        ordinary = self.choice("abcdefghij") + self.choice(["", "1", "10", "01", "-x", "_y", ".z", "A", "2b"])
        return ordinary if self.random() < 0.6 else self.text() or ordinary

    def value(self, depth: int = 0) -> Any:
        """A JSON value."""
        kind = self.random()
        if depth > 4 or kind < 0.6:
            return self.text()
        if kind < 0.7:
            return self.choice([None, True, False, *NUMBERS])
        if kind < 0.85:
            return [self.value(depth + 1) for _ in range(self.randint(0, 3))]
        return {self.key(): self.value(depth + 1) for _ in range(self.randint(0, 4))}


def as_json(value: Any) -> str:
    """JSON without escaped surrogate pairs, which YAML does not have, and without raw line breaks."""
    return re.sub(
        "[\x7f-\x9f\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False)
    )
