"""TLS handshake messages and records."""

READS = (
    ("TLS and DTLS", "RFC 8446 §4.1.2, RFC 5246 §7.4.1.2",
     "ClientHello and ServerHello; application data by record headers; JA4"),
)  # fmt: skip
