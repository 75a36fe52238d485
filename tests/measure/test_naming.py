import polars as pl
import pytest
from crafting.sessions import frame, moment
from wiretally.core.errors import InputError
from wiretally.measure.inputs import Session
from wiretally.measure.naming import Directory, ask_for_devices, ended, resolved, still_kept

HOUR = 3600 * 1_000_000_000
MAC, OTHER = "da:a1:19:00:00:01", "da:a1:19:00:00:02"


def devices(*rows):
    """(mac, addresses, names); an address with its hours, or alone for all the time."""
    spans = pl.List(pl.Struct({"address": pl.String, "first_seen": pl.Datetime("ns", "UTC"), "last_seen": pl.Datetime("ns", "UTC")}))
    kinds = {"mac": pl.String, "addresses": pl.List(pl.String), "address_spans": spans, "names": pl.List(pl.String)}
    made = []
    for mac, given, names in rows:
        timed = [each if isinstance(each, tuple) else (each, 0, 100) for each in given]
        made.append((mac, [address for address, *_ in timed],
                     [{"address": address, "first_seen": moment(first * HOUR), "last_seen": moment(last * HOUR)} for address, first, last in timed], names))
    return pl.DataFrame(made, schema=kinds, orient="row")


def sessions(*names):
    return [Session(f"s{n}", name, "normal", n, n + 1) for n, name in enumerate(names)]


def by_address(given, table, **how):
    found = resolved(given, Directory(table), **how)
    return found.sessions, found.named


@pytest.mark.parametrize(("given", "asked"), [
    (("192.168.4.20",), False), (("fe80::1", "FE80:0::1", "fe80::1%wlan0"), False), ((MAC, MAC.upper().replace(":", "-")), False),
    (("Pixel-7",), True), (("da:a1",), True), (("192.168.4.20", MAC), True),
])  # fmt: skip
def test_devices_are_asked_for_where_one_address_does_not_say_it_all(given, asked):
    assert ask_for_devices(sessions(*given)) == asked


@pytest.mark.parametrize("name", ["Pixel-7", "pixel-7", "PIXEL-7.local", "pixel-7.local."])
def test_a_name_stands_for_its_device(name):
    table = devices((MAC, ["192.168.4.20", "fe80::1"], ["Pixel-7", "pixel-7.local"]), (OTHER, ["192.168.4.21"], ["tablet"]))
    meant, names = by_address(sessions(name, "192.168.4.21"), table)
    assert [each.device for each in meant] == [MAC, "192.168.4.21"]
    assert names == {MAC: name}


def test_a_device_without_a_link_address_is_its_network_address():
    meant, _ = by_address(sessions("phone"), devices((None, ["10.0.0.9"], ["phone"])))
    assert meant[0].device == "10.0.0.9"


def test_a_name_of_two_devices_is_refused():
    table = devices((MAC, ["192.168.4.20"], ["phone"]), (OTHER, ["192.168.4.21"], ["phone.local"]))
    with pytest.raises(InputError, match=f"2 devices call themselves 'phone'; give the link address: {MAC}, {OTHER}"):
        by_address(sessions("phone"), table)


def test_an_unknown_name_lists_the_known_ones_fit_to_print():
    table = devices((MAC, ["192.168.4.20"], ["b\x1b[2J", "a"]))
    with pytest.raises(InputError) as told:
        by_address(sessions("c"), table)
    assert "known are 'a', 'b\\x1b[2J'" in str(told.value)
    assert str(told.value).isprintable()
    with pytest.raises(InputError, match="known are none"):
        by_address(sessions("c"), devices())


def hours(*rows):
    return [Session(name, device, "normal", begun * HOUR, None if until is None else until * HOUR) for name, device, begun, until in rows]


PHONE = (MAC, [("192.168.4.20", 0, 9), ("192.168.4.30", 9, 20), ("2001:db8::5", 0, 20)], ["Pixel-7"])
TABLET = (OTHER, [("192.168.4.20", 11, 20)], ["tablet"])


def test_a_device_in_five_notations_is_one_and_each_session_ends_at_its_next():
    given = hours(("a", "192.168.4.20", 1, None), ("b", "DA-A1-19-00-00-01", 2, None), ("c", "pixel-7.local", 3, None),
                  ("d", "2001:DB8:0::5", 4, None), ("x", "tablet", 5, None), ("e", "192.168.4.30", 12, None))  # fmt: skip
    found = resolved(given, Directory(devices(PHONE, TABLET)))
    assert [(each.session, each.end) for each in found.sessions] == [
        ("a", 2 * HOUR), ("b", 3 * HOUR), ("c", 4 * HOUR), ("d", 12 * HOUR), ("x", None), ("e", None)]  # fmt: skip
    assert {each.device for each in found.sessions if each.session != "x"} == {MAC}  # what it uploads is that of the device, in all of them
    assert found.named == {MAC: "pixel-7.local", OTHER: "tablet"}


