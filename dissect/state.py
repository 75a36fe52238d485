"""What the dissector remembers: record arrays that the kernels of the packet pass share.

Theory: all of it is one record, STATE, of fixed layout: kernels get a single pointer, and pages that nothing has used
cost no memory. (A tuple of forty arrays costs more to pass to a function than a packet costs to count.) A flow is one
record in each of two parallel pools, FLOW (touched by every packet) and COLD (touched at events). The index maps a hash
to a place in the pools. What a message yields goes into rows ("sheets") that Python takes when they fill or at a tick.

Rules: counters and offsets are int64; uint64 only for addresses, hashes and identifiers. Index 0 of a two-element
field is up (local to remote), 1 is down. -1 means "none" for places in pools. All limits of the state are here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .dns.message import MESSAGE
from .dns.rdata import ANSWER
from .http import REQUEST
from .intern import NAMES, prepare
from .tls.client_hello import HELLO, SCRATCH_BYTES, SCRATCH_INTS

Array = npt.NDArray[Any]

UP, DOWN = 0, 1
PACKETS, WIRE, IP, PAYLOAD, APP, RETRANSMITTED = 0, 1, 2, 3, 4, 5
COUNTS = 6

# --- limits: each is reported by a counter when it is reached -------------------------------------------------------
POOL = (1 << 18) + (1 << 14)  # places for flows: those in the table and those that have ended and wait for Python
MAX_FLOWS = 1 << 18
INDEX = 1 << 20
FIRST_INDEX = 1 << 12
NETWORKS = 64  # local networks that the user may give
OUTER_NAMES = 256  # public names of ECH that are known
NAT64_PREFIXES = 8  # of networks that translate to IPv4
RESOLVERS = 512  # names of resolvers over HTTPS: those given, and those that networks designate
NAMED_ENTRIES, NAMED_HEADS = 1 << 17, 1 << 18  # what devices have learned from DNS
TLS_SHEET, DNS_SHEET, ANSWER_SHEET, HTTP_SHEET, EXCHANGE_SHEET, DATAGRAM_SHEET = 4096, 8192, 1 << 16, 4096, 1 << 15, 4096
HELD_CELL = 2048  # bytes of one out-of-order piece; larger segments are cut into several
HELD_CELLS = 1 << 14  # pieces held in all
MAX_HELD = 256  # pieces held for one direction of one flow, before its oldest hole is given up
COLLECT_BYTES = 1 << 14  # longest handshake message, DNS message over TCP or HTTP head that is put together
COLLECTORS = 1 << 11  # messages being put together at one time
GAPS = 4  # holes given up whose late arrival is still recognised, for one direction of one flow
FRAGMENT_SETS, FRAGMENT_WAYS = 64, 4  # datagrams in pieces that are put together at one time
FRAGMENTS = FRAGMENT_SETS * FRAGMENT_WAYS
CONNECTION_SETS, CONNECTION_WAYS = 1 << 12, 4  # QUIC connections known by their IDs
DATAGRAM_BYTES = 1 << 16  # longest IP datagram in pieces, rounded up: RFC 791 §3.1
PARCELS = 1 << 19  # bytes of datagrams that wait for Python
MAX_WAITING_FRAGMENTS = 48  # pieces that wait for the first one, which knows the ports
FIRST_SHEET = 1 << 16
MAX_FIRST_PACKETS = 64  # of a flow that are told one by one

ALIVE, CHANGED = 1, 2  # of `alive`: in the table; with packets since it was last shown as running
MODE_NEW, MODE_OPAQUE, MODE_TLS, MODE_LOST, MODE_DNS, MODE_HTTP = 0, 1, 2, 3, 4, 5
EXCHANGE_NONE, EXCHANGE_UP, EXCHANGE_DOWN = 0, 1, 2
SEEN_SYN, SEEN_ANSWER = 1, 2  # of `shaking`
END_OPEN, END_FIN, END_RST, END_IDLE, END_ACTIVE, END_EOF, END_EVICTED = 0, 1, 2, 3, 4, 5, 6
END_NAMES = ("", "fin", "rst", "idle", "active", "eof", "evicted")
(SERVICE_NONE, SERVICE_TLS, SERVICE_QUIC, SERVICE_DNS, SERVICE_MDNS, SERVICE_LLMNR, SERVICE_HTTP, SERVICE_DOT,
 SERVICE_DOQ, SERVICE_NTP, SERVICE_DHCP, SERVICE_SSDP, SERVICE_GQUIC, SERVICE_DTLS,
 SERVICE_STUN, SERVICE_NETBIOS, SERVICE_DOH) = range(17)  # fmt: skip
SERVICE_NAMES = ("", "tls", "quic", "dns", "mdns", "llmnr", "http", "dot", "doq", "ntp", "dhcp", "ssdp", "gquic", "dtls",
                 "stun", "netbios", "doh")  # fmt: skip

FLOW = np.dtype(
    [
        ("hash", np.uint64),
        ("local_hi", np.uint64), ("local_lo", np.uint64), ("remote_hi", np.uint64), ("remote_lo", np.uint64),
        ("ports", np.int64),  # local << 16 | remote
        ("kind", np.int64),  # protocol | IP version << 8 | ICMP identifier and class << 16
        ("last_ns", np.int64),
        ("counts", np.int64, (2, COUNTS)),
        ("first_ns", np.int64),
        ("way_first_ns", np.int64, (2,)), ("way_last_ns", np.int64, (2,)),
        ("gap_squares", np.float64, (2,)),  # sum of squared gaps in ms²
        ("edge_seq", np.int64, (2,)),  # next sequence number expected in order
        ("edge", np.int64, (2,)),  # the same as an offset from the first byte of the stream
        ("timed_ns", np.int64, (2,)), ("timed_seq", np.int64, (2,)),  # a segment in flight whose answer is awaited: when; end
        ("held", np.int32, (2,)), ("held_count", np.int32, (2,)),
        ("record_left", np.int64, (2,)), ("app_left", np.int64, (2,)),  # of the TLS record that is passing
        ("exchange_start", np.int64),
        ("exchange_last", np.int64),
        ("mode", np.uint8, (2,)),
        ("started", np.uint8, (2,)),  # whether the first sequence number of the way is known
        ("exchange_phase", np.uint8), ("alive", np.uint8), ("end", np.uint8), ("service", np.uint8),
        ("shaking", np.uint8),  # what has been seen of a handshake that goes on: SEEN_SYN, SEEN_ANSWER
        ("alias", np.uint8),  # whether its packets are counted in another flow: `main`
    ],
    align=True,
)  # fmt: skip

COLD = np.dtype(
    [
        ("flow_id", np.uint64),
        ("snapshot", np.int64, (2, COUNTS)),  # the counters when the exchange began
        ("isn", np.int64, (2,)), ("syn_ns", np.int64), ("syn_way", np.int64), ("synack_ns", np.int64),
        ("last_syn_ns", np.int64),  # of a repeated one; `syn_ns` is the one that was answered
        # times that are known are kept with 1 ns added: 0 is unknown
        ("rtt_remote_ns", np.int64), ("rtt_local_ns", np.int64), ("initial_rtt_ns", np.int64),
        ("rtt_min_ns", np.int64, (2,)),  # smallest round trip of what went this way
        ("hello_ns", np.int64), ("setup_ns", np.int64),
        ("lowest", np.int64, (2,)),  # stream offset of the earliest byte seen: negative where picked up in mid-stream
        ("gaps", np.int64, (2, GAPS, 2)), ("gap_next", np.int64, (2,)),
        ("header", np.uint8, (2, 8)), ("header_have", np.int64, (2,)),  # a record header that straddles segments
        ("collector", np.int32, (2,)), ("collected", np.uint8, (2,)),
        ("pieces", np.int64, (2,)),  # deliveries that carried a part of the message in hand
        ("piece_of", np.int64, (2,)),  # the latest of them, by its number
        ("record_type", np.uint8, (2,)), ("client", np.uint8),  # `client`: 1 + the way of the ClientHello, 0 unknown
        ("finished", np.uint8, (2,)),
        ("alert_held", np.uint8, (2,)), ("fin", np.uint8, (2,)), ("syn", np.uint8, (2,)),
        ("app_held", np.int64),  # of a client's record that may be handshake or data: what it counts if it is data
        ("skip", np.int64, (2,)),  # bytes at the head of a handshake record that have been read already
        ("inexact", np.uint8), ("from_local", np.uint8), ("ech", np.uint8),
        ("early_data", np.uint8), ("resumed", np.uint8),  # offered; 1 no, 2 yes
        ("group", np.int32), ("certificate", np.int32),  # what the server chose; names of its certificate
        ("server_seen", np.uint8), ("setup_done", np.uint8),
        ("resolver", np.uint8),  # the ClientHello names one over HTTPS
        ("shaken", np.uint8), ("repeated", np.uint8), ("asked_again", np.uint8),  # the handshake: over; not clean; SYN again
        ("tls_version", np.int32), ("cipher", np.int32),
        ("sni", np.int32), ("shape", np.int32), ("host", np.int32), ("dns_name", np.int32),
        ("mac", np.uint64), ("has_mac", np.uint8), ("tunnel", np.int64),
        ("remote_v4", np.uint32),  # what the remote address stands for behind NAT64, 0 nothing
        ("quic_version", np.int64), ("initials", np.uint8, (2,)), ("opened", np.uint8),  # `opened`: 1 + the client's way
        ("cid_bytes", np.uint8, (2,)),  # of the connection ID in packets of the way
        ("zero_rtt", np.uint8), ("migrations", np.uint16),
        ("main", np.int32), ("main_id", np.uint64),  # of an alias: the flow that it leads to
        ("shown_ns", np.int64), ("shown_name", np.int32),  # when its row was last wanted as running, and its name then
    ],
    align=True,
)  # fmt: skip

ENDS = [
    ("time", np.int64), ("flow_id", np.uint64), ("local_hi", np.uint64), ("local_lo", np.uint64),
    ("remote_hi", np.uint64), ("remote_lo", np.uint64), ("ports", np.int64), ("kind", np.int64),
]  # fmt: skip
TLS_META = np.dtype([*ENDS, ("packets", np.int64), ("quic_version", np.int64)], align=True)
DNS_META = np.dtype([*ENDS, ("service", np.int64), ("way", np.int64), ("answers_at", np.int64)], align=True)
HTTP_META = np.dtype(ENDS, align=True)
EXCHANGE = np.dtype(
    [("flow_id", np.uint64), ("start", np.int64), ("end", np.int64), ("name", np.int64),
     ("counts", np.int64, (2, COUNTS))],
    align=True,
)  # fmt: skip
NODE = np.dtype([("start", np.int64), ("end", np.int64), ("kept", np.int64), ("next", np.int32)], align=True)
HEADERS = np.dtype(
    [
        ("src_hi", np.uint64), ("src_lo", np.uint64), ("dst_hi", np.uint64), ("dst_lo", np.uint64),
        ("src_mac", np.uint64), ("dst_mac", np.uint64), ("has_mac", np.int64),
        ("version", np.int64), ("protocol", np.int64), ("ip_at", np.int64), ("ip_bytes", np.int64),
        ("body_at", np.int64),  # behind the IP header: where a fragment's bytes begin
        ("l4_at", np.int64), ("l4_end", np.int64), ("present", np.int64),  # `present`: where captured bytes end
        ("fragment", np.int64), ("more", np.int64), ("datagram", np.int64), ("tunnel", np.int64),
        ("src_port", np.int64), ("dst_port", np.int64), ("extra", np.int64),
        ("data_at", np.int64), ("data_bytes", np.int64),
        ("seq", np.int64), ("ack", np.int64), ("tcp_flags", np.int64), ("cut", np.int64), ("answers", np.int64),
        ("short", np.int64),  # whether the frame ends before the IP packet does
    ],
    align=True,
)  # fmt: skip
FRAGMENT = np.dtype(
    [
        ("headers", HEADERS),  # key, and what the first piece said
        ("used", np.int64), ("began", np.int64), ("has_first", np.int64),
        ("read", np.int64),  # the first piece has been read by itself, since bytes of it are missing
        ("skip", np.int64),  # where the transport header begins
        ("total", np.int64), ("come", np.int64), ("high", np.int64),  # bytes, -1 unknown; units; units touched
        ("missing_from", np.int64),  # first byte that the snapshot length cut off
        ("waiting", np.int64),
        ("wait_wire", np.int64, (MAX_WAITING_FRAGMENTS,)), ("wait_ip", np.int64, (MAX_WAITING_FRAGMENTS,)),
        ("wait_ns", np.int64, (MAX_WAITING_FRAGMENTS,)),
    ],
    align=True,
)  # fmt: skip
CONNECTION = np.dtype(
    [("key", np.uint64), ("flow_id", np.uint64), ("slot", np.int64), ("way", np.int64), ("time", np.int64)], align=True
)
NAMED = np.dtype(
    [("device_hi", np.uint64), ("device_lo", np.uint64), ("address_hi", np.uint64), ("address_lo", np.uint64),
     ("time", np.int64), ("name", np.int64)],
    align=True,
)  # fmt: skip
NAT64_PREFIX = np.dtype([("hi", np.uint64), ("lo", np.uint64), ("length", np.int64)], align=True)
DATAGRAM = np.dtype([("slot", np.int64), ("flow_id", np.uint64), ("at", np.int64), ("end", np.int64), ("way", np.int64),
                     ("time", np.int64), ("exchanges", np.int64), ("service", np.int64),
                     ("outer", np.int64), ("resolvers", np.int64)],
                    align=True)  # fmt: skip

FIRST = np.dtype([("slot", np.int64), ("number", np.int64), ("gap_ns", np.int64), ("ip_bytes", np.int64),
                  ("payload_bytes", np.int64), ("way", np.int64)], align=True)  # fmt: skip
KEPT_PACKET = np.dtype([("gap_ns", np.int64), ("ip_bytes", np.uint32), ("payload_bytes", np.uint32), ("way", np.uint8)],
                       align=True)  # fmt: skip  # one of the pool that is made when they are asked for

# counters of one interface, in the `capture` table
(SEEN, SEEN_BYTES, CUT, MALFORMED_PACKETS, UNSUPPORTED_PACKETS, COUNTED_PACKETS, EARLIEST, LATEST) = range(8)
INTERFACE_COUNTERS = 8
# counters of the dissector itself: what was given up, and why
(LOST_HOLES, LOST_BYTES, HELD_FULL, COLLECT_FULL, COLLECT_LONG, EVICTED, DNS_MALFORMED, TLS_MALFORMED, GAPS_FORGOTTEN,
 RECORDS_LOST, NAMES_FORGOTTEN, QUIC_SKIPPED, SHEETS_FULL, FRAGMENTS_LOST, CERTIFICATE_MALFORMED, CERTIFICATE_CUT,
 OUTER_FULL, CONNECTIONS_FORGOTTEN, PARSES_SKIPPED, ANSWERS_LEFT_OUT, ANNOUNCED_SKIPPED, RESOLVERS_FULL, INNER_SHORT,
 NAT64_FORGOTTEN) = range(24)  # fmt: skip
COUNTER_NAMES = ("lost_holes", "lost_bytes", "held_full", "collect_full", "collect_long", "evicted", "dns_malformed",
                 "tls_malformed", "gaps_forgotten", "records_lost", "names_forgotten", "quic_skipped",
                 "sheets_full", "fragments_lost", "certificate_malformed", "certificate_cut", "outer_full",
                 "connections_forgotten", "parses_skipped", "answers_left_out", "announced_skipped",
                 "resolvers_full", "inner_short", "nat64_forgotten")  # fmt: skip

# places in `cursor`
(FREE, DONE, TLS_ROWS, DNS_ROWS, ANSWERS, HTTP_ROWS, EXCHANGES, DATAGRAMS, FREE_NODES, FREE_COLLECTORS, SWEEP, HIGH_WATER,
 ACTIVE, NAMED_ROWS, NOW, PARCELLED, FIRSTS, DELIVERY, CID_LENGTHS, NAT64_ROWS, OUTER_KNOWN, RESOLVERS_KNOWN) = range(22)  # fmt: skip
# settings
(IDLE_TCP, IDLE_OTHER, LINGER, LOCAL_NETWORKS, IDLE_GAP, MAX_ACTIVE, INDEX_MASK, IDLE_DNS,
 FIRST_PACKETS, LEAN) = range(10)  # fmt: skip
# how much is left out where packets come faster than they can be followed; byte counts never are
LEAN_NOTHING, LEAN_COLUMNS, LEAN_PAYLOAD = 0, 1, 2


STATE = np.dtype(
    [
        ("cursor", np.int64, (24,)),  # how far each stack and sheet is used
        ("settings", np.int64, (16,)),
        ("seed", np.uint64, (2,)),  # keys of the hash, random
        ("counters", np.int64, (64,)),
        ("headers", HEADERS),  # of the packet in hand
        ("touched", np.int64),  # see `packet_pass.fetch`
        ("server", np.int64, (8,)),  # what parse_server_hello found
        ("quic", np.int64, (8,)),  # what long_header found
        ("networks", np.uint64, (NETWORKS, 4)),  # local networks: address hi, lo, mask hi, lo
        ("outer", np.int64, (OUTER_NAMES,)),  # numbers of the public names of ECH
        ("resolvers", np.int64, (RESOLVERS,)),  # numbers of names of resolvers over HTTPS
        ("nat64", NAT64_PREFIX, (NAT64_PREFIXES,)),  # ring
        ("flows", FLOW, (POOL,)),
        ("cold", COLD, (POOL,)),
        ("index", np.uint64, (INDEX,)),  # tag << 32 | place + 1, 0 = empty; the first INDEX_MASK + 1 are in use
        ("free", np.int32, (POOL,)),  # stack of free places
        ("done", np.int32, (POOL,)),  # places of flows that have ended
        ("nodes", NODE, (HELD_CELLS,)),
        ("free_nodes", np.int32, (HELD_CELLS,)),
        ("cells", np.uint8, (HELD_CELLS, HELD_CELL)),
        ("collectors", np.uint8, (COLLECTORS, COLLECT_BYTES)),
        ("collector_have", np.int64, (COLLECTORS,)),
        ("free_collectors", np.int32, (COLLECTORS,)),
        ("fragments", FRAGMENT, (FRAGMENTS,)),
        ("fragment_bytes", np.uint8, (FRAGMENTS, DATAGRAM_BYTES)),
        ("fragment_units", np.uint8, (FRAGMENTS, DATAGRAM_BYTES // 8)),
        ("named", NAMED, (NAMED_ENTRIES,)),  # ring
        ("named_index", np.int32, (NAMED_HEADS,)),  # newest entry + 1 of a chain
        ("named_older", np.int32, (NAMED_ENTRIES,)),  # next older entry + 1
        ("connections", CONNECTION, (CONNECTION_SETS, CONNECTION_WAYS)),
        ("names", NAMES),
        ("tls", TLS_META, (TLS_SHEET,)),
        ("hellos", HELLO, (TLS_SHEET,)),
        ("dns", DNS_META, (DNS_SHEET,)),
        ("messages", MESSAGE, (DNS_SHEET,)),
        ("answers", ANSWER, (ANSWER_SHEET,)),
        ("http", HTTP_META, (HTTP_SHEET,)),
        ("requests", REQUEST, (HTTP_SHEET,)),
        ("exchanges", EXCHANGE, (EXCHANGE_SHEET,)),
        ("firsts", FIRST, (FIRST_SHEET,)),  # the first packets of flows, where they are asked for
        ("datagrams", DATAGRAM, (DATAGRAM_SHEET,)),  # what Python reads: see `parcels.py`
        ("parcels", np.uint8, (PARCELS,)),  # their bytes
        ("work", np.uint8, (SCRATCH_BYTES,)),  # scratch of the parsers
        ("work_ints", np.int64, (SCRATCH_INTS,)),
    ],
    align=True,
)
State = Any  # one STATE record


def new_state(max_flows: int, networks: Array, seed: int) -> Array:
    """STATE[1], empty, for at most `max_flows` flows at one time; networks: uint64[n, 4], n <= NETWORKS."""
    states = np.zeros(1, STATE)
    state = states[0]
    state["cursor"][FREE] = POOL
    state["cursor"][FREE_NODES] = HELD_CELLS
    state["cursor"][FREE_COLLECTORS] = COLLECTORS
    state["settings"][MAX_ACTIVE] = min(max_flows, MAX_FLOWS)
    state["settings"][INDEX_MASK] = FIRST_INDEX - 1
    state["settings"][LOCAL_NETWORKS] = len(networks)
    state["networks"][: len(networks)] = networks
    keys = np.random.default_rng(seed).integers(1, 1 << 63, 3, dtype=np.uint64)
    state["seed"] = keys[:2]
    prepare(state["names"], int(keys[2]))
    state["free"] = np.arange(POOL - 1, -1, -1)
    state["free_nodes"] = np.arange(HELD_CELLS - 1, -1, -1)
    state["free_collectors"] = np.arange(COLLECTORS - 1, -1, -1)
    return states
