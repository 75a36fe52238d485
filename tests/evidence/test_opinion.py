"""The second opinion: agrees on what is right, names what is not, and can be missing."""

import polars as pl
import pytest
import wiretally
from crafting.tiny import tiny
from wiretally.evidence import opinion


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("tiny")) / "capture.pcapng.zst"


@pytest.fixture(scope="module")
def tables(sample):
    found = wiretally.read(sample)
    return {"flows": found.flows, "tls": found.tls, "dns": found.dns}


@pytest.mark.slow
@pytest.mark.skipif(opinion.available() is None, reason=f"this machine lacks {opinion.missing()}")
def test_two_programs_agree_and_a_wrong_byte_is_found(sample, tables):
    said = opinion.second_opinion([str(sample)], tables)
    assert [row["what"] for row in said["rows"] if not row["agree"]] == []
    assert all(row["same"] > 20 for row in said["rows"])
    flows = tables["flows"].with_columns(
        up_wire_bytes=pl.when(pl.int_range(pl.len()) == 3).then(pl.col("up_wire_bytes") + 1).otherwise("up_wire_bytes"))
    names = tables["tls"].with_columns(sni=pl.lit("other.example"))
    wrong = opinion.second_opinion([str(sample)], {**tables, "flows": flows, "tls": names})
    rows = {row["what"]: row for row in wrong["rows"]}
    assert not rows["bytes per conversation"]["agree"]
    assert len(rows["bytes per conversation"]["only_ours"]) == 1
    assert rows["packets per conversation"]["agree"]
    assert rows["names in hellos"]["same"] == 0
    assert len(rows["names in hellos"]["only_ours"]) == min(opinion.MAX_SHOWN, tables["tls"].height)


def test_a_machine_without_tshark_is_told(sample, tables, monkeypatch):
    monkeypatch.setattr(opinion, "available", lambda: None)
    said = opinion.second_opinion([str(sample)], tables)
    assert said["rows"] == []
    assert "pyshark" in said["note"]
