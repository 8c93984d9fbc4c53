"""Variables in a text, by the grammar of Flux's envsubst (a fork of drone/envsubst), quirks included. Pure.

    ${v}   ${v:=d} ${v:-d} ${v=d} ${v:?d} ${v:+d}   ${#v}   ${v^} ${v^^} ${v,} ${v,,}   ${v:pos} ${v:pos:length}
    ${v#glob} ${v##glob} ${v%glob} ${v%%glob}   ${v/a/b} ${v//a/b} ${v/#a/b} ${v/%a/b}   $$ for a single dollar

Arguments nest; `$v` without braces is text. What upstream does with odd input (a NUL ends the text, a row of slashes is
one delimiter) is done here too, because a template has to mean the same in both.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tidegate.kustomize import expansions
from tidegate.kustomize.errors import SubstitutionError

MAX_DEPTH = 100
MAX_OUTPUT = 10 << 20

_NUL = "\0"
_DEFAULTS = frozenset({":=", ":-", ":?", ":+", "="})

# Runs of text end before `${`, a NUL, and what each place is delimited by.
_TEXT = re.compile(r"(?:[^$\0]++|\$\$|\$(?!\{))++")
_WORD = re.compile(r"\w*")
_NOT_BRACE = re.compile(r"(?:[^}$\0]++|\$(?!\{))++")
_NOT_COLON = re.compile(r"(?:[^:}$\0]++|\$(?!\{))++")
_PATTERN = re.compile(r"(?:[^/$\\\0]++|\$\$|\$(?!\{)|\\[/\\]?)++")
_REPLACEMENT = re.compile(r"(?:[^}$\\\0]++|\$\$|\$(?!\{)|\\[/\\]?)++")
_ESCAPED_DOLLAR = re.compile(r"\$(\$)")
_ESCAPED = re.compile(r"\$(?=\$)(.)|\\(?=[/\\])(.)")


@dataclass(frozen=True)
class Call:
    """`${name operator arguments}`."""

    name: str
    operator: str = ""
    arguments: tuple["str | Call", ...] = ()


def evaluate(template: str, variables: Mapping[str, str], *, strict: bool) -> str:
    """`template` with its variables replaced; in strict mode a variable without value or default is an error.

    A slice may cut a character in two; its bytes are then lone surrogates, as `surrogateescape` has them.

    Raises:
        SubstitutionError: as said, or the template is malformed, or a bound is broken.
    """
    nodes = list(_Parser(template).nodes())
    return "".join(_bounded(_expand(node, variables, strict=strict) for node in nodes))


def _bounded(texts: Iterator[str]) -> Iterator[str]:
    size = 0
    for text in texts:
        size += len(text)
        if size > MAX_OUTPUT:
            raise SubstitutionError(f"more than {MAX_OUTPUT >> 20} MiB of text")
        yield text


def _expand(node: str | Call, variables: Mapping[str, str], *, strict: bool) -> str:
    if isinstance(node, str):
        return node
    arguments = list(_bounded(_expand(argument, variables, strict=strict) for argument in node.arguments))
    value = variables.get(node.name)
    if value is None and strict and node.operator not in _DEFAULTS:
        raise SubstitutionError(f'variable not set (strict mode): "{node.name}"')
    return expansions.apply(node.operator, value or "", arguments)


def _malformed(problem: str = "bad substitution") -> SubstitutionError:
    return SubstitutionError(problem)


class _Parser:
    """One pass over the template: the position only moves on, so time is linear in the template's length."""

    def __init__(self, template: str) -> None:
        self._text = template
        self._position = 0

    def nodes(self) -> Iterator[str | Call]:
        """Texts and calls in turn, up to the end or to a NUL."""
        while self._next() != _NUL:
            if self._take("${"):
                yield self._call(1)
            else:
                yield _ESCAPED_DOLLAR.sub(r"\1", self._run(_TEXT))

    def _call(self, depth: int) -> Call:
        """What follows `${`, up to its closing brace."""
        if depth > MAX_DEPTH:
            raise _malformed(f"substitutions nested deeper than {MAX_DEPTH} levels")
        if self._take("#"):
            return self._close(Call(self._word("bad substitution"), "#"))
        name = self._word("unable to parse variable name")
        match self._next():
            case ":" | "=":
                return self._default_or_slice(name, depth)
            case "," | "^":
                return self._close(Call(name, self._repeated(",^", 2)))
            case "/":
                return self._replace(name, depth)
            case "#" | "%" as sign:
                operator = self._repeated(sign, 2)
                return self._close(Call(name, operator, (self._argument(_NOT_BRACE, depth),)))
            case _ if self._take("}"):
                return Call(name)
        raise _malformed("missing closing brace")

    def _default_or_slice(self, name: str, depth: int) -> Call:
        for operator in _DEFAULTS:
            if self._take(operator):
                return self._default(name, operator, depth)
        self._position += 1
        # Upstream steps back here by the width of the next character, which beyond ASCII is too far.
        if not self._next().isascii():
            raise _malformed()
        arguments = [self._argument(_NOT_COLON, depth)]
        if self._take("}"):
            return Call(name, ":", tuple(arguments))
        if not self._repeated(":"):
            raise _malformed()
        arguments.append(self._argument(_NOT_BRACE, depth))
        return self._close(Call(name, ":", tuple(arguments)))

    def _default(self, name: str, operator: str, depth: int) -> Call:
        arguments = []
        while self._next() != "}":
            arguments.append(self._argument(_NOT_BRACE, depth))
        return self._close(Call(name, operator, tuple(arguments)))

    def _replace(self, name: str, depth: int) -> Call:
        self._position += 1
        operator = "/" + (self._repeated("/#%", 1))
        arguments = [self._argument(_PATTERN, depth)]
        if not self._repeated("/"):
            raise _malformed()
        if self._next() != "}":
            arguments.append(self._argument(_REPLACEMENT, depth))
        return self._close(Call(name, operator, tuple(arguments)))

    def _argument(self, run: re.Pattern[str], depth: int) -> str | Call:
        if self._take("${"):
            return self._call(depth + 1)
        text = self._run(run)
        if not text:
            raise _malformed("unable to parse substitution within function")
        return _ESCAPED.sub(r"\1\2", text) if run in (_PATTERN, _REPLACEMENT) else text

    def _close(self, call: Call) -> Call:
        if not self._take("}"):
            raise _malformed()
        return call

    def _word(self, problem: str) -> str:
        found = _WORD.match(self._text, self._position)
        word = found[0] if found else ""
        # Go knows letters, decimal digits and the underscore; Python's \w also knows fractions and the like.
        odd = next((i for i, c in enumerate(word) if not (c.isalpha() or c.isdecimal() or c == "_")), len(word))
        if odd == 0:
            raise _malformed(problem)
        self._position += odd
        return word[:odd]

    def _repeated(self, characters: str, limit: int | None = None) -> str:
        start = self._position
        while self._next() in characters and (limit is None or self._position - start < limit):
            self._position += 1
        return self._text[start : self._position]

    def _run(self, run: re.Pattern[str]) -> str:
        found = run.match(self._text, self._position)
        text = found[0] if found else ""
        self._position += len(text)
        return text

    def _next(self) -> str:
        return self._text[self._position] if self._position < len(self._text) else _NUL

    def _take(self, text: str) -> bool:
        taken = self._text.startswith(text, self._position)
        self._position += len(text) if taken else 0
        return taken
