"""The tables of the speed figure are what they say."""

from wiretally.bench import proofs


def test_exchanges_lie_in_sessions_and_visits_have_pads():
    flows, exchanges, sessions, visits = proofs.tables(2000, 1)
    assert exchanges.height == 2000
    assert flows.height == proofs.NAMES
    assert exchanges["start"].dt.epoch("ns").is_between(sessions[0].start, sessions[-1].end).all()
    assert len({visit.pad for visit in visits}) > 100
