import itertools

import pytest
from crafting.packets import MS, SECOND, START, dissect, udp
from scapy.layers.dns import DNS, DNSQR, DNSRR


def message(number=1, name="a.test", kind="A", *, answers=0, response=False):
    records = [DNSRR(rrname=name, type="A", rdata=f"192.0.2.{n + 1}") for n in range(answers)]
    return bytes(DNS(id=number, qr=int(response), qd=[DNSQR(qname=name, qtype=kind)], an=records))


def said(*story):
    """(ms, up, message)…: the dns rows, in one batch and tick, and with a tick after every packet: equal."""
    items = [(START + int(at * MS), udp(data, up=up)) for at, up, data in story]
    whole = dissect(items).tables["dns"]
    pieces = dissect(items, cuts=range(1, len(items)), ticks=range(len(items))).tables["dns"]
    assert sorted(map(str, pieces.to_dicts())) == sorted(map(str, whole.to_dicts()))
    return [(round(row["time"].timestamp() * 1000 - START / MS), row["rcode"], row["latency_ms"]) for row in whole.to_dicts()]


ASK, ANSWER = (True, message()), (False, message(response=True, answers=1))


def test_a_query_and_its_answer_are_one_row():
    assert said((0, *ASK), (20, *ANSWER)) == [(0, "NOERROR", 20.0)]


def test_a_repeated_query_waited_from_the_first_time_it_was_asked():
    assert sorted(said((0, *ASK), (5000, *ASK), (5020, *ANSWER)), key=str) == [(0, "NOERROR", 5020.0), (5000, None, None)]


def test_two_answers_belong_to_two_queries_in_their_order():
    assert said((0, *ASK), (5000, *ASK), (5020, *ANSWER), (5080, *ANSWER)) == [(0, "NOERROR", 5020.0), (5000, "NOERROR", 80.0)]


def test_a_second_answer_is_a_row_of_its_own():
    assert sorted(said((0, *ASK), (10, *ANSWER), (11, *ANSWER))) == [(0, "NOERROR", 10.0), (11, "NOERROR", None)]


@pytest.mark.parametrize(("after", "latency"), [(9_999, [9_999.0]), (10_000, [None, None])])
def test_an_answer_in_time_and_one_too_late(after, latency):
    assert [row[2] for row in said((0, *ASK), (after, *ANSWER))] == latency


@pytest.mark.parametrize("change", [{"number": 2}, {"name": "b.test"}, {"kind": "AAAA"}])
def test_another_identifier_name_or_type_is_another_transaction(change):
    rows = said((0, *ASK), (20, False, message(**change, response=True)))
    assert [row[2] for row in rows] == [None, None]


def test_what_the_same_end_says_twice_is_no_answer():
    assert [row[2] for row in said((0, *ASK), (20, True, message(response=True)))] == [None, None]


def test_an_answer_before_its_query_is_alone():
    assert sorted(said((0, *ANSWER), (20, *ASK)), key=str) == [(0, "NOERROR", None), (20, None, None)]


def test_interleaved_transactions_keep_apart():
    story = [(n, True, message(n)) for n in range(20)] + [(100 + 3 * n, False, message(n, response=True)) for n in range(20)]
    assert sorted(said(*story)) == [(n, "NOERROR", 100.0 + 2 * n) for n in range(20)]


def test_an_unanswered_query_is_given_up_in_the_end():
    assert said((0, *ASK)) == [(0, None, None)]


def test_multicast_answers_are_rows_of_their_own():
    announced = bytes(DNS(id=0, qr=1, aa=1, qd=[], an=[DNSRR(rrname="phone.local", type="A", rdata="192.168.7.20")]))
    times = itertools.count(START, SECOND)
    table = dissect([(next(times), udp(announced, port=5353, remote_port=5353, server="224.0.0.251")) for _ in range(2)]).tables["dns"]
    assert table.select("service", "qname", "qtype", "latency_ms").rows() == [("mdns", None, None, None)] * 2
