"""`wiretally plan`: which sessions to make, before making them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from . import options as cli  # noqa: TC001  (typer reads annotations)

if TYPE_CHECKING:
    from ..measure.session_plan import SessionPlan, SessionPlanOptions


def plan(
    pilot: Annotated[str | None, typer.Argument(metavar="[JSON]", help="Pilot sessions: what `compare --format json` wrote. Default: assumptions.")] = None,
    mode: Annotated[list[str] | None, typer.Option("--mode", metavar="WORD", help="Repeatable, two or more. Default: normal and incognito.")] = None,
    ratio: Annotated[float, typer.Option(metavar="R", help="Uploads of one mode to the other that are to be told from 1.")] = 0.5,
    destination: Annotated[str | None, typer.Option(metavar="NAME", help="The one that matters; needs a pilot. Default: the middle one.")] = None,
    spread: Annotated[float, typer.Option(metavar="SHARE", help="How much sessions vary (standard deviation by mean) without a pilot.")] = 0.5,
    tests: Annotated[int, typer.Option(metavar="N", help="Destinations that will be tested, without a pilot.")] = 20,
    minutes: Annotated[float, typer.Option(metavar="N", help="Length of a session.")] = 10.0,
    idle: Annotated[int | None, typer.Option(metavar="N", help="Sessions without browsing. Default: one per three of a mode.")] = None,
    power: Annotated[float, typer.Option(metavar="SHARE", help="Chance to find the difference.")] = 0.8,
    alpha: Annotated[float, typer.Option(metavar="P", help="Share of false findings allowed.")] = 0.05,
    seed: Annotated[int, typer.Option(metavar="N", help="Same seed, same plan.")] = 1,
    form: Annotated[Literal["text", "csv", "json"], typer.Option("--format", help="To read, a table, or everything.")] = "text",
    output: cli.Output = "-",
    quiet: cli.Quiet = False,
) -> None:
    """How many sessions of each mode, in which order, how long, for the difference that is to be found by `compare`.

    Example: wiretally plan pilot.json --ratio 0.5 --destination telemetry.example --format csv -o plan.csv
    """
    from ..core.errors import InputError
    from ..measure.session_plan import SessionPlanOptions
    from ..measure.session_plan import plan as planned
    from ..store.output import Output

    if destination is not None and pilot is None:
        raise typer.BadParameter("--destination: needs pilot sessions")
    found: Any = None
    if pilot is not None:
        try:
            found = json.loads(Path(pilot).read_bytes())
        except OSError as error:
            raise InputError(f"{pilot}: {error.strerror or 'cannot be read'}") from None
        except (ValueError, RecursionError):
            raise InputError(f"{pilot}: no JSON; write it with `wiretally compare … --format json`") from None
    options = SessionPlanOptions(ratio, spread, tests, minutes, power, alpha, idle, seed)
    made = planned([word.lower() for word in mode or ["normal", "incognito"]], options, found, destination)
    with Output(output) as target:
        target.write(_rendered(made, options, form, quiet=quiet).encode())


def _rendered(made: SessionPlan, options: SessionPlanOptions, form: str, *, quiet: bool) -> str:
    """The plan as text, as CSV for the marks to be filled in, or as JSON."""
    if form == "json":
        from dataclasses import asdict

        whole = {"schema": "wiretally.plan/1", "options": asdict(options), "seed": options.seed, "per_mode": made.per_mode, "spread": made.cv,
                 "tests": made.tests, "sessions": [each._asdict() for each in made.sessions], "warnings": made.warnings}  # fmt: skip
        return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
    if form == "csv":
        import csv
        import io

        page = io.StringIO()
        rows = csv.writer(page, lineterminator="\n")
        rows.writerow(["position", "session", "mode", "minutes", "seed"])
        rows.writerows([*each, options.seed] for each in made.sessions)
        return page.getvalue()
    hours = sum(each.minutes for each in made.sessions) / 60
    lines = [(f"{made.per_mode} sessions of each mode, {len(made.sessions)} in all, {hours:.1f} hours: they find a ratio of {options.ratio:g} with power "
              f"{options.power:g} at q = {options.alpha:g} over {made.tests} destination(s) if sessions vary by {made.cv:.0%}. Seed {options.seed}.")]  # fmt: skip
    lines += [f"note: {line}" for line in made.warnings if not quiet]
    lines += [f"{each.position:4d}  {each.minutes:g} min  {each.mode:<12} {each.session}" for each in made.sessions]
    return "\n".join(lines) + "\n"
