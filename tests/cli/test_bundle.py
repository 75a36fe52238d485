"""Bundle and verify: every number comes out again, elsewhere too; what was changed is told with its place."""

import json
import shutil
import zipfile

import pytest
import wiretally
from crafting.tiny import tiny
from typer.testing import CliRunner
from wiretally.cli.main import app
from wiretally.core.errors import InputError
from wiretally.store.database import Store


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def marks(folder):
    return "--sessions", folder / "sessions.csv", "--visits", folder / "visits.csv"


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def bundle(sample, tmp_path_factory):
    target = tmp_path_factory.mktemp("bundle") / "evidence.zip"
    shown = run("bundle", sample / "capture.pcapng.zst", *marks(sample), "--seed", "3", "-o", target)
    assert shown.exit_code == 0, shown.output
    return target


def test_every_number_comes_out_again(bundle):
    shown = run("verify", bundle, "--no-tshark", "--format", "json")
    assert shown.exit_code == 0, shown.output
    report = json.loads(shown.stdout)
    (result,) = [each for each in report["results"] if each["name"] == "results/compare.json"]
    assert result["values"] > 300
    assert result["differences"] == []
    assert report["changed"] == report["versions"] == report["databases"] == []


def test_other_modes_and_every_bound_go_into_the_bundle_and_verify_reads_them(sample, tmp_path):
    for file in sample.iterdir():
        shutil.copy(file, tmp_path)
    text = (tmp_path / "sessions.csv").read_text()
    for mode, word in (("incognito", "after"), ("normal", "before"), ("idle", "rest")):
        text = text.replace(f",{mode},", f",{word},")
    (tmp_path / "sessions.csv").write_text(text)
    target = tmp_path / "evidence.zip"
    asked = {"baseline": "before", "compared": "After", "idle": "rest", "margin": 0.4, "stop_ratio": 0.3, "per": "minute", "least_share": 0.6}
    words = [word for name, value in asked.items() for word in (f"--{name.replace('_', '-')}", value)]
    shown = run("bundle", tmp_path / "capture.pcapng.zst", *marks(tmp_path), *words, "--least-slope", 0.5, "-o", target)
    assert shown.exit_code == 0, shown.output
    with zipfile.ZipFile(target) as inside:
        options = json.loads(inside.read("results/compare.json"))["basis"]["options"]
    assert {name: options[name] for name in asked} == asked | {"compared": "after"}
    checked = run("verify", target, "--no-tshark", "--format", "json")
    assert checked.exit_code == 0, checked.output
    assert json.loads(checked.stdout)["results"][0]["differences"] == []


def test_the_same_inputs_elsewhere_give_the_same_bytes(sample, bundle, tmp_path):
    for file in sample.iterdir():
        shutil.copy(file, tmp_path)
    again = tmp_path / "again.zip"
    assert run("bundle", tmp_path / "capture.pcapng.zst", *marks(tmp_path), "--seed", "3", "-o", again).exit_code == 0
    assert again.read_bytes() == bundle.read_bytes()
    assert again.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(bundle) as inside:
        for name in inside.namelist():
            if not name.startswith("captures/"):
                assert str(sample).encode() not in inside.read(name)


def test_one_byte_of_one_capture_says_where(sample, bundle, tmp_path):
    data = bytearray(bundle.read_bytes())
    at = data.find((sample / "capture.pcapng.zst").read_bytes()[:1000]) + 140_000
    data[at] ^= 4
    changed = tmp_path / "changed.zip"
    changed.write_bytes(data)
    shown = run("verify", changed)
    assert shown.exit_code == 1
    assert "captures/01-capture.pcapng.zst: in bytes 131,072–196,607" in shown.stdout
    assert "numbers  not computed: an input was changed" in shown.stdout


def test_the_user_s_list_counts_and_its_absence_is_named(sample, tmp_path):
    own, target = tmp_path / "own.csv", tmp_path / "evidence.zip"
    own.write_text("domain,owner\nmiui.com,Somebody\n")
    shown = run("bundle", sample / "capture.pcapng.zst", *marks(sample), "--catalogue", own, "-o", target)
    assert shown.exit_code == 0, shown.output
    own.touch()  # a copy elsewhere is of another time
    same = run("verify", target, "--no-tshark", "--catalogue", own)
    assert same.exit_code == 0, same.output
    without = run("verify", target, "--no-tshark")
    assert without.exit_code == 1
    assert "database own.csv: another file here" in without.stdout
    assert ": Somebody there, " in without.stdout
    with zipfile.ZipFile(target) as inside:
        assert {each["name"]: each["build_date"] for each in json.loads(inside.read("bundle.json"))["databases"]}["own.csv"] is None


