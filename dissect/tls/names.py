"""The list of names that `certificate_names` interned, as text."""

from __future__ import annotations

BMP_STRING = 0x1E  # two bytes a character: X.690 §8.23, X.680 §41


def names_of(interned: bytes) -> list[str]:
    """The names in their order, each once; never raises: what is no text stands for its bytes."""
    found: dict[str, None] = {}
    at = 0
    while at + 3 <= len(interned):
        tag, size = interned[at], int.from_bytes(interned[at + 1 : at + 3], "big")
        value = interned[at + 3 : at + 3 + size]
        found[_text(value, "utf-16-be" if tag == BMP_STRING else "utf-8")] = None
        at += 3 + size
    return list(found)


def _text(value: bytes, encoding: str) -> str:
    try:
        return value.decode(encoding)
    except UnicodeDecodeError:
        return value.decode("latin-1")
