"""Every sample is read as promised, and each line is claimed by one format per record."""

import polars as pl
import pytest

from forensics.loaders._message_format import MessageFormat, Sample, leaves, message_formats
from forensics.records import LogRecord

CASES = [(f, s) for f in message_formats() for s in f.samples]


def plain(value: object) -> object:
    """Lists as lists, so that a sample can spell them."""
    return value.to_list() if isinstance(value, pl.Series) else value


def log_records(*messages: str | None, program: str | None = None, **columns: object) -> pl.DataFrame:
    """Log records of one source, one line a message."""
    empty: dict[str, object] = dict.fromkeys(LogRecord.polars_schema())
    fixed = {"source": "syslog", "length_bytes": 80, "n_lines": 1, "framing": "syslog-traditional", "pid": 7,
             "year_basis": "stated", "zone_basis": "stated", "program": program}  # fmt: skip
    rows = [
        empty | fixed | {"message": message, "position": n, "offset_bytes": 80 * (n - 1)} | columns
        for n, message in enumerate(messages, 1)
    ]
    return pl.DataFrame(rows, schema=LogRecord.polars_schema())


@pytest.mark.parametrize(
    ("message_format", "sample"), CASES, ids=lambda x: getattr(x, "name", getattr(x, "text", x))[:70]
)
def test_sample_is_read_as_promised(message_format: MessageFormat, sample: Sample) -> None:
    found = leaves(log_records(sample.text, **{message_format.asks: message_format.said_by}))
    rows = found[message_format.record]
    assert rows.height == (sample.rows or 1), "claimed by more than one format of this record"
    message_format.record.validate(rows)
    assert {name: plain(rows[name][0]) for name in sample.expected} == dict(sample.expected)


@pytest.mark.parametrize("message_format", message_formats(), ids=lambda f: f.name)
def test_format_says_where_it_comes_from_and_has_a_sample_for_each_event(message_format: MessageFormat) -> None:
    assert message_format.reference
    assert message_format.samples
    asked = (message_format.program, message_format.logger, message_format.framing)
    assert sum(map(bool, asked)) == 1


def test_all_samples_together_keep_order_place_and_host() -> None:
    frame = pl.concat([
        log_records(s.text, position=n, offset_bytes=100 * n, host="h1", **{f.asks: f.said_by})
        for n, (f, s) in enumerate(CASES, 1)
    ])  # fmt: skip
    together = leaves(frame)
    for record, rows in together.items():
        record.validate(rows)
        assert rows["position"].is_sorted()
        assert (rows["offset_bytes"] == 100 * rows["position"]).all()
        assert set(rows["host"]) == {"h1"}
