"""The guide "add a protocol" is true, and no protocol is missing in the table that is made of READS."""

import importlib.util
import re
from pathlib import Path

import pytest
import wiretally
from wiretally.dissect import state

ROOT = Path(wiretally.__file__).parent
GUIDE = (ROOT / "docs" / "guides" / "add-a-protocol.md").read_text()
BLOCKS = re.findall(r"```python (\S+)\n(.*?)```", GUIDE, re.DOTALL)
# what is no protocol: the machinery between them
MACHINERY = {
    "__init__.py", "collect.py", "columns.py", "community.py", "dissector.py", "dns_rows.py", "exchange.py",
    "flow_table.py", "flows.py", "frames.py", "intern.py", "layers.py", "messages.py", "packet_pass.py", "parcels.py", "records.py", "resolver.py", "rows.py", "state.py",
    "stream.py", "upkeep.py",
}  # fmt: skip
STANDARD = re.compile(r"RFC \d+|IEEE [\d.]+|3GPP TS [\d.]+|draft-[a-z0-9-]+")


def build():
    spec = importlib.util.spec_from_file_location("docs_build", ROOT / "docs" / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def protocol_files():
    """Files of dissect/ and its folders, a folder standing for its files."""
    files = {path for path in (ROOT / "dissect").glob("*.py") if path.name not in MACHINERY}
    return sorted(files | {path.parent / "__init__.py" for path in (ROOT / "dissect").glob("*/*.py")})


@pytest.mark.parametrize("path", protocol_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_protocol_file_says_what_it_reads_and_cites_it_where_it_reads(path):
    rows = build().reads(path)
    assert rows, f"{path.name} has no READS: add them, or the file to MACHINERY"
    inside = path.parent.glob("*.py") if path.name == "__init__.py" else [path]
    code = "\n".join(re.sub(r"^READS = \(.*?^\)", "", file.read_text(), flags=re.DOTALL | re.MULTILINE) for file in inside)
    for name, standards, what in rows:
        assert name
        assert what
        assert STANDARD.findall(standards)
        assert {word for word in STANDARD.findall(standards) if word not in code} == set()


def test_machinery_is_what_is_there():
    assert {path.name for path in (ROOT / "dissect").glob("*.py")} >= MACHINERY


def test_the_guide_shows_files_of_every_kind():
    assert {name for name, _ in BLOCKS} == {"dissect/stun.py", "dissect/udp.py", "tests/dissect/test_stun.py"}


@pytest.mark.parametrize("place", range(len(BLOCKS)))
def test_what_the_guide_shows_stands_in_the_tree(place):
    name, block = BLOCKS[place]
    assert block.strip("\n") in (ROOT / name).read_text()


def test_services_have_a_number_and_a_word():
    numbers = {name: value for name, value in vars(state).items() if name.startswith("SERVICE_") and name != "SERVICE_NAMES"}
    assert sorted(numbers.values()) == list(range(len(state.SERVICE_NAMES)))
    words = {value: name.removeprefix("SERVICE_").lower() for name, value in numbers.items()}
    assert all(state.SERVICE_NAMES[value] == ("" if word == "none" else word) for value, word in words.items())
