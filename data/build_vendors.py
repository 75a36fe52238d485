"""Converts the package oui-data into vendors.npz: `python -m wiretally.data.build_vendors`.

Theory: the IEEE gives out blocks of link addresses by their first 24, 28 or 36 bits (its registries MA-L, MA-M and MA-S).
What stays with the authority itself, because smaller blocks of it were given to others, and what somebody has without
being named, says nothing and is left out.

The file: `blocks24`, `blocks28`, `blocks36` uint64[n], the first bits of each block, sorted; `owners…` uint32[n], the place
of its organisation among `names`, a text of lines in UTF-8; `date`, `source`, `licence`.
"""

from __future__ import annotations

import json

import numpy as np

from .sources import HERE, package, published

PACKAGE = "oui-data"
NAMELESS = {"", "Private", "IEEE Registration Authority"}
BITS = (24, 28, 36)


def organisation(entry: str) -> str:
    """The first line of an entry, with plain spaces and nothing that does not print."""
    first = " ".join(entry.partition("\n")[0].split())
    return "".join(letter for letter in first if letter.isprintable())


def main() -> None:
    """Writes the file."""
    with package(PACKAGE) as source:
        entries = json.loads((source.folder / "index.json").read_text(encoding="utf-8"))
        about = {"source": f"{PACKAGE} {source.version}", "licence": "BSD-2-Clause", "date": published(PACKAGE, source.version)}
    given = {block: name for block, entry in entries.items() if (name := organisation(entry)) not in NAMELESS}
    names = sorted(set(given.values()))
    places = {name: place for place, name in enumerate(names)}
    arrays = {"names": np.frombuffer("\n".join(names).encode(), np.uint8)} | {word: np.array(text) for word, text in about.items()}
    for bits in BITS:
        rows = sorted((int(block, 16), places[name]) for block, name in given.items() if len(block) * 4 == bits)
        arrays[f"blocks{bits}"] = np.array([block for block, _ in rows], np.uint64)
        arrays[f"owners{bits}"] = np.array([place for _, place in rows], np.uint32)
    path = HERE / "vendors.npz"
    np.savez_compressed(path, **arrays)
    print(f"{path.name}: {len(given)} blocks of {len(names)} organisations, {about['date']}, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
