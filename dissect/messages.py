"""From a message's bytes to a row: who said it, when, and what the parser of its protocol found.

Rules: a row is two records at the same place of two sheets: the ends of the flow, and the parser's. The packet pass
has made sure that every sheet has room for what one packet yields in earnest; a packet made of thousands of empty
messages may find a sheet full, and what does not fit is counted.
"""

from __future__ import annotations

import numpy as np

from ..core.jit import inline, kernel
from ..core.status import OK
from ..core.wire import Bytes, be24, u8
from .dns.message import MAX_ANSWERS, parse_dns
from .dns.rdata import KIND_ADDRESS, TYPE_AAAA, TYPE_SVCB
from .exchange import name_since
from .http import parse_request
from .intern import begins_with, intern
from .nat64 import is_ipv4only, learn_prefix
from .records import Record
from .resolver import learn
from .state import (
    ANSWER_SHEET,
    ANSWERS,
    ANSWERS_LEFT_OUT,
    CERTIFICATE_CUT,
    CERTIFICATE_MALFORMED,
    DNS_MALFORMED,
    DNS_ROWS,
    DNS_SHEET,
    DOWN,
    HTTP_ROWS,
    HTTP_SHEET,
    LEAN,
    LEAN_PAYLOAD,
    OUTER_KNOWN,
    PARSES_SKIPPED,
    RESOLVERS,
    RESOLVERS_FULL,
    RESOLVERS_KNOWN,
    SERVICE_LLMNR,
    SERVICE_MDNS,
    SHEETS_FULL,
    TLS_MALFORMED,
    TLS_ROWS,
    TLS_SHEET,
    Array,
    State,
)
from .tls.certificate import certificate_names
from .tls.client_hello import DTLS_HEADER, HANDSHAKE_HEADER, LETTER_DTLS, parse_client_hello
from .tls.ech import is_public_name, learn_public_names
from .tls.protection import before_1_3
from .tls.server_hello import parse_server_hello

CLIENT_HELLO, SERVER_HELLO, SESSION_TICKET, CERTIFICATE = 1, 2, 4, 11  # RFC 8446 §4, RFC 5077 §3.3, RFC 5246 §7.4
LEAF_AT = 10  # of a Certificate: header, length of the list, length of the first (RFC 5246 §7.4.2)
WANTED, DONE, NEXT = 0, 1, 2  # of a direction's handshake: a hello, nothing more, what comes behind the ServerHello
NOT_RESUMED, RESUMED = 1, 2
ECH_OUTER = 2
TYPE_HTTPS = 65  # RFC 9460 §14.1
DESIGNATED = np.frombuffer(b"_dns.", np.uint8).copy()  # what owners of designations begin with: RFC 9461 §3
LETTER_TCP, LETTER_QUIC = 0x74, 0x71  # "t", "q": JA4 specification
# places in what parse_server_hello fills
SERVER_VERSION, SERVER_CIPHER, SERVER_RETRY, SERVER_GROUP, SERVER_PSK, SERVER_UNSURE = 0, 1, 2, 3, 4, 5


@inline
def fill_ends(row: Record, f: Record, c: Record, now: int) -> None:
    """The columns that every message row has."""
    row["time"] = now
    row["flow_id"] = c["flow_id"]
    row["local_hi"], row["local_lo"] = f["local_hi"], f["local_lo"]
    row["remote_hi"], row["remote_lo"] = f["remote_hi"], f["remote_lo"]
    row["ports"] = f["ports"]
    row["kind"] = f["kind"]


@inline
def handshake_bytes(b: Bytes, have: int) -> int:
    """How many bytes of the handshake message at the head of `b` are needed: of a Certificate those of the first."""
    whole = HANDSHAKE_HEADER + be24(b, 1)
    if u8(b, 0) != CERTIFICATE or whole < LEAF_AT:
        return whole
    return min(whole, LEAF_AT + be24(b, LEAF_AT - 3)) if have >= LEAF_AT else LEAF_AT


@inline
def handshake_message(state: State, b: Bytes, place: int, way: int, at: int, end: int, now: int) -> None:
    """A handshake message of a direction from which one is wanted; whether another is wanted after it."""
    c = state["cold"][place]
    wanted = c["collected"][way]
    c["collected"][way] = DONE
    kind = u8(b, at)
    if wanted == NEXT:
        after_server_hello(state, b, c, kind, at + LEAF_AT, end)
    elif kind == CLIENT_HELLO:
        client_hello(state, b, place, way, at, end, now, LETTER_TCP)
    elif kind == SERVER_HELLO:
        server_hello(state, b, c, way, at + HANDSHAKE_HEADER, end)


