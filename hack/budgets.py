"""Holds files and functions to their budgets (what ruff cannot count): `python -m hack.budgets`.

A file of more than 500 lines or a function body of more than 60 fails; medians and percentiles are shown.
"""

import ast
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FILE_MAX, FUNCTION_MAX = 500, 60


def main() -> int:
    """Print the figures; 1 when something is over its budget."""
    files = {path: path.read_text() for path in _sources()}
    lengths = {path: text.count("\n") for path, text in files.items()}
    bodies = {place: size for path, text in files.items() for place, size in _bodies(path, text).items()}
    over = [f"{path}: {size} lines" for path, size in lengths.items() if size > FILE_MAX]
    over += [f"{place}: body of {size} lines" for place, size in bodies.items() if size > FUNCTION_MAX]
    print(f"files: {_figures(list(lengths.values()))}; function bodies: {_figures(list(bodies.values()))}")
    print("\n".join(over), end="\n" if over else "")
    return 1 if over else 0


def _sources() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [path for name in listed.stdout.split() if (path := ROOT / name).is_file()]


def _bodies(path: Path, text: str) -> dict[str, int]:
    functions = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    name = path.relative_to(ROOT)
    return {f"{name}:{node.lineno} {node.name}": _body(node) for node in functions}


def _body(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    last = node.body[-1].end_lineno or node.lineno
    return last - node.body[0].lineno + 1


def _figures(sizes: list[int]) -> str:
    ordered = sorted(sizes)
    p95 = ordered[int(len(ordered) * 0.95)]
    return f"{len(sizes)}, median {statistics.median(sizes):.0f}, p95 {p95}, max {ordered[-1]} lines"


if __name__ == "__main__":
    sys.exit(main())
