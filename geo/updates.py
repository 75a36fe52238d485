"""A user's own databases, checked before they take the place of others.

Theory: a database that cannot be used, or that knows nothing, is found out when it is put in place and not when a report
rests on it. So a file is opened, its kind told from its records, its age compared with the one it replaces, and asked for
addresses that everybody's database knows. Only then it takes the other's place, in one step; the old one is kept beside
it as `KIND.mmdb.old`, and `restore` brings it back.

Files come by path, or from where `geoipupdate` puts its own, by its configuration (GeoIP.conf(5): `DatabaseDirectory`,
`EditionIDs`). Nothing is fetched.

Rules: errors are one line and change nothing. Files are private to the owner.
"""

from __future__ import annotations

import os
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from ..core.errors import DatabaseError, EnvironmentFault, InputError
from .addresses import pack, placeable
from .databases import BUNDLED, KINDS, VARIABLES, Database, data_folder, open_database
from .shared import Shared
from .vendors import Vendors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .databases import Kind

KNOWN: dict[str, dict[str, str | int]] = {  # addresses whose country or network databases have agreed on for years
    "country": {"161.117.71.74": "SG", "5.255.255.5": "RU", "114.54.23.1": "CN", "193.0.6.139": "NL", "128.2.42.10": "US",
                "130.60.1.1": "CH", "133.11.0.1": "JP", "129.132.1.1": "CH", "141.20.1.1": "DE", "131.111.1.1": "GB"},
    "asn": {"1.1.1.1": 13335, "8.8.8.8": 15169, "77.88.8.8": 13238, "193.0.6.139": 3333, "128.2.42.10": 9,
            "131.111.1.1": 786, "130.60.1.1": 559, "129.132.1.1": 559},
}  # fmt: skip
LEAST_RIGHT = 0.7  # of the known addresses: one may move, a database that misses more is not what it claims to be
OLD_DAYS = 183  # two years cost ten percentage points: data/README.md
GEOIPUPDATE = (Path("/etc/GeoIP.conf"), Path("/usr/local/etc/GeoIP.conf"))
DEFAULT_DIRECTORY = "/usr/share/GeoIP"  # GeoIP.conf(5)


class Checked(NamedTuple):
    """A file that may be used: of which kind, how many of the known addresses it knows."""

    database: Database
    right: int
    asked: int


def age_days(built: str, today: date | None = None) -> int:
    """Days since a build date (YYYY-MM-DD)."""
    return ((today or datetime.now(UTC).date()) - date.fromisoformat(built)).days


def kind_of(path: Path) -> Kind:
    """`country` or `asn`, by what the records hold; `DatabaseError` where they hold neither."""
    try:
        return Database(path, "country").kind
    except DatabaseError as error:
        try:
            return Database(path, "asn").kind
        except DatabaseError:
            raise error from None


def check(path: Path, kind: Kind) -> Checked:
    """Opens a file and asks it for known addresses; `DatabaseError` where it does not know them."""
    database = Database(path, kind)
    known = KNOWN["asn" if kind == "asn" else "country"]
    asked = pl.Series(list(known))
    places, answers = database.look_up(asked, [placeable(family) for family in pack(asked)])
    found = [answers[place] for place in places]
    said = [each if isinstance(each, str | None) else each[0] for each in found]  # a network's number, an opinion's country
    right = sum(answer == want for answer, want in zip(said, known.values(), strict=True))
    if right < LEAST_RIGHT * len(known):
        raise DatabaseError(f"{path}: knows {right} of {len(known)} addresses that every {kind} database knows: get it anew")
    return Checked(database, right, len(known))


