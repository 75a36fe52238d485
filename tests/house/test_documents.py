"""What README and guides tell people to type is what the program takes."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main
import wiretally
from wiretally.cli.main import COMMANDS, app

ROOT = Path(wiretally.__file__).parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md")), *sorted((ROOT / "docs" / "concepts").glob("*.md"))]
# an indented line, or one in backquotes that says more than the command's name
LINE = re.compile(r"^ {4}(wiretally \S.+)$|`(wiretally [a-z]+ [^`]+)`", re.MULTILINE)


def told():
    return [(page.name, found[0] or found[1]) for page in PAGES for found in LINE.findall(page.read_text(encoding="utf-8"))]


def test_there_are_commands_to_look_at():
    assert len(told()) > 30
    assert {shlex.split(line)[1] for _, line in told()} <= {*COMMANDS, "--help"}


@pytest.mark.parametrize(("page", "line"), told())
def test_a_line_that_a_document_shows_is_understood(page, line):
    words = shlex.split(line, comments=True)[1:]
    context, command = None, typer.main.get_command(app)
    while words and hasattr(command, "resolve_command"):
        context = command.make_context("wiretally", words, parent=context)  # raises where an option is not known
        name, command, words = command.resolve_command(context, [*context._protected_args, *context.args])
    command.make_context(name, words, parent=context)


def commands(command, name=""):
    if hasattr(command, "list_commands"):
        for each in command.list_commands(None):
            yield from commands(command.get_command(None, each), f"{name} {each}".strip())
    else:
        yield name, command


@pytest.mark.parametrize(("name", "command"), list(commands(typer.main.get_command(app))))
def test_every_command_has_an_example_a_format_an_output_and_quiet(name, command):
    assert "Example: wiretally " in command.help
    options = {option for parameter in command.params for option in parameter.opts}
    assert {"--format", "--output", "-o", "--quiet", "-q"} <= options, name
