"""Opens MMDB files of countries and of networks, and reads their records whatever schema they have.

Theory: files in the GeoLite2 schema (MaxMind's, DB-IP's own, the bundled ones) are what `geoip2` is for, and are read
by its models; files of others (IPinfo, ip-location-db) hold flat records that it refuses, and are read here. Many
addresses at once go down the tree together (`tree.py`), and only the distinct records they reach are decoded, each
once: docs/adr/0011. Which file: the one that is asked for, else
the environment's (`WIRETALLY_COUNTRY_DB`, …), else the one that `wiretally data update` has put in place, else the
bundled one.

Kinds: `country` says where an address is used, `asn` who announces it, `second` is another database's opinion of the
country, with the country of registration where it knows that.

Rules: a file that cannot be used is an error when it is opened, in one line. An address without a record is None. What
a file holds is told by a sample of its records, never by its name.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import maxminddb
import numpy as np
from geoip2.database import Reader
from geoip2.errors import AddressNotFoundError
from geoip2.models import ASN

from ..core.errors import DatabaseError
from .tree import Tree, distinct

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt
    import polars as pl

    from .addresses import Packed

Kind = Literal["country", "asn", "second"]
KINDS: tuple[Kind, ...] = ("country", "asn", "second")
BUNDLED = Path(__file__).resolve().parent.parent / "data"
VARIABLES: dict[Kind, str] = {kind: f"WIRETALLY_{kind.upper()}_DB" for kind in KINDS}
EXAMPLES: dict[Kind, str] = {
    "country": "GeoLite2-Country, DB-IP Country or IPinfo Lite",
    "asn": "GeoLite2-ASN, DB-IP ASN or IPinfo Lite",
    "second": "GeoLite2-Country, DB-IP Country or IPinfo Lite",
}
SAMPLE = 100  # records that are looked at to tell a schema
DB_IP = "IP Geolocation by DB-IP (https://db-ip.com)"


class Origin(NamedTuple):
    """What a report owes to the maker of a file whose `database_type` starts with `prefix`."""

    prefix: str
    name: str | None
    licence: str | None
    attribution: str | None


ORIGINS = (
    Origin("wiretally-Country", "DB-IP Country Lite", "CC BY 4.0", DB_IP),
    Origin("wiretally-ASN", "Route Views, NRO and DB-IP ASN Lite", "CC BY 4.0",
           f"routeviews.org; nro.net; {DB_IP}; merged by ip-location-db"),
    Origin("wiretally-Second", "Geofeeds, WHOIS and RIR delegations", "CC BY 4.0", "nro.net; merged by ip-location-db"),
    Origin("DBIP-", None, "CC BY 4.0 where Lite", DB_IP),
    Origin("GeoLite2-", None, "GeoLite End User License Agreement",
           "This product includes GeoLite Data created by MaxMind, available from https://www.maxmind.com"),
    Origin("ipinfo ", None, "CC BY-SA 4.0 where Lite", "IP address data is powered by IPinfo (https://ipinfo.io)"),
)  # fmt: skip


class Network(NamedTuple):
    """An autonomous system: number, and organisation where the file names it."""

    asn: int | None
    as_org: str | None


class Opinion(NamedTuple):
    """Where a second database puts an address, and where its block is registered."""

    country: str | None
    registered: str | None


NOWHERE, SILENT = Network(None, None), Opinion(None, None)
Answer = str | Network | Opinion


def country_of(record: Any) -> str | None:  # noqa: ANN401  (whatever a file holds)
    """ISO 3166-1 code out of a nested (`country.iso_code`) or a flat (`country_code`, `country`) record."""
    if not isinstance(record, dict):
        return None
    country = record.get("country")
    code = country.get("iso_code") if isinstance(country, dict) else record.get("country_code") or country
    return code if isinstance(code, str) and len(code) == 2 else None


def network_of(record: Any) -> Network | None:  # noqa: ANN401  (whatever a file holds)
    """AS out of `autonomous_system_number` and `…_organization`, or of `asn` ("AS15169") and `as_name` or `name`."""
    if not isinstance(record, dict):
        return None
    number = record.get("autonomous_system_number", record.get("asn"))
    digits = str(number).upper().removeprefix("AS")
    if not digits.isdecimal() or int(digits) >= 1 << 32:
        return None
    names = (record.get(key) for key in ("autonomous_system_organization", "as_name", "name"))
    return Network(int(digits), next((name for name in names if isinstance(name, str) and name), None))


def opinion_of(record: Any) -> Opinion | None:  # noqa: ANN401  (whatever a file holds)
    """Both countries out of a nested record, as GeoLite2 has them; a flat one has no country of registration."""
    registered = country_of({"country": record.get("registered_country")}) if isinstance(record, dict) else None
    found = Opinion(country_of(record), registered)
    return None if found == SILENT else found


METHODS = {  # of `geoip2.database.Reader`, with the word that each asks for in a file's `database_type`
    "country": (("country", "Country"), ("city", "City"), ("enterprise", "Enterprise")),
    "asn": (("asn", "GeoLite2-ASN"),),
}
READERS: dict[Kind, Callable[[Any], Answer | None]] = {"country": country_of, "asn": network_of, "second": opinion_of}


class Database:
    """One open file. `kind` says what is asked of it; `DatabaseError` if it cannot answer that."""

    def __init__(self, path: Path, kind: Kind) -> None:
        self.path, self.kind = path, kind
        try:
            reader = maxminddb.open_database(path)
            self._metadata = found = reader.metadata()
            self._tree = Tree(path, found.node_count, found.record_size, found.ip_version)
            samples = [(str(network[0]), record) for network, record in islice(reader, SAMPLE)]
        except FileNotFoundError as error:
            raise DatabaseError(f"{path}: no such file: give {EXAMPLES[kind]} in MMDB form") from error
        except (OSError, maxminddb.InvalidDatabaseError, UnicodeDecodeError, ValueError) as error:
            raise DatabaseError(f"{path}: not an MMDB file, or damaged: get it anew ({_line(error)})") from error
        read = READERS[kind]
        if not any(read(record) for _, record in samples):
            held = _line(samples[0][1]) if samples else "nothing"
            wanted = "country" if kind == "second" else kind
            raise DatabaseError(f"{path}: records hold {held[:60]}, no {wanted}: give {EXAMPLES[kind]} in MMDB form")
        self._reader, self._read = reader, read
        methods = METHODS["asn" if kind == "asn" else "country"]
        method = next((name for name, word in methods if word in found.database_type), None)
        self._models = getattr(Reader(path), method) if method else None

    def look_up(
        self, addresses: pl.Series, families: Sequence[Packed]
    ) -> tuple[npt.NDArray[np.int64], list[Answer | None]]:
        """For each address a place in the list of distinct answers; the first of those is None, for "nowhere".

        `families`: the same addresses as bytes; what is not among them is nowhere.
        """
        places = np.zeros(len(addresses), np.int64)
        answers: list[Answer | None] = [None]
        for packed in families:
            leaves, first, which = distinct(self._tree.leaves(packed.octets))
            found = np.zeros(len(leaves), np.int64)
            held = np.flatnonzero(leaves >= 0)
            for number, address in zip(held.tolist(), addresses.gather(packed.rows[first[held]]), strict=True):
                answer = self._decoded(address)
                if answer is not None:
                    found[number] = len(answers)
                    answers.append(answer)
            places[packed.rows] = found[which]
        return places, answers

    def _decoded(self, address: str) -> Answer | None:
        try:
            if self._models is not None:
                with suppress(AttributeError, TypeError):  # a record of another shape than the file's type says
                    if (found := self._read(_record(self._models(address)))) is not None:
                        return found
            return self._read(self._reader.get(address))
        except AddressNotFoundError:
            return None
        except (maxminddb.InvalidDatabaseError, UnicodeDecodeError, ValueError) as error:
            raise DatabaseError(f"{self.path}: damaged at {address}: get it anew ({_line(error)})") from error

    @property
    def built(self) -> str:
        """The file's own build date, YYYY-MM-DD."""
        return f"{datetime.fromtimestamp(self._metadata.build_epoch, UTC):%Y-%m-%d}"

    @property
    def bundled(self) -> bool:
        """Whether it is a file of this project's making."""
        return self._metadata.database_type.startswith("wiretally-")

    @property
    def name(self) -> str:
        """What to call it in a report."""
        return self._origin.name or self._metadata.database_type

    @property
    def _origin(self) -> Origin:
        kind = self._metadata.database_type
        description = self._metadata.description.get("en")
        return next((each for each in ORIGINS if kind.startswith(each.prefix)), Origin("", None, None, description))

    @property
    def info(self) -> dict[str, str | None]:
        """name, kind, path, type, build_date, licence, attribution, sha256."""
        return {
            "name": self.name, "kind": self.kind, "path": str(self.path), "type": self._metadata.database_type,
            "build_date": self.built, "licence": self._origin.licence, "attribution": self._origin.attribution,
            "sha256": sha256(self.path),
        }  # fmt: skip


