"""Wilcoxon scores, one value at a time."""


def scores(values):
    """Average rank / (n + 1) − 1/2."""
    found = []
    for value in values:
        below = sum(other < value for other in values)
        same = sum(other == value for other in values)
        found.append((below + (same + 1) / 2) / (len(values) + 1) - 0.5)
    return found
