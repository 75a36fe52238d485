"""Stages exist, and the clock charges each for its own time only."""

from __future__ import annotations

import importlib

import pytest
from wiretally.bench import profile


@pytest.mark.parametrize("stage", profile.STAGES)
def test_every_stage_is_a_function_of_the_package(stage: str) -> None:
    module, path = profile.STAGES[stage]
    found = importlib.import_module(f"wiretally.{module}")
    for name in path.split("."):
        found = getattr(found, name)
    assert callable(found)


def test_time_inside_another_stage_counts_there(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 0.0, 1.0, 11.0, 12.0])  # outer from 0 to 12, inner from 1 to 11
    monkeypatch.setattr(profile.time, "perf_counter", lambda: next(now))
    clock = profile.Clock()
    inner = clock.timed("inner", lambda: 5)
    assert clock.timed("outer", inner)() == 5
    assert dict(clock.spent) == {"outer": 2.0, "inner": 10.0}


def test_each_step_of_an_iterator_is_charged() -> None:
    clock = profile.Clock()
    assert list(clock.timed_iterator("steps", lambda count: iter(range(1, count)))(4)) == [1, 2, 3]
    assert clock.calls["steps"] == 4
