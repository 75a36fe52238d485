import polars as pl
import pytest
from wiretally.core.errors import InputError
from wiretally.measure.inputs import Session
from wiretally.measure.naming import by_address, names_in

MAC, OTHER = "da:a1:19:00:00:01", "da:a1:19:00:00:02"


def devices(*rows):
    kinds = {"mac": pl.String, "addresses": pl.List(pl.String), "names": pl.List(pl.String)}
    return pl.DataFrame(rows, schema=kinds, orient="row")


def sessions(*names):
    return [Session(f"s{n}", name, "normal", n, n + 1) for n, name in enumerate(names)]


def test_only_what_is_no_address_is_a_name():
    given = sessions("Pixel-7", "192.168.4.20", "fe80::1", MAC, "DA-A1-19-00-00-01", "Pixel-7", "da:a1")
    assert names_in(given) == ["Pixel-7", "da:a1"]


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
