"""Packets made for tests, and a dissector's answer to them."""

from __future__ import annotations

import itertools
import random
import struct
from typing import NamedTuple

import numpy as np
import polars as pl
from wiretally.bench import hello
from wiretally.core.packets import PACKET, PacketBatch
from wiretally.core.schema import COUNTERS, QUANTITIES
from wiretally.dissect import state
from wiretally.dissect.dissector import Dissector

MS, SECOND = 1_000_000, 1_000_000_000
START = 1_700_000_000 * SECOND
PHONE, SERVER = "192.168.7.20", "93.184.216.34"
PHONE_MAC, ROUTER_MAC = bytes.fromhex("d26a913c0e57"), bytes.fromhex("02aabbccddee")
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
COUNTER_COLUMNS = [column.name for column in COUNTERS]


def batch(items, linktype=1, interface=0):
    """(ts_ns, frame) or (ts_ns, frame, wire length) as one PacketBatch; a frame is bytes or a scapy packet."""
    frames = [bytes(item[1]) for item in items]
    packets = np.zeros(len(items), PACKET)
    at = 0
    for row, item, frame in zip(packets, items, frames, strict=True):
        wire = item[2] if len(item) > 2 else len(frame)
        row["at"], row["ts_ns"], row["captured"], row["wire"] = at, item[0], len(frame), wire
        row["interface"], row["linktype"] = interface, linktype
        at += len(frame)
    return PacketBatch(np.frombuffer(b"".join(frames), np.uint8).copy(), packets)


class Answer(NamedTuple):
    """The tables, each in one piece, the dissector's counters by name, and what it gave up."""

    tables: dict
    counters: dict
    given_up: dict

    def one(self, table):
        """The only row of a table."""
        assert self.tables[table].height == 1, self.tables[table]
        return self.tables[table].row(0, named=True)


def dissect(items, options=None, *, linktype=1, cuts=(), ticks=()):
    """Feeds the packets in one batch, or in several cut before the given places; ticks after those batches."""
    dissector = Dissector(options)
    pieces = []
    places = [0, *sorted(set(cuts)), len(items)]
    for number, (low, high) in enumerate(itertools.pairwise(places)):
        dissector.feed(batch(items[low:high], linktype))
        if number in ticks:
            pieces.append(dissector.tick())
    pieces.append(dissector.tick(end=True))
    tables = {name: pl.concat([piece[name] for piece in pieces]) for name in pieces[0]}
    return Answer(tables, named_counters(dissector), dissector.given_up)


def named_counters(dissector):
    """Counters over all interfaces."""
    sums = dissector.counters.sum(axis=0)
    return {"seen": int(sums[state.SEEN]), "bytes": int(sums[state.SEEN_BYTES]), "cut": int(sums[state.CUT]),
            "malformed": int(sums[state.MALFORMED_PACKETS]), "unsupported": int(sums[state.UNSUPPORTED_PACKETS]),
            "counted": int(sums[state.COUNTED_PACKETS])}  # fmt: skip


def assert_sums_close(answer, packets):
    """Every packet is accounted for once; exchanges add up to their flows, counter by counter."""
    counters = answer.counters
    assert counters["seen"] == packets
    assert counters["seen"] == counters["counted"] + counters["malformed"] + counters["unsupported"]
    flows, exchanges = answer.tables["flows"], answer.tables["exchanges"]
    assert flows["flow_id"].n_unique() == flows.height
    assert counters["counted"] == flows["up_packets"].sum() + flows["down_packets"].sum()
    added = exchanges.group_by("flow_id").agg(pl.col(name).sum() for name in COUNTER_COLUMNS).sort("flow_id")
    assert added.equals(flows.select("flow_id", *COUNTER_COLUMNS).sort("flow_id"))
    for way in ("up", "down"):
        assert (flows[f"{way}_ip_bytes"] >= flows[f"{way}_payload_bytes"]).all()
    assert len(QUANTITIES) * 2 == len(COUNTER_COLUMNS)


def sorted_tables(answer):
    """The tables with their rows in an order that does not depend on when they were given up."""
    return {name: frame.sort(pl.all(), nulls_last=True, maintain_order=True) if name != "dns" else frame.sort(
        [column for column in frame.columns if column != "answers"], nulls_last=True, maintain_order=True)
        for name, frame in answer.tables.items()}  # fmt: skip


# ------------------------------------------------------------------------------------------------- frames from bytes


