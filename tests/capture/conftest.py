"""Networks of a test's own."""

import pytest
from crafting.link import join, private_network


@pytest.fixture
def network():
    with private_network():
        yield


@pytest.fixture
def link(network):
    join(mtu=65_535)
