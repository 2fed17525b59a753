"""Instants of log records: the innermost stamp in UTC, how its year and zone were found, and the transport's stamp."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from forensics.clocks import NO_TIME, LocalClock, YearCounter, YearPlan
from forensics.loaders._reader import Origin
from forensics.loaders.lines import _kernel
from forensics.loaders.lines._arrow import INSTANT, bits, numbers, spelled
from forensics.loaders.lines._days import DayPlan
from forensics.loaders.lines._fields import (
    DAY_NS,
    DAYLESS,
    LOCAL,
    SECOND_NS,
    UNIVERSAL,
    UNREADABLE,
    YEARLESS,
    YEARLESS_UTC,
    Stamps,
    distinct,
)
from forensics.loaders.lines._text import VIEW, Bools, Bytes, Ints

_QUARTER_NS = 900 * SECOND_NS
_NEVER, _INNER, _STATED, _FOUND = range(4)
"""How a year or a zone is known, as the kernel numbers it: the last is what was found out for the whole file."""
_LOCAL = _FOUND
_BOUNDED = ("file-name", "modified")
_YEAR_DAYS = 365.2425
_NEAR_NS = 300 * SECOND_NS
"""Logging latency up to which an inner and an outer stamp still tell the inner one's zone."""


@dataclass(slots=True)
class Times:
    """Columns of one row a record."""

    ts: pa.Array
    outer_at: pa.Array
    year_basis: pa.Array
    zone_basis: pa.Array


@dataclass(slots=True)
class Years:
    """Years of runs of rows.

    ``run`` is the run of each row; of each run ``shift`` is what to add to a stamp without a year (kept as of the year
    2000), ``good`` whether there is a year, and ``told`` how it is known, by number.
    """

    run: Ints
    shift: Ints
    good: Bools
    told: Bytes


