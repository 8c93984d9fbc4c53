import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.adapters import git_trees
from tidegate.adapters.git_errors import UnsafeTree
from tidegate.adapters.git_trees import TreeEntry, TreeFolder

OID = bytes(range(20))


def tree(*entries: tuple[bytes, bytes]) -> bytes:
    return b"".join(mode + b" " + name + b"\0" + OID for name, mode in entries)


def test_entries_are_read_as_they_stand():
    assert git_trees.parse(tree((b"a", b"100644"), (b"d", b"40000"))) == [
        TreeEntry(b"a", 0o100644, OID),
        TreeEntry(b"d", 0o40000, OID),
    ]


@pytest.mark.parametrize("name", [b".git", b".GIT", b".gIt", b"..", b".", b"", b"a/b", b"/", b"a\\b", b"..\\x"])
@pytest.mark.parametrize("mode", [b"100644", b"40000", b"120000"])
def test_g1_names_that_harm_whoever_writes_them_are_refused(name, mode):
    with pytest.raises(UnsafeTree):
        git_trees.parse(tree((b"ok", b"100644"), (name, mode)))


def test_g1_a_name_that_occurs_twice_is_refused():
    with pytest.raises(UnsafeTree, match="twice"):
        git_trees.parse(tree((b"a", b"120000"), (b"a", b"40000")))


def test_g2_links_and_submodules_never_show_and_names_equal_but_for_case_stay_apart():
    raw = tree((b"l", b"120000"), (b"m", b"160000"), (b"F", b"100644"), (b"f", b"100755"), (b"z", b"140000"))

    items = TreeFolder(OID, lambda kind, oid: raw).items()

    assert [(item.name, item.is_executable) for item in items] == [(b"F", False), (b"f", True)]


def test_items_are_in_the_order_of_their_names_not_in_gits():
    raw = tree((b"a-b", b"100644"), (b"a", b"40000"))

    assert [item.name for item in TreeFolder(OID, lambda kind, oid: raw).items()] == [b"a", b"a-b"]


@pytest.mark.parametrize(
    "name", [b"\xff\xfe", b"new\nline", b"-rf", b"n" * 4_096, "e\u0301".encode(), b".gitkeep", b"..."]
)
def test_g14_odd_names_stay_byte_for_byte(name):
    assert git_trees.parse(tree((name, b"100644")))[0].name == name


@pytest.mark.parametrize(
    "raw", [b"x", b"100644 a", b"100644 a\0" + OID[:19], b"9 a\0" + OID, b" a\0" + OID, b"1234567890 a\0" + OID]
)
def test_malformed_trees_are_refused(raw):
    with pytest.raises(UnsafeTree):
        git_trees.parse(raw)


@given(st.binary(max_size=120))
def test_p3_any_bytes_are_a_tree_or_refused(raw):
    with contextlib.suppress(UnsafeTree):
        git_trees.parse(raw)
