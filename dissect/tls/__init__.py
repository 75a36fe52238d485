"""TLS handshake messages and records."""

READS = (
    ("TLS", "RFC 8446 §4.1, RFC 5246 §7.4",
     "ClientHello and ServerHello over any records; certificate names before 1.3; application data by record headers; JA4"),
    ("DTLS", "RFC 6347 §4.2, RFC 9147 §4",
     "the same of 1.0, 1.2 and 1.3, from handshake fragments in any order; CAPWAP's preamble is passed over (RFC 5415 §4.2)"),
    ("ECH", "RFC 9849 §4, RFC 9848 §3", "whether a hello has it; public names out of HTTPS records"),
)  # fmt: skip