def ethernet(payload, *, up=True, ethertype=0x0800):
    ends = (ROUTER_MAC, PHONE_MAC) if up else (PHONE_MAC, ROUTER_MAC)
    return ends[0] + ends[1] + ethertype.to_bytes(2, "big") + payload


def ipv4(payload, protocol, source, destination, *, identification=0, fragment=0):
    """A packet longer than 65,535 has length 0, as segmentation offload leaves it."""
    ends = bytes(int(part) for end in (source, destination) for part in end.split("."))
    total = 20 + len(payload) if len(payload) < 65_516 else 0
    return struct.pack(">BBHHHBBH", 0x45, 0, total, identification, fragment, 64, protocol, 0) + ends + payload


def tcp(data=b"", *, up=True, seq=0, ack=0, flags=ACK, port=40_000, remote_port=443, phone=PHONE, server=SERVER):
    """One Ethernet frame of a TCP connection between phone and server."""
    ports = (port, remote_port) if up else (remote_port, port)
    head = struct.pack(">HHIIBBHHH", *ports, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 0x50, flags, 65_535, 0, 0)
    ends = (phone, server) if up else (server, phone)
    return ethernet(ipv4(head + data, 6, *ends), up=up)


def udp(data=b"", *, up=True, port=40_000, remote_port=53, phone=PHONE, server=SERVER):
    """One Ethernet frame with a UDP datagram."""
    ports = (port, remote_port) if up else (remote_port, port)
    ends = (phone, server) if up else (server, phone)
    return ethernet(ipv4(struct.pack(">HHHH", *ports, 8 + len(data), 0) + data, 17, *ends), up=up)


class Connection:
    """A TCP connection as a list of (ts_ns, frame); sequence numbers are kept, so that calls read as a script."""

    def __init__(self, start=START, *, port=40_000, remote_port=443, seq=1_000, remote_seq=5_000, step=MS):
        self.items, self.now, self.step = [], start, step
        self.port, self.remote_port = port, remote_port
        self.next = {True: seq, False: remote_seq}

    def frame(self, data=b"", *, up=True, flags=ACK, seq=None):
        """A frame as it would be sent now."""
        return tcp(data, up=up, seq=self.next[up] if seq is None else seq, ack=self.next[not up], flags=flags,
                   port=self.port, remote_port=self.remote_port)  # fmt: skip

    def send(self, data=b"", *, up=True, flags=ACK, after=None):
        """Sends it, and goes on in time and in sequence."""
        self.now += self.step if after is None else after
        self.items.append((self.now, self.frame(data, up=up, flags=flags)))
        self.next[up] += len(data) + bool(flags & SYN) + bool(flags & FIN)
        return self

    def open(self):
        """The handshake."""
        return self.send(flags=SYN).send(up=False, flags=SYN | ACK).send()

    def close(self):
        """FIN both ways."""
        return self.send(flags=FIN | ACK).send(up=False, flags=FIN | ACK).send()


def app_record(size, fill=0xA5):
    """A TLS 1.3 record that carries `size` bytes of application data."""
    return hello.record(hello.APPLICATION_DATA, bytes([fill]) * (size + 17))


FINISHED = hello.record(hello.APPLICATION_DATA, bytes(hello.FINISHED_SHA256))


def client_hello_message(name="example.org", seed=1, *, post_quantum=True, chromium=True):
    """A ClientHello as real clients send it; post-quantum ones are longer than a packet."""
    rng = random.Random(seed)
    return hello.chromium_hello(rng, name, post_quantum=post_quantum) if chromium else hello.openssl_hello(rng, name)


def client_hello(name="example.org", seed=1, **layout):
    """The same in its record."""
    return hello.record(hello.HANDSHAKE, client_hello_message(name, seed, **layout), 0x0301)


def server_hello(seed=1, version=0x0304, cipher=0x1301, *, retry=False):
    """A ServerHello in its record; `retry`: a HelloRetryRequest."""
    chance = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c") if retry else (
        random.Random(seed).randbytes(32))  # fmt: skip
    extensions = b"\0\x2b\0\2" + version.to_bytes(2, "big") if version == 0x0304 else b""
    body = b"\3\3" + chance + b"\0" + cipher.to_bytes(2, "big") + b"\0" + hello.vector(2, extensions)
    return hello.record(hello.HANDSHAKE, hello.message(hello.SERVER_HELLO, body))
