"""What must hold for any file: rows and counters, or one line of a `WiretallyError`; anything else is a find."""

from __future__ import annotations

import collections
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SUMMED = ("packets", "wire_bytes", "ip_bytes", "payload_bytes", "app_bytes", "retransmitted_bytes")


def find(paths: list[Path]) -> str | None:
    """Reads the files as one stream; None, or what is wrong as text: its first line tells finds apart."""
    from wiretally import WiretallyError

    try:
        check(paths)
    except WiretallyError as error:
        text = str(error)
        return None if text and text.isprintable() else f"an error of more than one line\n{text!r}"
    except MemoryError:
        return "out of memory\n" + traceback.format_exc()
    except AssertionError as error:
        text = str(error)
        return f"{text.partition(':')[0].splitlines()[0]}\n{text}\n{traceback.format_exc()}"
    except Exception as error:  # noqa: BLE001  (whatever it is, it is what we look for)
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} at {where.filename.rpartition('/')[2]}:{where.name}\n{traceback.format_exc()}"
    return None


def check(paths: list[Path]) -> None:
    """The sums of the capture table close; exchanges add up to their flows; every packet that counts is in a flow."""
    from wiretally.cli.pipeline import frames
    from wiretally.core.schema import TABLES, polars_schema

    flows: dict[str, list[int]] = {}
    exchanges: dict[str, list[int]] = collections.defaultdict(lambda: [0] * 12)
    columns = [f"{way}_{name}" for way in ("up", "down") for name in SUMMED]
    counted = 0
    for name, frame in frames([str(path) for path in paths], TABLES):
        declared = polars_schema(TABLES[name])
        assert {column: declared[column] for column in frame.columns if column in declared} == dict(frame.schema), name
        if name == "flows":
            for key, *values in frame.select("flow_id", *columns).iter_rows():
                assert key not in flows, f"flow_id twice: {key}"
                flows[key] = values
        elif name == "exchanges":
            for key, *values in frame.select("flow_id", *columns).iter_rows():
                exchanges[key] = [a + b for a, b in zip(exchanges[key], values, strict=True)]
        elif name == "capture":
            for row in frame.iter_rows(named=True):
                parts = (row["counted"], row["malformed"], row["unsupported"])
                assert row["packets"] == sum(parts), f"packets do not close: {row['packets']} {parts}"
                counted += row["counted"]
        frame.write_json()
    assert counted == sum(values[0] + values[6] for values in flows.values()), "counted packets that are in no flow"
    for key, values in flows.items():
        assert exchanges.get(key, [0] * 12) == values, f"exchanges do not add up\n{values}\n{exchanges.get(key)}"
