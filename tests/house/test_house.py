"""Rules of the house that no linter knows."""

import ast
import re
import subprocess
import sys
import tomllib
import warnings
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest
import wiretally
from wiretally.core.schema import TABLES

ROOT = Path(wiretally.__file__).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOOK_AT, REFUSE = 400, 600
TEXT = {".py", ".md", ".toml", ".txt", ".yml", ".yaml", ".html", ".j2", ".css", ".csv", ".json", ".sh", ""}
# written in pieces, so that this file does not name them itself
HOSTS = ("pypi" + ".org", "python" + "hosted", "registry." + "npmjs", "deb." + "debian")
FOLDERS = ("/wo" + "rk/", "/ro" + "ot/", "/fa" + "rm/")
LATER = re.compile(r"\b(TO" + "DO|FIX" + "ME|XX" + "X|NotImplemented" + r"Error)\b")


def tracked():
    """What is in the tree, or would be: everything that git does not ignore."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def sources():
    return [path for path in tracked() if path.suffix == ".py"]


def texts():
    return [
        path for path in tracked() if path.suffix in TEXT and path.stat().st_size < 500_000 and "data" not in path.parts
    ]


def test_the_version_stands_in_one_place():
    version = wiretally.__version__
    assert PROJECT["project"]["dynamic"] == ["version"]
    pattern = re.compile(rf"""version['"]?\s*[=:]\s*['"]{re.escape(version)}['"]""")
    assert [path.relative_to(ROOT).name for path in texts() if pattern.search(path.read_text(errors="replace"))] == []


def test_every_package_is_listed():
    found = {
        ".".join(("wiretally", *path.parent.relative_to(ROOT).parts))
        for path in tracked()
        if path.name == "__init__.py" and "tests" not in path.parts
    }
    assert found == set(PROJECT["tool"]["setuptools"]["packages"])


def test_every_file_that_a_package_reads_ships_with_it():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]
    apart = {"samples", "tests", "docs"}
    for name in PROJECT["tool"]["setuptools"]["packages"][1:]:
        folder = ROOT.joinpath(*name.split(".")[1:])
        ships = {path for pattern in patterns["*"] + patterns.get(name, []) for path in folder.glob(pattern)}
        inner = {path for path in folder.iterdir() if (path / "__init__.py").exists()}
        has = {
            path
            for path in tracked()
            if path.is_relative_to(folder) and path.suffix != ".py" and not apart & set(path.parts)
        }
        assert {path for path in has - ships if not inner & set(path.parents)} == set()


def test_every_file_is_one_idea():
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources()}
    for name, length in lengths.items():
        if length > LOOK_AT:
            warnings.warn(f"{name}: {length} lines: is it still one idea?", stacklevel=1)
    assert {name: length for name, length in lengths.items() if length > REFUSE} == {}


def test_no_files_import_one_another_in_a_circle():
    """Imports inside functions too. The root is left out: it hands on what lies above all rooms, and has the version."""
    graph = grimp.build_graph("wiretally", exclude_type_checking_imports=True, cache_dir=None)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules - {"wiretally"}}
    assert len(imports) > 200
    TopologicalSorter({name: found - {"wiretally"} for name, found in imports.items()}).prepare()  # raises, and names one


def test_no_file_names_a_machine_or_a_registry():
    words = re.compile("|".join(map(re.escape, HOSTS + FOLDERS)))
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in texts()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if words.search(line)
    ]
    assert found == []


def test_nothing_is_left_for_later():
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if LATER.search(line)
    ]
    assert found == []


def test_the_reference_pages_are_what_the_code_says():
    run = subprocess.run(
        [sys.executable, ROOT / "docs" / "build.py", "--check"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("name", TABLES)
def test_every_column_is_documented(name):
    page = (ROOT / "docs" / "reference" / "tables.md").read_text()
    section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    for column in TABLES[name].columns:
        assert column.meaning
        assert f"| `{column.name}` |" in section


def test_every_dependency_is_pinned_and_no_address_is():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)] == []
    pinned = {re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower() for line in lines}
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = [PROJECT["project"]["dependencies"], *extras]
    names = {re.match(r"[A-Za-z0-9._-]+", need)[0].lower().replace("_", "-") for group in wanted for need in group}
    assert names - {"wiretally"} - pinned == set()


def test_links_between_documents_lead_somewhere():
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in tracked()
        if page.suffix == ".md"
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert broken == []


@pytest.mark.parametrize("words", [[], ["--help"], ["read", "--help"], ["compare", "--help"]])
def test_help_imports_nothing_heavy(words):
    heavy = "{'numpy', 'polars', 'numba', 'scipy', 'matplotlib', 'scapy', 'rich'}"
    code = f"""
import sys
sys.argv = ["wiretally", *{words!r}]
from wiretally.cli.main import main
try:
    main()
finally:
    print(sorted({heavy} & set(sys.modules)), file=sys.stderr)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr.splitlines()[-1] == "[]"


def test_what_the_packages_import_is_a_declared_dependency():
    """Imports inside functions too: a machine with nothing else installed meets them later than any start-up test."""
    modules = {"dateutil": "python-dateutil"}
    of_extras = {"fsspec": "remote", "h2": "lab", "aioquic": "lab", "scapy": "sniff", "pyshark": "verify"}
    declared = {re.split(r"[\s<>=\[]", item)[0].lower() for item in PROJECT["project"]["dependencies"]}
    test_only = {re.split(r"[\s<>=\[]", item)[0].lower() for item in PROJECT["project"]["optional-dependencies"]["dev"]}
    missing = {}
    for path in sources():
        parts = path.relative_to(ROOT).parts
        if parts[0] in {"tests", "docs"}:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            for top in {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - {"wiretally"}:
                known = modules.get(top, top).lower()
                allowed = declared | ({top} & set(of_extras)) | (test_only if parts[0] == "bench" else set())
                if known not in allowed:
                    missing.setdefault(str(path.relative_to(ROOT)), set()).add(top)
    assert missing == {}
