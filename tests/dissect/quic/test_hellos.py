"""Which Initials make a hello: cut and mixed in any way, after a Retry, another version, another connection ID."""

import random

import polars as pl
import pytest
from crafting import quic
from crafting.packets import dissect, sorted_tables
from crafting.quic import SERVER_ID, V2, crypto, frames_of, hello_message, initial
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from wiretally.dissect.quic import hellos
from wiretally.dissect.quic.datagram import MAX_INITIALS
from wiretally.dissect.quic.hellos import HelloFromInitials

SAME = ["sni", "alpn", "versions", "ciphers", "ja4", "ech", "post_quantum", "hello_bytes", "quic_version"]
BETWEEN = st.sampled_from([b"", quic.PING, quic.PADDING * 3, quic.ACK])


@st.composite
def any_packing(draw):
    """Datagrams that carry a whole hello: cut anywhere, some stretches twice or overlapping, in any order."""
    message = hello_message(post_quantum=draw(st.booleans()))
    cuts = sorted(draw(st.sets(st.integers(1, len(message) - 1), max_size=12)))
    pieces = list(zip([0, *cuts], [*cuts, len(message)], strict=True))
    again = st.tuples(st.integers(0, len(message) - 1), st.integers(1, 400))
    pieces += [(at, min(at + size, len(message))) for at, size in draw(st.lists(again, max_size=4))]
    pieces = draw(st.permutations(pieces))
    version, loads = draw(st.sampled_from([quic.V1, V2, quic.DRAFT_29])), [b""]
    for low, high in pieces:
        for at in range(low, high, 1000):
            frame = draw(BETWEEN) + crypto(message[at : min(at + 1000, high)], at)
            if len(loads[-1]) + len(frame) > 1100 or draw(st.integers(0, 5)) == 0:
                loads.append(b"")
            loads[-1] += frame
    sealed = [initial(load, version=version, number=n, number_bytes=1 + n % 4, size=0) for n, load in enumerate(loads)]
    datagrams = []
    for packet in draw(st.permutations(sealed)):
        if datagrams and len(datagrams[-1]) + len(packet) < 1400 and draw(st.booleans()):
            datagrams[-1] += packet
        else:
            datagrams.append(packet)
    return message, version, [(True, data) for data in datagrams]


@settings(max_examples=25)
@given(any_packing(), st.sets(st.integers(0, 20), max_size=4))
def test_any_packing_gives_the_same_row(packing, cuts):
    message, version, datagrams = packing
    plain = [(True, initial(crypto(message[:1000]), version=version)),
             (True, initial(crypto(message[1000:], 1000), version=version, number=1))]  # fmt: skip
    assume(len(datagrams) <= MAX_INITIALS)
    expected = dissect(frames_of(plain)).one("tls")
    packed = dissect(frames_of(datagrams), cuts=[cut for cut in cuts if cut < len(datagrams)])
    row = packed.one("tls")
    assert {name: row[name] for name in SAME} == {name: expected[name] for name in SAME}
    assert 1 <= row["packets"] <= len(datagrams)
    assert packed.one("flows")["name"] == "quic.example"


@settings(max_examples=10)
@given(any_packing(), st.sets(st.integers(0, 20), max_size=5))
def test_where_batches_end_does_not_matter(packing, cuts):
    items = frames_of([*packing[2], (False, quic.short(30, b"")), (True, quic.short(300))])
    whole = sorted_tables(dissect(items))
    split = sorted_tables(dissect(items, cuts=[cut for cut in cuts if cut < len(items)]))
    assert [name for name in whole if not whole[name].equals(split[name])] == []


def taken(*datagrams):
    found = HelloFromInitials()
    return [hello and (hello.message, hello.packets, hello.version) for hello in (found.take(1, *d) for d in datagrams)]


def test_after_a_retry_the_keys_come_from_its_connection_id():
    message = hello_message(post_quantum=True)
    first = initial(crypto(message[:900]))
    again = initial(crypto(message[:900]), dcid=SERVER_ID, token=b"token", number=1)
    rest = initial(crypto(message[900:], 900), dcid=b"\x77" * 8, keys_of=SERVER_ID, token=b"token", number=2)
    late = initial(crypto(message[900:], 900), number=3)
    assert taken((first, 0), (quic.retry(), 1), (again, 0), (rest, 0)) == [None, None, None, (message, 2, 1)]
    # what comes late from before is of the same hello, and gives no second one
    assert taken((first, 0), (again, 0), (late, 0), (rest, 0)) == [None, None, (message, 2, 1), None]


