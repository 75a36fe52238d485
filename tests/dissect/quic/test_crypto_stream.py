"""Pieces of a CRYPTO stream against byte-by-byte reading, and the limits."""

from hypothesis import given
from hypothesis import strategies as st
from naive.crypto_stream import messages
from wiretally.dissect.quic.crypto_stream import MAX_HELD, MAX_MESSAGE, MAX_PIECES, MAX_STREAM, CryptoStream


def message(size, kind=1):
    """A handshake message of `size` bytes in all, no two stretches of it alike."""
    body = b"".join(n.to_bytes(2, "big") for n in range(size))
    return bytes([kind]) + (size - 4).to_bytes(3, "big") + body[: size - 4]


def read(pieces):
    stream, found = CryptoStream(), []
    for offset, data in pieces:
        stream.add(offset, data)
        while (whole := stream.message()) is not None:
            found.append(whole)
    return found, stream


@given(st.lists(st.integers(4, 300), min_size=1, max_size=2), st.lists(st.tuples(st.integers(0, 600), st.integers(0, 200)),
       max_size=30), st.randoms(use_true_random=False))  # fmt: skip
def test_any_pieces_in_any_order(sizes, cuts, rng):
    stream = b"".join(message(size) for size in sizes)
    pieces = [(at, stream[at : at + size]) for at, size in cuts if at < len(stream)]
    rng.shuffle(pieces)
    assert read(pieces)[0] == messages(pieces)
    whole = pieces + [(at, stream[at : at + 50]) for at in range(0, len(stream), 50)]
    rng.shuffle(whole)
    assert b"".join(read(whole)[0]) == stream


def test_where_pieces_contradict_each_other_their_order_does_not_matter():
    pieces = [(0, message(40)[:20]), (10, b"\xee" * 30)]
    assert read(pieces)[0] == read(pieces[::-1])[0] == [message(40)[:20] + b"\xee" * 20]


def test_a_piece_says_whether_it_is_of_what_is_to_come():
    stream = CryptoStream()
    assert stream.add(0, message(40))
    assert stream.add(0, message(40)[:10])
    assert stream.message() == message(40)
    assert not stream.add(0, message(40))
    assert stream.add(40, message(30))


def test_the_longest_message_and_one_longer():
    found, stream = read([(0, message(MAX_MESSAGE))])
    assert (len(found), stream.refused) == (1, 0)
    found, stream = read([(0, message(MAX_MESSAGE + 1))])
    assert (found, stream.refused) == ([], 1)
    assert read([(at, message(MAX_MESSAGE + 1)[at : at + 1000]) for at in range(0, MAX_MESSAGE, 1000)])[1].refused == 1


def test_the_end_of_the_stream_and_one_past_it():
    stream = CryptoStream()
    assert stream.add(MAX_STREAM - 5, b"12345")
    assert not stream.add(MAX_STREAM - 5, b"123456")
    assert stream.refused == 1


def test_as_many_pieces_as_are_held_and_one_more():
    stream = CryptoStream()
    assert all(stream.add(10 + 2 * n, b"x") for n in range(MAX_PIECES))
    assert not stream.add(9, b"x")
    assert stream.add(10, b"xy")  # in the place of one that is there
    assert stream.refused == 1


def test_as_many_bytes_as_are_held_and_one_more():
    stream = CryptoStream()
    size = MAX_HELD // 8
    assert all(stream.add(1 + n, bytes(size)) for n in range(8))
    assert not stream.add(0, b"\1")
    assert stream.refused == 1
