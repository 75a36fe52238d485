"""Google QUIC before TLS: recognised, named from the CHLO, and nothing of a broken one."""

import pytest
from crafting.packets import dissect
from crafting.quic import CHLO_HASH, chlo, frames_of, q043
from hypothesis import given
from hypothesis import strategies as st
from wiretally.dissect.quic.google import MAX_TAGS, server_name

TAGS = [(b"PAD\0", b"-" * 900), (b"SNI\0", b"www.example.org"), (b"VER\0", b"Q043")]
Q043 = q043(TAGS)
Q046 = b"\xc3Q046\x50" + bytes(8) + b"\0\0\0\1" + CHLO_HASH + b"\xa0\x01\x04" + chlo(TAGS)


@pytest.mark.parametrize("datagram", [Q043, Q043.replace(b"Q043", b"Q039"), Q046])
def test_the_name_of_a_chlo(datagram):
    answer = dissect(frames_of([(True, datagram), (False, b"\x08" + bytes(400)), (True, b"\x0c" + bytes(90))]))
    flow = answer.one("flows")
    assert (flow["service"], flow["name"], flow["name_source"]) == ("gquic", "www.example.org", "quic_sni")
    assert (flow["app_exact"], flow["up_app_bytes"]) == (False, flow["up_payload_bytes"])
    assert answer.tables["tls"].is_empty()  # it is no TLS hello


def test_a_version_that_is_not_googles():
    assert dissect(frames_of([(True, Q043.replace(b"Q043", b"QQ43"))])).one("flows")["service"] is None


def test_as_many_tags_as_are_read_and_one_more():
    pad = [(b"PAD\0", b"")]
    assert server_name(chlo(pad * (MAX_TAGS - 1) + [(b"SNI\0", b"a")])) == b"a"
    assert server_name(chlo(pad * MAX_TAGS + [(b"SNI\0", b"a")])) is None


@pytest.mark.parametrize("tags", [[], [(b"SNI\0", b"")], [(b"VER\0", b"Q043")]])
def test_no_name(tags):
    assert server_name(chlo(tags)) is None


@given(st.integers(0, len(Q043)), st.binary(max_size=8))
def test_a_broken_one_gives_its_name_or_none(at, junk):
    name = server_name(Q043[:at] + junk)
    assert name is None or b"SNI" in Q043[:at] + junk
    broken = server_name(Q043[:at] + junk + Q043[at + len(junk) :])
    assert broken is None or len(broken) <= len(Q043)
