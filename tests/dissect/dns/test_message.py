"""Messages made by scapy, which compresses names as servers do, and messages that are wrong on purpose."""

import socket

import dpkt
import pytest
from crafting.packets import MS, START, dissect, udp
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR, DNSRR, DNSRRMX, DNSRROPT, DNSRRSOA, DNSRRSRV, EDNS0ClientSubnet
from wiretally.dissect.dns.message import MAX_ADDITIONAL, MAX_ANSWERS

QUESTION = b"\0\0\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1"


def read(*messages, **ends):
    """The dns table of one flow: messages of one direction after another."""
    items = [(START + n * MS, udp(bytes(message), up=bytes(message)[2] < 0x80, **ends)) for n, message in enumerate(messages)]
    return dissect(items)


def rows(*messages):
    return read(*messages).tables["dns"].to_dicts()


LABELS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)
NAMES = st.lists(LABELS, min_size=1, max_size=5).map(".".join)
RECORDS = st.one_of(
    st.builds(lambda name, a, ttl: (DNSRR(rrname=name, type="A", rdata=a, ttl=ttl), ("A", a)),
              NAMES, st.ip_addresses(v=4).map(str), st.integers(0, 2**31)),
    st.builds(lambda name, a: (DNSRR(rrname=name, type="AAAA", rdata=a), ("AAAA", a)), NAMES, st.ip_addresses(v=6).map(lambda a: socket.inet_ntop(socket.AF_INET6, a.packed))),
    st.builds(lambda name, to: (DNSRR(rrname=name, type="CNAME", rdata=to), ("CNAME", to)), NAMES, NAMES),
    st.builds(lambda name, to: (DNSRR(rrname=name, type="PTR", rdata=to), ("PTR", to)), NAMES, NAMES),
    st.builds(lambda name, to: (DNSRRMX(rrname=name, preference=10, exchange=to), ("MX", f"10 {to}")), NAMES, NAMES),
    st.builds(lambda name, to: (DNSRRSRV(rrname=name, priority=1, weight=2, port=3, target=to), ("SRV", f"1 2 3 {to}")),
              NAMES, NAMES),
    st.builds(lambda name, a, b: (DNSRRSOA(rrname=name, mname=a, rname=b, serial=1, refresh=2, retry=3, expire=4, minimum=5),
                                  ("SOA", f"{a} {b} 1 2 3 4 5")), NAMES, NAMES, NAMES),
)  # fmt: skip


@settings(max_examples=12)
@given(NAMES, st.integers(0, 65535), st.lists(RECORDS, max_size=5))
def test_whatever_scapy_builds_and_compresses_is_read_back(name, number, records):
    message = DNS(id=number, qr=1, qd=[DNSQR(qname=name)], an=[record for record, _ in records])
    (row,) = rows(message.compress())
    assert (row["id"], row["qname"], row["qtype"], row["rcode"]) == (number, name, "A", "NOERROR")
    assert [(answer["name"], answer["type"], answer["data"]) for answer in row["answers"]] == [
        (record.rrname.decode().rstrip("."), *known) for record, known in records
    ]
    assert rows(message.compress()) == rows(message)


@settings(max_examples=12)
@given(NAMES, st.sampled_from([1, 5, 12, 28, 16]), st.integers(0, 65535))
def test_the_same_question_as_dpkt(name, kind, number):
    built = dpkt.dns.DNS(id=number, qd=[dpkt.dns.DNS.Q(name=name, type=kind, cls=1)])
    (row,) = rows(built)
    again = dpkt.dns.DNS(bytes(built))
    assert (row["id"], row["qname"]) == (again.id, again.qd[0].name)
    assert row["qtype"] == {1: "A", 5: "CNAME", 12: "PTR", 16: "TXT", 28: "AAAA"}[kind]


def test_edns_is_no_answer_but_a_size_a_subnet_and_the_upper_bits_of_the_response_code():
    subnet = EDNS0ClientSubnet(family=1, source_plen=24, address="198.51.100.0")
    query = DNS(id=7, qd=[DNSQR(qname="a.test")], ar=[DNSRROPT(rclass=1232, rdata=[subnet])])
    answer = DNS(id=7, qr=1, qd=[DNSQR(qname="a.test")], ns=[DNSRR(rrname="test", type="NS", rdata="ns.test")],
                 ar=[DNSRR(rrname="ns.test", type="A", rdata="192.0.2.1"), DNSRROPT(rclass=4096, extrcode=1)])  # fmt: skip
    (row,) = rows(query, answer)
    assert (row["edns_udp_size"], row["client_subnet"], row["rcode"], row["answers"]) == (1232, "198.51.100.0/24", "BADVERS", [])
    (lone,) = rows(DNS(id=8, qr=1, qd=[DNSQR(qname="a.test")]))
    assert (lone["edns_udp_size"], lone["client_subnet"]) == (None, None)


