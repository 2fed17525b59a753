"""Columns and their units; the only file that knows the schema library.

A record is a dataframely schema. Its columns come from the functions below, so
that a unit is always part of a column's meaning and one kind of value has one
type everywhere: instants are whole nanoseconds in UTC, spans are seconds,
sizes are bytes, addresses are text as people write them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import dataframely as dy
import polars as pl
from dataframely import DataFrame, LazyFrame

__all__ = [
    "DataFrame",
    "LazyFrame",
    "Observed",
    "Record",
    "address",
    "choice",
    "flag",
    "instant",
    "mac_address",
    "many",
    "number",
    "octets",
    "ordinal",
    "pairs",
    "real",
    "seconds",
    "size",
    "text",
]

INSTANT = pl.Datetime("ns", "UTC")


class Record(dy.Schema):
    """What one row of evidence or of an answer is. Columns are declared as class attributes."""

    @classmethod
    def polars_schema(cls) -> pl.Schema:
        """Column names and polars types, in declared order."""
        return pl.Schema({name: column.dtype for name, column in cls.columns().items()})

    @classmethod
    def empty(cls) -> pl.DataFrame:
        """No rows, all columns."""
        return pl.DataFrame(schema=cls.polars_schema())


def _meta(unit: str | None) -> dict[str, Any]:
    return {"unit": unit} if unit else {}


def instant(meaning: str, **rest: Any) -> dy.Datetime:
    """A point in time: UTC, whole nanoseconds. The column is ``ts`` or its name ends in ``_at``."""
    return dy.Datetime(time_unit="ns", time_zone="UTC", description=meaning, metadata=_meta("UTC"), **rest)


def seconds(meaning: str, **rest: Any) -> dy.Float64:
    """A span of time in seconds. The column's name ends in ``_s``."""
    return dy.Float64(description=meaning, metadata=_meta("s"), **rest)


def size(meaning: str, bits: int = 64, **rest: Any) -> dy.Column:
    """A number of octets. The column's name ends in ``_bytes``."""
    return number(meaning, bits=bits, unit="bytes", **rest)


def number(meaning: str, bits: int = 64, unit: str | None = None, **rest: Any) -> dy.Column:
    """A count or a place that people count from one; signed only at 64 bits."""
    kinds: dict[int, Callable[..., dy.Column]] = {8: dy.UInt8, 16: dy.UInt16, 32: dy.UInt32, 64: dy.Int64}
    return kinds[bits](description=meaning, metadata=_meta(unit), **rest)


def ordinal(meaning: str, bits: int, **rest: Any) -> dy.Column:
    """An unsigned field of a header, at the width it has on the wire."""
    return number(meaning, bits=bits, nullable=rest.pop("nullable", True), **rest)


def real(meaning: str, unit: str | None = None, **rest: Any) -> dy.Float64:
    """A measured figure that is no span of time."""
    return dy.Float64(description=meaning, metadata=_meta(unit), **rest)


def text(meaning: str, **rest: Any) -> dy.String:
    """Text from evidence. It is data, whatever it looks like: `forensics.escape` makes it safe to show."""
    return dy.String(description=meaning, **rest)


def address(meaning: str, **rest: Any) -> dy.String:
    """An IPv4 or IPv6 address as people write it (RFC 5952)."""
    return dy.String(description=meaning, metadata=_meta("address"), nullable=rest.pop("nullable", True), **rest)


def mac_address(meaning: str, **rest: Any) -> dy.String:
    """A hardware address, six octets in lower case with colons."""
    return dy.String(description=meaning, metadata=_meta("address"), nullable=rest.pop("nullable", True), **rest)


def flag(meaning: str, **rest: Any) -> dy.Bool:
    """Yes or no."""
    return dy.Bool(description=meaning, **rest)


def octets(meaning: str, **rest: Any) -> dy.Binary:
    """Raw bytes."""
    return dy.Binary(description=meaning, **rest)


def choice(meaning: str, *words: str, **rest: Any) -> dy.String:
    """One of a few words."""
    pattern = "^(?:" + "|".join(re.escape(word) for word in words) + ")$"
    return dy.String(description=f"{meaning}: {', '.join(words)}", regex=pattern, **rest)


def many(meaning: str, of: dy.Column, **rest: Any) -> dy.List:
    """A list of values, in the order that the evidence has them."""
    return dy.List(of, description=meaning, nullable=rest.pop("nullable", True), **rest)


def pairs(meaning: str, fields: dict[str, dy.Column], **rest: Any) -> dy.List:
    """A list of small structures."""
    return dy.List(dy.Struct(fields), description=meaning, nullable=rest.pop("nullable", True), **rest)


class Observed(Record):
    """What every piece of evidence carries: when, by whose clock, and where it is written."""

    ts = instant("when it happened, as its own clock said; null where the evidence has no time", nullable=True)
    host = text("machine or capture point that recorded it", nullable=True)
    source = text("evidence file, relative to the case")
    position = number("first line, or frame number as Wireshark counts", min=1)
    offset_bytes = size("where it starts in the source, decompressed", min=0)
    length_bytes = size("how many octets of the source it is", min=0)
