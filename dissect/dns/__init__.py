"""DNS messages."""

READS = (
    ("DNS, mDNS, LLMNR, over UDP and TCP", "RFC 1035 §4.1", "queries and answers: names, types, records, response codes"),
)  # fmt: skip
