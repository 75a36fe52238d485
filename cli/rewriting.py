"""Captures under pseudonyms, as the commands ask for them: key, devices, output, and the check of what came out.

Theory: what a pseudonymised capture is worth is that it counts the same, so that is looked at each time: both captures
are read, and every flow of the one is held against the flow of the other.
"""

from __future__ import annotations

import gzip
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from ..core.errors import InputError
from ..core.schema import COUNTERS
from ..evidence.pseudonyms import KEY_BYTES, checked
from ..evidence.rewrite import Rewriter, content_key
from ..store.output import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import polars as pl

    from ..capture.stream import CaptureStream

LEVEL = 12  # of zstd: zeros need no more
COMPARED = [column.name for column in COUNTERS]


class Rewriting:
    """One rewriting: look at the captures, then `write` them."""

    def __init__(
        self, paths: Sequence[str], addresses: str, names: str, key: str | None, local: Sequence[str],
        progress: Callable[[CaptureStream], None] | None = None, more_names: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """`key`: a file, or None for one that follows from the captures. Raises InputError for a wrong option."""
        from .pipeline import read_tables

        policy = checked(addresses, names)
        secret = read_key(key) if key else content_key(paths)
        self.paths, self.local = list(paths), list(local)
        self._read = read_tables
        self._before = read_tables(paths, ("flows",), local=local)["flows"]
        devices = set(self._before["local_ip"].drop_nulls())
        self._rewriter = Rewriter(paths, progress=progress)
        self.pseudonyms = self._rewriter.pseudonyms(secret, policy, devices, more_names)
        self.networks = [self.pseudonyms.network(network) for network in local]

    def write(self, target: str) -> dict[str, Any]:
        """Writes the capture; what was done and how far it counts the same."""
        if target == "-":
            raise InputError("--output -: the result is looked at again, so it has to be a file; name one")
        with Output(target) as output, compressed(output, target) as file:
            done = self._rewriter.write(file, self.pseudonyms)
        return self._rewriter.about(done, self.pseudonyms) | self._compared(target)

    def _compared(self, target: str) -> dict[str, Any]:
        before = _counted(self._before)
        after = _counted(self._read([target], ("flows",), local=self.networks)["flows"])
        return {"flows": before.total(), "flows_same": (before & after).total()}

    @staticmethod
    def warnings(told: dict[str, Any]) -> list[str]:
        """What somebody who hands the result on has to know."""
        lines = []
        if told["flows_same"] < told["flows"]:
            lines.append(f"{told['flows'] - told['flows_same']} of {told['flows']} flows count differently in the result; "
                         "where the capture lacks segments, or tunnels were blanked, that cannot be avoided")  # fmt: skip
        if told["blanked"]:
            lines.append(f"{told['blanked']} packets of tunnels whose headers hold addresses are blank")
        if told["shared"]:
            lines.append(f"{told['shared']} labels of names share a pseudonym with another")
        return lines


def _counted(flows: pl.DataFrame) -> Counter[tuple[Any, ...]]:
    """Flows by their times, ports and counts."""
    return Counter(flows.select("first_seen", "last_seen", "local_port", "remote_port", *COMPARED).rows())


@contextmanager
def compressed(output: Output, target: str) -> Iterator[IO[bytes]]:
    """The output's file, through the compression that its name asks for; without clock or name in it."""
    if target.endswith(".zst"):
        import zstandard

        with zstandard.ZstdCompressor(level=LEVEL).stream_writer(output.file, closefd=False) as packed:
            yield cast("IO[bytes]", packed)
    elif target.endswith(".gz"):
        with gzip.GzipFile("", "wb", 9, output.file, 0) as packed:
            yield cast("IO[bytes]", packed)
    else:
        yield output.file


def read_key(path: str) -> bytes:
    """A key from a file: 32 bytes, or as many in hexadecimal. Raises InputError."""
    try:
        data = Path(path).read_bytes()[: 4 * KEY_BYTES]
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; check the path") from None
    text = data.strip()
    if len(data) != KEY_BYTES and len(text) == 2 * KEY_BYTES:
        try:
            return bytes.fromhex(text.decode("ascii"))
        except ValueError:
            pass
    if len(data) != KEY_BYTES:
        raise InputError(f"{path}: no key: {KEY_BYTES} bytes are needed, or {2 * KEY_BYTES} hexadecimal digits")
    return data
