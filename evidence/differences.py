"""Two results held against each other, number by number.

Rules: a place is a JSON pointer (RFC 6901). Numbers that differ by no more than the last digits of a float count as the
same up to rounding, and are counted: another processor adds in another order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

ROUNDING = 1e-9  # relative


class Difference(NamedTuple):
    """What stands at a place in the one and in the other; a thing that is not there is `MISSING`."""

    pointer: str
    theirs: Any
    ours: Any


class Compared(NamedTuple):
    """`values`: how many were held against each other; `rounded`: of those, equal up to rounding only."""

    values: int
    rounded: int
    differences: list[Difference]


MISSING = "(missing)"


def differences(theirs: Any, ours: Any, skip: frozenset[str] = frozenset()) -> Compared:  # noqa: ANN401  (JSON)
    """Every place in which two JSON documents differ; places in `skip`, and below them, are not looked at."""
    found: list[Difference] = []
    counts = [0, 0]
    _walk("", theirs, ours, skip, found, counts)
    return Compared(counts[0], counts[1], found)


def _walk(at: str, theirs: Any, ours: Any, skip: frozenset[str], found: list[Difference], counts: list[int]) -> None:  # noqa: ANN401
    if at in skip:
        return
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in [*theirs, *(key for key in ours if key not in theirs)]:
            place = f"{at}/{str(key).replace('~', '~0').replace('/', '~1')}"
            _walk(place, theirs.get(key, MISSING), ours.get(key, MISSING), skip, found, counts)
    elif isinstance(theirs, list) and isinstance(ours, list):
        for number in range(max(len(theirs), len(ours))):
            one = theirs[number] if number < len(theirs) else MISSING
            other = ours[number] if number < len(ours) else MISSING
            _walk(f"{at}/{number}", one, other, skip, found, counts)
    else:
        counts[0] += 1
        if theirs != ours or isinstance(theirs, bool) != isinstance(ours, bool):
            if _close(theirs, ours):
                counts[1] += 1
            else:
                found.append(Difference(at, theirs, ours))


def _close(one: Any, other: Any) -> bool:  # noqa: ANN401
    if isinstance(one, bool) or isinstance(other, bool):
        return False
    if not isinstance(one, int | float) or not isinstance(other, int | float):
        return False
    return isinstance(one, float) | isinstance(other, float) and abs(one - other) <= ROUNDING * max(abs(one), abs(other))
