"""The order of sessions answers the question: pairs, both orders, the same pages, all from a seed."""

from wiretally.lab.plan import ARMS, sessions
from wiretally.lab.sites import PAGES


def test_sessions_come_in_pairs_of_the_same_pages():
    plan = [session for session in sessions(12, 3, 4, seed=5) if session.mode != "idle"]
    firsts = set()
    for one, other in zip(plan[::2], plan[1::2], strict=True):
        assert {one.mode, other.mode} == {"normal", "incognito"}
        assert one.pages == other.pages
        assert one.notes == other.notes
        assert len(set(one.pages)) == 4
        assert set(one.pages) <= set(PAGES)
        firsts.add(one.mode)
    assert firsts == {"normal", "incognito"}


def test_idle_sessions_show_nothing_and_names_are_unique():
    plan = sessions(6, 2, 3, seed=1)
    assert [session.pages for session in plan if session.mode == "idle"] == [(), ()]
    assert len({session.name for session in plan}) == len(plan) == 14


def test_a_seed_repeats_and_another_does_not():
    assert sessions(8, 2, 3, seed=9) == sessions(8, 2, 3, seed=9)
    assert sessions(8, 2, 3, seed=9) != sessions(8, 2, 3, seed=10)


def test_every_arm_reports_in_normal_mode():
    assert set(ARMS) == {"leaky", "honest", "swap"}
    assert all(arm.normal for arm in ARMS.values())