@inline
def server_hello(state: State, b: Bytes, c: Record, way: int, at: int, end: int) -> None:
    """A ServerHello's body: what the rest of the connection speaks. A HelloRetryRequest makes both say hello again."""
    found = state["server"]
    if parse_server_hello(b, at, end, found) != OK:
        state["counters"][TLS_MALFORMED] += 1
        return
    c["tls_version"] = found[SERVER_VERSION]
    c["cipher"] = found[SERVER_CIPHER]
    c["group"] = found[SERVER_GROUP]
    if found[SERVER_RETRY]:  # RFC 8446 §4.1.4
        c["collected"][0] = WANTED
        c["collected"][1] = WANTED
        return
    c["server_seen"] = 1
    if found[SERVER_UNSURE]:
        c["inexact"] = 1
    if before_1_3(found[SERVER_VERSION]):
        c["collected"][way] = NEXT
    else:
        c["resumed"] = RESUMED if found[SERVER_PSK] else NOT_RESUMED


@inline
def after_server_hello(state: State, b: Bytes, c: Record, kind: int, leaf: int, end: int) -> None:
    """The message behind a ServerHello before TLS 1.3: a resumed session has no certificate (RFC 5246 §7.3, 5077 §3.1)."""
    c["resumed"] = RESUMED if kind == SESSION_TICKET else NOT_RESUMED
    if kind != CERTIFICATE:
        return
    if leaf > end or leaf + be24(b, leaf - 3) > end:
        state["counters"][CERTIFICATE_MALFORMED] += 1
        return
    stop = leaf + be24(b, leaf - 3)
    status, number, left_out = certificate_names(b, leaf, stop, state["names"], state["work"])
    c["certificate"] = number
    if status != OK:
        state["counters"][CERTIFICATE_MALFORMED] += 1
    if left_out:
        state["counters"][CERTIFICATE_CUT] += 1


@inline
def client_hello(state: State, b: Bytes, place: int, way: int, at: int, end: int, now: int, letter: int) -> None:
    """A ClientHello: a row, and the flow's name. One that was cut off names the flow, but has no fingerprint.

    A second one, which answers a retry (RFC 8446 §4.1.4, RFC 6347 §4.2.1), takes the first one's place in the flow.
    """
    f, c = state["flows"][place], state["cold"][place]
    rows = state["cursor"][TLS_ROWS]
    if state["settings"][LEAN] >= LEAN_PAYLOAD:  # what app bytes need is noted all the same
        state["counters"][PARSES_SKIPPED] += 1
        c["client"] = way + 1
        c["hello_ns"] = now if c["hello_ns"] == 0 else c["hello_ns"]
        return
    if rows >= TLS_SHEET:
        state["counters"][SHEETS_FULL] += 1
        return
    hello = state["hellos"][rows]
    if parse_client_hello(b, at, end, letter, state["names"], state["work"], state["work_ints"], hello) != OK:
        state["counters"][TLS_MALFORMED] += 1
    header = DTLS_HEADER if letter == LETTER_DTLS else HANDSHAKE_HEADER
    whole = end - at >= header + be24(b, at + 1)
    if not whole:
        hello["shape"] = 0
    if hello["shape"] == 0 and hello["sni"] == 0:
        return
    row = state["tls"][rows]
    fill_ends(row, f, c, now)
    row["packets"] = max(c["pieces"][way], 1)
    row["quic_version"] = 0
    state["cursor"][TLS_ROWS] += 1
    c["client"] = way + 1
    c["shape"] = hello["shape"]
    if hello["ech"] and is_public_name(state, hello["sni"]):
        hello["ech"] = ECH_OUTER
    c["ech"] = hello["ech"]
    c["early_data"] = hello["early_data"]
    if hello["sni"] != 0:
        c["sni"] = hello["sni"]
        if hello["ech"] != ECH_OUTER and place_of_resolver(state, hello["sni"]) >= 0:
            c["resolver"] = 1
    if c["hello_ns"] == 0:
        c["hello_ns"] = now


@kernel
def quic_messages(states: Array, datagrams: Array, read: Array, b: Bytes) -> None:
    """What Python read in QUIC datagrams, in their order: ClientHellos out of Initials, server names of Google QUIC.

    read: int64[n, 5]: which of `datagrams`; where it begins and ends in `b`; in how many datagrams it came; the QUIC
    version, 0 for a name of Google QUIC.
    """
    state = states[0]
    cursor = state["cursor"]
    outer, resolvers = cursor[OUTER_KNOWN], cursor[RESOLVERS_KNOWN]
    for n in range(read.shape[0]):
        d = datagrams[read[n, 0]]
        cursor[OUTER_KNOWN], cursor[RESOLVERS_KNOWN] = d["outer"], d["resolvers"]  # what was learned later says nothing of it
        if state["cold"][d["slot"]]["flow_id"] == d["flow_id"]:
            if read[n, 4] == 0:
                google_name(state, d, b, read[n, 1], read[n, 2])
            else:
                quic_hello(state, d, b, read[n, 1], read[n, 2], read[n, 3], read[n, 4])
    cursor[OUTER_KNOWN], cursor[RESOLVERS_KNOWN] = outer, resolvers