@pytest.mark.parametrize(
    ("option", "shown"),
    [
        ("00011800c63364", "198.51.100.0/24"), ("000118 18c63364", "198.51.100.0/24"), ("00010000", "0.0.0.0/0"),
        ("0002380020010db8000000", "2001:db8::/56"), ("00011800c6336401", None), ("00012100c633640101", None),
        ("00030800aa", None), ("000108", None), ("0001180 0c633".replace(" ", ""), None),
    ],
)  # fmt: skip
def test_client_subnets(option, shown):
    data = bytes.fromhex(option)
    opt = b"\0\0\x29\x10\0\0\0\0\0" + (len(data) + 4).to_bytes(2, "big") + b"\0\x08" + len(data).to_bytes(2, "big") + data
    (row,) = rows(QUESTION[:10] + b"\0\1" + QUESTION[12:] + opt)
    assert row["client_subnet"] == shown


@pytest.mark.parametrize("before", [MAX_ADDITIONAL - 1, MAX_ADDITIONAL])
def test_edns_is_looked_for_among_so_many_additional_records(before):
    records = b"\0\0\1\0\1\0\0\0\0\0\4\1\2\3\4" * before + b"\0\0\x29\x10\0\0\0\0\0\0\0"
    (row,) = rows(QUESTION[:10] + (before + 1).to_bytes(2, "big") + QUESTION[12:] + records)
    assert row["edns_udp_size"] == (4096 if before < MAX_ADDITIONAL else None)


@pytest.mark.parametrize("count", [MAX_ANSWERS, MAX_ANSWERS + 1])
def test_answers_beyond_the_limit_are_counted(count):
    message = b"\0\0\x80\0\0\1" + count.to_bytes(2, "big") + QUESTION[8:] + b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\1\2\3\4" * count
    answer = read(message)
    assert len(answer.one("dns")["answers"]) == min(count, MAX_ANSWERS)
    assert answer.given_up["answers_left_out"] == max(0, count - MAX_ANSWERS)


def test_additional_records_of_multicast_dns_are_kept_and_no_others():
    more = [DNSRR(rrname="b.local", type="A", rdata="192.0.2.7", ttl=9), DNSRROPT(rclass=1440), DNSRR(rrname="c.local", type="A", rdata="192.0.2.8")]
    answer = DNS(qr=1, qd=[], an=[DNSRR(rrname="a.local", type="PTR", rdata="b.local")], ns=[DNSRR(rrname="n.local", rdata="192.0.2.9")], ar=more)
    for port, kept in ((5353, ["192.0.2.7", "192.0.2.8"]), (5355, ["192.0.2.7", "192.0.2.8"]), (53, [])):
        row = read(answer, port=port, remote_port=port).one("dns")
        assert ([each["data"] for each in row["answers"]], [each["data"] for each in row["additional"]]) == (["b.local"], kept)
        assert row["edns_udp_size"] == 1440


@pytest.mark.parametrize(("answers", "additional"), [(0, MAX_ADDITIONAL), (0, MAX_ADDITIONAL + 1), (MAX_ANSWERS - 1, 1), (MAX_ANSWERS - 1, 2)])
def test_additional_records_at_the_limits_and_one_past_them(answers, additional):
    counts = b"".join(count.to_bytes(2, "big") for count in (0, answers, 0, additional))
    answer = read(b"\0\0\x80\0" + counts + b"\0\0\1\0\1\0\0\0\0\0\4\1\2\3\4" * (answers + additional), remote_port=5353)
    row, kept = answer.one("dns"), min(additional, MAX_ADDITIONAL, MAX_ANSWERS - answers)
    assert (len(row["answers"]), len(row["additional"])) == (answers, kept)
    assert (answer.given_up["answers_left_out"], answer.given_up["dns_malformed"]) == (additional - kept, 0)


@pytest.mark.parametrize(
    ("tail", "kept"),
    [
        (b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\1\2\3\4", 1),  # the additional record that the header promises is not there
        (b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\1\2\3", 0),  # the address ends early
        (b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\1\2\3\4\x40\0", 1),  # a reserved label type
        (b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\1\2\3\4\0\0\x29\0\0\0\0\0\0\0\4\0\x08\0\x09", 1),  # an option longer than its record
        (b"\xc0\x0c\0\x0f\0\1\0\0\0\0\0\2\0\0", 0),  # an MX without its name
        (b"\xc0\x0c\0\x23\0\1\0\0\0\0\0\6\0\0\0\0\xff\0", 0),  # NAPTR whose string is longer than the record
    ],
)
def test_what_parsed_before_a_break_is_kept_and_the_break_is_counted(tail, kept):
    answer = read(b"\0\0\x80\0\0\1\0\1\0\0\0\1\1a\0\0\1\0\1" + tail)
    assert len(answer.one("dns")["answers"]) == kept
    assert answer.given_up["dns_malformed"] == 1


@given(st.binary(max_size=120))
@settings(max_examples=40)
def test_any_datagram_ends_in_rows_or_a_counter(data):
    answer = dissect([(START, udp(data))])
    assert answer.tables["dns"].height + answer.given_up["dns_malformed"] <= 2
    if len(data) >= 12:
        assert answer.tables["dns"].height + answer.given_up["dns_malformed"] >= 1
