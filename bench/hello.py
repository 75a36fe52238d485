"""TLS handshake messages as real clients send them, from a seed.

Theory: what a dissector must cope with is the layout (order of extensions, GREASE, sizes), not the secrets. So the
layouts below were taken from hellos that OpenSSL 3.0 and Chromium sent to a local socket, and everything that a client
draws at random (random, session id, key shares, ECH payload, GREASE values) is drawn from the generator that the caller
seeds. The same seed gives the same bytes on every machine.

Rules: functions return the handshake message (RFC 8446 §4), or bytes of whole records where the name says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

if TYPE_CHECKING:
    from random import Random

CLIENT_HELLO, SERVER_HELLO, CERTIFICATE, SERVER_KEY_EXCHANGE, SERVER_HELLO_DONE, CLIENT_KEY_EXCHANGE = (
    1,
    2,
    11,
    12,
    14,
    16,
)
CHANGE_CIPHER_SPEC, HANDSHAKE, APPLICATION_DATA = 20, 22, 23  # RFC 8446 §5.1
CCS_RECORD = bytes((CHANGE_CIPHER_SPEC, 3, 3, 0, 1, 1))
SNI, GROUPS, ALPN, KEY_SHARE, ECH, TRANSPORT_PARAMETERS, VERSIONS = 0, 10, 16, 51, 0xFE0D, 57, 43
X25519, X25519MLKEM768 = 0x001D, 0x11EC
MLKEM_CLIENT_SHARE, MLKEM_SERVER_SHARE = 1216, 1120  # draft-ietf-tls-ecdhe-mlkem §3
FINISHED_SHA256, FINISHED_SHA384 = 53, 69  # encrypted: header 4, hash 32 or 48, content type 1, tag 16

Extensions = list[tuple[int, bytes]]


def vector(size: int, content: bytes) -> bytes:
    """A vector with a length of `size` bytes in front: RFC 8446 §3.4."""
    return len(content).to_bytes(size, "big") + content


def message(kind: int, body: bytes) -> bytes:
    """A handshake message: RFC 8446 §4."""
    return bytes((kind,)) + vector(3, body)


def record(kind: int, body: bytes, version: int = 0x0303) -> bytes:
    """One plaintext record: RFC 8446 §5.1."""
    return bytes((kind,)) + version.to_bytes(2, "big") + vector(2, body)


def openssl_hello(rng: Random, name: str) -> bytes:
    """A ClientHello in the layout of OpenSSL 3.0 with an X25519 share and padding to 512 bytes (RFC 7685)."""
    ciphers = "130213031301c02cc030c02bc02fcca9cca8c024c028c023c027009f009e006b006700ff"
    signatures = "0028040305030603080708080809080a080b080408050806040105010601030303010302040205020602"
    extensions: Extensions = [
        (SNI, _server_name(name)),
        (11, bytes.fromhex("03000102")),
        (GROUPS, bytes.fromhex("0014001d0017001e0019001801000101010201030104")),
        (35, b""),
        (ALPN, bytes.fromhex("000c02683208687474702f312e31")),
        (22, b""),
        (23, b""),
        (13, bytes.fromhex(signatures)),
        (VERSIONS, bytes.fromhex("0403040303")),
        (45, bytes.fromhex("0101")),
        (KEY_SHARE, _client_shares([(X25519, rng.randbytes(32))])),
    ]
    short = 508 - len(_client_hello(rng.randbytes(32), rng.randbytes(32), ciphers, extensions)) + 4
    if short > 0:
        extensions.append((21, bytes(max(0, short - 4))))
    return _client_hello(rng.randbytes(32), rng.randbytes(32), ciphers, extensions)


def chromium_hello(rng: Random, name: str, *, post_quantum: bool) -> bytes:
    """A ClientHello in the layout of Chromium: GREASE (RFC 8701), GREASE ECH, shuffled extensions, two key shares."""
    grease = [rng.randrange(16) * 0x1010 + 0x0A0A for _ in range(5)]
    ciphers = f"{grease[0]:04x}130113021303c02bc02fc02cc030cca9cca8c013c014009c009d002f0035"
    shuffled: Extensions = [
        (23, b""),
        (0xFF01, b"\0"),
        (VERSIONS, vector(1, grease[1].to_bytes(2, "big") + bytes.fromhex("03040303"))),
        (GROUPS, vector(2, grease[2].to_bytes(2, "big") + _groups(post_quantum=post_quantum))),
        (27, bytes.fromhex("020002")),
        (45, bytes.fromhex("0101")),
        (ECH, _grease_ech(rng)),
        (5, bytes.fromhex("0100000000")),
        (ALPN, bytes.fromhex("000c02683208687474702f312e31")),
        (11, bytes.fromhex("0100")),
        (17613, bytes.fromhex("0003026832")),
        (18, b""),
        (SNI, _server_name(name)),
        (KEY_SHARE, _client_shares([(grease[2], b"\0"), *_shares(rng, post_quantum=post_quantum)])),
        (13, bytes.fromhex("001004030804040105030805050108060601")),
        (35, b""),
    ]
    rng.shuffle(shuffled)
    extensions = [(grease[3], b""), *shuffled, (grease[4] ^ 0x1010 if grease[4] == grease[3] else grease[4], b"\0")]
    return _client_hello(rng.randbytes(32), rng.randbytes(32), ciphers, extensions)


def quic_hello(rng: Random, name: str, *, post_quantum: bool) -> bytes:
    """A ClientHello in the layout of Chromium over QUIC: no session id, ALPN h3, transport parameters (RFC 9001 §8)."""
    parameters = (
        "050480600000"  # initial_max_stream_data_bidi_local
        "110c0000000100000001caba4aca"  # version_information, RFC 9368 §3
        "040480f00000"
        "070480600000"
        "200480010000"  # max_datagram_frame_size, RFC 9221 §3
        "09024067"
        "08024064"
        "030245c0"
        "0f00"  # initial_source_connection_id, empty
        "060480600000"
        "010480007530"
    )
    shuffled: Extensions = [
        (17613, bytes.fromhex("0003026833")),
        (27, bytes.fromhex("020002")),
        (SNI, _server_name(name)),
        (ECH, _grease_ech(rng)),
        (ALPN, bytes.fromhex("0003026833")),
        (GROUPS, vector(2, _groups(post_quantum=post_quantum))),
        (VERSIONS, bytes.fromhex("020304")),
        (45, bytes.fromhex("0101")),
        (TRANSPORT_PARAMETERS, bytes.fromhex(parameters)),
        (KEY_SHARE, _client_shares(_shares(rng, post_quantum=post_quantum))),
        (13, bytes.fromhex("0012040308040401050308050501080606010201")),
    ]
    rng.shuffle(shuffled)
    return _client_hello(rng.randbytes(32), b"", "130113021303", shuffled)


def server_hello(rng: Random, *, cipher: int, session: bytes = b"", post_quantum: bool = False) -> bytes:
    """A TLS 1.3 ServerHello with the share that answers the client's."""
    group, size = (X25519MLKEM768, MLKEM_SERVER_SHARE) if post_quantum else (X25519, 32)
    share = group.to_bytes(2, "big") + vector(2, rng.randbytes(size))
    extensions: Extensions = [(KEY_SHARE, share), (VERSIONS, b"\x03\x04")]
    return _server_hello(rng.randbytes(32), session, cipher, extensions)


