"""A ClientHello cut into any records and segments, in any order, with overlaps and repeats, in any batches: one row."""

import itertools

import polars as pl
import pytest
from crafting.packets import (
    ACK,
    MS,
    START,
    SYN,
    client_hello_message,
    dissect,
    hello,
    server_hello,
    tcp,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import tls_hello

ISN, SERVER_ISN = 0xFFFFFF00, 77  # sequence numbers wrap in the middle of the hello
VARIES = {"time", "packets", "first_seen", "last_seen", "tls_setup_ms"}
MESSAGES = [client_hello_message("any.example", 5, post_quantum=pq, chromium=ch) for pq, ch in ((True, True), (False, False))]


def carried(stream, pieces):
    """A connection to a port of its own that carries the pieces of the stream in their order, then the server's answer."""
    port = {"remote_port": 9443}
    items = [tcp(seq=ISN, flags=SYN, **port), tcp(seq=SERVER_ISN, ack=ISN + 1, flags=SYN | ACK, up=False, **port)]
    items += [tcp(stream[low:high], seq=ISN + 1 + low, ack=SERVER_ISN + 1, **port) for low, high in pieces]
    items.append(tcp(server_hello(), seq=SERVER_ISN + 1, ack=ISN + 1 + len(stream), up=False, **port))
    return [(START + number * MS, frame) for number, frame in enumerate(items)]


def in_records(message, edges):
    return b"".join(hello.record(22, message[low:high]) for low, high in itertools.pairwise([0, *edges, len(message)]))


def told(answer):
    """What both rows say of the hello."""
    flow = answer.tables["flows"].select(pl.exclude(r"^(up|down)_.*$", r"^rtt_.*$", "flow_id", *VARIES))
    return answer.tables["tls"].select(pl.exclude("flow_id", *VARIES)).rows(), flow.rows()


WHOLE = [told(dissect(carried(in_records(message, []), [(0, len(message) + 5)]))) for message in MESSAGES]


@given(st.data(), st.sampled_from([0, 1]))
@settings(max_examples=30)
def test_one_row_whatever_the_cut(data, which):
    message = MESSAGES[which]
    edges = sorted(data.draw(st.sets(st.integers(1, len(message) - 1), max_size=4)))
    stream = in_records(message, edges)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=6)))
    pieces = list(itertools.pairwise([0, *cuts, len(stream)]))
    again = data.draw(st.lists(st.integers(0, len(stream) - 1), max_size=3))
    pieces += [(low, min(len(stream), low + data.draw(st.integers(1, 1500)))) for low in again]
    items = carried(stream, data.draw(st.permutations(pieces)))
    batches = data.draw(st.sets(st.integers(1, len(items) - 1), max_size=3))
    answer = dissect(items, cuts=batches, ticks=range(len(batches)))
    assert told(answer) == WHOLE[which]
    row = answer.one("tls")
    assert (row["sni"], row["ciphers"], row["hello_bytes"]) == tls_hello.says(stream)
    assert 1 <= row["packets"] <= len(pieces) + len(again)


@pytest.mark.parametrize("message", MESSAGES)
def test_a_row_says_that_it_was_in_one_packet(message):
    answer = dissect(carried(in_records(message, []), [(0, len(message) + 5)]))
    assert answer.one("tls")["packets"] == 1
    assert answer.one("flows")["service"] == "tls"
