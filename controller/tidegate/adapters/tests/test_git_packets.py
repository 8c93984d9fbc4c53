import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.adapters import git_packets
from tidegate.adapters.git_errors import ProtocolViolated
from tidegate.adapters.git_packets import LONGEST, Decoder, Mark, Packet

PACKETS = st.lists(st.one_of(st.binary(min_size=1, max_size=40), st.sampled_from(list(Mark))), max_size=10)


@given(PACKETS, st.lists(st.integers(1, 20), max_size=20))
def test_packets_come_back_however_they_are_cut(packets, cuts):
    raw = git_packets.encode(*packets)
    decoder = Decoder()
    found: list[Packet] = []
    at = 0
    for size in [*cuts, len(raw)]:
        found += decoder.feed(raw[at : at + size])
        at += size

    decoder.require_complete()
    assert found == packets


def test_the_longest_packet_is_taken():
    packet = bytes(LONGEST - 4)

    assert list(Decoder().feed(b"%04x" % LONGEST + packet)) == [packet]


@pytest.mark.parametrize("head", [b"0003", b"fff1", b"ffff", b"zzzz", b"-001", b" 00f", b"0x10", b"<htm", b"+123"])
def test_g7_oversize_and_malformed_packet_lines_are_refused(head):
    with pytest.raises(ProtocolViolated):
        list(Decoder().feed(head + bytes(100)))


def test_g7_an_end_inside_a_packet_is_refused():
    decoder = Decoder()

    assert list(decoder.feed(b"0009ab")) == []
    with pytest.raises(ProtocolViolated):
        decoder.require_complete()


@given(st.lists(st.binary(max_size=50), max_size=5))
def test_p3_any_bytes_are_packets_or_refused(pieces):
    decoder = Decoder()
    with contextlib.suppress(ProtocolViolated):
        for piece in pieces:
            list(decoder.feed(piece))
        decoder.require_complete()