def install(path: Path, kind: Kind, *, older: bool = False) -> Checked:
    """Puts a copy of a file in place; `older`: also where it is older than what it replaces."""
    folder = data_folder()
    target = folder / f"{kind}.mmdb"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with NamedTemporaryFile(dir=folder, prefix=f".{kind}-", suffix=".mmdb", delete=False) as copy:
            new = Path(copy.name)
            try:
                with path.open("rb") as file:
                    shutil.copyfileobj(file, copy)
                copy.flush()
                os.fsync(copy.fileno())
                found = check(new, kind)
                replaced = Database(target if target.exists() else BUNDLED / f"{kind}.mmdb", kind)
                if found.database.built < replaced.built and not older:
                    raise DatabaseError(f"{path}: built {found.database.built}, before the one in use ({replaced.built}): "
                                        "give --older to take it all the same")  # fmt: skip
                if target.exists():
                    target.replace(_old(target))
                new.replace(target)
            finally:
                new.unlink(missing_ok=True)
    except DatabaseError as error:
        raise DatabaseError(str(error).replace(str(new), str(path))) from error
    except OSError as error:
        raise EnvironmentFault(f"{path}: cannot be put into {folder}: {error.strerror or error}") from error
    return Checked(Database(target, kind), found.right, found.asked)


def restore(kind: Kind) -> Database:
    """Brings back the file that the last update replaced; without one, the bundled database counts again."""
    target = data_folder() / f"{kind}.mmdb"
    try:
        if _old(target).exists():
            _old(target).replace(target)
        elif target.exists():
            target.unlink()
        else:
            raise InputError(f"{target}: there is nothing to go back from")
    except OSError as error:
        raise EnvironmentFault(f"{target}: cannot be restored: {error.strerror or error}") from error
    return open_database(kind)


def _old(target: Path) -> Path:
    return target.with_name(f"{target.name}.old")


def by_geoipupdate(configuration: Path | None = None) -> list[Path]:
    """The files that a geoipupdate configuration names; `InputError` where there is none, or none of its files."""
    chosen = configuration or next((path for path in GEOIPUPDATE if path.exists()), GEOIPUPDATE[0])
    settings: dict[str, list[str]] = {}
    try:
        for line in chosen.read_text(encoding="utf-8").splitlines():
            words = line.partition("#")[0].split()
            if words:
                settings[words[0]] = words[1:]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{chosen}: cannot be read as a configuration of geoipupdate ({error})") from error
    folder = Path(" ".join(settings.get("DatabaseDirectory", [])) or DEFAULT_DIRECTORY)
    editions = settings.get("EditionIDs") or settings.get("ProductIds") or []
    if not editions:
        raise InputError(f"{chosen}: names no EditionIDs: is it a configuration of geoipupdate?")
    found = [folder / f"{edition}.mmdb" for edition in editions]
    there = [path for path in found if path.exists()]
    if not there:
        raise InputError(f"{folder}: holds none of {', '.join(path.name for path in found)}: run geoipupdate first")
    return there


def status(today: date | None = None) -> list[dict[str, object]]:
    """Every database and list in use: kind, name, build_date, age_days, old, licence, path, origin, sha256."""
    rows: list[dict[str, object]] = []
    infos = [open_database(kind).info for kind in KINDS] + Shared().info() + [Vendors().info()]
    for info in infos:
        days = age_days(str(info["build_date"]), today)
        rows.append({
            "kind": info["kind"], "name": info["name"], "build_date": info["build_date"], "age_days": days,
            "old": days > OLD_DAYS, "licence": info["licence"], "path": info["path"], "origin": _origin(info),
            "sha256": info["sha256"],
        })  # fmt: skip
    return rows


def _origin(info: dict[str, str | None]) -> str:
    """bundled, yours (by `data update`), or environment."""
    path = Path(str(info["path"]))
    if path.parent == data_folder():
        return "yours"
    variable = next((name for kind, name in VARIABLES.items() if kind == info["kind"]), "")
    return "environment" if os.environ.get(variable) else "bundled"


def warnings(databases: Sequence[Database], day: object = None) -> list[str]:
    """A line for each database that is older than six months, on the day of a capture or today: places move."""
    at = day.date() if isinstance(day, datetime) else None
    since = "before the capture" if at else "ago"
    return [
        f"{each.name} was built on {each.built}, more than six months {since}: places may be out of date"
        for each in databases
        if age_days(each.built, at) > OLD_DAYS
    ]
