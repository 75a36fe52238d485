"""Packets leave in time and in order."""

from hypothesis import given
from hypothesis import strategies as st
from wiretally.lab.distance import DelayLine, packed

NEAR, FAR = packed("104.18.32.7"), packed("161.117.71.74")


def packet(source, number):
    return bytes(12) + source + number.to_bytes(4, "big")


@given(st.lists(st.tuples(st.sampled_from([NEAR, FAR, bytes(4)]), st.floats(0, 2)), max_size=40))
def test_each_source_has_its_delay_and_keeps_its_order(sent):
    delays = {NEAR: 0.003, FAR: 0.163}
    line = DelayLine(delays)
    now, due = 0.0, {}
    for number, (source, pause) in enumerate(sent):
        now += pause
        line.put(packet(source, number), now)
        due[number] = now + delays.get(source, 0.0)
    arrived = []
    while (wait := line.wait(now)) is not None:
        now += wait
        for data in line.take(now + 1e-9):
            number = int.from_bytes(data[16:], "big")
            assert due[number] <= now + 1e-6
            arrived.append((data[12:16], number))
    assert sorted(number for _, number in arrived) == list(range(len(sent)))
    for source in (NEAR, FAR, bytes(4)):
        numbers = [number for where, number in arrived if where == source]
        assert numbers == sorted(numbers)
