from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.adapters import git_commits
from tidegate.adapters.git_errors import CorruptRepository

OID, TREE = "c" * 40, "d" * 40


def commit(
    committer: str = "C <c@x> 1700000000 +0100", message: bytes = b"subject\n\nbody\n", extra: bytes = b""
) -> bytes:
    head = f"tree {TREE}\nparent {OID}\nauthor A \u00c9 <a@x> 1600000000 -0700\ncommitter {committer}\n"
    return head.encode() + extra + b"\n" + message


def test_a_commit_is_read():
    found = git_commits.parse_commit(OID, commit())

    assert (found.tree, found.subject, found.message) == (TREE, "subject", "subject\n\nbody\n")
    assert (found.author, found.committer) == ("A \u00c9 <a@x>", "C <c@x>")
    assert found.time == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("committer", "year"),
    [
        pytest.param("C <c@x> 99999999999999 +0000", 9999, id="beyond-all-calendars"),
        pytest.param("C <c@x> 18446744073709551615 +0000", 9999, id="beyond-all-numbers"),
        pytest.param(f"C <c@x> {'9' * 5_000} +0000", 9999, id="5000-digits"),
        pytest.param("C <c@x> -5 +0000", 1970, id="before-time"),
        pytest.param("C <c@x> 1700000000 +9999", 2023, id="odd-zone"),
        pytest.param("C <c@x> 1700000000", 2023, id="no-zone"),
        pytest.param("C <c@x>", 1970, id="no-time"),
        pytest.param("", 1970, id="nobody"),
    ],
)
def test_times_that_no_calendar_holds_are_the_nearest(committer, year):
    assert git_commits.parse_commit(OID, commit(committer)).time.year == year


def test_messages_in_other_encodings_are_read_and_unknown_ones_replaced():
    latin = git_commits.parse_commit(OID, commit(message=b"gr\xfc\xdfe", extra=b"encoding ISO-8859-1\n"))
    unknown = git_commits.parse_commit(OID, commit(message=b"gr\xfc\xdfe", extra=b"encoding rot13\n"))

    assert latin.subject == "gr\u00fc\u00dfe"
    assert unknown.subject == "gr\ufffd\ufffde"


def test_lines_of_a_signature_are_no_headers_and_a_doubled_header_counts_once():
    extra = b"gpgsig -----BEGIN\n tree eee\n -----END\n" + b"tree " + b"e" * 40 + b"\n"

    assert git_commits.parse_commit(OID, commit(extra=extra)).tree == TREE


@pytest.mark.parametrize("raw", [b"", b"tree x\n\n", b"tree\n\n", b"blob"])
def test_a_commit_without_a_tree_is_refused(raw):
    with pytest.raises(CorruptRepository):
        git_commits.parse_commit(OID, raw)
    with pytest.raises(CorruptRepository):
        git_commits.parse_tag_target(OID, raw)


@given(st.binary(max_size=200))
def test_p3_any_bytes_behind_a_tree_are_a_commit(raw):
    assert git_commits.parse_commit(OID, f"tree {TREE}\n".encode() + raw).tree == TREE
