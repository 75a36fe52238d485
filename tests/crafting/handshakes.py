"""Real TLS between two ends in memory (OpenSSL, through `ssl`), as packets of a connection."""

from __future__ import annotations

import datetime as dt
import functools
import ssl
import tempfile
from pathlib import Path

from crafting.packets import Connection
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

SEGMENT = 1400


def name(text):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)] if text else [])


def certificate(common="server.example", others=("server.example", "*.server.example"), *, extensions=()):
    """A self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder().subject_name(name(common)).issuer_name(name(common)).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )  # fmt: skip
    if others:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(other) for other in others]), critical=True)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256()), key


@functools.cache
def _files():
    """One certificate with its key, as `ssl` wants it: a file."""
    made, key = certificate()
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = Path(tempfile.mkdtemp(prefix="wiretally-test-")) / "server.pem"
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return str(path)


def contexts(version, ciphers=None, *, curve=None, client_certificate=False, tickets=0):
    """(client, server) that speak this version only."""
    client, server = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    server.load_cert_chain(_files())
    for context in (client, server):
        context.minimum_version = context.maximum_version = version
        context.options |= ssl.OP_NO_COMPRESSION
        if ciphers:
            context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    if version == ssl.TLSVersion.TLSv1_3:
        server.num_tickets = tickets
    if curve:
        server.set_ecdh_curve(curve)
    if client_certificate:
        client.load_cert_chain(_files())
        server.verify_mode = ssl.CERT_REQUIRED
        server.load_verify_locations(_files())
    return client, server


class Talk:
    """A connection whose bytes are those of two real ends; `say` makes one of them say something."""

    def __init__(self, client, server, session=None):
        """Speaks the handshake."""
        self.said, self.heard = ({True: ssl.MemoryBIO(), False: ssl.MemoryBIO()} for _ in range(2))  # by client, server
        self.ends = {
            True: client.wrap_bio(self.heard[True], self.said[True], server_hostname="server.example", session=session),
            False: server.wrap_bio(self.heard[False], self.said[False], server_side=True),
        }
        self.connection = Connection().open()
        waiting = {True, False}
        while waiting:
            for up in (True, False):
                if up in waiting:
                    try:
                        self.ends[up].do_handshake()
                        waiting.discard(up)
                    except ssl.SSLWantReadError:
                        pass
                self._pass(up)

    def _pass(self, up):
        """What an end has written becomes packets, and arrives."""
        data = self.said[up].read()
        for at in range(0, len(data), SEGMENT):
            self.connection.send(data[at : at + SEGMENT], up=up)
        self.heard[not up].write(data)

    def say(self, size, *, up=True):
        """`size` bytes of application data, which the other end reads."""
        self.ends[up].write(bytes(size))
        self._pass(up)
        left = size
        while left:
            left -= len(self.ends[not up].read(left))
        return self
