import os
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tidegate.adapters import ignore
from tidegate.adapters.ignore import Ignore, InvalidIgnoreFile

NAMES = ["a", "b", "ab", "foo", "foo.md", "x.yaml", "a b", "[x]", "a\\b", "é", "-rf", "!a", "#a", "a-z", "foobar"]
FILES = [
    "a/b/foo.md",
    "a/foo/x.yaml",
    "foo/bar/a",
    "foo/b",
    "foobar/foo/a/b/x.yaml",
    "b/foo/foo/x.yaml",
    "a-z/-rf/!a",
    "é/#a/[x]",
    "a\\b/a b/é",
    *[f"{folder}/{name}" for folder in ("ab", "x.yaml/foo", "[x]") for name in NAMES],
    *[name for name in NAMES if name not in ("a", "b", "foo", "ab", "x.yaml", "[x]", "a\\b", "é", "a-z", "foobar")],
]
ATOMS = ["a", "b", "ab", "foo", "bar", ".md", "é", "-", "x", " ", "\\ ", "!", "#", "\\!", "\\*", "\\a", "\\"]
ATOMS += ["*", "**", "***", "?", "/", "/", "/", "**/", "/**", "[a-z]", "[!a]", "[^b]", "[[:alpha:]]", "[]]", "[]-a]"]
ATOMS += ["[", "]", "[a-", "[:alpha:]", "[[:foo:]]", "[a\\]]", "[a-c-z]", "[--0]", "[x", "[[:digit:]b]", "[!/]"]

PATTERNS = """
foo|foo/|/foo|/foo/|foo/bar|/foo/bar|foo/bar/|foo/*|foo/**|/foo/**|**/foo|**/foo/|**/foo/**|foo/**/x.yaml|a/**/b
**/**/x.yaml|**/**/**/x.yaml|*|**|/*|/**|*/|**/|/|//|foo//|//foo|!|!!|!!a|#|\\#a|\\!a|!a|a*|*a|*.md|*.yaml|f*o|f**o
foo**|**foo|foo**/x.yaml|foo**/b|*/foo|*/*/foo|?|??|a?b|fo?|[a]|[!a]|[^a]|[a-b]|[a-z]*|[]x]|[!]]*|[[]x]|[x]|\\[x\\]|[[]x[]]
[[:alpha:]]|[[:upper:]]*|[[:foo:]]|[[:alpha:]|[:alpha:]|[a-|[|]|a\\|\\|\\\\|a\\\\b|a\\b|a b
a b |a b\\ |a\\ b|  foo|foo  |é|?|??
-rf|-*|--|[--0]rf|[a-]b|[-a]b|[a\\-z]*|[z-a]|[\\]]|[\\a]|*[x]*|**/[x]|foo/b*|/a/*/|a/b/foo.md/|foo.*|.*|*.*|/foo/*/a
foo/|!foo/b|x.yaml/foo|**/x.yaml/**/|*oo*|*o*o*|*b*/foo|/a*/f*/x.*|f[o]o|f[!x]o/**/[ab]|\\f\\o\\o|foo\\/b|foo/\\b|**/\\**
[[:space:]]*|*[[:space:]]*|[[:punct:]]*|[[:alnum:][:punct:]]*|[^[:alnum:]]*|a[b|a[]b|a[!]b|a[[]b|[a-b-c]|[\\--a]*
""".replace("\n", "|").split("|")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ignored")
    subprocess.run(["git", "init", "--quiet", "."], cwd=root, check=True)
    for name in FILES:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def kept_by_git(root: Path, spec: list[str]) -> set[bytes]:
    options = ["--exclude-per-directory=.sourceignore", *(f"--exclude={pattern}" for pattern in spec)]
    listed = subprocess.run(["git", "ls-files", "-z", "--others", *options], cwd=root, capture_output=True, check=True)
    return {name for name in listed.stdout.split(b"\0") if name and not name.endswith(b".sourceignore")}


def kept_by_us(root: Path, spec: str) -> set[bytes]:
    kept: set[bytes] = set()

    def walk(prefix: bytes, rules: Ignore) -> None:
        folder = os.path.join(os.fsencode(root), prefix)
        own = os.path.join(folder, b".sourceignore")
        if os.path.exists(own):
            rules = rules.below(prefix.removesuffix(b"/"), Path(os.fsdecode(own)).read_bytes())
        for entry in os.scandir(folder):
            path = prefix + entry.name
            if entry.name in (b".git", b".sourceignore") or rules.judge(path, is_folder=entry.is_dir()).is_ignored:
                continue
            if entry.is_dir():
                walk(path + b"/", rules)
            else:
                kept.add(path)

    walk(b"", Ignore((), ignore.parse(spec.encode())))
    return kept


