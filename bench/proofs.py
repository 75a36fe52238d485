"""How long `compare`, coupling and the probe take on many exchanges, and how much memory: tables made in memory.

`python -m wiretally.bench.proofs --exchanges 10000000` prints seconds and peak memory of each, as JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time

import numpy as np
import polars as pl

from ..core.schema import EXCHANGES, FLOWS, polars_schema
from ..measure.comparison import CompareOptions, compare
from ..measure.inputs import Session, Visit
from ..measure.probe import ProbeOptions, probe

NS = 1_000_000_000
START = 1_700_000_000 * NS
LENGTH = 600 * NS
PHONE = "192.168.7.20"
SESSIONS, PAGES, NAMES = 40, 20, 300


def tables(number: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame, list[Session], list[Visit]]:
    """Exchanges spread over sessions and names as popular things are (a few have most), with visits and pads."""
    random = np.random.default_rng(seed)
    modes = ["normal", "incognito"] * (SESSIONS // 2 - 2) + ["idle"] * 4
    random.shuffle(modes)
    sessions = [Session(f"s{n}", PHONE, mode, START + n * LENGTH, START + (n + 1) * LENGTH) for n, mode in enumerate(modes)]
    visits = [Visit(s.start + int(at), s.session, f"https://d{random.integers(20)}.example/", int(random.integers(1000)))
              for s in sessions if s.mode != "idle" for at in np.sort(random.uniform(0, LENGTH - 30 * NS, PAGES))]  # fmt: skip
    weights = 1 / np.arange(1, NAMES + 1)
    of = random.choice(NAMES, number, p=weights / weights.sum())
    start = START + np.sort(random.integers(0, SESSIONS * LENGTH, number))
    names = [f"d{n}.example" for n in range(NAMES)]
    flows = _whole(FLOWS, pl.DataFrame({"flow_id": names, "name": names, "owner": [f"o{n % 60}" for n in range(NAMES)]}).with_columns(
        local_ip=pl.lit(PHONE), remote_ip=pl.lit("203.0.113.9"), app_exact=pl.lit(value=True)))  # fmt: skip
    exchanges = _whole(EXCHANGES, pl.DataFrame({"of": of, "ns": start, "up_app_bytes": np.exp(random.normal(6, 1, number)).astype(np.int64)}).with_columns(
        flow_id=pl.lit(pl.Series(names)).gather(pl.col("of")), start=pl.from_epoch("ns", "ns").dt.replace_time_zone("UTC")).with_columns(end="start"))  # fmt: skip
    return flows, exchanges, sessions, visits


def _whole(table: object, frame: pl.DataFrame) -> pl.DataFrame:
    schema = polars_schema(table)  # type: ignore[arg-type]
    return frame.select(pl.col(name).cast(kind) if name in frame.columns else pl.lit(None, kind).alias(name) for name, kind in schema.items())


def main() -> int:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--exchanges", type=int, default=10_000_000)
    parser.add_argument("--only", choices=("compare", "probe"))
    asked = parser.parse_args()
    flows, exchanges, sessions, visits = tables(asked.exchanges, 1)
    told: dict[str, float] = {"exchanges": asked.exchanges, "tables_mib": round(exchanges.estimated_size() / 2**20)}
    for name in ("compare", "probe"):
        if asked.only in {None, name}:
            begin, spent = time.monotonic(), time.process_time()
            if name == "compare":
                compare(flows, exchanges, sessions, visits, options=CompareOptions())
            else:
                probe(flows, exchanges, sessions, visits, options=ProbeOptions())
            told[f"{name}_cpu_seconds"] = round(time.process_time() - spent, 1)
            told[f"{name}_seconds"] = round(time.monotonic() - begin, 1)
            told[f"{name}_peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
