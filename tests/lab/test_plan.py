"""The order of sessions answers the question: pairs, both orders, the same pages, all from a seed."""

from wiretally.lab.plan import ALPHABET, ARMS, sessions
from wiretally.lab.sites import PAGES


def test_sessions_come_in_pairs_of_the_same_pages():
    plan = [session for session in sessions(12, 3, 4, seed=5) if session.mode != "idle"]
    firsts = set()
    for one, other in zip(plan[::2], plan[1::2], strict=True):
        assert {one.mode, other.mode} == {"normal", "incognito"}
        assert one.pages == other.pages
        assert one.notes == other.notes
        assert len(set(one.pages)) == 4
        assert {page.url for page in one.pages} <= set(PAGES)
        assert {page.pad for page in one.pages} == {None}
        firsts.add(one.mode)
    assert firsts == {"normal", "incognito"}


def test_idle_sessions_show_nothing_and_names_are_unique():
    plan = sessions(6, 2, 3, seed=1)
    assert [session.pages for session in plan if session.mode == "idle"] == [(), ()]
    assert len({session.name for session in plan}) == len(plan) == 14


def test_a_seed_repeats_and_another_does_not():
    assert sessions(8, 2, 3, seed=9) == sessions(8, 2, 3, seed=9)
    assert sessions(8, 2, 3, seed=9) != sessions(8, 2, 3, seed=10)


def test_pads_are_random_characters_at_the_end_and_change_nothing_else():
    plain, padded = sessions(6, 2, 3, seed=1), sessions(6, 2, 3, seed=1, longest_pad=50)
    assert [session.name for session in plain] == [session.name for session in padded]
    pages = [(one, other) for a, b in zip(plain, padded, strict=True) for one, other in zip(a.pages, b.pages, strict=True)]
    for one, other in pages:
        assert other.url.startswith(one.url)
        joint, _, tail = other.url[len(one.url) :].partition("k=")
        assert joint == ("&" if "?" in one.url else "?")
        assert len(tail) == other.pad <= 50
        assert set(tail) <= set(ALPHABET)
    assert len({other.pad for _, other in pages}) > 10


def test_every_arm_reports_in_normal_mode_and_a_second_phone_has_an_arm_of_its_own():
    assert all(arm.normal for arm in ARMS.values())
    assert {arm.form for arm in ARMS.values()} == {"events", "reduced", "noisy", "referrer"}
    seconds = {arm.second for arm in ARMS.values() if arm.second}
    assert seconds
    assert not any(ARMS[name].second or ARMS[name].http3 for name in seconds)
