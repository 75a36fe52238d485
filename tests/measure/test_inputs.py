"""The user's files are understood, or refused in one line that says where and what to do."""

import pytest
from wiretally.core.errors import InputError
from wiretally.measure import inputs

NS = 1_000_000_000
HEAD = "session,device,mode,start,end,notes\n"
TEN, ELEVEN = "2026-11-24T10:00:00Z", "2026-11-24T11:00:00Z"


def sessions(tmp_path, text, *, encoding="utf-8"):
    path = tmp_path / "sessions.csv"
    path.write_bytes(text.encode(encoding))
    return inputs.read_sessions(str(path))


def test_times_keep_their_zone_and_nanoseconds(tmp_path):
    text = HEAD + f"b,10.0.0.2,Incognito,2026-11-24T12:00:00.123456789+01:00,,\na,10.0.0.2,normal,{TEN},,first\n"
    first, second = sessions(tmp_path, text)
    assert (first.session, first.mode, first.notes) == ("a", "normal", "first")
    assert second.start - first.start == 3600 * NS + 123_456_789
    assert (first.end, second.end) == (second.start, None)  # open until the device's next mark


def test_a_byte_order_mark_another_column_order_and_a_mac_are_fine(tmp_path):
    text = f"mode,session,start,device\nidle,one,{TEN},AA-BB-CC-00-11-22\n"
    (session,) = sessions(tmp_path, text, encoding="utf-8-sig")
    assert (session.device, session.mode) == ("aa:bb:cc:00:11:22", "idle")


@pytest.mark.parametrize(("text", "said"), [
    ("", r":1: no column session, device, mode, start"),
    (HEAD, ":2: no sessions"),
    (HEAD.replace(",", ";"), "separate columns by commas"),
    (HEAD + "a,10.0.0.2,normal,2026-11-24T10:00:00,,\n", ":2: start .* no time with a zone"),
    (HEAD + "a,10.0.0.2,normal,2026-13-24T10:00:00Z,,\n", ":2: start .* no day or hour that exists"),
    (HEAD + "a,10.0.0.2,normal,9999-12-31T10:00:00Z,,\n", ":2: start .* no day or hour that exists"),
    (HEAD + "a,10.0.0.2,normal,2262-01-01T00:00:00Z,,\n", ":2: start .* no day or hour that exists"),
    (HEAD + "a,10.0.0.2,normal,1969-12-31T23:59:59Z,,\n", ":2: start .* no day or hour that exists"),
    (HEAD + f"a,10.0.0.2,normal,{ELEVEN},{TEN},\n", ":2: .*ends before it starts"),
    (HEAD + f"a,10.0.0.2,normal,{TEN},{TEN},\n", ":2: .*ends before it starts"),
    (HEAD + f"a,,normal,{TEN},,\n", ":2: no device"),
    (HEAD + f"a,x,normal,{TEN},,\na,x,normal,{ELEVEN},,\n", ":3: session 'a' is already in line 2"),
    (HEAD + f"a,x,normal,{TEN},{ELEVEN},\nb,x,normal,2026-11-24T10:30:00Z,,\n", ":3: .*before 'a' .*has ended"),
    (HEAD + f"a,x,normal,{TEN},,,,\n", ":2: more fields than the header has"),
    (HEAD + 'a,"x,normal\n', "check the quotes"),
    (HEAD.replace("notes", "colour"), "unknown column 'colour'"),
])  # fmt: skip
def test_refusals_name_the_line_and_the_fix(tmp_path, text, said):
    with pytest.raises(InputError, match=said) as refusal:
        sessions(tmp_path, text)
    assert "\n" not in str(refusal.value)


def test_other_encodings_and_missing_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="byte 36 is not UTF-8"):
        sessions(tmp_path, HEAD + "\xe9,x,normal,,,\n", encoding="latin-1")
    with pytest.raises(InputError, match="cannot be read"):
        inputs.read_sessions(str(tmp_path / "nowhere.csv"))


def test_sessions_of_two_devices_may_overlap(tmp_path):
    assert len(sessions(tmp_path, HEAD + f"a,x,normal,{TEN},{ELEVEN},\nb,y,normal,{TEN},{ELEVEN},\n")) == 2


def test_visits_come_in_order_with_their_pads(tmp_path):
    path = tmp_path / "visits.csv"
    path.write_text(f"time,session,url,pad\n{ELEVEN},a,https://b.example/,\n{TEN},a,https://a.example/,64\n")
    first, second = inputs.read_visits(str(path))
    assert (first.pad, second.pad) == (64, None)
    assert first.time < second.time
    path.write_text(f"time,session,url,pad\n{TEN},a,https://a.example/,-1\n")
    with pytest.raises(InputError, match=":2: pad '-1' is no number"):
        inputs.read_visits(str(path))


def test_the_last_moment_and_the_longest_pad_are_taken_and_one_more_is_not(tmp_path):
    path = tmp_path / "visits.csv"
    path.write_text(f"time,session,url,pad\n2261-12-31T23:59:59Z,a,http://x/,{inputs.MOST_PAD}\n")
    assert inputs.read_visits(str(path))[0].time < 1 << 63
    for pad in (str(inputs.MOST_PAD + 1), "9" * 5000):
        path.write_text(f"time,session,url,pad\n2026-01-01T00:00:00Z,a,http://x/,{pad}\n")
        with pytest.raises(InputError, match="no number of characters"):
            inputs.read_visits(str(path))
