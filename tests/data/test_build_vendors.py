import pytest
from wiretally.data.build_vendors import NAMELESS, organisation


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        ("Google, Inc.\n1600 Amphitheatre Parkway\nUnited States", "Google, Inc."), ("Private", "Private"),
        ("Sichuan\u00a0AI-Link  Co.,\u00a0Ltd.\nChina", "Sichuan AI-Link Co., Ltd."), ("\u200bASUNG\x1b[2J", "ASUNG[2J"), ("", ""),
    ],
)  # fmt: skip
def test_the_organisation_of_an_entry(entry, name):
    assert organisation(entry) == name
    assert (name in NAMELESS) == (name in {"Private", ""})
