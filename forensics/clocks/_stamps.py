"""Stamps as text: exact whole nanoseconds, or nothing and a reason."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

NS = 1_000_000_000
DAY_S = 86_400
DAY_NS = DAY_S * NS
FIRST_YEAR, LAST_YEAR = 1678, 2261
"""Whole years that a signed 64-bit count of nanoseconds since 1970 can hold."""

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS_IN_MONTH = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.int64)
_UNIT_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Column = pl.Series | npt.NDArray[Any]

# RFC 3339 section 5.6 and the two liberties that logs take: a comma before the fraction, and no offset at all.
_ISO = (
    r"^\s*([+-]?\d{4,6})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:[.,](\d+))?"
    r" ?(?:([Zz]|UTC)|([+-])(\d{2}):?(\d{2})?(?::?(\d{2}))?)?\s*$"
)
_YEARLESS = (
    r"^\s*(?i:(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))\s+(\d{1,2})(?:\s+(\d{4}))?"
    r"\s+(\d{2}):(\d{2}):(\d{2})(?:[.,](\d+))?\s*$"
)
_EPOCH = r"^\s*([+-]?)(\d+)(?:\.(\d*))?\s*$"


def whole_numbers(column: Column, null: int = 0) -> Ints:
    """A column as 64-bit integers; nulls become ``null``."""
    if isinstance(column, pl.Series):
        return column.cast(pl.Int64).fill_null(null).to_numpy().astype(np.int64, copy=False)
    return np.asarray(column, dtype=np.int64)


def civil_days(year: Ints, month: Ints, day: Ints) -> Ints:
    """Days since 1970-01-01 of dates in the proleptic Gregorian calendar.

    Method: a year that starts in March has its leap day at the end
    (H. Hinnant, chrono-compatible low-level date algorithms, ``days_from_civil``).
    """
    shifted = year - (month <= 2)
    era = shifted // 400
    of_era = shifted - era * 400
    of_year = (153 * (month + np.where(month > 2, -3, 9)) + 2) // 5 + day - 1
    days: Ints = era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
    return days


def is_leap(year: Ints) -> Flags:
    """Whether a year has a 29 February."""
    leap: Flags = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    return leap


def day_exists(month: Ints, day: Ints) -> Flags:
    """Whether a day exists in a month of some year."""
    exists: Flags = (month >= 1) & (month <= 12) & (day >= 1) & (day <= _DAYS_IN_MONTH[np.clip(month, 0, 12)])
    return exists


def date_exists(year: Ints, month: Ints, day: Ints) -> Flags:
    """Whether a date exists in its year."""
    exists: Flags = day_exists(month, day) & ((month != 2) | (day != 29) | is_leap(year))
    return exists


def iso(stamps: pl.Series) -> pl.DataFrame:
    """RFC 3339 stamps and their relatives of logs, exact to the nanosecond.

    The separator may be ``T`` or a blank, the fraction may have any length and
    stand behind a comma, the offset may be absent (``offset_s`` is then null
    and ``ts`` with it: the zone has to come from elsewhere).

    Args:
        stamps: Text, one stamp a row, nothing else in it.

    Returns:
        One row per stamp: ``local_ns`` (Int64, the wall clock as if it were UTC),
        ``offset_s`` (Int32, seconds east of UTC), ``ts`` (Datetime ns UTC) and
        ``reason`` (why there is no time; or what had to be bent: a leap second
        counts as the first second of the next minute, as in POSIX, and digits
        beyond the nanosecond are cut).

    References:
        RFC 3339 section 5.6 (grammar) and 5.7 (seconds may be 60).

    Examples:
        >>> iso(pl.Series(["2012-12-19T12:10:59.000000001-07:00", "2012-02-30 00:00:00"])).rows()[0][:2]
        (1355919059000000001, -25200)
        >>> iso(pl.Series(["2012-02-30 00:00:00"]))["reason"].to_list()
        ['no such date']
    """
    parts = _groups(stamps, _ISO)
    year, month, day, hour, minute, second = (whole_numbers(_number(parts[str(i)]), -1) for i in range(1, 7))
    local_ns, reason = _assemble(year, month, day, hour, minute, second, parts["7"])
    sign = pl.when(pl.col("9") == "-").then(-1).otherwise(1)
    shift = sum(
        (pl.col(c).cast(pl.Int64).fill_null(0) * k for c, k in (("10", 3600), ("11", 60), ("12", 1))), pl.lit(0)
    )
    offset = pl.when(pl.col("8").is_not_null()).then(0).when(pl.col("10").is_not_null()).then(sign * shift)
    frame = parts.with_columns(
        local_ns=local_ns, reason=_unread(stamps, parts["1"], reason), offset_s=offset.cast(pl.Int32)
    )
    bad_offset = (
        (pl.col("offset_s").abs() > DAY_S) | (pl.col("11").cast(pl.Int64) > 59) | (pl.col("12").cast(pl.Int64) > 59)
    )
    frame = frame.with_columns(
        local_ns=pl.when(bad_offset.fill_null(False).not_()).then("local_ns"),
        reason=pl.when(bad_offset).then(pl.lit("no such offset")).otherwise("reason"),
    )
    # Years at the very edge may leave 64 bits by their offset: the range of years above keeps a year's distance.
    ts = (pl.col("local_ns") - pl.col("offset_s").cast(pl.Int64) * NS).cast(pl.Datetime("ns", "UTC"))
    return frame.select("local_ns", "offset_s", ts=ts, reason="reason")


def traditional(stamps: pl.Series) -> pl.DataFrame:
    """Stamps that begin with a month's name: ``Feb  5 01:40:18``, ``Feb 5 2013 01:40:18.123``.

    Returns:
        One row per stamp: ``month``, ``day`` (Int64), ``clock_ns`` (Int64,
        nanoseconds since midnight), ``year`` (Int64, where the stamp has one)
        and ``reason``. Month, day and clock are null together. Whether 29
        February exists is left to the year.

    References:
        RFC 3164 section 4.1.2.

    Examples:
        >>> traditional(pl.Series(["Feb  5 01:40:18"])).row(0)
        (2, 5, 6018000000000, None, None)
    """
    parts = _groups(stamps, _YEARLESS)
    month_names = {name.lower(): i for i, name in enumerate(MONTHS, 1)}
    month = parts["1"].str.to_lowercase().replace_strict(month_names, default=None, return_dtype=pl.Int64)
    day, year = _number(parts["2"]), _number(parts["3"])
    hour, minute, second = (whole_numbers(_number(parts[str(i)]), -1) for i in range(4, 7))
    # A leap year stands in for the year that is missing; a leap second may carry into the next day.
    stated, months, days = whole_numbers(year, 2000), whole_numbers(month, -1), whole_numbers(day, -1)
    local_ns, reason = _assemble(stated, months, days, hour, minute, second, parts["7"])
    clock = local_ns - pl.Series(civil_days(stated, months, days)) * DAY_NS
    good = local_ns.is_not_null()
    frame = pl.DataFrame({
        "month": month, "day": day, "clock_ns": clock, "year": year, "reason": _unread(stamps, parts["1"], reason),
    })  # fmt: skip
    return frame.with_columns(pl.when(good).then(pl.col("month", "day", "clock_ns", "year")))


def epoch(stamps: pl.Series, unit: Literal["s", "ms", "us", "ns"] = "s") -> pl.DataFrame:
    """Counts since 1970 as text, with or without a fraction, exact: no float is involved.

    Args:
        stamps: Text such as ``1518339109.2203``.
        unit: What is counted.

    Returns:
        One row per stamp: ``ts`` (Datetime ns UTC) and ``reason``.

    Examples:
        >>> epoch(pl.Series(["1518339109.123456789"]))["ts"].dt.epoch("ns").to_list()
        [1518339109123456789]
    """
    parts = _groups(stamps, _EPOCH)
    digits = 9 - _UNIT_DIGITS[unit]
    whole = pl.col("2").str.strip_chars_start("0")
    fraction = pl.col("3").fill_null("")
    # Eighteen digits always fit 64 bits; nineteen do up to 9223372036854775807, which the strict cast decides.
    joined = whole + fraction.str.slice(0, digits).str.pad_end(digits, "0") if digits else whole
    magnitude = pl.when(joined == "").then(pl.lit("0")).otherwise(joined)
    value = magnitude.cast(pl.Int64, strict=False) * pl.when(pl.col("1") == "-").then(-1).otherwise(1)
    cut = fraction.str.slice(digits).str.contains("[1-9]")
    reason = (
        pl.when(pl.col("2").is_null()).then(pl.lit("not a count of seconds"))
        .when(value.is_null()).then(pl.lit("outside the years that nanoseconds can hold"))
        .when(cut).then(pl.lit("finer than a nanosecond: cut"))
    )  # fmt: skip
    said = pl.when(pl.lit(stamps).is_not_null()).then(reason)
    return parts.select(ts=value.cast(pl.Datetime("ns", "UTC")), reason=said)


def _groups(text: pl.Series, pattern: str) -> pl.DataFrame:
    """What a pattern captures, its digits being those of ASCII: no other's are cast to numbers."""
    return text.cast(pl.String).str.extract_groups(pattern.replace(r"\d", "[0-9]")).struct.unnest()


