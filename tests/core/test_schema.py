"""The one definition of tables."""

import polars as pl
import pytest
from wiretally.core.schema import ANSWER_FIELDS, COUNTERS, EXCHANGES, FLOWS, TABLES, polars_schema


@pytest.mark.parametrize("name", TABLES)
def test_a_table_makes_an_empty_frame_with_its_columns_in_order(name):
    table = TABLES[name]
    frame = pl.DataFrame(schema=polars_schema(table))
    assert frame.columns == table.names
    assert len(set(table.names)) == len(table.names)


def test_times_are_utc_nanoseconds_and_counts_unsigned():
    schema = polars_schema(FLOWS)
    assert schema["first_seen"] == pl.Datetime("ns", "UTC")
    assert {schema[column.name] for column in COUNTERS} == {pl.UInt64()}


def test_flows_and_exchanges_count_the_same_things():
    counted = [column.name for column in COUNTERS]
    assert len(counted) == 12
    assert set(counted) <= set(FLOWS.names)
    assert set(counted) <= set(EXCHANGES.names)


def test_answers_are_the_records_that_are_documented():
    answer = polars_schema(TABLES["dns"])["answers"].inner
    assert [field.name for field in answer.fields] == [name for name, _ in ANSWER_FIELDS]
