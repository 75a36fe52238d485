"""From a number to a capture file: always the same one for the same number and the same folder of seeds.

Theory: noise alone dies at the first magic number, so most cases are whole conversations in a valid file with a few
fields of a few packets changed, up to files whose every layer is damaged. QUIC Initials are damaged before they are
encrypted: afterwards no change survives their authentication.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from fuzz import seeds
from fuzz.containers import Frame, compress, pcap, pcapng
from wiretally.bench import hello, quic

if TYPE_CHECKING:
    from pathlib import Path

EDGES = (0, 1, 2, 3, 4, 7, 8, 12, 0x3F, 0x40, 0x7F, 0x80, 0xC0, 0xFE, 0xFF, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)
WIDE = (*EDGES, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)
TIMES = (0, 1, 10**9, 1_767_225_600 * 10**9, 2**62, 2**63 - 1, (2**32 - 1) * 10**9)
START = 1_767_225_600 * 10**9


def case(number: int, folder: list[Path] | None = None) -> list[bytes]:
    """The files of case `number`: nearly always one. `folder`: captures that are mutated in half of the cases."""
    rng = Random(number)
    files = [_taken(rng, folder) if folder and rng.random() < 0.5 else _built(rng)]
    if rng.random() < 0.05:
        files.append(_built(rng))
    return files


def _taken(rng: Random, folder: list[Path]) -> bytes:
    data = rng.choice(folder).read_bytes()[: 1 << 20]
    return damage(data, rng, rng.choice((1, 1, 2, 4, 16)))


def _built(rng: Random) -> bytes:
    linktype = 1 if rng.random() < 0.6 else rng.choice(sorted(seeds.LINKS))
    frames = [kept for frame in seeds.packets(rng) if (kept := seeds.rewrap(frame, linktype)) is not None]
    if rng.random() < 0.15:
        frames += [kept for frame in _initials(rng) if (kept := seeds.rewrap(frame, linktype)) is not None]
    for _ in range(rng.choice((0, 1, 1, 2, 4, 8, 32))):
        if frames:
            _change(frames, rng)
    order = rng.choice("<>")
    listed = _framed(frames, linktype, rng)
    if rng.random() < 0.5:
        data = pcap(listed, order, rng.choice((1, 1_000)), modified=rng.random() < 0.05)
    else:
        data = pcapng(listed, order, rng)
    if rng.random() < 0.3:
        data = damage(data, rng, rng.choice((1, 1, 2, 8)))
    if rng.random() < 0.1:
        data = compress(data, rng)
        if rng.random() < 0.5:
            data = damage(data, rng, 1)
    return data


def _framed(frames: list[bytes], linktype: int, rng: Random) -> list[Frame]:
    """Frames with times and lengths, some of them lies."""
    listed, now, wild = [], START, rng.random() < 0.1
    for frame in frames:
        now += rng.choice((0, 1_000, 10**6, 10**8, -(10**6)))
        if wild and rng.random() < 0.2:
            now = rng.choice(TIMES)
        elif rng.random() < 0.02:
            now += rng.choice((10**9, 60 * 10**9, 4_000 * 10**9))
        data, wire = frame, len(frame)
        if rng.random() < 0.03:
            data, wire = (
                frame[: rng.randrange(len(frame) + 1)],
                rng.choice((wire, wire, 0, 1, 65_535, 2**31, 2**32 - 1)),
            )
        other = rng.choice(sorted(seeds.LINKS)) if wild and rng.random() < 0.1 else linktype
        listed.append(Frame(other, max(0, now), data, wire))
    return listed


def _initials(rng: Random) -> list[bytes]:
    """Ethernet frames with client Initials whose frames were damaged before encryption."""
    dcid = rng.randbytes(rng.choice((0, 8, 8, 8, 20)))
    message = hello.quic_hello(rng, "quic.example", post_quantum=rng.random() < 0.5)
    if rng.random() < 0.7:
        message = damage(message, rng, rng.choice((1, 2, 4)))
    pieces, at = [], 0
    while at < len(message):
        size = rng.randrange(1, 900)
        pieces.append(quic.crypto(message[at : at + size], max(0, at + rng.choice((0,) * 12 + (-5, 7, 2**20, 2**30)))))
        at += size
    rng.shuffle(pieces)
    keys, out = quic.initial_keys(dcid, "client"), []
    for number, piece in enumerate(pieces):
        frames = rng.choice((b"", quic.PING, quic.PADDING * 9, b"\x02\0\0\0\0", b"\x1c\0\0\0", b"\x40")) + piece
        if rng.random() < 0.3:
            frames = damage(frames, rng, 1)
        packet = quic.initial(keys, dcid, rng.randbytes(rng.choice((0, 8, 20))), number, frames, rng.choice((0, 1_200)))
        udp = (40_004).to_bytes(2, "big") + (443).to_bytes(2, "big") + (len(packet) + 8).to_bytes(2, "big") + b"\0\0"
        ip = b"\x45\0" + (len(packet) + 28).to_bytes(2, "big") + b"\0\0\x40\0\x40\x11\0\0\xc0\xa8\1\7\x5d\xb8\xd8\x22"
        out.append(b"\2\0\0\0\0\2\2\0\0\0\0\1\x08\0" + ip + udp + packet)
    return out


def _change(frames: list[bytes], rng: Random) -> None:
    """One change to one frame, or to the order of frames."""
    at = rng.randrange(len(frames))
    action = rng.randrange(8)
    if action == 0:
        del frames[at]
    elif action == 1:
        frames.insert(rng.randrange(len(frames) + 1), frames[at])
    elif action == 2:
        other = rng.randrange(len(frames))
        frames[at], frames[other] = frames[other], frames[at]
    elif action == 3:
        other, cut = rng.choice(frames), rng.randrange(120)
        frames[at] = frames[at][:cut] + other[cut:]
    else:
        frames[at] = damage(frames[at], rng, rng.choice((1, 1, 2, 5)))


def damage(data: bytes, rng: Random, times: int) -> bytes:
    """`times` small changes, most of them near the beginning, where the headers are."""
    out = bytearray(data)
    for _ in range(times):
        if not out:
            return rng.randbytes(rng.randrange(64))
        reach = min(len(out), rng.choice((64, 64, 128, 400, 1 << 30)))
        at = rng.randrange(reach)
        action = rng.randrange(9)
        if action <= 1:
            out[at] ^= 1 << rng.randrange(8)
        elif action == 2:
            out[at] = rng.choice(EDGES) & 0xFF
        elif action in {3, 4}:
            value = rng.choice(
                (*EDGES, len(out), len(out) - at, len(out) - at - 2, int.from_bytes(out[at : at + 2], "big") + 1)
            )
            out[at : at + 2] = (value & 0xFFFF).to_bytes(2, rng.choice(("big", "little")))
        elif action == 5:
            at &= ~3
            out[at : at + 4] = rng.choice((*WIDE, len(out), len(out) - at)).to_bytes(4, rng.choice(("big", "little")))
        elif action == 6:
            del out[rng.randrange(len(out)) if rng.random() < 0.7 else at :]
        elif action == 7:
            del out[at : at + rng.choice((1, 2, 4, 16, 300))]
        else:
            out[at:at] = rng.choice((rng.randbytes(rng.randrange(1, 40)), bytes(out[at : at + 64])))
    return bytes(out)
