"""Opening QUIC Initial packets: their keys follow from the client's first connection ID, so anybody on the path can.

Theory: RFC 9001 §5.2 derives the Initial secrets from the Destination Connection ID of the client's first Initial and a
salt that names the version; §5.4 hides flags and packet number, §5.3 seals the payload with AES-128-GCM. Version 2
(RFC 9369 §3.3) has other salts, labels and type numbers.

Rules: only the client's direction is opened. What does not open gives nothing: a packet of the server, another version,
damage. SHA-256 comes from the standard library, ciphers from `cryptography`. HMAC is put together from SHA-256 here
(RFC 2104 §2), since all its keys are short and most are used several times: half the time of `hmac.digest`.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES128

VERSION_1, VERSION_2 = 0x00000001, 0x6B3343CF  # RFC 9000 §15, RFC 9369 §3.1
SALT_1 = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")  # RFC 9001 §5.2; also drafts 33 and 34
SALT_2 = bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9")  # RFC 9369 §3.3.1
SALT_29 = bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899")  # draft-ietf-quic-tls-29 to -32 §5.2
SALT_23 = bytes.fromhex("c3eef712c72ebb5a11a7d2432bb46365bef9f502")  # draft-ietf-quic-tls-23 to -28 §5.2
SALT_22 = bytes.fromhex("7fbcdb0e7c66bbe9193a96cd21519ebd7a02644a")  # draft-ietf-quic-tls-22 §5.2
SALT_T50 = bytes.fromhex("7ff579e5acd072915580304c43a2367c60488310")  # Google QUIC T050: TLS, draft 27
SALT_T51 = bytes.fromhex("7a4edef4e7ccee5fa4506c19124fc8ccda6e033d")  # Google QUIC T051: TLS, draft 29
T50, T51 = 0x54303530, 0x54303531  # "T050", "T051"
DRAFT = 0xFF000000  # RFC 9000 §15, in drafts: 0xff000000 and the draft's number
MVFST, MVFST_MASK = 0xFACEB000, 0xFFFFFF00  # Facebook's numbers: experiments, and
MVFST_22, MVFST_27 = 0xFACEB001, 0xFACEB002  # drafts 22 and 27
RESERVED_MASK, RESERVED = 0x0F0F0F0F, 0x0A0A0A0A  # RFC 9000 §15: versions that provoke a negotiation

LONG, FIXED = 0x80, 0x40  # RFC 9000 §17.2
INITIAL, ZERO_RTT, HANDSHAKE, RETRY = 0, 1, 2, 3  # §17.2, in version 1
MAX_CONNECTION_ID = 20  # §17.2
SAMPLE, SAMPLE_OFFSET, TAG = 16, 4, 16  # RFC 9001 §5.4.2, §5.3
PADDING, PING, ACK, ACK_ECN, CRYPTO, CLOSE, CLOSE_APP = 0x00, 0x01, 0x02, 0x03, 0x06, 0x1C, 0x1D  # RFC 9000 §19
ONE_BLOCK = modes.ECB()  # noqa: S305  (RFC 9001 §5.4.3; a block at a time, so one encryptor goes on for the connection)
CRYPTO_GOOGLE = 0x08  # what Google QUIC over TLS (T050, T051) uses in its place; not allowed in Initials otherwise


class Packet(NamedTuple):
    """A long-header packet inside a datagram: places in the datagram, `kind` numbered as in version 1."""

    kind: int
    version: int
    dcid: bytes
    start: int
    number_at: int
    end: int


class Keys(NamedTuple):
    """What opens the client's Initials of one connection."""

    header: CipherContext
    seal: AESGCM
    iv: int


