"""QUIC: the ClientHello inside Initial packets."""

READS = (
    ("QUIC", "RFC 9001 §5.2, RFC 9369 §3.1", "client Initials, decrypted: the ClientHello inside, over packets and datagrams"),
    ("QUIC", "RFC 9000 §17.2", "coalesced packets, 0-RTT, Retry, Version Negotiation; application bytes of 1-RTT packets"),
    ("QUIC", "RFC 9000 §9", "connections that go on from another address or port with the same connection ID"),
    ("Google QUIC", "draft-tsvwg-quic-protocol-02", "versions Q0xx: the server name of the CHLO"),
)  # fmt: skip
