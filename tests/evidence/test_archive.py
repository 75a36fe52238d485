"""Bundles: the same bytes each time; a change has a place; what an enemy packs ends in one line and unpacks nothing."""

import io
import json
import stat
import zipfile

import pytest
from wiretally.core.errors import InputError
from wiretally.evidence import archive

LIMIT = 1 << 30


@pytest.fixture
def members(tmp_path):
    (tmp_path / "zeros").write_bytes(bytes(300_000))
    (tmp_path / "packed").write_bytes(b"\x28\xb5\x2f\xfd" + bytes(range(256)) * 1000)
    return {"captures/01-a.pcapng.zst": tmp_path / "packed", "sessions.csv": tmp_path / "zeros"}


@pytest.fixture
def bundle(tmp_path, members):
    path = tmp_path / "b.zip"
    with path.open("wb") as file:
        archive.write(file, {"about": 1}, members)
    return path


def unpacked(path, folder):
    folder.mkdir()
    with archive.Bundle(str(path), limit=LIMIT) as opened:
        return opened.unpack(folder)


def test_the_same_content_gives_the_same_bytes(bundle, members, tmp_path):
    buffer = io.BytesIO()
    for file in members.values():
        file.touch()
    archive.write(buffer, {"about": 1}, dict(reversed(members.items())))
    assert buffer.getvalue() == bundle.read_bytes()
    assert unpacked(bundle, tmp_path / "out") == []
    assert (tmp_path / "out" / "sessions.csv").read_bytes() == bytes(300_000)
    with zipfile.ZipFile(bundle) as plain:
        assert [info.date_time[0] for info in plain.infolist()] == [1980] * 3
        assert plain.namelist()[0] == archive.MANIFEST


@pytest.mark.parametrize("place", [0, 65_535, 65_536, 256_003])
def test_one_changed_byte_has_a_place(bundle, members, tmp_path, place):
    data = bytearray(bundle.read_bytes())
    at = data.find(members["captures/01-a.pcapng.zst"].read_bytes())
    data[at + place] ^= 1
    bundle.write_bytes(data)
    (fault,) = unpacked(bundle, tmp_path / "out")
    assert fault.name == "captures/01-a.pcapng.zst"
    (start, end), = fault.places
    assert start <= place < end <= start + archive.CHUNK
    assert fault.found != fault.expected


def test_a_changed_byte_of_a_packed_member_too(bundle, tmp_path):
    with zipfile.ZipFile(bundle) as plain:
        info = plain.getinfo("sessions.csv")
    data = bytearray(bundle.read_bytes())
    data[info.header_offset + 30 + len("sessions.csv") + info.compress_size // 2] ^= 0x55
    bundle.write_bytes(data)
    (fault,) = unpacked(bundle, tmp_path / "out")
    assert fault.name == "sessions.csv"
    assert fault.places


def remade(bundle, change):
    """The bundle with its members as (info, data) changed by a function."""
    with zipfile.ZipFile(bundle) as plain:
        found = [(info, plain.read(info)) for info in plain.infolist()]
    with zipfile.ZipFile(bundle, "w") as other:
        for info, data in change(found):
            other.writestr(info, data)
    return bundle


def renamed(name):
    def change(found):
        for info, data in found:
            yield (zipfile.ZipInfo(name) if info.filename == "sessions.csv" else info), data

    return change


def linked(found):
    for info, data in found:
        mine = info.filename == "sessions.csv"
        info.external_attr = ((stat.S_IFLNK if mine else stat.S_IFREG) | 0o777) << 16
        yield info, b"/etc/passwd" if mine else data


def more(found):
    yield from found
    yield zipfile.ZipInfo("extra.csv"), b"x"


def manifest_of(edit):
    def change(found):
        for info, data in found:
            if info.filename != archive.MANIFEST:
                yield info, data
                continue
            document = json.loads(data)
            edit(document)
            yield info, json.dumps(document)

    return change


def trap(found):
    for info, data in found:
        yield info, bytes(80_000_000) if info.filename == "sessions.csv" else data


@pytest.mark.parametrize(("change", "says"), [
    (renamed("../../etc/cron.d/x"), "which no bundle does"),
    (renamed("/etc/passwd"), "which no bundle does"),
    (renamed("a\\b"), "which no bundle does"),
    (renamed("x\x1b[31m"), "which no bundle does"),
    (linked, "no plain file"),
    (more, "does not list"),
    (lambda found: found[1:], "no bundle.json"),
    (lambda found: [*found, found[-1]], "twice"),
    (manifest_of(lambda d: d.update(schema="x")), "schema"),
    (manifest_of(lambda d: d.update(files=[1])), "schema"),
    (manifest_of(lambda d: d["files"][0].update(bytes=-1)), "schema"),
    (manifest_of(lambda d: d["files"][0].update(bytes=LIMIT + 1)), "would unpack to"),
    (manifest_of(lambda d: d["files"].append(d["files"][0])), "list once"),
    (manifest_of(dict.clear), "cannot be read"),
])  # fmt: skip
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_an_enemy_packs_is_refused_in_one_line(bundle, tmp_path, change, says):
    remade(bundle, change)
    out = tmp_path / "out"
    with pytest.raises(InputError, match=says) as refused:
        unpacked(bundle, out)
    assert "\n" not in str(refused.value)
    assert str(refused.value).isprintable()
    assert list(out.iterdir()) == []


def test_a_bomb_is_refused_or_never_grows_beyond_what_is_listed(bundle, tmp_path):
    remade(bundle, trap)
    (fault,) = unpacked(bundle, tmp_path / "out")
    assert fault.name == "sessions.csv"
    assert (tmp_path / "out" / "sessions.csv").stat().st_size == 300_001


def test_no_bundle_at_all(tmp_path):
    for name, content in (("empty", b""), ("text", b"hello"), ("cut", b"PK\x03\x04" + bytes(100))):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(InputError, match="is no bundle"):
            archive.Bundle(str(path), limit=LIMIT)
    with pytest.raises(InputError, match="no such file"):
        archive.Bundle(str(tmp_path / "nowhere"), limit=LIMIT)


def test_limits(bundle, members, monkeypatch):
    with pytest.raises(InputError, match="would unpack to"):
        archive.Bundle(str(bundle), limit=556_003)
    archive.Bundle(str(bundle), limit=556_004).__exit__()
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    archive.Bundle(str(bundle), limit=LIMIT).__exit__()
    monkeypatch.setattr(archive, "MAX_MEMBERS", 2)
    with pytest.raises(InputError, match="3 files, more than 2"):
        archive.Bundle(str(bundle), limit=LIMIT)
    with pytest.raises(InputError, match="no name for a bundle"):
        archive.write(io.BytesIO(), {}, {"../x": members["sessions.csv"]})