@dataclass(slots=True)
class Instants:
    """Wall clocks of rows, 0 where not known; how year and zone are known, by number."""

    ts: Ints
    outer_at: Ints
    known: Bools
    outer_known: Bools
    basis: Bytes
    zone: Bytes
    outer_zone: Bytes


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

    @property
    def state(self) -> dict[str, Any]:
        """All that later records need, as plain values."""
        plan = None if self._plan is None else self._plan.state
        clocks = {"inner": self._inner.state, "outer": self._outer.state, "days": self.days.state}
        return {"yearless": self._yearless, "plan": plan} | clocks

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on where a clock of the same origin had this state; `facts` are of later records alone."""
        self._yearless, plan = state["yearless"], state["plan"]
        self._plan = None if plan is None else YearPlan.of(plan)
        self._inner.resume(state["inner"])
        self._outer.resume(state["outer"])
        self.days.resume(state["days"])

    def times(self, inner: Stamps, outer: Stamps) -> Times:
        """Instants of further records.

        Args:
            inner: The stamp nearest to the message.
            outer: The transport's own stamp, where there is another.
        """
        if not len(inner.kind):
            nothing, unsaid = numbers(inner.ns, kind=INSTANT), pa.nulls(0, VIEW)
            return Times(nothing, nothing, unsaid, unsaid)
        highest, outer_highest = inner.kind.max(), outer.kind.max()
        in_utc = outer_in_utc = np.False_
        if max(highest, outer_highest) == YEARLESS_UTC:
            in_utc, outer_in_utc = inner.kind == YEARLESS_UTC, outer.kind == YEARLESS_UTC
            inner = Stamps(np.where(in_utc, YEARLESS, inner.kind).astype(np.int8), inner.ns)
            outer = Stamps(np.where(outer_in_utc, YEARLESS, outer.kind).astype(np.int8), outer.ns)
        years = self._years(inner, outer)
        words = ["none", "inner", "stated", "none" if self._plan is None else self._plan.basis]
        compiled = _kernel.kernel()
        paired = self._origin.zone is None and outer_highest >= UNIVERSAL
        if compiled is not None and max(highest, outer_highest) <= UNREADABLE and not paired:
            made = _kernel.instants(compiled, inner, outer, years)
        else:
            made = _instants(inner, outer, years)
            if highest >= DAYLESS and (clocks := np.flatnonzero(inner.kind == DAYLESS)).size:
                placed = self.days.local_ns(inner.ns[clocks])
                good = placed != NO_TIME
                made.ts[clocks], made.known[clocks] = np.where(good, placed, 0), good
                made.zone[clocks] = np.where(good, _LOCAL, _NEVER)
                made.basis[clocks[good]] = len(words)
                words.append(self.days.basis)
            made.zone[in_utc & made.known] = _STATED
            made.outer_zone[outer_in_utc & made.outer_known] = _STATED
            if self._origin.zone is None:
                _pair(made)
        if self._origin.zone is not None:
            _convert(self._inner, made.ts, made.zone)
            _convert(self._outer, made.outer_at, made.outer_zone)
        zones = ["none", "inner", "stated", self._zone_basis]
        self._count(self._bases, words, made.basis)
        self._count(self._zones, zones, made.zone)
        return Times(
            numbers(made.ts, bits(made.known), INSTANT),
            numbers(made.outer_at, bits(made.outer_known), INSTANT),
            spelled(words, made.basis),
            spelled(zones, made.zone),
        )

    def _years(self, inner: Stamps, outer: Stamps) -> Years | None:
        """What is known of the years of stamps that have none; None where there never was such a stamp."""
        if not self._yearless and not ((inner.kind == YEARLESS) | (outer.kind == YEARLESS)).any():
            return None
        # the year is that of the whole run; where a file's own date bounds it, each second is asked for
        run, ns, reference = _runs(inner, outer, self._plan is None or self._plan.basis not in _BOUNDED)
        calendar = (*_calendar(ns), reference)
        if self._plan is None:
            self._counter.add(*calendar)
            self._plan = self._counter.resolve(
                declared=self._origin.year,
                rotated_on_ns=self._origin.rotated_on,
                elsewhere_ns=self._origin.elsewhere_ns,
                modified_ns=self._origin.modified_ns,
            )
        self._yearless = True
        begins, inside = self._plan.placed(*calendar)
        good = begins != NO_TIME
        told = np.where(good, np.where(inside, _INNER, _FOUND), _NEVER).astype(np.uint8)
        return Years(run, np.where(good, begins - ns, 0), good, told)

    @staticmethod
    def _count(into: dict[str, int], words: list[str], codes: Bytes) -> None:
        for code, count in distinct(codes):
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


def _instants(inner: Stamps, outer: Stamps, years: Years | None) -> Instants:
    """Wall clocks with their years, as `_kernel.instants` finds them."""
    yearless = inner.kind == YEARLESS, outer.kind == YEARLESS
    known, outer_known = ((s.kind == LOCAL) | (s.kind == UNIVERSAL) for s in (inner, outer))
    basis = np.where(known, np.where(yearless[1], _INNER, _STATED), _NEVER).astype(np.uint8)
    ns = [inner.ns, outer.ns]
    if years is not None:
        found = np.where(yearless[0], inner.ns, outer.ns) + years.shift[years.run]
        good = years.good[years.run]
        ns = [np.where(mine & good, found, plain) for mine, plain in zip(yearless, ns, strict=True)]
        known, outer_known = known | (yearless[0] & good), outer_known | (yearless[1] & good)
        basis[yearless[0]] = years.told[years.run][yearless[0]]
    zones = [
        np.where(there, np.where(stamps.kind == UNIVERSAL, _STATED, _LOCAL), _NEVER).astype(np.uint8)
        for there, stamps in ((known, inner), (outer_known, outer))
    ]
    return Instants(
        np.where(known, ns[0], 0), np.where(outer_known, ns[1], 0), known, outer_known, basis, zones[0], zones[1]
    )


def _pair(made: Instants) -> None:
    """Let an outer stamp in UTC tell the zone of the inner one."""
    paired = (made.zone == _LOCAL) & (made.outer_zone == _STATED)
    if paired.any():
        away = made.ts - made.outer_at
        quarters = (away + _QUARTER_NS // 2) // _QUARTER_NS
        fits = paired & (np.abs(away - quarters * _QUARTER_NS) <= _NEAR_NS) & (np.abs(quarters) <= 56)
        made.ts[fits] -= (quarters * _QUARTER_NS)[fits]
        made.zone[fits] = _INNER


def _convert(clock: LocalClock, ns: Ints, zone: Bytes) -> None:
    """Put wall clocks into UTC."""
    local = zone == _LOCAL
    if local.any():
        converted = clock.utc(np.where(local, ns, NO_TIME))["ts"].cast(pl.Int64).fill_null(0).to_numpy()
        ns[local] = converted[local]


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


def _runs(inner: Stamps, outer: Stamps, by_day: bool) -> tuple[Ints, Ints, Ints]:
    """Lines that stand for all others in a question for the year.

    Lines next to each other that have the same day, and the same day on their other clock, have the same year: a turn
    of the year is a step of half a year. Only where the two days are a week apart, the limit up to which one clock
    tells the other's year, does the time of day matter.

    Returns:
        For each line the place of its run among the first and last lines of all runs; and the two stamps of these.
    """
    compiled = _kernel.kernel()
    for unit in (DAY_NS, 1) if by_day else (1,):
        few, run = _stretches(inner, outer, unit) if compiled is None else _kernel.runs(compiled, inner, outer, unit)
        ns, reference = _dated(*(Stamps(stamps.kind[few], stamps.ns[few]) for stamps in (inner, outer)))
        apart = (ns // DAY_NS - reference // DAY_NS) % _YEAR_DAYS
        if unit == 1 or not (np.abs(np.minimum(apart, _YEAR_DAYS - apart) - 7) < 3).any():
            break
    return run, ns, reference


def _stretches(inner: Stamps, outer: Stamps, unit: int) -> tuple[Ints, Ints]:
    """Lines next to each other whose two stamps are the same in such units, as `_kernel.runs` finds them."""
    ns, reference = (each // unit for each in _dated(inner, outer))
    new = np.ones(len(ns), np.bool_)
    new[1:] = (ns[1:] != ns[:-1]) | (reference[1:] != reference[:-1])
    first = np.flatnonzero(new)
    kept = new.copy()
    kept[np.append(first[1:], len(ns)) - 1] = True
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