def test_an_address_that_went_from_one_device_to_another_is_each_ones_at_its_time():
    given = hours(("a", "192.168.4.20", 1, None), ("b", MAC, 2, None), ("c", "192.168.4.20", 15, None), ("d", OTHER, 16, None))
    found, _ = by_address(given, devices(PHONE, TABLET))
    assert [(each.device, each.end) for each in found] == [(MAC, 2 * HOUR), (MAC, None), (OTHER, 16 * HOUR), (OTHER, None)]


def test_sessions_of_one_device_that_overlap_are_refused_or_cut():
    given = hours(("a", "192.168.4.20", 1, 5), ("b", MAC, 3, 6))
    with pytest.raises(InputError, match=f"'b' begins before 'a' of the same device \\(192.168.4.20, {MAC}\\) has ended"):
        by_address(given, devices(PHONE))
    cut = resolved(given, Directory(devices(PHONE)), lenient=True)
    assert [each.end for each in cut.sessions] == [3 * HOUR, 6 * HOUR]
    assert cut.told == ["session a is taken to end where b of the same device begins"]
    assert len(by_address(hours(("a", "192.168.4.20", 1, 5), ("b", OTHER, 3, 6)), devices(PHONE, TABLET))[0]) == 2


def test_what_is_behind_a_router_is_not_the_router():
    table = devices((MAC, [("10.0.0.2", 0, 10), ("10.0.0.3", 0, 10), ("169.254.0.1", 0, 10)], []))
    given = hours(("a", "10.0.0.2", 1, 5), ("b", "10.0.0.3", 2, 6))
    found, named = by_address(given, table)
    assert ([each.device for each in found], named) == (["10.0.0.2", "10.0.0.3"], {})
    between = devices((MAC, [("10.0.0.1", 0, 10), ("10.0.0.2", 1, 1), ("10.0.0.3", 1, 10)], []))  # one that was seen for a moment only
    found, named = by_address(hours(("a", "10.0.0.1", 1, 5), ("b", "10.0.0.3", 2, 6)), between)
    assert ([each.device for each in found], named) == (["10.0.0.1", "10.0.0.3"], {})


def test_one_notation_keeps_its_meaning():
    found, named = by_address(hours(("a", "192.168.4.20", 1, 2), ("b", "192.168.4.20", 3, 4), ("c", OTHER, 5, 6)), devices(PHONE, TABLET))
    assert ([each.device for each in found], named) == (["192.168.4.20", "192.168.4.20", OTHER], {})


def test_of_what_was_marked_while_it_ran_the_unknown_is_left_out():
    table = devices(PHONE, TABLET, ("da:a1:19:00:00:09", [], ["tablet"]))
    given = hours(("a", MAC, 1, 2), ("b", "ghost", 1, 2), ("c", "10.9.9.9", 1, 2), ("d", "tablet", 1, 2))
    found = resolved(given, Directory(table), lenient=True)
    assert [each.session for each in found.sessions] == ["a"]
    assert [line.split(":")[0] for line in found.told] == [f"session {name} is left out" for name in "bcd"]
    with pytest.raises(InputError, match="none of their devices has been seen; known are 'Pixel-7', 'tablet'"):
        resolved(given[1:3], Directory(table), lenient=True)
    assert [each.end for each in ended(hours(("a", "ghost", 1, None), ("b", "GHOST.local", 2, None)), Directory())] == [2 * HOUR, None]


def test_sessions_of_which_nothing_is_kept_any_more_are_left_out():
    found = resolved(hours(("a", MAC, 1, 2), ("b", MAC, 3, 5), ("c", MAC, 5, 6)), Directory(devices(PHONE)), lenient=True)
    exchanges, silent = frame("exchanges", [{"start": moment(HOUR), "end": moment(4 * HOUR)}, {"end": moment(5 * HOUR)}]), frame("capture", [])
    kept = still_kept(found, exchanges, silent)
    assert [each.session for each in kept.sessions] == ["b", "c"]
    assert kept.told == ["nothing is kept any more of the time of session(s) a: left out",
                         "what is kept begins in the middle of session(s) b: they may have uploaded more"]  # fmt: skip
    assert still_kept(found, exchanges.clear(), silent) == found
    assert still_kept(found, exchanges, frame("capture", [{"first_seen": moment(HOUR)}])) == found  # it was silence
    with pytest.raises(InputError, match="nothing is kept of the time of any"):
        still_kept(found, frame("exchanges", [{"end": moment(9 * HOUR)}]), silent)
