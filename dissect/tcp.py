"""One TCP segment of a known flow: round trips, sequence accounting, the end.

Theory: the tap stands between the two ends. SYN to SYN/ACK is the round trip to the answering side, SYN/ACK to the
handshake's ACK the round trip to the asking side (RFC 9293 §3.5); SYN to the first acknowledgement behind it, whoever
sends it, is Wireshark's initial round trip. Later one segment of each way at a time is timed to the acknowledgement that
covers it. Payload goes to `reassembly`.

Rules: a repeated SYN restarts the clock when it is answered; the first answer counts, and the first ACK of it that
covers no more than the capture has seen (else the real one was missed). The smallest round trip rests only on what nothing repeated makes doubtful (Karn and Partridge 1987): segments
that carry the newest bytes of their way, a handshake without repetition, no refusals (anybody may send those).
"""

from __future__ import annotations

from ..core.jit import inline
from ..core.wire import SEQ_MASK, Bytes, seq_after
from .reassembly import acknowledged, segment
from .records import Record
from .state import END_FIN, END_RST, PAYLOAD, RETRANSMITTED, SEEN_ANSWER, SEEN_SYN, State
from .transport import ACK, FIN, RST, SYN

READS = (
    ("TCP connections", "RFC 9293 §3.5", "handshake, round trips, refusals, the end"),
)  # fmt: skip


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
    elif f["shaking"]:
        _shake(f, c, way, flags, h["ack"], now)
    length = h["data_bytes"]
    if flags & ACK:
        if f["held"][1 - way] >= 0:
            acknowledged(state, place, 1 - way, h["ack"], now)
        if f["timed_ns"][1 - way] != 0 and seq_after(h["ack"], f["timed_seq"][1 - way]) >= 0:
            _smallest(c, 1 - way, f["timed_ns"][1 - way], now)
            f["timed_ns"][1 - way] = 0
    if length > 0:
        kept = max(min(length, h["present"] - h["data_at"]), 0)
        new = segment(state, b, place, way, seq, h["data_at"], kept, length, now)
        f["counts"][way, PAYLOAD] += new
        f["counts"][way, RETRANSMITTED] += length - new
        if new < length:
            f["timed_ns"][way] = 0
        elif f["timed_ns"][way] == 0 and f["edge_seq"][way] == (seq + length) & SEQ_MASK:  # the newest bytes, in order
            f["timed_ns"][way] = now
            f["timed_seq"][way] = f["edge_seq"][way]
    elif f["started"][way] == 0 and flags & RST == 0:  # a reset may have any number
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
    if c["shaken"]:
        return
    seen = f["shaking"]
    if flags & ACK == 0:
        c["repeated"] |= seen & SEEN_SYN
        c["last_syn_ns"] = now
        if seen & SEEN_ANSWER:
            c["asked_again"] = 1
        else:
            c["syn_ns"] = now
            c["syn_way"] = way
        f["shaking"] |= SEEN_SYN
        return
    if seen & SEEN_SYN and way == c["syn_way"]:
        return
    if seen & SEEN_ANSWER:
        c["repeated"] = 1
        if c["asked_again"] == 0:
            return
    if seen & SEEN_SYN:
        c["syn_ns"] = c["last_syn_ns"]
        c["rtt_remote_ns"] = max(now - c["syn_ns"], 0) + 1
        if c["repeated"] == 0:
            _smallest(c, 1 - way, c["syn_ns"], now)
    else:
        c["syn_way"] = 1 - way
    c["asked_again"] = 0
    c["synack_ns"] = now
    f["shaking"] |= SEEN_ANSWER


@inline
def _shake(f: Record, c: Record, way: int, flags: int, ack: int, now: int) -> None:
    """What comes behind a SYN: the ACK that ends the handshake, a refusal, or the proof that some of it was missed."""
    if flags & ACK == 0:
        return
    seen = f["shaking"]
    if seen & SEEN_SYN and c["initial_rtt_ns"] == 0:
        c["initial_rtt_ns"] = max(now - c["last_syn_ns"], 0) + 1
    known = seq_after(ack, c["isn"][1 - way]) >= 0
    fits = known and seq_after(ack, f["edge_seq"][1 - way]) <= 0  # no more than what the capture has seen
    over = False
    if way == c["syn_way"]:
        if seen & SEEN_ANSWER and fits:
            c["rtt_local_ns"] = max(now - c["synack_ns"], 0) + 1
            if c["repeated"] == 0:
                _smallest(c, 1 - way, c["synack_ns"], now)
        over = seen & SEEN_ANSWER == 0 or known
    elif flags & RST and seen & SEEN_ANSWER == 0 and fits:  # refused (RFC 9293 §3.10.7.1): an answer all the same
        c["rtt_remote_ns"] = max(now - c["syn_ns"], 0) + 1
        over = True
    if over:
        c["shaken"] = 1
        f["shaking"] = 0


@inline
def _smallest(c: Record, way: int, since: int, now: int) -> None:
    """A round trip of what went this way, kept if it is the smallest; a clock that ran backwards gives none."""
    if now >= since and (c["rtt_min_ns"][way] == 0 or now - since < c["rtt_min_ns"][way] - 1):
        c["rtt_min_ns"][way] = now - since + 1
