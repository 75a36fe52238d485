"""QUIC: the ClientHello inside Initial packets."""

READS = (
    ("QUIC", "RFC 9001 §5.2, RFC 9369 §3.1", "client Initials, decrypted: the ClientHello inside"),
)  # fmt: skip