def _number(text: pl.Series) -> pl.Series:
    return text.cast(pl.Int64, strict=False)


def _unread(text: pl.Series, matched: pl.Series, reason: pl.Series) -> pl.Series:
    frame = pl.DataFrame({"text": text.cast(pl.String), "matched": matched, "reason": reason})
    unlike = pl.when(pl.col("matched").is_null()).then(pl.lit("not a stamp of this form")).otherwise("reason")
    return frame.select(pl.when(pl.col("text").is_not_null()).then(unlike).alias("reason"))["reason"]


def _assemble(
    year: Ints, month: Ints, day: Ints, hour: Ints, minute: Ints, second: Ints, fraction: pl.Series
) -> tuple[pl.Series, pl.Series]:
    """Local nanoseconds (null where impossible) and the reason, from parts that may be -1 (absent)."""
    held = (year >= FIRST_YEAR) & (year <= LAST_YEAR)
    dated = date_exists(year, month, day)
    timed = (hour >= 0) & (hour <= 23) & (minute >= 0) & (minute <= 59) & (second >= 0) & (second <= 60)
    good = held & dated & timed
    safe_year, safe_month, safe_day = np.where(good, year, 1970), np.where(good, month, 1), np.where(good, day, 1)
    seconds = civil_days(safe_year, safe_month, safe_day) * DAY_S + np.where(
        good, hour * 3600 + minute * 60 + second, 0
    )
    text = fraction.fill_null("")
    below = whole_numbers(text.str.slice(0, 9).str.pad_end(9, "0").cast(pl.Int64))
    frame = pl.DataFrame({
        "ns": seconds * NS + below, "good": good, "held": held, "dated": dated, "timed": timed,
        "leap": second == 60, "cut": text.str.slice(9).str.contains("[1-9]"),
    })  # fmt: skip
    reason = (
        pl.when(pl.col("dated").not_()).then(pl.lit("no such date"))
        .when(pl.col("held").not_()).then(pl.lit("outside the years that nanoseconds can hold"))
        .when(pl.col("timed").not_()).then(pl.lit("no such time of day"))
        .when(pl.col("leap")).then(pl.lit("leap second: counted as the first of the next minute"))
        .when(pl.col("cut")).then(pl.lit("finer than a nanosecond: cut"))
    )  # fmt: skip
    read = frame.select(local_ns=pl.when("good").then("ns"), reason=reason)
    return read["local_ns"], read["reason"]
