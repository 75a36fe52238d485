"""One TCP segment of a known flow: handshake times, sequence accounting, the end.

Theory: the tap stands between the two ends. SYN to SYN/ACK is the round trip to the answering side, SYN/ACK to the
next ACK the round trip to the asking side; their sum is the handshake's (RFC 9293 §3.5). Payload goes to `reassembly`.

Rules: the latest SYN counts (a repeated one restarts the clock), the first SYN/ACK, the first ACK behind it.
"""

from __future__ import annotations

from ..core.jit import inline
from ..core.wire import SEQ_MASK, Bytes, seq_after
from .link import Record
from .reassembly import acknowledged, segment
from .state import END_FIN, END_RST, PAYLOAD, RETRANSMITTED, State
from .transport import ACK, FIN, RST, SYN


@inline
def is_new_connection(f: Record, c: Record, way: int, h: Record) -> bool:
    """A SYN that cannot belong to the flow: the old one has ended, or numbers its bytes differently."""
    flags = h["tcp_flags"]
    if flags & SYN == 0 or flags & ACK != 0:
        return False
    if c["syn"][way]:
        return h["seq"] != c["isn"][way]
    if f["started"][way] == 0:
        return f["end"] != 0
    return seq_after((h["seq"] + 1) & SEQ_MASK, f["edge_seq"][way]) + f["edge"][way] != c["lowest"][way]


@inline
def brings_news(f: Record, way: int, h: Record) -> bool:
    """Whether the segment reaches beyond what has been seen in order: only then may it begin an exchange."""
    if h["data_bytes"] <= 0:
        return False
    if f["started"][way] == 0:
        return True
    seq = (h["seq"] + 1) & SEQ_MASK if h["tcp_flags"] & SYN else h["seq"]
    return seq_after(seq, f["edge_seq"][way]) + h["data_bytes"] > 0


@inline
def tcp_segment(state: State, b: Bytes, place: int, way: int, h: Record, now: int) -> None:
    """Accounts one segment: RTTs, unique and repeated payload, content, end."""
    f, c = state["flows"][place], state["cold"][place]
    flags = h["tcp_flags"]
    seq = h["seq"]
    if flags & SYN:
        _synchronise(f, c, way, seq, flags, now)
        seq = (seq + 1) & SEQ_MASK
    elif flags & RST and c["syn_ns"] != 0 and way != c["syn_way"] and c["rtt_remote_ns"] == 0:
        c["rtt_remote_ns"] = max(now - c["syn_ns"], 0) + 1  # refused: an answer all the same
    elif flags & ACK and c["synack_ns"] != 0 and c["rtt_local_ns"] == 0 and way == c["syn_way"]:
        c["rtt_local_ns"] = max(now - c["synack_ns"], 0) + 1
    length = h["data_bytes"]
    if flags & ACK and f["held"][1 - way] >= 0:
        acknowledged(state, place, 1 - way, h["ack"], now)
    if length > 0:
        kept = max(min(length, h["present"] - h["data_at"]), 0)
        new = segment(state, b, place, way, seq, h["data_at"], kept, length, now)
        f["counts"][way, PAYLOAD] += new
        f["counts"][way, RETRANSMITTED] += length - new
    elif f["started"][way] == 0:
        f["started"][way] = 1
        f["edge_seq"][way] = seq
    if flags & FIN:
        c["fin"][way] = 1
    if flags & RST and f["end"] == 0:
        f["end"] = END_RST
    elif c["fin"][0] and c["fin"][1] and f["end"] == 0:
        f["end"] = END_FIN


@inline
def _synchronise(f: Record, c: Record, way: int, seq: int, flags: int, now: int) -> None:
    """SYN and SYN/ACK: where the stream starts, and the clock of the handshake."""
    if c["syn"][way] == 0:
        c["syn"][way] = 1
        c["isn"][way] = seq
        if f["started"][way] == 0:
            f["started"][way] = 1
            f["edge_seq"][way] = (seq + 1) & SEQ_MASK
    if flags & ACK == 0:
        c["syn_ns"] = now
        c["syn_way"] = way
        if c["rtt_local_ns"] == 0:  # repeated: its answer is still to come
            c["synack_ns"] = 0
    elif c["syn_ns"] != 0 and way != c["syn_way"] and c["synack_ns"] == 0:
        c["synack_ns"] = now
        c["rtt_remote_ns"] = max(now - c["syn_ns"], 0) + 1
