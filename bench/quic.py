"""QUIC version 1 packets: Initials that anyone can decrypt, and the rest as noise of the right shape.

Theory: Initial keys come from the client's first Destination Connection ID alone (RFC 9001 §5.2), so a capture built
here carries genuine, decryptable ClientHellos. Handshake and 1-RTT packets are opaque to an observer: random bytes.

Rules: a function returns the UDP payload, or the part of it that is one packet. Chromium's habit of cutting the hello
into CRYPTO frames and shuffling them with PING and PADDING is kept, since it is what a reader must survive.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from random import Random

INITIAL_SALT = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")  # RFC 9001 §5.2
VERSION_1 = b"\x00\x00\x00\x01"
DATAGRAM = 1250  # bytes of Chromium's first datagrams
CRYPTO, PADDING, PING = b"\x06", b"\x00", b"\x01"  # RFC 9000 §19
TAG = 16


class Keys(NamedTuple):
    """One direction's Initial keys: RFC 9001 §5.1, §5.4."""

    key: bytes
    iv: bytes
    mask: bytes


def initial_keys(dcid: bytes, side: str) -> Keys:
    """Keys of `side` (`client` or `server`) from the client's first Destination Connection ID."""
    initial = hmac.digest(INITIAL_SALT, dcid, hashlib.sha256)
    secret = _expand(initial, f"{side} in", 32)
    return Keys(_expand(secret, "quic key", 16), _expand(secret, "quic iv", 12), _expand(secret, "quic hp", 16))


def varint(value: int) -> bytes:
    """RFC 9000 §16."""
    for bits, size in ((6, 1), (14, 2), (30, 4)):
        if value < 1 << bits:
            return ((size.bit_length() - 1) << (size * 8 - 2) | value).to_bytes(size, "big")
    return (3 << 62 | value).to_bytes(8, "big")


def initial(keys: Keys, dcid: bytes, scid: bytes, number: int, frames: bytes, size: int = 0) -> bytes:
    """One protected Initial of `size` bytes (0: as long as the frames need), padded inside: RFC 9000 §17.2.2."""
    head = VERSION_1 + bytes((len(dcid),)) + dcid + bytes((len(scid),)) + scid + b"\0"
    frames += PADDING * (size - (1 + len(head) + 2 + 4 + len(frames) + TAG))
    length = (0x4000 | 4 + len(frames) + TAG).to_bytes(2, "big")
    header = b"\xc3" + head + length + number.to_bytes(4, "big")  # packet number of four bytes
    nonce = (int.from_bytes(keys.iv, "big") ^ number).to_bytes(12, "big")
    sealed = AESGCM(keys.key).encrypt(nonce, frames, header)
    mask = Cipher(algorithms.AES(keys.mask), modes.ECB()).encryptor().update(sealed[:16])  # noqa: S305  (RFC 9001 §5.4.3)
    number_bytes = bytes(a ^ b for a, b in zip(header[-4:], mask[1:5], strict=True))
    return bytes((header[0] ^ (mask[0] & 0x0F),)) + header[1:-4] + number_bytes + sealed


def crypto(data: bytes, at: int) -> bytes:
    """One CRYPTO frame with the stream bytes from `at`."""
    return CRYPTO + varint(at) + varint(len(data)) + data


def client_initials(rng: Random, dcid: bytes, hello: bytes) -> list[bytes]:
    """The client's first datagrams, each of 1,250 bytes: one for a short hello, two for a long one."""
    room = DATAGRAM - 1 - 4 - 1 - len(dcid) - 1 - 1 - 2 - 4 - TAG
    cuts = sorted(rng.sample(range(1, len(hello)), 6)) if rng.random() < 0.5 else []
    if len(hello) + 40 > room:
        cuts = sorted({*cuts, len(hello) * 11 // 20})
    frames = [crypto(hello[a:b], a) for a, b in zip([0, *cuts], [*cuts, len(hello)], strict=True)]
    rng.shuffle(frames)
    loads = [b""]
    for frame in frames:
        if len(loads[-1]) + len(frame) + 2 > room:
            loads.append(b"")
        loads[-1] += (PING if rng.random() < 0.2 else b"") + frame
    keys = initial_keys(dcid, "client")
    return [initial(keys, dcid, b"", number, load, DATAGRAM) for number, load in enumerate(loads, 1)]


def server_initial(dcid: bytes, scid: bytes, hello: bytes) -> bytes:
    """The server's Initial: ACK of packet 1 (RFC 9000 §19.3) and the ServerHello. `dcid`: the client's first."""
    return initial(initial_keys(dcid, "server"), b"", scid, 0, b"\x02\x01\x00\x00\x00" + crypto(hello, 0))


def handshake(rng: Random, dcid: bytes, scid: bytes, size: int) -> bytes:
    """A Handshake packet whose protected part is `size` random bytes: RFC 9000 §17.2.4."""
    ids = bytes((len(dcid),)) + dcid + bytes((len(scid),)) + scid
    return (
        bytes((0xE0 | rng.randrange(16),)) + VERSION_1 + ids + (0x4000 | size).to_bytes(2, "big") + rng.randbytes(size)
    )


def short_header(rng: Random, dcid: bytes) -> bytes:
    """The first bytes of a 1-RTT packet: RFC 9000 §17.3.1; what follows is noise."""
    return bytes((0x40 | rng.randrange(64),)) + dcid


def _expand(secret: bytes, label: str, size: int) -> bytes:
    """HKDF-Expand-Label with an empty context: RFC 8446 §7.1; one block is enough for every size used here."""
    text = b"tls13 " + label.encode()
    info = size.to_bytes(2, "big") + bytes((len(text),)) + text + b"\0"
    return hmac.digest(secret, info + b"\1", hashlib.sha256)[:size]