@inline
def quic_hello(state: State, d: Record, b: Bytes, at: int, end: int, packets: int, version: int) -> None:
    """A ClientHello, and the datagram with which it became whole.

    So that way is the client's; if the flow's clock was started by the other, it says nothing.
    """
    place, way = d["slot"], d["way"]
    c = state["cold"][place]
    if c["syn_way"] != way or c["syn"][way] == 0:
        c["syn_way"], c["syn"][0], c["syn"][1] = way, 0, 0
        c["rtt_remote_ns"], c["setup_ns"], c["setup_done"] = 0, 0, 0
    began = c["hello_ns"]
    c["opened"] = way + 1
    c["pieces"][way] = packets
    rows = state["cursor"][TLS_ROWS]
    client_hello(state, b, place, way, at, end, d["time"], LETTER_QUIC)
    if state["cursor"][TLS_ROWS] > rows:
        state["tls"][rows]["quic_version"] = version
    c["hello_ns"] = began
    name_since(state, place, d["exchanges"])


@inline
def google_name(state: State, d: Record, b: Bytes, at: int, end: int) -> None:
    """The server name of a Google QUIC client; it is no TLS ClientHello, so there is no row."""
    c = state["cold"][d["slot"]]
    c["opened"] = d["way"] + 1
    if c["sni"] == 0:
        c["sni"] = intern(state["names"], b, at, end)
        name_since(state, d["slot"], d["exchanges"])


@inline
def dns_message(state: State, b: Bytes, place: int, way: int, at: int, end: int, now: int) -> None:
    """A DNS message: a row, its answers, and what the device learns from it."""
    f, c = state["flows"][place], state["cold"][place]
    rows, answers = state["cursor"][DNS_ROWS], state["cursor"][ANSWERS]
    if state["settings"][LEAN] >= LEAN_PAYLOAD:
        state["counters"][PARSES_SKIPPED] += 1
        return
    if rows >= DNS_SHEET or answers + MAX_ANSWERS > ANSWER_SHEET:
        state["counters"][SHEETS_FULL] += 1
        return
    message = state["messages"][rows]
    multicast = f["service"] == SERVICE_MDNS or f["service"] == SERVICE_LLMNR
    status, written = parse_dns(b, at, end, state["names"], state["work"], message, state["answers"], answers, multicast)
    if status != OK:
        state["counters"][DNS_MALFORMED] += 1
        if message["valid"] == 0:
            return
    state["counters"][ANSWERS_LEFT_OUT] += message["left_out"]
    row = state["dns"][rows]
    fill_ends(row, f, c, now)
    row["service"] = f["service"]
    row["way"] = way
    row["answers_at"] = answers
    state["cursor"][DNS_ROWS] += 1
    state["cursor"][ANSWERS] += written
    if message["response"] == 0 or message["qname"] == 0:
        return
    device_hi = f["local_hi"] if way == DOWN else f["remote_hi"]
    device_lo = f["local_lo"] if way == DOWN else f["remote_lo"]
    for n in range(message["answers"]):
        answer = state["answers"][answers + n]
        if answer["kind"] == KIND_ADDRESS:
            learn(state, device_hi, device_lo, answer["hi"], answer["lo"], np.int64(message["qname"]), now)
            if answer["type"] == TYPE_AAAA and not multicast and is_ipv4only(state["names"], message["qname"]):
                learn_prefix(state, answer["hi"], answer["lo"])
        elif answer["type"] == TYPE_HTTPS or answer["type"] == TYPE_SVCB:
            learn_public_names(state, answer["data"])
            if answer["lo"] != 0 and begins_with(state["names"], answer["name"], DESIGNATED):
                know_resolver(state, np.int64(answer["lo"]))


@inline
def place_of_resolver(state: State, name: int) -> int:
    """Where the name of a resolver over HTTPS stands in the list; -1 for any other name."""
    for n in range(state["cursor"][RESOLVERS_KNOWN]):
        if state["resolvers"][n] == name:
            return n
    return -1


@inline
def know_resolver(state: State, name: int) -> None:
    """A network designates a resolver over HTTPS (RFC 9462 §4): its flows are DNS from now on."""
    if place_of_resolver(state, name) >= 0:
        return
    known = state["cursor"][RESOLVERS_KNOWN]
    if known == RESOLVERS:
        state["counters"][RESOLVERS_FULL] += 1
        return
    state["resolvers"][known] = name
    state["cursor"][RESOLVERS_KNOWN] += 1


@inline
def http_message(state: State, b: Bytes, place: int, at: int, end: int, now: int) -> None:
    """A request's head: a row, and the flow's name."""
    f, c = state["flows"][place], state["cold"][place]
    rows = state["cursor"][HTTP_ROWS]
    if state["settings"][LEAN] >= LEAN_PAYLOAD:
        state["counters"][PARSES_SKIPPED] += 1
        return
    if rows >= HTTP_SHEET:
        state["counters"][SHEETS_FULL] += 1
        return
    request = state["requests"][rows]
    if parse_request(b, at, end, state["names"], request) != OK:
        return
    fill_ends(state["http"][rows], f, c, now)
    state["cursor"][HTTP_ROWS] += 1
    if request["name"] != 0:
        c["host"] = request["name"]
