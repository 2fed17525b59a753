"""Instants of log records: the innermost stamp in UTC, how its year and zone were found, and the transport's stamp."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from forensics.clocks import NO_TIME, LocalClock, YearCounter, YearPlan
from forensics.loaders._reader import Origin
from forensics.loaders.lines._days import DayPlan
from forensics.loaders.lines._fields import (
    DAY_NS,
    DAYLESS,
    LOCAL,
    NO_STAMP,
    SECOND_NS,
    UNIVERSAL,
    YEARLESS,
    YEARLESS_UTC,
    Stamps,
)
from forensics.loaders.lines._text import Bools, Ints

INSTANT = pl.Datetime("ns", "UTC")
_QUARTER_NS = 900 * SECOND_NS
_FEW = 1000
"""Up to so many rows a loop costs less than a query."""
_BOUNDED = ("file-name", "modified")
_YEAR_DAYS = 365.2425
_NEAR_NS = 300 * SECOND_NS
"""Logging latency up to which an inner and an outer stamp still tell the inner one's zone."""


@dataclass(slots=True)
class Times:
    """Columns of one row a record."""

    ts: pl.Series
    outer_at: pl.Series
    year_basis: pl.Series
    zone_basis: pl.Series


class RecordClock:
    """Turns the stamps of one source into instants, chunk after chunk, in the order of the file."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._zone = origin.zone or "UTC"
        self._zone_basis = origin.zone_basis if origin.zone else "assumed"
        self._inner = LocalClock(self._zone)
        self._outer = LocalClock(self._zone)
        self._plan: YearPlan | None = None
        self._counter = YearCounter()
        self._yearless = False
        self.days = DayPlan(origin)
        self._bases: dict[str, int] = {}
        self._zones: dict[str, int] = {}

    def times(self, inner: Stamps, outer: Stamps) -> Times:
        """Instants of further records.

        Args:
            inner: The stamp nearest to the message.
            outer: The transport's own stamp, where there is another.
        """
        if not len(inner.kind):
            nothing, unsaid = pl.Series([], dtype=INSTANT), pl.Series([], dtype=pl.String)
            return Times(nothing, nothing, unsaid, unsaid)
        in_utc, outer_in_utc = inner.kind == YEARLESS_UTC, outer.kind == YEARLESS_UTC
        if in_utc.any() or outer_in_utc.any():
            inner = Stamps(np.where(in_utc, YEARLESS, inner.kind).astype(np.int8), inner.ns)
            outer = Stamps(np.where(outer_in_utc, YEARLESS, outer.kind).astype(np.int8), outer.ns)
        yearless = (inner.kind == YEARLESS) | (outer.kind == YEARLESS)
        inner_ns, outer_ns = inner.ns.copy(), outer.ns.copy()
        known = (inner.kind == LOCAL) | (inner.kind == UNIVERSAL)
        outer_known = (outer.kind == LOCAL) | (outer.kind == UNIVERSAL)
        basis = np.where(known, 0, np.where(inner.kind == NO_STAMP, 2, 2))
        words = ["stated", "", "none"]
        if self._yearless or yearless.any():
            ns, reference = _dated(inner, outer)
            # the year is that of the whole run; where a file's own date bounds it, each second is asked for
            few, run = _runs(ns, reference, self._plan is None or self._plan.basis not in _BOUNDED)
            calendar = (*_calendar(ns[few]), reference[few])
            if self._plan is None:
                self._counter.add(*calendar)
                self._plan = self._counter.resolve(
                    declared=self._origin.year,
                    rotated_on_ns=self._origin.rotated_on,
                    elsewhere_ns=self._origin.elsewhere_ns,
                    modified_ns=self._origin.modified_ns,
                )
            self._yearless = True
            years = self._plan.years(*calendar)
            told = years["year_basis"]
            words = sorted(set(told.to_list())) if len(told) < _FEW else told.unique().sort().to_list()
            begins = years["local_ns"].fill_null(NO_TIME).to_numpy()
            good = (begins != NO_TIME)[run]
            found = np.where(begins != NO_TIME, begins - ns[few], 0)[run] + ns
            for stamps, ns, flags in ((inner, inner_ns, known), (outer, outer_ns, outer_known)):
                mine = (stamps.kind == YEARLESS) & good
                ns[mine] = found[mine]
                flags |= mine
            codes = np.zeros(len(told), np.int64)
            if len(words) > 1:
                codes = told.replace_strict(words, range(len(words)), return_dtype=pl.Int64).to_numpy()
            codes = codes[run]
            stated, told_inside, never = range(len(words), len(words) + 3)
            words = [*words, "stated", "inner", "none"]
            with_year = np.where(outer.kind == YEARLESS, told_inside, stated)
            basis = np.where(inner.kind == YEARLESS, codes, np.where(known, with_year, never))
        if (inner.kind == DAYLESS).any():
            clocks = np.flatnonzero(inner.kind == DAYLESS)
            placed = self.days.local_ns(inner.ns[clocks])
            good = placed != NO_TIME
            inner_ns[clocks[good]], known[clocks] = placed[good], good
            basis[clocks[good]] = len(words)
            words = [*words, self.days.basis]
        universal = (inner.kind == UNIVERSAL) | in_utc
        outer_universal = (outer.kind == UNIVERSAL) | outer_in_utc
        ts, zone = self._universal(inner_ns, known, universal, outer_ns, outer_universal)
        outer_at = self._outer_at(outer_ns, outer_known, outer_universal)
        zone_words = ["none", "stated", "inner", self._zone_basis]
        self._count(self._bases, words, basis)
        self._count(self._zones, zone_words, zone)
        return Times(ts, outer_at, _spelled(words, basis), _spelled(zone_words, zone))

    def _universal(
        self, ns: Ints, known: Bools, universal: Bools, outer_ns: Ints, outer_universal: Bools
    ) -> tuple[pl.Series, Ints]:
        local = known & ~universal
        paired = local & outer_universal if self._origin.zone is None else np.zeros(len(ns), np.bool_)
        result = np.where(known, ns, 0)
        zone = np.where(known, np.where(universal, 1, 3), 0)
        if paired.any():
            away = ns - outer_ns
            quarters = (away + _QUARTER_NS // 2) // _QUARTER_NS
            fits = paired & (np.abs(away - quarters * _QUARTER_NS) <= _NEAR_NS) & (np.abs(quarters) <= 56)
            result = np.where(fits, ns - quarters * _QUARTER_NS, result)
            zone = np.where(fits, 2, zone)
            local &= ~fits
        if self._origin.zone is not None and local.any():
            converted = self._inner.utc(np.where(local, ns, NO_TIME))["ts"].cast(pl.Int64).fill_null(0).to_numpy()
            result = np.where(local, converted, result)
        return _instants(result, known), zone

    def _outer_at(self, ns: Ints, known: Bools, universal: Bools) -> pl.Series:
        result = np.where(known, ns, 0)
        local = known & ~universal
        if self._origin.zone is not None and local.any():
            converted = self._outer.utc(np.where(local, ns, NO_TIME))["ts"].cast(pl.Int64).fill_null(0).to_numpy()
            result = np.where(local, converted, result)
        return _instants(result, known)

    @staticmethod
    def _count(into: dict[str, int], words: list[str], codes: npt.NDArray[np.int64]) -> None:
        for code, count in enumerate(np.bincount(codes, minlength=len(words)).tolist()):
            if count:
                into[words[code]] = into.get(words[code], 0) + count

    def facts(self) -> dict[str, str]:
        """What has been found out so far, for `Batch.facts`."""
        facts: dict[str, str] = {}
        if self._bases:
            facts["year_basis"] = max(sorted(self._bases), key=self._bases.__getitem__)
        if self._zones:
            facts["zone_basis"] = max(sorted(self._zones), key=self._zones.__getitem__)
            if facts["zone_basis"] == self._zone_basis:
                facts["zone"] = self._zone
        if self._plan is not None and self._plan.note:
            facts["note"] = self._plan.note
        return facts


def _spelled(words: list[str], codes: npt.NDArray[np.int64]) -> pl.Series:
    if codes.min() == codes.max():
        return pl.Series([words[codes[0]]], dtype=pl.String).new_from_index(0, len(codes))
    return pl.Series(words, dtype=pl.String).gather(codes)


def _instants(ns: Ints, known: Bools) -> pl.Series:
    bits = None if known.all() else pa.py_buffer(np.packbits(known, bitorder="little"))
    array = pa.Array.from_buffers(pa.int64(), len(ns), [bits, pa.py_buffer(np.ascontiguousarray(ns, np.int64))])
    column = pl.from_arrow(array)
    assert isinstance(column, pl.Series)
    return column.cast(INSTANT)


def _dated(inner: Stamps, outer: Stamps) -> tuple[Ints, Ints]:
    """The stamp without a year, and the stamp with one beside it (or the only one): `NO_TIME` where there is none."""
    use_inner = (inner.kind == YEARLESS) | (outer.kind != YEARLESS)
    ns = np.where(use_inner, inner.ns, outer.ns)
    kind = np.where(use_inner, inner.kind, outer.kind)
    dated = (kind == YEARLESS) | (kind == LOCAL) | (kind == UNIVERSAL)
    inside = inner.kind == YEARLESS
    other_kind = np.where(inside, outer.kind, inner.kind)
    known = (other_kind == LOCAL) | (other_kind == UNIVERSAL)
    return np.where(dated, ns, NO_TIME), np.where(known, np.where(inside, outer.ns, inner.ns), NO_TIME)


def _runs(ns: Ints, reference: Ints, by_day: bool) -> tuple[Ints, Ints]:
    """Lines that stand for all others in a question for the year.

    Lines next to each other that have the same day, and the same day on their other clock, have the same year: a turn
    of the year is a step of half a year. Only where the two days are a week apart, the limit up to which one clock
    tells the other's year, does the time of day matter.

    Returns:
        The first and the last line of each run, in order, and for each line the place of its run's first one in that.
    """
    day, other = ns // DAY_NS, reference // DAY_NS
    new = np.ones(len(ns), np.bool_)
    new[1:] = (day[1:] != day[:-1]) | (other[1:] != other[:-1])
    first = np.flatnonzero(new)
    apart = (day[first] - other[first]) % _YEAR_DAYS
    if not by_day or (np.abs(np.minimum(apart, _YEAR_DAYS - apart) - 7) < 3).any():
        new[1:] |= (ns[1:] != ns[:-1]) | (reference[1:] != reference[:-1])
        first = np.flatnonzero(new)
    last = np.append(first[1:], len(ns)) - 1
    kept = new.copy()
    kept[last] = True
    places = np.cumsum(kept) - 1
    return np.flatnonzero(kept), places[first][np.cumsum(new) - 1]


def _calendar(ns: Ints) -> tuple[Ints, Ints, Ints]:
    """Month, day and time of day; zeros for `NO_TIME`."""
    dated = ns != NO_TIME
    days = np.where(dated, ns, 0) // DAY_NS
    date = days.astype("datetime64[D]")
    month = date.astype("datetime64[M]")
    return (
        np.where(dated, month.astype(np.int64) % 12 + 1, 0),
        np.where(dated, (date - month.astype("datetime64[D]")).astype(np.int64) + 1, 0),
        np.where(dated, ns - days * DAY_NS, 0),
    )