def test_the_connection_id_changes_with_the_servers_first_packet():
    message = hello_message(post_quantum=True)
    first = initial(crypto(message[:900]))
    answer = initial(quic.ACK, dcid=b"", scid=SERVER_ID, keys_of=quic.DCID, side="server")
    rest = initial(crypto(message[900:], 900), dcid=SERVER_ID, keys_of=quic.DCID, number=1)
    assert taken((first, 0), (answer, 1), (rest, 0)) == [None, None, (message, 2, 1)]


def test_another_version_is_another_hello():
    one, two = hello_message(seed=1), hello_message(seed=2)
    first, second = initial(crypto(one), version=0x1A2A3A4A), initial(crypto(two), version=V2, dcid=SERVER_ID)
    assert taken((first, 0), (quic.negotiation(), 1), (second, 0)) == [(one, 1, 0x1A2A3A4A), None, (two, 1, V2)]


def test_the_answer_to_a_hello_retry_request_is_the_second_message_of_the_stream():
    one, two = hello_message(seed=1), hello_message(seed=2)
    first = initial(crypto(one))
    second = initial(crypto(two, len(one)), dcid=SERVER_ID, keys_of=quic.DCID, number=1)
    assert taken((first, 0), (first, 0), (second, 0)) == [(one, 1, 1), None, (two, 1, 1)]
    answer = dissect(frames_of([(True, first), (False, quic.opaque(2, 900)), (True, second)]))
    assert answer.tables["tls"]["sni"].to_list() == ["quic.example"] * 2


def test_several_initials_in_one_datagram_count_as_one_packet():
    message = hello_message()
    both = initial(crypto(message[100:], 100), size=0) + initial(crypto(message[:100]), number=1, size=800)
    assert taken((both, 0)) == [(message, 1, 1)]


def test_a_server_that_is_seen_first_is_not_taken_for_the_client():
    message = hello_message()
    server = initial(crypto(b"\2\0\0\4abcd"), dcid=quic.SCID, scid=SERVER_ID, keys_of=quic.DCID, side="server")
    assert taken((server, 1), (initial(crypto(message)), 0)) == [None, (message, 1, 1)]


def test_a_message_that_is_no_client_hello_gives_nothing():
    assert taken((initial(crypto(b"\2" + hello_message()[1:])), 0)) == [None]


def test_as_many_connections_as_are_remembered_and_one_more():
    found = HelloFromInitials()
    message = hello_message()
    piece = initial(crypto(message[:100]))
    for flow in range(hellos.MAX_CONNECTIONS):
        found.take(flow, piece)
    assert found.given_up == 0
    found.take(hellos.MAX_CONNECTIONS, piece)
    assert found.given_up == 1
    rest = initial(crypto(message[100:], 100), dcid=SERVER_ID, keys_of=quic.DCID)
    assert found.take(0, rest) is None  # whose keys are gone
    assert found.take(1, rest).message == message
    for flow in range(hellos.MAX_CONNECTIONS, hellos.MAX_CONNECTIONS + 3):
        found.take(flow, piece)
    assert found.given_up == 2  # flow 1 had said its hello, so nothing of it was lost


def test_as_many_attempts_as_are_remembered_and_one_more():
    found = HelloFromInitials()
    message = hello_message()
    ids = [bytes([n]) * 8 for n in range(hellos.MAX_ATTEMPTS + 1)]
    for dcid in ids[:-1]:
        found.take(1, initial(crypto(message[:100]), dcid=dcid))
    assert found.given_up == 0
    found.take(1, initial(crypto(message[:100]), dcid=ids[-1]))
    assert found.given_up == 1
    rest = [initial(crypto(message[100:], 100), dcid=SERVER_ID, keys_of=dcid) for dcid in ids[:2]]
    assert found.take(1, rest[0]) is None
    assert found.take(1, rest[1]).message == message


@pytest.mark.parametrize("datagrams", [MAX_INITIALS, MAX_INITIALS + 1])
def test_as_many_datagrams_as_are_opened_and_one_more(datagrams):
    message = hello_message()
    step = -(-len(message) // datagrams)
    sent = [(True, initial(crypto(message[at : at + step], at), number=at)) for at in range(0, len(message), step)]
    assert len(sent) == datagrams
    answer = dissect(frames_of(sent))
    assert answer.tables["tls"].height == (datagrams == MAX_INITIALS)


def test_a_second_connection_on_the_same_ports_is_found():
    rng = random.Random(1)
    datagrams = [(True, initial(crypto(hello_message(f"n{n}.example", n)), dcid=rng.randbytes(8))) for n in range(3)]
    answer = dissect(frames_of(datagrams))
    assert answer.tables["tls"].select(pl.col("sni").sort()).to_series().to_list() == [f"n{n}.example" for n in range(3)]
