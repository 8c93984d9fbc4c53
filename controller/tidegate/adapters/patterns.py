"""THE door to re2: regular expressions that cost linear time whoever wrote them (reliability §3.6)."""

from collections.abc import Iterator, Sequence

import re2

from tidegate.runtime.errors import TidegateError

_MEMORY = 64 << 20


class PatternsTooLarge(TidegateError):
    """The patterns need more memory than they may have."""


class Pattern:
    """One expression of RE2's syntax, which is Go's."""

    def __init__(self, expression: str) -> None:
        self._pattern = re2.compile(expression)

    def groups(self, text: str) -> list[str] | None:
        """The whole match and its groups ("" for one that took no part) where `text` matches from end to end."""
        found = self._pattern.fullmatch(text)
        return None if found is None else [found.group(0), *found.groups("")]

    def find(self, text: str) -> Iterator[list[str]]:
        """Every match in `text`, leftmost first, as `groups` gives it."""
        for found in self._pattern.finditer(text):
            yield [found.group(0), *found.groups("")]


class PatternSet:
    """Many patterns over bytes, matched in one pass.

    Raises:
        PatternsTooLarge: together they are beyond the bound.
    """

    def __init__(self, patterns: Sequence[bytes]) -> None:
        self._set = re2.Set.FullMatchSet(_options())
        try:
            # RE2 reports running out of memory as "nothing matched": a first pattern that always does tells them apart.
            for pattern in (b"(?s).*", *patterns):
                self._set.Add(pattern)
            self._set.Compile()
        except re2.error as error:
            raise PatternsTooLarge("the patterns need too much memory together") from error

    def last_match(self, text: bytes) -> int | None:
        """The index of the last pattern that matches all of `text`, or None.

        Raises:
            PatternsTooLarge: `text` took more memory than there is.
        """
        found = self._set.Match(text)
        if not found or 0 not in found:
            raise PatternsTooLarge("the patterns need too much memory together")
        last = max(found)
        return last - 1 if last else None


def _options() -> re2.Options:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = _MEMORY
    options.dot_nl = True
    options.log_errors = False
    return options
