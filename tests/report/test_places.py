"""Countries by name and flag."""

from __future__ import annotations

from wiretally.report.places import country, flag


def test_a_country():
    assert country("SG") == "Singapore"
    assert flag("SG") == "\U0001f1f8\U0001f1ec"


def test_what_is_no_country_stays_harmless():
    assert country("\u202eSG") == "\\u202eSG"
    assert flag("<b") == flag("") == flag("sg") == flag("ZZ") == ""
