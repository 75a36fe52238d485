"""DNS messages."""

READS = (
    ("DNS, mDNS, LLMNR, over UDP and TCP", "RFC 1035 §4.1", "queries and answers: names, types, records, response codes"),
    ("EDNS", "RFC 6891 §6.1, RFC 7871 §6", "upper bits of the response code, message size, client subnet"),
    ("HTTPS and SVCB records", "RFC 9460 §2.1, RFC 9461 §5", "parameters by name; resolvers over HTTPS that a network designates"),
)  # fmt: skip
