"""A packet's flow: found or begun, counted, told what the packet carries, ended.

Theory: a flow is the 5-tuple and the time in which it is not silent for too long. What was there under the same tuple may
have ended in the meantime: by time, by a new connection, or because it was another one's (a QUIC connection that moved).

Rules: every packet moves the counters of exactly one flow, before its content is looked at.
"""

from __future__ import annotations

from ..core.jit import inline
from ..core.wire import Bytes
from .collect import release
from .exchange import before_data, before_packet, close_exchange
from .flow_table import create, find, hash_of, oldest_of_sample, retire, stale
from .ip import PROTOCOL_TCP, PROTOCOL_UDP
from .quic.connections import connection_of, has_short_header, is_quic_port, join, main_is_live
from .reassembly import drop_held
from .records import Record
from .resolver import name_at
from .state import (
    ACTIVE,
    APP,
    CHANGED,
    END_EVICTED,
    END_IDLE,
    EVICTED,
    FIRST_PACKETS,
    FIRSTS,
    INNER_SHORT,
    IP,
    MAX_ACTIVE,
    PACKETS,
    PAYLOAD,
    SERVICE_NONE,
    WIRE,
    State,
)
from .tcp import brings_news, is_new_connection, tcp_segment
from .tunnel import TUNNEL_NONE
from .udp import service_of, udp_datagram


@inline
def flow_of(state: State, b: Bytes, h: Record, now: int) -> tuple[int, int]:
    """The packet's flow: the one in the table unless it has ended in the meantime, else a new one."""
    hashed = hash_of(h, state["seed"])
    place, way = find(state, h, hashed)
    tcp = h["protocol"] == PROTOCOL_TCP and h["fragment"] == 0
    if place >= 0:
        f, c = state["flows"][place], state["cold"][place]
        if f["alias"]:
            f["last_ns"] = max(f["last_ns"], now)
            main = c["main"]
            if main_is_live(state, c) and not stale(state, main, now):
                return main, way
            finish(state, place, END_IDLE, now)
        elif stale(state, place, now):
            finish(state, place, END_IDLE, now)
        elif tcp and is_new_connection(f, c, way, h):
            finish(state, place, END_IDLE, now)
        else:
            return place, way
    if state["cursor"][ACTIVE] >= state["settings"][MAX_ACTIVE]:
        state["counters"][EVICTED] += 1
        finish(state, oldest_of_sample(state), END_EVICTED, now)
    place, way = create(state, h, hashed, now, h["answers"] != 0)
    f = state["flows"][place]
    if h["protocol"] == PROTOCOL_UDP:
        f["service"] = service_of(f["ports"])
        if f["service"] == SERVICE_NONE and h["fragment"] == 0 and h["more"] == 0 and has_short_header(b, h):
            main, main_way = connection_of(state, b, h)
            if main >= 0 and not stale(state, main, now) and join(state, place, way, main, main_way):
                return main, way
            if is_quic_port(f["ports"]):
                state["cold"][place]["inexact"] = 1  # what the headers take is not known
    state["cold"][place]["dns_name"] = name_at(state, f["local_hi"], f["local_lo"], f["remote_hi"], f["remote_lo"], now)
    return place, way


@inline
def account(state: State, place: int, way: int, wire: int, now: int, h: Record) -> None:
    """Counts the packet, and sees whether it begins an exchange."""
    f = state["flows"][place]
    before_packet(state, place, now)
    if h["cut"]:
        state["cold"][place]["inexact"] = 1
    if h["short"] and h["tunnel"] != TUNNEL_NONE:
        state["cold"][place]["inexact"] = 1
        state["counters"][INNER_SHORT] += 1
    tcp = h["protocol"] == PROTOCOL_TCP and h["fragment"] == 0 and h["more"] == 0 and h["cut"] == 0
    if brings_news(f, way, h) if tcp else h["data_bytes"] > 0:
        before_data(state, place, way, now)
    number = f["counts"][0, PACKETS] + f["counts"][1, PACKETS]
    if number < state["settings"][FIRST_PACKETS]:
        note_packet(state, place, way, number, h, now)
    count(f, way, wire, h["ip_bytes"], now)


@inline
def note_packet(state: State, place: int, way: int, number: int, h: Record, now: int) -> None:
    """One of the first packets of a flow; a piece of a datagram brings nothing before the one that makes it whole."""
    row = state["firsts"][state["cursor"][FIRSTS]]
    row["slot"], row["number"], row["way"] = place, number, way
    row["gap_ns"] = now - state["flows"][place]["last_ns"]
    row["ip_bytes"] = h["ip_bytes"]
    row["payload_bytes"] = h["data_bytes"] if h["fragment"] == 0 and h["more"] == 0 else 0
    state["cursor"][FIRSTS] += 1


@inline
def count(f: Record, way: int, wire: int, ip_bytes: int, now: int) -> None:
    """The counters that every packet moves, and the gaps between packets of one way."""
    if f["counts"][way, PACKETS] == 0:
        f["way_first_ns"][way] = now
    else:
        gap = (now - f["way_last_ns"][way]) / 1e6
        f["gap_squares"][way] += gap * gap
    f["way_last_ns"][way] = now
    f["alive"] = CHANGED
    f["counts"][way, PACKETS] += 1
    f["counts"][way, WIRE] += wire
    f["counts"][way, IP] += ip_bytes
    f["first_ns"] = min(f["first_ns"], now)
    f["last_ns"] = max(f["last_ns"], now)
    f["exchange_start"] = min(f["exchange_start"], now)
    f["exchange_last"] = max(f["exchange_last"], now)


@inline
def content(state: State, b: Bytes, place: int, way: int, now: int, h: Record) -> None:
    """What a whole datagram carries."""
    if h["protocol"] == PROTOCOL_TCP and h["cut"] == 0:
        tcp_segment(state, b, place, way, h, now)
        return
    f = state["flows"][place]
    app = h["data_bytes"]
    if h["protocol"] == PROTOCOL_UDP:
        app = udp_datagram(state, b, place, way, h, now)
    f["counts"][way, PAYLOAD] += h["data_bytes"]
    f["counts"][way, APP] += app


@inline
def finish(state: State, place: int, end: int, now: int) -> None:
    """Ends a flow: what it holds is delivered and given back, its last exchange written."""
    c = state["cold"][place]
    for way in range(2):
        drop_held(state, place, way, now)
        if c["collector"][way] >= 0:
            release(state, c, way)
    close_exchange(state, place)
    retire(state, place, end)
