import polars as pl
from wiretally.measure.hidden import Hidden, of_sessions

PHONE, TABLET = "192.168.4.20", "192.168.4.21"


def flows(*rows):
    """(local_ip, remote_ip, service, name, uploaded app bytes, ech)"""
    names = ["local_ip", "remote_ip", "service", "name", "up_app_bytes", "ech"]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String) | {"up_app_bytes": pl.UInt64}, orient="row")
    return frame.with_columns(local_mac=pl.lit(None, pl.String), transport=pl.lit("tcp"), up_wire_bytes=pl.col("up_app_bytes") + 100,
                              down_wire_bytes=pl.lit(50, pl.UInt64))  # fmt: skip


ALL = flows(
    (PHONE, "8.8.8.8", "doh", "dns.google", 10, "none"), (PHONE, "9.9.9.9", "dot", None, 20, None),
    (PHONE, "1.2.3.4", "tls", "a.test", 100, "none"), (PHONE, "1.2.3.5", None, None, 300, None),
    (PHONE, "192.168.4.1", "dns", None, 5, None), (PHONE, "192.168.4.7", None, None, 5, None),
    (PHONE, "5.6.7.8", "ntp", None, 5, None), (TABLET, "8.8.8.8", "doh", "dns.google", 10, "none"),
    (TABLET, "5.6.7.9", "tls", "cloudflare-ech.com", 0, "outer"),
)  # fmt: skip


def test_what_is_hidden_is_summed_up_however_it_comes():
    whole, pieces = Hidden(), Hidden()
    whole.add(ALL)
    for piece in ALL.iter_slices(1):
        pieces.add(piece)
    found = whole.summary()
    assert found == pieces.summary()
    assert found == {
        "encrypted_dns": {"flows": 3, "devices": 2, "up_wire_bytes": 340, "down_wire_bytes": 150,
                          "services": {"dot": 1, "doq": 0, "doh": 2}, "servers": ["dns.google", "9.9.9.9"]},
        "unnamed": {"flows": 1, "of_flows": 3, "up_app_bytes": 300, "of_up_app_bytes": 400},
        "outer_names": 1,
    }  # fmt: skip
    assert whole.lines() == [
        ("names are hidden: 2 devices used encrypted DNS (1 dot, 2 doh; dns.google, 9.9.9.9); 1 of 3 flows to the internet "
         "have no name"),
        "75% of the uploaded bytes went to addresses that have no name",
        "1 flow named only the outer server of an encrypted hello (ECH)",
    ]  # fmt: skip


def test_only_the_devices_of_the_sessions_count():
    found = of_sessions(ALL, {TABLET}).summary()
    assert (found["encrypted_dns"]["flows"], found["unnamed"]["of_flows"]) == (1, 1)


def test_where_nothing_is_hidden_nothing_is_said():
    plain = Hidden()
    assert plain.lines() == []
    plain.add(ALL[2:3])
    assert plain.lines() == plain.encrypted() == []
