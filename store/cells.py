r"""Values fit for text: what Parquet keeps as a type, JSONL, CSV and the terminal get as characters.

Rules: times are RFC 3339 with nine digits and Z. Lists and records are JSON text. Names come from the network and are
hostile: every character that is not printable (control, format, private, unassigned: it may move a cursor or turn the
reading direction) is written as its JSON escape (`\u009b`). In CSV a text that starts with one of = + - @ gets an
apostrophe in front, so that a spreadsheet shows it instead of computing it; likewise their full-width forms.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%.9fZ"  # RFC 3339 §5.6
UNPRINTABLE = r"[\p{C}\p{Zl}\p{Zp}]"
FORMULA = r"^[=+@\-\x{ff1d}\x{ff0b}\x{ff20}\x{ff0d}]"  # a leading tab or carriage return has become an escape before this is asked


def escaped(text: str) -> str:
    """`text` on one line, with everything unprintable as its JSON escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def as_json(result: Any, *, allow_nan: bool = False) -> str:  # noqa: ANN401  (whatever JSON can say)
    """`result` as JSON text that does nothing to a terminal; NaN raises ValueError unless it is somebody else's."""
    lines = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=allow_nan).split("\n")
    return "\n".join([*map(escaped, lines), ""])


def json_text(name: str) -> pl.Expr:
    """A column as JSON; null stays null."""
    import polars as pl

    # a struct of one field is the shortest way to JSON: {"x":VALUE}
    text = pl.struct(x=pl.col(name)).struct.json_encode().str.strip_prefix('{"x":').str.head(-1)
    return pl.when(pl.col(name).is_not_null()).then(text).alias(name)


def times_as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Every time as RFC 3339 text."""
    import polars as pl

    return frame.with_columns(
        pl.col(name).dt.to_string(TIME_FORMAT) for name, kind in frame.schema.items() if kind.is_temporal()
    )


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Every column as printable text, except numbers and truth values; null stays null."""
    import polars as pl

    frame = times_as_text(frame)
    frame = frame.with_columns(json_text(name) for name, kind in frame.schema.items() if kind.is_nested())
    texts = [name for name, kind in frame.schema.items() if kind == pl.String()]
    hostile = frame.select(pl.col(texts).str.contains(UNPRINTABLE).any()) if texts else None
    for name in texts:
        if hostile is not None and hostile[name][0]:
            frame = frame.with_columns(pl.col(name).map_elements(escaped, return_dtype=pl.String))
    return frame


def without_formulas(frame: pl.DataFrame) -> pl.DataFrame:
    """Texts that a spreadsheet would compute, with an apostrophe in front."""
    import polars as pl
    from polars import selectors

    text = selectors.string()
    return frame.with_columns(pl.when(text.str.contains(FORMULA)).then(pl.lit("'") + text).otherwise(text).name.keep())