def compare(root: Path, texts: dict[str, str], spec: list[str]) -> None:
    files = {root / folder / ".sourceignore": text for folder, text in texts.items()}
    for path, text in files.items():
        path.write_text(text)
    try:
        assert kept_by_us(root, "\n".join(spec)) == kept_by_git(root, spec)
    finally:
        for path in files:
            path.unlink()


def test_more_than_100_patterns_mean_what_they_mean_to_git(tree):
    assert len(set(PATTERNS)) > 100
    for pattern in set(PATTERNS):
        compare(tree, {"": pattern + "\n"}, [])


LINES = st.lists(st.sampled_from(ATOMS), min_size=1, max_size=6).map("".join)
TEXTS = st.lists(LINES, min_size=1, max_size=4).map("\n".join)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.sampled_from(["", "a", "foo", "x.yaml/foo", "ab"]), TEXTS, min_size=1),
    # Git takes these from its command line, where lines cannot begin with "#" nor end with spaces as in a file.
    st.lists(LINES.filter(lambda line: line[0] not in "#-" and line[-1] != " "), max_size=2),
)
@example({"": "/*\n!/foo\n", "foo": "*\n!b\r\n"}, ["!x.yaml"])
def test_files_in_folders_and_the_spec_mean_what_they_mean_to_git(tree, texts, spec):
    compare(tree, texts, spec)


def decide(spec: str, path: str, *, is_folder: bool = False, with_defaults: bool = False) -> bool:
    rules = ignore.build_ignore(spec, with_defaults=with_defaults)
    return rules.judge(path.encode(), is_folder=is_folder).is_ignored


@pytest.mark.parametrize("name", [".git", ".gitignore", ".gitmodules", ".gitattributes"])
def test_version_control_is_always_ignored(name):
    assert decide("/other", name, is_folder=name == ".git")
    assert decide("/other", f"deep/{name}", is_folder=name == ".git")


@pytest.mark.parametrize(
    ("path", "is_folder"),
    [
        ("a.jpg", False),
        ("x/a.tar.gz", False),
        ("x/a.zip", False),
        (".github", True),
        ("x/.circleci", True),
        (".travis.yml", False),
        ("x/.sops.yaml", False),
        (".goreleaser.yml", False),
    ],
)
def test_defaults_hold_where_no_pattern_stands(path, is_folder):
    assert decide("", path, is_folder=is_folder, with_defaults=True)
    assert not decide("", path, is_folder=is_folder, with_defaults=False)


def test_nearer_files_win_and_the_spec_wins_over_all():
    rules = ignore.build_ignore("!/d/final.md", with_defaults=False).below(b"", b"*.md\n").below(b"d", b"!kept.md\n")

    assert rules.judge(b"d/other.md", is_folder=False).is_ignored
    assert not rules.judge(b"d/kept.md", is_folder=False).is_ignored
    assert not rules.judge(b"d/final.md", is_folder=False).is_ignored


def test_g15_100000_names_are_matched_in_no_time():
    text = "".join(f"file-{at}.yaml\n/dir/{at}/x\n" for at in range(50_000)).encode()

    began = time.process_time()
    rules = ignore.parse(text)
    found = [rules.find_last(b"dir/%d/x" % at, is_folder=False) for at in range(10_000)]

    assert all(found)
    assert time.process_time() - began < 2.0


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("".join(f"*foo{at}*\n" for at in range(100_000)), id="wildcards"),
        pytest.param("x\n" * 200_001, id="lines"),
        pytest.param("*" + "a" * 5_000, id="long-pattern"),
        pytest.param("x" * (9 << 20), id="long-file"),
    ],
)
def test_g15_patterns_beyond_their_bounds_are_refused(text):
    with pytest.raises(InvalidIgnoreFile, match="exceed the bound"):
        ignore.parse(text.encode())


@pytest.mark.parametrize("pattern", ["**/" * 1_300 + "x", "*a" * 1_000 + "*b", "?*" * 1_000, "[a-z]*" * 500 + "9"])
def test_g15_towers_of_wildcards_cost_linear_time(pattern):
    rules = ignore.parse(pattern.encode())

    began = time.process_time()
    for at in range(20):
        rules.find_last(b"/".join([b"a" * 100] * 30) + b"%d" % at, is_folder=False)

    assert time.process_time() - began < 1.0


@given(st.binary(max_size=200), st.binary(min_size=1, max_size=30).filter(lambda path: b"\0" not in path))
def test_p3_any_bytes_are_rules(text, path):
    ignore.parse(text).find_last(path, is_folder=True)
