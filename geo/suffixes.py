"""Registrable domains: one label below a public suffix of ICANN's section of the Public Suffix List.

Theory: a suffix's rules all end in its top-level domain, and a capture knows few of these. So the list is split by its last
labels, and `publicsuffixlist` reads the rules of a top-level domain when the first name in it comes: half the work of a
start was reading rules of countries that nobody had asked for.

Rules: the answers are those of the whole list, which the tests hold it to. Names in other scripts are found as they are
written and as the wire has them (`xn--…`, RFC 5891 §4.4). Memory is bounded by the list.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

BEGIN, END = "// ===BEGIN ICANN DOMAINS===", "// ===END ICANN DOMAINS==="


class Suffixes:
    """The list that the package `publicsuffixlist` brings along, read at first use."""

    def __init__(self) -> None:
        self._lists: dict[str, Any] = {}

    @cached_property
    def _rules(self) -> dict[str, list[str]]:
        """Rules by their top-level domain; that of `""` has none."""
        from publicsuffixlist import PSLFILE

        text = Path(PSLFILE).read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
        found: dict[str, list[str]] = {"": []}
        for line in text.splitlines():
            if line and not line.startswith("//"):
                rule = line.split(maxsplit=1)[0].lower()
                found.setdefault(rule.rpartition(".")[2], []).append(rule)
        return found

    def registrable(self, host: str) -> str | None:
        """The domain that somebody registered; None for a suffix, and for what is no name. `host`: without a final dot."""
        top = host.rpartition(".")[2].lower()
        if top not in self._rules:
            top = _written(top)
        if top not in self._lists:
            top = top if top in self._rules else ""
        if top not in self._lists:
            from publicsuffixlist import PublicSuffixList

            self._lists[top] = PublicSuffixList(source="\n".join(self._rules[top]))
        found: str | None = self._lists[top].privatesuffix(host)
        return found


def _written(label: str) -> str:
    """A label of the wire in its own script; others as they are."""
    if not label.startswith("xn--"):
        return label
    try:
        return label.encode("ascii").decode("idna")
    except UnicodeError:
        return label
