"""Any segments, in any order, with any overlaps and repeats, give the bytes, the hello and the counts of the stream."""

import itertools

import pytest
from crafting import packets
from crafting.packets import ACK, FINISHED, MS, START, SYN, app_record, client_hello, dissect, tcp
from hypothesis import given
from hypothesis import strategies as st
from naive import tcp_stream
from wiretally.dissect import state

ISN = 0xFFFFF000  # sequence numbers wrap in the middle of the stream
HELLO_COLUMNS = ["flow_id", "sni", "alpn", "versions", "ciphers", "ja4", "ech", "post_quantum", "hello_bytes"]


def client_stream(sizes, **layout):
    return client_hello("www.example.org", **layout) + packets.hello.CCS_RECORD + FINISHED + b"".join(
        app_record(size) for size in sizes)  # fmt: skip


def arrivals(stream, pieces):
    """SYN, then the pieces (low, high) of the stream in the order given."""
    items = [(START, tcp(seq=ISN, flags=SYN))]
    for number, (low, high) in enumerate(pieces, 1):
        items.append((START + number * MS, tcp(stream[low:high], seq=ISN + 1 + low)))
    return items


def twin(stream, pieces):
    found = tcp_stream.Stream()
    for low, high in pieces:
        found.add(low, stream[low:high])
    return found


@st.composite
def shuffled(draw, stream):
    """All of the stream in pieces, shuffled, with repeats and overlaps strewn in."""
    cuts = draw(st.lists(st.integers(1, len(stream) - 1), max_size=12, unique=True))
    edges = [0, *sorted(cuts), len(stream)]
    pieces = list(itertools.pairwise(edges))
    pieces += [
        (low, min(len(stream), low + draw(st.integers(1, 4000))))
        for low in draw(st.lists(st.integers(0, len(stream) - 1), max_size=6))
    ]
    return draw(st.permutations(pieces))


@given(st.data(), st.lists(st.integers(0, 5000), max_size=6), st.booleans())
def test_order_overlaps_and_repeats_change_nothing(data, sizes, post_quantum):
    stream = client_stream(sizes, post_quantum=post_quantum)
    pieces = data.draw(shuffled(stream))
    answer, expected = dissect(arrivals(stream, pieces)), twin(stream, pieces)
    flow = answer.one("flows")
    assert flow["up_payload_bytes"] == expected.unique == len(stream)
    assert flow["up_retransmitted_bytes"] == expected.retransmitted
    assert flow["up_app_bytes"] == tcp_stream.client_app_bytes(stream) == sum(sizes) - (
        2 if sizes and sizes[-1] == 2 else 0)  # two bytes in the last record are an alert
    assert flow["app_exact"]
    plain = dissect(arrivals(stream, [(0, len(stream))])).tables["tls"]
    assert answer.tables["tls"].select(HELLO_COLUMNS).equals(plain.select(HELLO_COLUMNS))
    assert answer.one("tls")["sni"] == flow["name"] == "www.example.org"
    packets.assert_sums_close(answer, len(pieces) + 1)


@given(st.data(), st.lists(st.integers(0, 3000), min_size=1, max_size=5))
def test_with_bytes_missing_the_rest_is_counted_and_the_guess_is_flagged(data, sizes):
    stream = client_stream(sizes)
    pieces = data.draw(shuffled(stream))
    kept = pieces[: data.draw(st.integers(0, len(pieces)))]
    answer, expected = dissect(arrivals(stream, kept)), twin(stream, kept)
    flow = answer.one("flows")
    assert flow["up_payload_bytes"] == expected.unique
    assert flow["up_retransmitted_bytes"] == expected.retransmitted
    assert flow["up_app_bytes"] <= flow["up_payload_bytes"]
    if len(expected.whole()) < expected.unique:
        assert not flow["app_exact"]
    packets.assert_sums_close(answer, len(kept) + 1)


@given(st.data(), st.binary(min_size=1, max_size=3000).filter(lambda b: not 20 <= b[0] <= 24))
def test_cleartext_of_an_unknown_protocol_is_all_application_data(data, stream):
    pieces = data.draw(shuffled(stream + b"!"))
    items = arrivals(stream + b"!", pieces)
    acks = data.draw(st.lists(st.integers(0, len(stream) + 1), max_size=4))
    for place, ack in enumerate(acks):
        items.insert(1 + place * 2, (START, tcp(up=False, seq=77, ack=ISN + 1 + ack, flags=ACK)))
    answer = dissect(items)
    flow = answer.one("flows")
    assert flow["up_app_bytes"] == flow["up_payload_bytes"]
    if answer.given_up["gaps_forgotten"]:  # more holes than are remembered: what fills them late is taken for repeated
        assert flow["up_payload_bytes"] < len(stream) + 1
        return
    assert flow["up_payload_bytes"] == len(stream) + 1
    assert flow["up_retransmitted_bytes"] == sum(high - low for low, high in pieces) - len(stream) - 1


