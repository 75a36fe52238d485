"""Blocks of options: the same wherever they are taken, and nothing where nothing is given."""

import inspect
from typing import Annotated, get_type_hints

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner
from wiretally.cli import blocks, bundle, compare, probe
from wiretally.cli import options as cli
from wiretally.cli.main import app


@blocks.takes_blocks
def command(
    name: Annotated[str, typer.Argument()],
    form: str = "text",
    *,
    reading: blocks.Reading,
    databases: blocks.Databases,
    place: cli.Place = None,
) -> None:
    """Says what it was given."""
    typer.echo(f"{name} {form} {blocks.settings(reading, databases, place=place, strict=False)}")


def said(*words):
    alone = typer.Typer()
    alone.command()(command)
    return CliRunner().invoke(alone, list(words))


def test_options_stand_where_the_block_stood():
    assert list(inspect.signature(command).parameters) == [
        "name", "form", *blocks.Reading._fields, *blocks.Databases._fields, "place"
    ]  # fmt: skip
    assert command.__doc__ == "Says what it was given."


def test_what_is_not_given_is_left_out():
    assert said("x").output == "x text {}\n"


def test_what_is_given_goes_by_the_names_that_python_knows():
    words = ("--local", "10.0.0.0/8", "--idle-gap", "2", "--second-db", "s.mmdb", "--catalogue", "a", "--catalogue", "b", "--place", "1,2")
    assert said("x", "--form", "y", *words).output == (
        "x y {'local': ['10.0.0.0/8'], 'idle_gap': 2.0, 'second_db': 's.mmdb', 'catalogue': ['a', 'b'], 'place': (1.0, 2.0)}\n"
    )


def test_what_is_wrong_is_usage():
    assert said("x", "--local", "phone").exit_code == 2
    assert said("x", "--max-flows", "0").exit_code == 2


@pytest.mark.parametrize("name", ["read", "compare", "probe", "export", "bundle", "verify", "where", "live"])
def test_every_command_that_attributes_takes_the_same_databases(name):
    program = get_command(app)
    found = program.get_command(None, name)
    found = getattr(found, "commands", {}).get("FILE", found)
    options = {each.name: each.help for each in found.params}
    expected = {name: kind.__metadata__[0].help for name, kind in get_type_hints(blocks.Databases, include_extras=True).items()}
    assert expected.items() <= options.items()


def test_compare_probe_and_bundle_take_each_option_of_their_results():
    from dataclasses import fields

    from wiretally.measure.comparison import CompareOptions
    from wiretally.measure.probe import ProbeOptions

    commands = {"compare": compare.compare, "probe": probe.probe, "bundle": bundle.bundle}
    taken = {name: set(inspect.signature(each).parameters) for name, each in commands.items()}
    for kind, name in ((CompareOptions, "compare"), (ProbeOptions, "probe")):
        own = {field.name for field in fields(kind)} - {"resamples"}
        assert own <= taken[name]
        assert own <= taken["bundle"]
    assert blocks.statistics(blocks.Testing(idle="Rest", seed=0), blocks.Comparing(margin=0.1)) == {"seed": 0, "idle": "rest", "margin": 0.1}
