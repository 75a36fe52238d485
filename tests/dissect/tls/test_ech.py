"""Outer names: learned from HTTPS records, known, or none; then the device's own question names the flow."""

import pytest
from crafting.packets import MS, SERVER, START, Connection, client_hello, dissect, udp
from crafting.records import answer_of, config, https_record
from wiretally.dissect import state


def seen(*answers, sni):
    items = [(START - (9 - n) * MS, udp(data, up=False, server="192.168.7.1")) for n, data in enumerate(answers)]
    items += Connection().open().send(client_hello(sni)).items
    return dissect(items)


ADDRESS = answer_of("hidden.example", 1, bytes(int(part) for part in SERVER.split(".")))


@pytest.mark.parametrize("target", [b"\0", b"\4pool\7example\0"])
def test_a_name_that_a_record_announced_is_outer(target):
    record = https_record(config(b"other.example", 0xFE0C) + config(b"front.example"), target)
    answer = seen(answer_of("hidden.example", 65, record, 2), ADDRESS, sni="front.example")
    flow = answer.one("tls"), answer.tables["flows"].filter(transport="tcp").row(0, named=True)
    assert flow[0]["ech"] == flow[1]["ech"] == "outer"
    assert (flow[1]["sni"], flow[1]["name"], flow[1]["name_source"]) == ("front.example", "hidden.example", "dns")


@pytest.mark.parametrize("sni", ["other.example", "hidden.example"])
def test_any_other_name_counts_as_it_stands(sni):
    record = https_record(config(b"other.example", 0xFE0C) + config(b"front.example"))
    flow = seen(answer_of("hidden.example", 65, record), sni=sni).tables["flows"].filter(transport="tcp").row(0, named=True)
    assert (flow["ech"], flow["name"], flow["name_source"]) == ("grease_or_real", sni, "sni")


def test_a_known_name_without_an_answer_is_no_name():
    answer = seen(sni="cloudflare-ech.com")
    flow = answer.one("flows")
    assert (flow["ech"], flow["sni"], flow["name"], flow["name_source"]) == ("outer", "cloudflare-ech.com", None, None)
    assert answer.tables["exchanges"]["name"].to_list() == [None] * answer.tables["exchanges"].height


@pytest.mark.parametrize("cut", range(0, 80, 7))
def test_a_record_cut_anywhere_is_survived(cut):
    record = https_record(config(b"front.example"))
    assert seen(answer_of("hidden.example", 65, record[:cut]), sni="front.example").one("tls")["ech"] == "grease_or_real"


@pytest.mark.parametrize("beyond", [0, 1])
def test_so_many_names_are_learned_and_no_more(beyond):
    names = [f"f{number}.example".encode() for number in range(state.OUTER_NAMES - 1 + beyond)]  # one is known
    parts = [names[at : at + 40] for at in range(0, len(names), 40)]
    answers = [answer_of("many.example", 65, https_record(b"".join(map(config, part)))) for part in parts]
    answer = seen(*answers, sni=names[-1].decode())
    assert answer.one("tls")["ech"] == ("grease_or_real" if beyond else "outer")
    assert answer.given_up["outer_full"] == beyond
