"""Arrays of records, moved as a whole.

Theory: NumPy copies records field by field, the padding between them left out; of a hundred fields that takes twenty times
as long as copying their bytes, which come to the same. `take` copies bytes by itself, the others are told to.

Rules: arrays of one dimension in, new ones out; the same records in the same order as by brackets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = npt.NDArray[Any]
Record = Any  # one of them, as kernels see it: its fields by their names


def copied(records: Array) -> Array:
    """`records.copy()`."""
    return _whole(records).copy().view(records.dtype)


def picked(records: Array, places: Array) -> Array:
    """`records[places]`; places: integers, or bool[n]."""
    return records.take(np.flatnonzero(places) if places.dtype == np.bool_ else places)


def joined(parts: Sequence[Array]) -> Array:
    """All parts, of one type, one behind the other."""
    return np.concatenate([_whole(part) for part in parts]).view(parts[0].dtype)


def clear(records: Array, places: Array) -> None:
    """Zeroes the records at `places`."""
    _whole(records)[places] = np.void(bytes(records.dtype.itemsize))


def _whole(records: Array) -> Array:
    return records.view(np.dtype((np.void, records.dtype.itemsize)))