def edited(bundle, target, name, change, manifest_too=lambda manifest: manifest["versions"].update(numpy="1.0")):
    """The bundle as a forger would make it: one file changed, and its digests with it."""
    from wiretally.evidence import archive

    folder = target.parent / "unpacked"
    folder.mkdir()
    with archive.Bundle(str(bundle), limit=1 << 30) as opened:
        opened.unpack(folder)
        manifest, names = opened.manifest, list(opened.files)
    (folder / name).write_text(change((folder / name).read_text()))
    manifest.pop("files"), manifest.pop("schema")
    manifest_too(manifest)
    with target.open("wb") as file:
        archive.write(file, manifest, {each: folder / each for each in names})
    return target


def test_a_forged_number_differs_and_another_version_is_named(bundle, tmp_path):
    forged = edited(bundle, tmp_path / "forged.zip", "results/compare.json", lambda text: text.replace('"up_app_bytes": ', '"up_app_bytes": 1'))
    shown = run("verify", forged, "--no-tshark")
    assert shown.exit_code == 1
    assert "DIFFERS  results/compare.json#/sessions/0/up_app_bytes: 1" in shown.stdout
    assert "version  numpy: 1.0 there" in shown.stdout


@pytest.mark.parametrize("change", [
    lambda m: m["recipe"].update(captures=["../x"]),
    lambda m: m["recipe"].update(captures=[], tables=[]),
    lambda m: m["recipe"].update(reading={"max_flows": 10**12}),
    lambda m: m["recipe"].update(reading={"country_db": "x"}),
    lambda m: m["recipe"].update(reading={"place": ["a", "b"]}),
    lambda m: m["options"]["results/compare.json"].update(resamples=10**12),
    lambda m: m.update(recipe=7),
    lambda m: m.update(options=[]),
    lambda m: m.update(results=["sessions.csv"]),
])  # fmt: skip
def test_a_stranger_s_recipe_is_looked_at_first(bundle, tmp_path, change):
    forged = edited(bundle, tmp_path / "forged.zip", "sessions.csv", str, change)
    shown = run("verify", forged, "--no-tshark")
    assert isinstance(shown.exception, InputError)
    assert "cannot be followed" in str(shown.exception)
    assert str(shown.exception).isprintable()


def test_an_option_of_the_wrong_kind_ends_in_one_line(bundle, tmp_path):
    def change(manifest):
        manifest["options"]["results/compare.json"].update(alpha="x", unheard_of=1)

    shown = run("verify", edited(bundle, tmp_path / "forged.zip", "sessions.csv", str, change), "--no-tshark")
    assert isinstance(shown.exception, InputError)
    assert str(shown.exception).isprintable()


def test_under_pseudonyms_the_numbers_stand_too(sample, bundle, tmp_path):
    target = tmp_path / "hidden.zip"
    words = ("--pseudonymise", "--names", "registrable", "--format", "json")
    shown = run("bundle", sample / "capture.pcapng.zst", *marks(sample), *words, "-o", target)
    assert shown.exit_code == 0, shown.output
    about = json.loads(shown.stdout)
    assert about["pseudonyms"]["flows_same"] == about["pseudonyms"]["flows"]
    assert target.stat().st_size < bundle.stat().st_size
    with zipfile.ZipFile(target) as inside:
        visits = inside.read("visits.csv").decode()
        everything = b"".join(inside.read(name) for name in inside.namelist())
    assert b"192.168.50.23" not in everything
    assert all(line.split(",")[2].endswith("/") and line.split(",")[2].count("/") == 3 for line in visits.splitlines()[1:])
    words = {line.split(",")[2].rsplit("/", 1)[1].encode() for line in (sample / "visits.csv").read_text().splitlines()[1:]}
    assert len(words) > 3
    assert [word for word in words if word in everything] == []
    checked = run("verify", target, "--no-tshark")
    assert checked.exit_code == 0, checked.stdout


def test_a_store_goes_in_as_its_tables(sample, tmp_path):
    store, target = tmp_path / "home.db", tmp_path / "b.zip"
    found = wiretally.read(sample / "capture.pcapng.zst")
    with Store(str(store)) as kept:
        kept.keep({"flows": found.flows, "exchanges": found.exchanges, "tls": found.tls, "dns": found.dns, "capture": found.capture},
                  minute_is_over=True)  # fmt: skip
    assert run("session", "import", sample / "sessions.csv", "--store", store).exit_code == 0
    shown = run("bundle", store, "-o", target)
    assert shown.exit_code == 0, shown.output
    assert run("verify", target).exit_code == 0
    refused = run("bundle", store, "--pseudonymise", "-o", target)
    assert "no packets to rewrite" in str(refused.exception)


def test_what_is_asked_wrongly(sample, tmp_path, bundle):
    assert run("bundle", sample / "capture.pcapng.zst", "-o", tmp_path / "x").exit_code == 2
    assert run("bundle", sample / "capture.pcapng.zst", *marks(sample), "--names", "hash", "-o", tmp_path / "x").exit_code == 2
    assert "by itself" in str(run("verify", bundle, bundle).exception)
    assert "not a capture" in str(run("verify", sample / "visits.csv").exception)
