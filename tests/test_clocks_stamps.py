"""Stamps as text: exact to the nanosecond, or nothing and a reason."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forensics.clocks import epoch, iso, traditional

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OUT = "outside the years that nanoseconds can hold"


def one(frame: pl.DataFrame) -> dict[str, object]:
    return frame.with_columns(frame.select(pl.selectors.datetime().dt.epoch("ns"))).row(0, named=True)


@pytest.mark.parametrize(
    ("stamp", "local_ns", "offset_s", "reason"),
    [
        ("1970-01-01T00:00:00Z", 0, 0, None),
        ("1970-01-01 00:00:00 UTC", 0, 0, None),
        ("1970-01-01 00:00:00,5", 500_000_000, None, None),
        ("1970-01-01t00:00:00.000000001z", 1, 0, None),
        ("1970-01-01T00:00:00.1234567890+02:00", 123_456_789, 7200, None),
        ("1970-01-01T00:00:00.1234567891+0200", 123_456_789, 7200, "finer than a nanosecond: cut"),
        ("1969-12-31T23:59:59.999999999-00:30", -1, -1800, None),
        ("1970-01-01T00:00:00+05:45:10", 0, 20710, None),
        ("1970-01-01T00:00:00-07", 0, -25200, None),
        ("2016-12-31T23:59:60Z", 1_483_228_800 * 10**9, 0, "leap second: counted as the first of the next minute"),
        ("2016-12-31T23:59:61Z", None, 0, "no such time of day"),
        ("2016-12-31T24:00:00Z", None, 0, "no such time of day"),
        ("2015-02-29T00:00:00Z", None, 0, "no such date"),
        ("2016-00-10T00:00:00Z", None, 0, "no such date"),
        ("0000-01-01T00:00:00Z", None, 0, OUT),
        ("1677-12-31T23:59:59Z", None, 0, OUT),
        ("2262-01-01T00:00:00Z", None, 0, OUT),
        ("+99999-01-01T00:00:00Z", None, 0, OUT),
        ("2012-01-01T00:00:00+25:00", None, 90000, "no such offset"),
        ("2012-01-01T00:00:00+01:75", None, 8100, "no such offset"),
        ("2012-01-01", None, None, "not a stamp of this form"),
        ("2012-01-01T00:00:00 and more", None, None, "not a stamp of this form"),
        ("", None, None, "not a stamp of this form"),
        (None, None, None, None),
    ],
)
def test_rfc_3339(stamp: str | None, local_ns: int | None, offset_s: int | None, reason: str | None) -> None:
    found = one(iso(pl.Series([stamp], dtype=pl.String)))
    assert found["local_ns"] == local_ns
    assert found["offset_s"] == offset_s
    assert found["reason"] == reason
    known = local_ns is not None and offset_s is not None
    assert found["ts"] == (local_ns - offset_s * 10**9 if known else None)


@settings(deadline=None)  # the machine may be busy
@given(
    st.integers(-9_214_560_000 + 86_400, 9_214_646_399 - 86_400), st.text("0123456789", max_size=9),
    st.integers(-23 * 60, 23 * 60), st.sampled_from("T "), st.sampled_from(".,"),
)  # fmt: skip
def test_any_instant_that_fits_comes_back_exactly(
    second: int, digits: str, minutes: int, between: str, point: str
) -> None:
    at = EPOCH + timedelta(seconds=second)
    sign, size = ("-", -minutes) if minutes < 0 else ("+", minutes)
    zone = f"{sign}{size // 60:02}:{size % 60:02}"
    local = at + timedelta(minutes=minutes)
    if not 1678 <= local.year <= 2261:
        return
    text = f"{local:%Y-%m-%d}{between}{local:%H:%M:%S}{point + digits if digits else ''}{zone}"
    below = int(digits.ljust(9, "0")) if digits else 0
    assert one(iso(pl.Series([text])))["ts"] == second * 10**9 + below


@pytest.mark.parametrize(
    ("stamp", "unit", "ts", "reason"),
    [
        ("1518339109.2203", "s", 1_518_339_109_220_300_000, None),
        ("1518339109.123456789", "s", 1_518_339_109_123_456_789, None),
        ("1518339109.1234567891", "s", 1_518_339_109_123_456_789, "finer than a nanosecond: cut"),
        ("1518339109123456", "us", 1_518_339_109_123_456_000, None),
        ("1518339109123.5", "ms", 1_518_339_109_123_500_000, None),
        ("9223372036854775807", "ns", 2**63 - 1, None),
        ("9223372036854775808", "ns", None, OUT),
        ("9223372036.854775807", "s", 2**63 - 1, None),
        ("9223372036.854775808", "s", None, OUT),
        ("99999999999999999999999", "s", None, OUT),
        ("-1.5", "s", -1_500_000_000, None),
        ("000000000000000000000000001", "s", 10**9, None),
        ("0", "s", 0, None),
        ("1e9", "s", None, "not a count of seconds"),
        ("nan", "s", None, "not a count of seconds"),
        (None, "s", None, None),
    ],
)
def test_epochs(stamp: str | None, unit: str, ts: int | None, reason: str | None) -> None:
    found = one(epoch(pl.Series([stamp], dtype=pl.String), unit))  # type: ignore[arg-type]
    assert (found["ts"], found["reason"]) == (ts, reason)


@settings(deadline=None)  # the machine may be busy
@given(st.decimals(-9_223_372_036, 9_223_372_036, places=9))
def test_epochs_never_pass_through_a_float(value: object) -> None:
    assert one(epoch(pl.Series([f"{value:f}"])))["ts"] == int(Fraction(str(value)) * 10**9)


@pytest.mark.parametrize(
    ("stamp", "month", "day", "clock_ns", "year", "reason"),
    [
        ("Feb  5 01:40:18", 2, 5, 6_018 * 10**9, None, None),
        ("FEB 15 01:40:18.123", 2, 15, 6_018_123 * 10**6, None, None),
        ("Feb 29 00:00:00", 2, 29, 0, None, None),
        ("Feb 29 2013 00:00:00", None, None, None, None, "no such date"),
        ("Feb 29 2012 00:00:00", 2, 29, 0, 2012, None),
        ("Feb 30 00:00:00", None, None, None, None, "no such date"),
        ("Jan  0 00:00:00", None, None, None, None, "no such date"),
        ("Jun 30 23:59:60", 6, 30, 86_400 * 10**9, None, "leap second: counted as the first of the next minute"),
        ("Jun 30 24:00:00", None, None, None, None, "no such time of day"),
        ("Juin 30 23:59:59", None, None, None, None, "not a stamp of this form"),
        (None, None, None, None, None, None),
    ],
)
def test_stamps_without_a_year(
    stamp: str | None, month: int | None, day: int | None, clock_ns: int | None, year: int | None, reason: str | None
) -> None:
    assert traditional(pl.Series([stamp], dtype=pl.String)).row(0) == (month, day, clock_ns, year, reason)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.text(max_size=40), max_size=5))
def test_any_text_is_read_or_refused(texts: list[str]) -> None:
    column = pl.Series(texts, dtype=pl.String)
    for read in (iso, traditional, epoch):
        assert read(column).height == len(texts)
