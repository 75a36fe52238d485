"""QUIC packets of any version, sealed by the book and apart from the code under test."""

from __future__ import annotations

import hmac
import itertools
import random
import struct

from crafting.packets import MS, START, udp
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from wiretally.bench import hello

V1, V2, DRAFT_29, MVFST_27 = 0x00000001, 0x6B3343CF, 0xFF00001D, 0xFACEB002
SALTS = {
    V1: "38762cf7f55934b34d179ae6a4c80cadccbb7f0a",  # RFC 9001 §5.2
    V2: "0dede3def700a6db819381be6e269dcbf9bd2ed9",  # RFC 9369 §3.3.1
    DRAFT_29: "afbfec289993d24c9e9786f19c6111e04390a899",
    MVFST_27: "c3eef712c72ebb5a11a7d2432bb46365bef9f502",
    0xFF000017: "c3eef712c72ebb5a11a7d2432bb46365bef9f502",
    0xFF000016: "7fbcdb0e7c66bbe9193a96cd21519ebd7a02644a",
    0xFF000022: "38762cf7f55934b34d179ae6a4c80cadccbb7f0a",
    0x1A2A3A4A: "afbfec289993d24c9e9786f19c6111e04390a899",
    0x54303531: "7a4edef4e7ccee5fa4506c19124fc8ccda6e033d",
}
INITIAL, ZERO_RTT, HANDSHAKE, RETRY = 0, 1, 2, 3
DCID, SCID, SERVER_ID = bytes(range(8)), b"\xc1" * 5, b"\x5e" * 8
CHLO_HASH = b"\xaa" * 12
PING, PADDING, ACK = b"\x01", b"\x00", bytes.fromhex("0205000001000100")


def varint(value, size=0):
    """RFC 9000 §16; `size`: bytes, the fewest by default."""
    size = size or next(n for n in (1, 2, 4, 8) if value < 1 << (8 * n - 2))
    return ((size.bit_length() - 1) << (8 * size - 2) | value).to_bytes(size, "big")


def crypto(data, at=0):
    return b"\x06" + varint(at) + varint(len(data)) + data


def expand(secret, label, size):
    """HKDF-Expand-Label for one block: RFC 8446 §7.1."""
    name = b"tls13 " + label.encode()
    return hmac.digest(secret, size.to_bytes(2, "big") + bytes([len(name)]) + name + b"\0\1", "sha256")[:size]


def head(kind, version, dcid, scid, bits=0):
    kind = (kind + 1) & 3 if version == V2 else kind
    return (bytes([0xC0 | kind << 4 | bits]) + version.to_bytes(4, "big") + bytes([len(dcid)]) + dcid
            + bytes([len(scid)]) + scid)  # fmt: skip


def initial(frames, *, dcid=DCID, scid=SCID, version=V1, keys_of=None, number=0, number_bytes=1, size=1200, token=b"",
            side="client"):  # fmt: skip
    """One sealed Initial, padded inside to `size` bytes; `keys_of`: the connection ID that gives the keys."""
    v2 = "v2" if version == V2 else ""
    secret = hmac.digest(bytes.fromhex(SALTS[version]), keys_of or dcid, "sha256")
    secret = expand(secret, f"{side} in", 32)
    key, iv, hp = (expand(secret, f"quic{v2} {part}", n) for part, n in (("key", 16), ("iv", 12), ("hp", 16)))
    front = head(INITIAL, version, dcid, scid, number_bytes - 1) + varint(len(token)) + token
    frames += bytes(max(size - len(front) - 2 - number_bytes - 16 - len(frames), 20 - len(frames), 0))
    front += varint(number_bytes + len(frames) + 16, 2)
    shown = (number & (1 << 8 * number_bytes) - 1).to_bytes(number_bytes, "big")
    nonce = (int.from_bytes(iv, "big") ^ number).to_bytes(12, "big")
    sealed = AESGCM(key).encrypt(nonce, frames, front + shown)
    sample = sealed[4 - number_bytes : 20 - number_bytes]
    mask = Cipher(algorithms.AES(hp), modes.ECB()).encryptor().update(sample)  # noqa: S305  (RFC 9001 §5.4.3)
    hidden = bytes(a ^ b for a, b in zip(shown, mask[1:], strict=False))
    return bytes([front[0] ^ mask[0] & 15]) + front[1:] + hidden + sealed


def opaque(kind, size, *, dcid=SERVER_ID, scid=SCID, version=V1):
    """A Handshake or 0-RTT packet with `size` bytes behind its length."""
    return head(kind, version, dcid, scid) + varint(size, 2) + bytes(range(256)) [:size % 256] + bytes(size - size % 256)


def retry(*, dcid=SCID, scid=SERVER_ID, version=V1):
    return head(RETRY, version, dcid, scid) + b"token" + bytes(16)


def negotiation(*, dcid=SCID, scid=DCID):
    return b"\x80" + bytes(4) + bytes([len(dcid)]) + dcid + bytes([len(scid)]) + scid + V1.to_bytes(4, "big")


def short(size, dcid=SERVER_ID):
    """A 1-RTT packet that carries `size` bytes of frames: packet number of two bytes, tag of sixteen."""
    return b"\x41" + dcid + b"\x9a\xbc" + bytes(size) + bytes(16)


def hello_message(name="quic.example", seed=1, *, post_quantum=False):
    return hello.quic_hello(random.Random(seed), name, post_quantum=post_quantum)


def chlo(tags):
    """The client hello of Google QUIC: a table of tags and where their values end."""
    values, table = b"", b""
    for tag, value in tags:
        values += value
        table += tag + struct.pack("<I", len(values))
    return b"CHLO" + struct.pack("<HH", len(tags), 0) + table + values


def q043(tags):
    """A packet of Google QUIC's version 43 with it."""
    return b"\x09" + bytes(8) + b"Q043" + b"\x01" + CHLO_HASH + b"\xa0\x01\x04" + chlo(tags)


def frames_of(datagrams, *, port=40_000, step=MS, start=START, **ends):
    """(ts_ns, Ethernet frame) of datagrams given as (up, bytes), a step apart."""
    return [(start + n * step, udp(data, up=up, port=port, remote_port=443, **ends))
            for n, (up, data) in zip(itertools.count(), datagrams)]  # fmt: skip
