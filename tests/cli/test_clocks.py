"""A step of the wall clock is found, and the packet at which it happened; steering is no step."""

import numpy as np
import pytest
from wiretally.cli.clocks import LEAST, Clocks

NS, HOUR = 1_000_000_000, 3_600_000_000_000


class Watch:
    """Both clocks of a machine, set by hand."""

    def __init__(self):
        self.wall, self.steady = 1_700_000_000 * NS, 5 * NS
        self.clocks = Clocks(lambda: self.wall, lambda: self.steady)

    def pass_(self, ns, step=0):
        self.wall += ns + step
        self.steady += ns
        return self.clocks.look()


def cut(watch, *times):
    return list(watch.clocks.stretches(np.array(times, np.int64)))


def test_time_that_passes_and_a_clock_that_is_steered_are_no_steps():
    watch = Watch()
    assert watch.pass_(10 * HOUR) == 0
    assert watch.pass_(NS, LEAST - 1) == 0
    assert cut(watch, 1, 2, 3) == [(0, 3, 0)]
    assert watch.clocks.quiet() == 0


@pytest.mark.parametrize("step", [HOUR, -HOUR, LEAST, -LEAST])
def test_the_batch_is_cut_at_the_packet_of_the_step(step):
    watch = Watch()
    at = watch.wall
    cut(watch, at, at + 1)
    assert watch.pass_(NS, step) == step
    assert cut(watch, at + 2, at + 3, at + 4 + step, at + 5 + step) == [(0, 2, 0), (2, 2, step), (2, 4, 0)]
    assert cut(watch, at + 6 + step) == [(0, 1, 0)]


def test_packets_of_the_old_clock_that_wait_come_first():
    watch = Watch()
    at = watch.wall
    cut(watch, at)
    watch.pass_(NS, HOUR)
    assert cut(watch, at + 1, at + 2) == [(0, 2, 0)]
    assert cut(watch, at + 3 + HOUR) == [(0, 0, HOUR), (0, 1, 0)]


def test_on_a_silent_link_it_was_before_the_next_packet():
    watch = Watch()
    cut(watch, watch.wall)
    watch.pass_(NS, HOUR)
    watch.pass_(NS, -HOUR // 2)
    assert watch.clocks.quiet() == HOUR // 2
    assert watch.clocks.quiet() == 0
    assert cut(watch, watch.wall) == [(0, 1, 0)]


def test_two_steps_in_one_batch():
    watch = Watch()
    at = watch.wall
    cut(watch, at)
    watch.pass_(NS, HOUR)
    watch.pass_(NS, -2 * HOUR)
    assert cut(watch, at + 1, at + HOUR, at + 1 - HOUR, at + 2 - HOUR) == [
        (0, 1, 0), (1, 1, HOUR), (1, 2, 0), (2, 2, -2 * HOUR), (2, 4, 0)]  # fmt: skip


def test_a_step_that_no_packet_shows_is_taken_to_have_been_long_ago(monkeypatch):
    monkeypatch.setattr("wiretally.cli.clocks.PATIENCE", 4)
    watch = Watch()
    at = watch.wall
    cut(watch, at)
    watch.pass_(NS, HOUR)
    assert cut(watch, at + 1, at + 2, at + 3) == [(0, 3, 0)]
    assert cut(watch, at + 4, at + 5) == [(0, 0, HOUR), (0, 2, 0)]
