"""One line of text for each record: it says what matters, and leaves out what is not there."""

import polars as pl
import pytest

from forensics import records
from forensics.case._lines import line
from forensics.records import ApiRequest, Notification, Observed, Record, RowCount

PUBLIC = [getattr(records, name) for name in records.__all__]
EVERY = [one for one in PUBLIC if isinstance(one, type) and issubclass(one, Record) and one not in (Record, Observed)]


def row(record: type[Record], **values: object) -> str:
    frame = pl.DataFrame([dict.fromkeys(record.polars_schema()) | values], schema=record.polars_schema())
    text: str = frame.select(text=line(record)).item()
    return text


@pytest.mark.parametrize("record", EVERY, ids=lambda record: record.__name__)
def test_every_record_has_a_line_also_of_nothing(record: type[Record]) -> None:
    assert isinstance(row(record), str)


def test_what_matters() -> None:
    request = row(
        ApiRequest, service="nova-ec2", operation="RunInstances", status=200, duration_s=41.5, client="192.0.2.7"
    )
    assert request == "nova-ec2: RunInstances 200 in 41.5 s, for 192.0.2.7"
    assert row(Notification, event_type="image.delete", publisher_id="glance1") == "image.delete by glance1"
    assert row(RowCount, database="nova", table="instances", state="deleted", rows=7) == (
        "nova table instances: 7 rows deleted"
    )