def test_a_hole_that_the_other_side_acknowledged_is_given_up_and_a_late_arrival_still_counts_as_new():
    stream = bytes(range(256)) * 8
    first, hole, rest = stream[:500], stream[500:700], stream[700:]
    items = arrivals(stream, [(0, 500), (700, len(stream))])
    items.append((START + 9 * MS, tcp(up=False, seq=1, ack=ISN + 1 + len(stream))))
    answer = dissect(items)
    assert answer.given_up["lost_holes"] == 1
    assert answer.given_up["lost_bytes"] == len(hole)
    assert answer.one("flows")["up_payload_bytes"] == len(first) + len(rest)
    late = dissect([*items, (START + 10 * MS, tcp(hole, seq=ISN + 501)), (START + 11 * MS, tcp(hole, seq=ISN + 501))])
    assert late.one("flows")["up_payload_bytes"] == len(stream)
    assert late.one("flows")["up_retransmitted_bytes"] == len(hole)


def test_a_hole_in_the_middle_of_a_record_costs_nothing_but_what_was_in_it():
    stream = client_stream([10_000, 300])
    start = stream.index(app_record(10_000))
    items = arrivals(stream, [(0, start + 1000), (start + 3000, len(stream))])
    items.append((START + 9 * MS, tcp(up=False, seq=1, ack=ISN + 1 + len(stream))))
    answer = dissect(items)
    assert answer.given_up["records_lost"] == 0
    assert answer.one("flows")["up_app_bytes"] == 10_300 - 2000
    assert not answer.one("flows")["app_exact"]


def test_where_a_record_header_was_lost_the_next_record_at_the_start_of_a_segment_is_picked_up():
    stream = client_stream([1000, 1000, 1000])
    first = stream.index(app_record(1000))
    second, third = first + 1022, first + 2044
    items = arrivals(stream, [(0, first + 900), (second + 100, third), (third, len(stream))])
    items.append((START + 9 * MS, tcp(up=False, seq=1, ack=ISN + 1 + len(stream))))
    answer = dissect(items)
    flow = answer.one("flows")
    assert answer.given_up["records_lost"] == 1
    assert not flow["app_exact"]
    assert flow["up_app_bytes"] == 895 + (1022 - 100) + 1000  # the torn record counts as it stands


@pytest.mark.parametrize("beyond", [0, 1])
def test_so_many_pieces_are_held_and_no_more(beyond):
    stream = client_stream([4000])
    count = state.MAX_HELD + beyond
    step = 4
    held = [(low, low + 2) for low in range(10, 10 + count * step, step)]  # a hole before each
    answer = dissect([*arrivals(stream, held), (START + 10**9, tcp(stream, seq=ISN + 1))])
    assert (answer.given_up["held_full"] > 0) == bool(beyond)
    flow = answer.one("flows")
    assert flow["up_payload_bytes"] == len(stream)
    assert flow["up_retransmitted_bytes"] == 2 * count
    assert flow["app_exact"] == (not beyond)
    packets.assert_sums_close(answer, count + 2)


def test_a_capture_of_one_way_goes_on_after_a_loss():
    sizes = [1000] * 800
    stream = client_stream(sizes)
    edges = [*range(0, len(stream), 1400), len(stream)]
    pieces = list(itertools.pairwise(edges))
    del pieces[5]
    answer = dissect(arrivals(stream, pieces))
    flow = answer.one("flows")
    assert flow["up_payload_bytes"] == len(stream) - 1400
    assert not flow["app_exact"]
    assert flow["up_app_bytes"] == pytest.approx(len(stream), rel=0.05)
    assert answer.given_up["lost_bytes"] == 1400


def test_a_stream_picked_up_in_the_middle_counts_what_was_before_once():
    items = [(START, tcp(b"x" * 100, seq=5000, remote_port=9999)), (START + MS, tcp(b"y" * 100, seq=4900, remote_port=9999)),
             (START + 2 * MS, tcp(b"y" * 100, seq=4900, remote_port=9999))]  # fmt: skip
    flow = dissect(items).one("flows")
    assert flow["up_payload_bytes"] == flow["up_app_bytes"] == 200
    assert flow["up_retransmitted_bytes"] == 100


def test_the_latest_segments_beyond_the_window_are_told_from_those_behind_it():
    items = [*arrivals(b"a" * 100, [(0, 100)]), (START + MS, tcp(b"b" * 10, seq=ISN + 1 + 50)),
             (START + 2 * MS, tcp(b"c", seq=ISN))]  # fmt: skip  # keep-alive probe: one byte before the edge, RFC 9293 §3.8.4
    flow = dissect(items).one("flows")
    assert flow["up_payload_bytes"] == 100
    assert flow["up_retransmitted_bytes"] == 11