def server_flight_12(rng: Random, certificate: bytes) -> bytes:
    """Records of a TLS 1.2 server: ServerHello (ECDHE-ECDSA-AES128-GCM), Certificate, ServerKeyExchange, Done."""
    hello = _server_hello(rng.randbytes(32), rng.randbytes(32), 0xC02B, [(0xFF01, b"\0"), (11, b"\1\0"), (23, b"")])
    chain = message(CERTIFICATE, vector(3, vector(3, certificate)))
    key = b"\x03\x00\x1d" + vector(1, rng.randbytes(32))  # named curve x25519: RFC 8422 §5.4
    exchange = message(SERVER_KEY_EXCHANGE, key + b"\x08\x07" + vector(2, rng.randbytes(64)))  # ed25519
    return b"".join(record(HANDSHAKE, part) for part in (hello, chain, exchange, message(SERVER_HELLO_DONE, b"")))


def client_flight_12(rng: Random) -> bytes:
    """Records of a TLS 1.2 client: ClientKeyExchange, ChangeCipherSpec, an encrypted Finished (explicit nonce, tag)."""
    key = record(HANDSHAKE, message(CLIENT_KEY_EXCHANGE, vector(1, rng.randbytes(32))))
    return key + CCS_RECORD + record(HANDSHAKE, rng.randbytes(40))


def make_certificate(rng: Random) -> bytes:
    """A self-signed Ed25519 certificate in DER, the same for the same seed."""
    import datetime as dt

    key = ed25519.Ed25519PrivateKey.from_private_bytes(rng.randbytes(32))
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench.example")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + dt.timedelta(days=90))
    return builder.sign(key, None).public_bytes(serialization.Encoding.DER)


def _client_hello(random: bytes, session: bytes, ciphers: str, extensions: Extensions) -> bytes:
    body = b"\x03\x03" + random + vector(1, session) + vector(2, bytes.fromhex(ciphers)) + b"\x01\x00"
    return message(CLIENT_HELLO, body + _extensions(extensions))


def _server_hello(random: bytes, session: bytes, cipher: int, extensions: Extensions) -> bytes:
    body = b"\x03\x03" + random + vector(1, session) + cipher.to_bytes(2, "big") + b"\0"
    return message(SERVER_HELLO, body + _extensions(extensions))


def _extensions(extensions: Extensions) -> bytes:
    return vector(2, b"".join(kind.to_bytes(2, "big") + vector(2, body) for kind, body in extensions))


def _server_name(name: str) -> bytes:
    return vector(2, b"\0" + vector(2, name.encode("ascii")))  # RFC 6066 §3


def _groups(*, post_quantum: bool) -> bytes:
    return bytes.fromhex("11ec001d00170018" if post_quantum else "001d00170018")


def _shares(rng: Random, *, post_quantum: bool) -> list[tuple[int, bytes]]:
    classic = [(X25519, rng.randbytes(32))]
    return [(X25519MLKEM768, rng.randbytes(MLKEM_CLIENT_SHARE)), *classic] if post_quantum else classic


def _client_shares(shares: list[tuple[int, bytes]]) -> bytes:
    return vector(2, b"".join(group.to_bytes(2, "big") + vector(2, key) for group, key in shares))


def _grease_ech(rng: Random) -> bytes:
    """What a client sends that has no ECH key: outer, HKDF-SHA256, AES-128-GCM, RFC 9849 §6.2."""
    return b"\0\0\1\0\1" + rng.randbytes(1) + vector(2, rng.randbytes(32)) + vector(2, rng.randbytes(208))
