"""What is not in the tests of `compare` and `probe`."""

import pytest
import typer
from wiretally.cli import results


@pytest.fixture
def store(tmp_path):
    from wiretally.store.database import Store

    with Store(str(tmp_path / "home.db")):
        pass
    return str(tmp_path / "home.db")


def test_only_stores_may_go_without_sessions(store):
    results.refuse_without_sessions([store], None)
    results.refuse_without_sessions(["phone.pcap"], "sessions.csv")
    for files in (["phone.pcap"], [store, "phone.pcap"]):
        with pytest.raises(typer.BadParameter, match="--sessions: name the file"):
            results.refuse_without_sessions(files, None)