def salts_of(version: int) -> tuple[bytes, ...]:
    """The salts that a version may have been sealed with; a reserved one says nothing of the version behind it."""
    if version == VERSION_1:
        return (SALT_1,)
    if version == VERSION_2:
        return (SALT_2,)
    if version in (T50, T51):
        return (SALT_T50 if version == T50 else SALT_T51,)
    if version & RESERVED_MASK == RESERVED or (version & MVFST_MASK == MVFST and version not in (MVFST_22, MVFST_27)):
        return (SALT_1, SALT_29, SALT_23)
    draft = {MVFST_22: 22, MVFST_27: 27}.get(version, version - DRAFT)
    if draft in (33, 34):
        return (SALT_1,)
    if 29 <= draft <= 32:
        return (SALT_29,)
    if 23 <= draft <= 28:
        return (SALT_23,)
    return (SALT_22,) if draft == 22 else ()


class MacKey(NamedTuple):
    """A key of HMAC-SHA-256, at most a block long, as the blocks that both hashes begin with (RFC 2104 §2)."""

    inner: bytes
    outer: bytes


BLOCK = 64  # bytes of SHA-256: FIPS 180-4 §1
INNER, OUTER = (bytes(octet ^ pad for octet in range(256)) for pad in (0x36, 0x5C))  # RFC 2104 §2


def _mac_key(key: bytes) -> MacKey:
    key = key.ljust(BLOCK, b"\0")
    return MacKey(key.translate(INNER), key.translate(OUTER))


def _mac(key: MacKey, message: bytes) -> bytes:
    """HMAC-SHA-256 (RFC 2104 §2)."""
    return sha256(key.outer + sha256(key.inner + message).digest()).digest()


def _info(label: str, length: int) -> bytes:
    """What HKDF-Expand-Label hashes, with an empty context, for one block of output (RFC 8446 §7.1, RFC 5869 §2.3)."""
    name = b"tls13 " + label.encode("ascii")
    return length.to_bytes(2, "big") + bytes([len(name)]) + name + b"\x00\x01"


KEY, IV, HP = 16, 12, 16  # AEAD_AES_128_GCM: RFC 9001 §5.1, §5.4.3
CLIENT = _info("client in", 32)  # §5.2
LABELS = (_info("quic key", KEY), _info("quic iv", IV), _info("quic hp", HP))  # §5.1
LABELS_2 = (_info("quicv2 key", KEY), _info("quicv2 iv", IV), _info("quicv2 hp", HP))  # RFC 9369 §3.3.2
SALT_KEYS = {salt: _mac_key(salt) for salt in (SALT_1, SALT_2, SALT_29, SALT_23, SALT_22, SALT_T50, SALT_T51)}


def client_keys(version: int, dcid: bytes) -> list[Keys]:
    """The client's Initial keys, one for each salt that the version may have; none for an unknown version."""
    return [_keys(salt, version, dcid) for salt in salts_of(version)]


def _keys(salt: bytes, version: int, dcid: bytes) -> Keys:
    initial = _mac(SALT_KEYS[salt], dcid)
    secret = _mac_key(_mac(_mac_key(initial), CLIENT))
    key, iv, hp = (_mac(secret, label) for label in (LABELS_2 if version == VERSION_2 else LABELS))
    mask = Cipher(AES128(hp[:HP]), ONE_BLOCK).encryptor()
    return Keys(mask, AESGCM(key[:KEY]), int.from_bytes(iv[:IV], "big"))


def varint(data: bytes, at: int) -> tuple[int, int]:
    """RFC 9000 §16: `(value, where it ends)`. Raises IndexError past the end."""
    first = data[at]
    if first < 0x40:
        return first, at + 1
    if first < 0x80:
        return (first & 0x3F) << 8 | data[at + 1], at + 2
    size = 1 << (first >> 6)
    if at + size > len(data):
        raise IndexError
    return int.from_bytes(data[at : at + size], "big") & ((1 << (8 * size - 2)) - 1), at + size


def packets(datagram: bytes) -> list[Packet]:
    """The long-header packets of a datagram (coalesced: RFC 9000 §12.2), as far as their headers can be read."""
    found: list[Packet] = []
    at = 0
    try:
        while at < len(datagram) and datagram[at] & LONG and datagram[at] & FIXED:
            packet = _long_header(datagram, at)
            if packet is None:
                break
            found.append(packet)
            at = packet.end
    except IndexError:
        pass  # the rest is no packet: what came before stands
    return found


