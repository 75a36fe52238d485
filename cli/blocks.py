"""Options that always come together: a block is written once, and a command takes it as one parameter.

Theory: typer reads a command's signature. `@takes_blocks` shows it one in which the options of a block stand where the
block's parameter stood, and puts them together again when the command is called.

Rules: every option of a block may be left out; what is left out stays out of `settings`, and has the default of the room
that it is for.
"""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

from . import options as cli

if TYPE_CHECKING:
    from collections.abc import Callable


class Reading(NamedTuple):
    """How packets become flows and exchanges."""

    local: cli.Local = None
    idle_gap: cli.IdleGap = None
    flow_idle: cli.FlowIdle = None
    max_flows: cli.MaxFlows = None


class Databases(NamedTuple):
    """What places and owners come from."""

    country_db: cli.CountryDb = None
    asn_db: cli.AsnDb = None
    second_db: cli.SecondDb = None
    catalogue: cli.Catalogue = None


class Testing(NamedTuple):
    """What every experiment asks."""

    alpha: cli.Alpha = None
    seed: cli.Seed = None
    idle: cli.Idle = None


class Comparing(NamedTuple):
    """What `compare` asks besides."""

    baseline: cli.Baseline = None
    compared: cli.Compared = None
    margin: cli.Margin = None
    stop_ratio: cli.StopRatio = None
    per: cli.Per = None
    least_share: cli.LeastShare = None


class Probing(NamedTuple):
    """What `probe` asks besides."""

    least_slope: cli.LeastSlope = None


BLOCKS: tuple[Any, ...] = (Reading, Databases, Testing, Comparing, Probing)


def takes_blocks(command: Callable[..., None]) -> Callable[..., None]:
    """`command` with each option of its blocks as a parameter of its own."""
    hints = get_type_hints(command, include_extras=True)
    parameters, blocks = [], {}
    for parameter in inspect.signature(command).parameters.values():
        kind = hints[parameter.name]
        if kind in BLOCKS:
            blocks[parameter.name] = kind
            parameters += [
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=of)
                for name, of in get_type_hints(kind, include_extras=True).items()
            ]
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=kind))

    @wraps(command)
    def called(**given: Any) -> None:  # noqa: ANN401  (whatever the options are)
        whole = {name: block(**{field: given.pop(field) for field in block._fields}) for name, block in blocks.items()}
        command(**given, **whole)

    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {each.name: each.annotation for each in parameters}
    return called


def settings(*blocks: Reading | Databases, place: str | None = None, **others: object) -> Any:  # noqa: ANN401  (see ReadOptions)
    """What was given, as `ReadOptions` knows it."""
    found = {name: value for block in blocks for name, value in block._asdict().items()}
    return cli.given(**found, place=cli.coordinates(place) if place else None, **others)


def statistics(*blocks: Testing | Comparing | Probing) -> dict[str, Any]:
    """What was given, as the options of a result know it; modes are words in lower case, as in sessions."""
    found = {name: value for block in blocks for name, value in block._asdict().items() if value is not None}
    return {name: value.lower() if isinstance(value, str) else value for name, value in found.items()}
