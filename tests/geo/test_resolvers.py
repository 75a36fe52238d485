import re

import pytest
from wiretally.core.errors import DatabaseError
from wiretally.geo import resolvers as module
from wiretally.geo.resolvers import resolvers

READ = resolvers.__wrapped__


def test_every_row_is_a_name_in_lower_case_once():
    names = resolvers()
    assert len(names) == len(set(names)) > 40
    assert [name for name in names if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", name)] == []
    assert {"dns.google", "chrome.cloudflare-dns.com", "doh.dns.apple.com"} < set(names)


def test_a_list_that_is_missing_or_another_file_is_an_error_of_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BUNDLED", tmp_path)
    with pytest.raises(DatabaseError, match=r"resolvers\.csv: cannot be read: .*install"):
        READ()
    (tmp_path / "catalogue").mkdir()
    (tmp_path / "catalogue" / "resolvers.csv").write_text("a,b\n")
    with pytest.raises(DatabaseError, match="the header is not domain"):
        READ()