def _long_header(data: bytes, start: int) -> Packet | None:
    """RFC 9000 §17.2; None for Retry and Version Negotiation, behind which nothing follows."""
    version = int.from_bytes(data[start + 1 : start + 5], "big")
    kind = (data[start] >> 4) & 3
    if version == VERSION_2:  # RFC 9369 §3.2: the types are shifted by one
        kind = (kind - 1) & 3
    if version == 0 or kind == RETRY:
        return None
    at = start + 5
    size = data[at]
    dcid = data[at + 1 : at + 1 + size]
    at += 1 + size
    at += 1 + data[at]
    if size > MAX_CONNECTION_ID:
        return None
    if kind == INITIAL:
        token, at = varint(data, at)
        at += token
    length, at = varint(data, at)
    if length < SAMPLE_OFFSET + SAMPLE or at + length > len(data):
        return None
    return Packet(kind, version, dcid, start, at, at + length)


def packet_number(largest: int, truncated: int, size: int) -> int:
    """The whole packet number behind the last `size` bytes of it (RFC 9000 §A.3); largest: seen so far, -1 none."""
    window = 1 << (8 * size)
    expected = largest + 1
    candidate = (expected & -window) | truncated
    if candidate <= expected - window // 2 and candidate < (1 << 62) - window:
        return candidate + window
    if candidate > expected + window // 2 and candidate >= window:
        return candidate - window
    return candidate


def opened(datagram: bytes, packet: Packet, keys: Keys, largest: int = -1) -> tuple[int, bytes] | None:
    """Number and frames of an Initial, or None if these keys do not open it (RFC 9001 §5.3, §5.4).

    The header that was sealed with it is the one on the wire but for flags and number, whose masks come off.
    """
    start, at = packet.start, packet.number_at
    mask = keys.header.update(datagram[at + SAMPLE_OFFSET : at + SAMPLE_OFFSET + SAMPLE])
    first = datagram[start] ^ (mask[0] & 0x0F)
    size = (first & 3) + 1
    behind = at + size
    truncated = int.from_bytes(datagram[at:behind], "big") ^ int.from_bytes(mask[1 : 1 + size], "big")
    number = packet_number(largest, truncated, size)
    header = b"%c%b%b" % (first, datagram[start + 1 : at], truncated.to_bytes(size, "big"))
    try:
        return number, keys.seal.decrypt((keys.iv ^ number).to_bytes(12, "big"), datagram[behind : packet.end], header)
    except InvalidTag:
        return None


def crypto_frames(frames: bytes) -> list[tuple[int, bytes]]:
    """(offset, data) of the CRYPTO frames of an Initial (RFC 9000 §19.6); stops at what may not be there (§12.4)."""
    found: list[tuple[int, bytes]] = []
    at, end = 0, len(frames)
    try:
        while at < end:
            kind = frames[at]
            at += 1
            if kind in (CRYPTO, CRYPTO_GOOGLE):
                offset, at = varint(frames, at)
                length, at = varint(frames, at)
                behind = at + length
                if behind > end:
                    break
                found.append((offset, frames[at:behind]))
                at = behind
            elif kind == PADDING:
                at = end - len(frames[at:].lstrip(b"\x00"))
            elif kind in (ACK, ACK_ECN):
                at = _after_ack(frames, at, ecn=kind == ACK_ECN)
            elif kind != PING:
                break
    except IndexError:
        pass  # cut inside a frame: what came before stands
    return found


def _after_ack(frames: bytes, at: int, *, ecn: bool) -> int:
    """Where an ACK frame ends (RFC 9000 §19.3)."""
    _, at = varint(frames, at)
    _, at = varint(frames, at)
    ranges, at = varint(frames, at)
    _, at = varint(frames, at)
    for _ in range(2 * ranges + (3 if ecn else 0)):
        _, at = varint(frames, at)
    return at
