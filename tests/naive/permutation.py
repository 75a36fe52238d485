"""Slow and obvious: every arrangement of the labels, every pair, one destination at a time."""

from itertools import combinations
from statistics import mean, median


def permutation_p(a, c):
    """Share of arrangements whose means differ at least as much, two-sided."""
    both = [*a, *c]
    seen = abs(mean(c) - mean(a))
    extreme = total = 0
    for chosen in combinations(range(len(both)), len(c)):
        second = [both[n] for n in chosen]
        first = [both[n] for n in range(len(both)) if n not in chosen]
        total += 1
        extreme += abs(mean(second) - mean(first)) >= seen - 1e-9 * (sum(map(abs, both)) or 1)
    return extreme / total


def hodges_lehmann(a, c):
    """The median of all differences."""
    return median(y - x for x in a for y in c)


def false_discovery(p):
    """Benjamini and Hochberg's q, by the definition."""
    order = sorted(range(len(p)), key=lambda n: p[n])
    q = [0.0] * len(p)
    least = 1.0
    for rank in range(len(p), 0, -1):
        least = min(least, p[order[rank - 1]] * len(p) / rank)
        q[order[rank - 1]] = least
    return q
