"""Less is said in the stated order, at once; it comes back one step at a time, when it has been calm."""

from wiretally.cli.overload import CALM, Overload


def test_the_order_and_the_way_back():
    said = []
    overload = Overload(said.append)
    assert [overload.look(share, now) for now, share in enumerate((0.0, 0.2, 0.49))] == [0, 0, 0]
    assert overload.look(0.5, 10.0) == 1
    assert overload.look(0.75, 11.0) == 2
    assert overload.look(0.05, 11.0 + CALM - 0.1) == 2
    assert overload.look(0.05, 11.0 + CALM) == 1
    assert overload.look(0.2, 12.0 + CALM) == 1  # uneasy again: the calm begins anew
    assert overload.look(0.0, 11.9 + 2 * CALM) == 1
    assert overload.look(0.0, 12.0 + 2 * CALM) == 0
    assert len(said) == 4
    assert "Community ID" in said[0]
    assert "all bytes are counted" in said[1]
    assert "nothing is left out" in said[3]


def test_a_full_ring_leaves_out_everything_at_once():
    said = []
    assert Overload(said.append).look(1.0, 0.0) == 2
    assert len(said) == 1
