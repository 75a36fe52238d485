"""The simulation asks the comparison's own code, and would notice if it found what is not there."""

import numpy as np
import pytest
from wiretally.bench import verdicts


def test_a_draw_is_what_it_says():
    flows, exchanges, marks = verdicts.draw(np.random.default_rng(1), 6, 0.0)
    assert [mark.mode for mark in marks].count("incognito") == 6
    incognito = {mark.start for mark in marks if mark.mode == "incognito"}
    changed = exchanges.filter(exchanges["flow_id"] == verdicts.CHANGED)
    assert changed.height == 6  # none of them in incognito mode
    starts = {(ns - verdicts.START) // verdicts.LENGTH for ns in changed["start"].dt.epoch("ns")}
    assert starts.isdisjoint((start - verdicts.START) // verdicts.LENGTH for start in incognito)
    assert flows.height == verdicts.DESTINATIONS


def test_a_large_effect_is_found_and_no_effect_is_not():
    found = verdicts.tally(8, 0.0, 6, seed=1)
    assert found.verdicts["stops"] == 6
    nothing = verdicts.tally(8, 1.0, 6, seed=1)
    assert nothing.verdicts["stops"] == nothing.verdicts["appears"] == 0
    assert nothing.unchanged == 6 * verdicts.DESTINATIONS


def test_a_comparison_that_sees_effects_everywhere_is_told(monkeypatch):
    real = verdicts.compare

    def eager(*args, **options):
        result = real(*args, **options)
        for item in result["destinations"]:
            item["q"] = 0.001
        return result

    monkeypatch.setattr(verdicts, "compare", eager)
    assert verdicts.tally(6, 1.0, 2, seed=1).false == 2 * verdicts.DESTINATIONS


def test_rows_that_are_kept_are_not_asked_again_and_are_the_same(tmp_path, monkeypatch):
    rows = [(4, 1.0, 1, 1), (4, 0.0, 1, 1)]
    kept = verdicts.Kept(tmp_path / "rows.jsonl").ask(verdicts.told, rows[:1], 1)
    again = verdicts.Kept(tmp_path / "rows.jsonl")
    assert again.ask(verdicts.told, rows, 1)[0] == kept[0]
    assert verdicts.Tally(**kept[0]).draws == 1
    monkeypatch.setattr(verdicts, "tally", None)
    assert len(verdicts.Kept(tmp_path / "rows.jsonl").ask(verdicts.told, rows, 1)) == 2


@pytest.mark.slow
def test_false_findings_stay_near_five_percent():
    found = verdicts.tally(10, 1.0, 40, seed=3)
    assert found.any_false / found.draws <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / found.draws)