def open_database(kind: Kind, asked: str | os.PathLike[str] | None = None) -> Database:
    """The file that is asked for, else the environment's, else one that the user has put in place, else the bundled one."""
    own = data_folder() / f"{kind}.mmdb"
    chosen = asked or os.environ.get(VARIABLES[kind]) or (own if own.exists() else BUNDLED / f"{kind}.mmdb")
    return Database(Path(chosen).expanduser(), kind)


def data_folder() -> Path:
    """Where a user's own files lie: `WIRETALLY_DATA_DIR`, else where the XDG Base Directory Specification has them."""
    chosen = os.environ.get("WIRETALLY_DATA_DIR")
    if chosen:
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base.startswith("/") else Path("~/.local/share").expanduser()) / "wiretally"


def sha256(path: Path) -> str:
    """Of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _record(model: Any) -> dict[str, Any]:  # noqa: ANN401  (geoip2's models of networks and of countries)
    """What is asked for of a model, as the record it was made from; its `to_dict` works out networks, for most of the time."""
    if isinstance(model, ASN):
        return {"autonomous_system_number": model.autonomous_system_number,
                "autonomous_system_organization": model.autonomous_system_organization}  # fmt: skip
    return {"country": {"iso_code": model.country.iso_code}, "registered_country": {"iso_code": model.registered_country.iso_code}}


def _line(thing: object) -> str:
    """Its text on one line, without control characters."""
    return " ".join("".join(each if each.isprintable() else " " for each in str(thing)).split())
