"""The tables at several widths, and what hostile names may not do to them."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console
from wiretally.report import terminal, words


def shown(result, width, **console) -> str:
    with io.StringIO() as page:
        # a terminal or none, whatever FORCE_COLOR says, as the program does
        Console(file=page, width=width, **{"force_terminal": False, **console}).print(terminal.comparison(result))
        return page.getvalue()


@pytest.mark.parametrize("width", [40, 66, 76, 80, 100, 140, 200])
def test_no_line_is_wider_than_the_terminal(result, width):
    assert max(cell_len(line) for line in shown(result, width).splitlines()) <= width


@pytest.mark.parametrize("width", [40, 65, 66, 75, 76])
def test_on_a_narrow_terminal_names_and_verdicts_stay(make, width):
    page = shown(make("leaky"), width)
    assert "sa.api" in page
    assert any(f" {verdict}" in page for verdict in ("continues", "reduced", "stops", "inconclusive"))
    assert ("/session" in page) == (width >= 66)
    assert ("Place " in page) == (width >= 76)


@pytest.mark.parametrize("width", [80, 140])
def test_whatever_the_width_the_numbers_are_there(make, width):
    result = make("leaky")
    page = shown(result, width)
    for item in [*result["destinations"], *result["owners"], result["total"]]:
        assert words.size(item["modes"]["incognito"]["mean"]) in page
        assert words.interval(item["ratio"]) in page
        assert item["verdict"] in page
    assert "sa.api.intl.miui.com" in page
    assert ("Singapore" in page) == (width == 140)
    assert result["capture"][0]["sha256"] in page
    assert "IP Geolocation by DB-IP" in " ".join(page.split())


def test_a_pipe_gets_no_colour_and_loses_nothing(make):
    result = make("swap")
    plain, colour = shown(result, 100), shown(result, 100, force_terminal=True, color_system="truecolor")
    assert "\x1b" not in plain
    assert "\x1b[" in colour
    for word in ("+ appears", "× stops", "= continues"):
        assert word in plain


def test_the_first_line_is_the_verdict(make):
    assert shown(make("leaky"), 200).startswith("= Uploads to Xiaomi continued in incognito mode: ")


@pytest.mark.parametrize("width", [80, 140])
def test_hostile_names_are_inert(make, width):
    page = shown(make("hostile"), width)
    assert all(line.isprintable() for line in page.split("\n"))
    assert "\\u202e" in page
    assert "[bold]" in page.replace("\n", "")  # not taken for markup


def test_losses_are_beside_the_verdict(make):
    assert "! 12 packets were lost while capturing" in shown(make("honest", dropped=12), 140)
    assert "losses not recorded" in shown(make("honest", dropped=None), 140)


def test_every_bound_is_printed(make):
    result = make("honest")
    result["basis"]["options"] = {"margin": 0.3, "alpha": 0.01, "baseline": "be\x1bfore", "stop_ratio": 0.1}
    assert "Options: alpha 0.01, baseline be\\u001bfore, margin 0.3, stop_ratio 0.1" in shown(result, 140)


def test_many_destinations_say_how_many_are_left_out(make):
    assert "220 more destinations" in shown(make("many"), 100)


def test_what_would_settle_it_is_said(make):
    page = shown(make("leaky", pairs=2, idle=0), 140)
    assert "? sessions of each mode that would settle it, about: sa.api.intl.miui.com 14" in page
