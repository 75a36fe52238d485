"""What is timed is what is read: every message of the bench gives its row, and the reference reads it too."""

import random

import pytest
from wiretally.bench import parsers
from wiretally.dissect.dissector import Dissector


@pytest.fixture(scope="module")
def made():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsers, "MESSAGES", 40)
        yield parsers.cases(random.Random(5))


def test_every_message_gives_a_row(made):
    for case in made:
        dissector = Dissector()
        dissector.feed(parsers._batch(case.frames))
        tables = dissector.tick(end=True)
        rows = tables["dns" if case.name.startswith("DNS") else "tls"]
        assert rows.height == 40, case.name
        assert rows["qname" if case.name.startswith("DNS") else "sni"].n_unique() == 40
        if case.name.startswith("DNS answer"):
            assert rows["answers"].list.len().unique().to_list() == [int(case.name.split()[2])]
        case.read()
    assert [case.parts for case in made][:-1] == [40] * (len(made) - 1)
    assert made[-1].parts >= 80


def test_lines_and_table(made, monkeypatch, capsys):
    monkeypatch.setattr(parsers, "MESSAGES", 3)
    assert parsers.main(["--rounds", "1"]) == 0
    shown = capsys.readouterr().out
    assert all(case.name in shown for case in made)
