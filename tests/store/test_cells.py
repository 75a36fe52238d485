import json

import polars as pl
import pytest
from wiretally.store.cells import as_json, without_formulas

NASTY = 'a\x1b[31m\x7f\x9b\u202e\u200b\u2028\ufeff\U000e0041\n"\\<b>'


def test_json_does_nothing_to_a_terminal_and_means_the_same():
    text = as_json({"names": [NASTY, "käse"], NASTY: None})
    assert all(c.isprintable() or c == "\n" for c in text)
    assert "käse" in text
    assert json.loads(text) == {"names": [NASTY, "käse"], NASTY: None}
    with pytest.raises(ValueError, match="JSON"):
        as_json({"x": float("nan")})


@pytest.mark.parametrize("sign", "=+-@\uff1d\uff0b\uff0d\uff20")
def test_a_spreadsheet_computes_nothing(sign):
    cells = without_formulas(pl.DataFrame({"x": [f"{sign}1+1", f"a{sign}1", None]}))
    assert cells["x"].to_list() == [f"'{sign}1+1", f"a{sign}1", None]
