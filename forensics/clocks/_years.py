"""Years for stamps that have none, from what else the evidence says; never in silence."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from forensics.clocks._rolls import RollCounter
from forensics.clocks._stamps import (
    DAY_NS,
    FIRST_YEAR,
    LAST_YEAR,
    NS,
    Column,
    Flags,
    Ints,
    civil_days,
    date_exists,
    day_exists,
    is_leap,
    whole_numbers,
)
from forensics.clocks._steps import Run, Steps

NO_TIME = int(np.iinfo(np.int64).min)
"""Stands for "no reference" in an array that cannot hold a null."""

AGREEMENT_NS = 7 * DAY_NS
"""A second clock that differs by more than queueing and zones explain says nothing about the year."""
NAME_SLACK_NS = 2 * DAY_NS
"""A name tells the day of rotation or the day of the content, in some zone."""
MODIFIED_SLACK_NS = DAY_NS
"""Zones (14 h) and clock errors by which a newest line may seem younger than its file."""
ELSEWHERE_NS = 60 * DAY_NS
"""The evidence of one incident lies together: a last line farther from the dated sources says nothing of its year."""
OLDEST_MODIFIED_NS = 631_152_000 * NS
"""1990-01-01: a file time before it is an unset clock or a packer's constant."""
_MOST_RUNS = 65_536
"""So many changes of mind are remembered; a log needs none, so that memory stays bounded."""
_BACKWARD_YEARS = 28
"""How far back a 29 February may push the newest year: the calendar repeats after that."""


class YearPlan:
    """Second of the two passes: years for the lines of one log, in the order of the file.

    Attributes:
        basis: How the year of a line without a second clock was found (a word of `YEAR_BASES`).
        note: What the reader should know about it, or None.
    """

    def __init__(
        self,
        basis: str,
        note: str | None = None,
        *,
        steps: Steps | None = None,
        lines: int = 0,
        bound_ns: int | None = None,
        strays: Collection[tuple[int, int]] = (),
    ) -> None:
        self.basis = basis
        self.note = note
        self._steps = steps
        self._counted = lines
        self._bound_ns = bound_ns
        self._strays = np.array(list(strays), dtype=np.int64).reshape(-1, 2)
        self._rolls = RollCounter()
        self._lines = 0

    @property
    def state(self) -> dict[str, Any]:
        """All that later lines need, as plain values."""
        steps = None if self._steps is None else self._steps.state
        told = {"basis": self.basis, "note": self.note, "steps": steps, "counted": self._counted}
        strays = self._strays.tolist()
        return told | {"bound_ns": self._bound_ns, "strays": strays, "rolls": self._rolls.state, "lines": self._lines}

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> YearPlan:
        """The plan that had this state."""
        steps = None if state["steps"] is None else Steps.of(state["steps"])
        plan = cls(
            state["basis"],
            state["note"],
            steps=steps,
            lines=state["counted"],
            bound_ns=state["bound_ns"],
            strays=state["strays"],
        )
        plan._rolls, plan._lines = RollCounter.of(state["rolls"]), state["lines"]
        return plan

    def years(self, month: Column, day: Column, clock_ns: Column, reference_ns: Column | None = None) -> pl.DataFrame:
        """Years of further lines: the same lines in the same order as in the first pass.

        Args:
            month: As for `YearCounter.add`.
            day: As for `YearCounter.add`.
            clock_ns: As for `YearCounter.add`.
            reference_ns: As for `YearCounter.add`.

        Returns:
            One row per line: ``year`` (Int32; null where nothing tells it, or the
            day does not exist in it), ``year_basis`` (a word of `YEAR_BASES`),
            ``local_ns`` (Int64, the wall clock with its year, as if it were UTC) and
            ``reason`` (why there is no year, or why it is in doubt; null where all is plain).
        """
        facts = pl.DataFrame(self._facts(*_columns(month, day, clock_ns, reference_ns)))
        reason = (
            pl.when(pl.col("dated").not_()).then(pl.lit("no such date"))
            .when(pl.col("known").not_()).then(pl.lit(self.note or "neighbours leave the year open"))
            .when("late").then(pl.lit("later than the file's own date"))
            .when(pl.col("good").not_()).then(pl.format("{} has no 29 February", "year"))
            .when("stray").then(pl.lit("the clock was elsewhere for a short while"))
            .when("doubtful").then(pl.lit("a silence or a clock set back parts this line from what tells the year"))
            .when("apart").then(pl.lit("the second clock of this line is more than a week away"))
        )  # fmt: skip
        basis = pl.when(pl.col("good").not_()).then(pl.lit("none")).when("inner").then(pl.lit("inner"))
        return facts.select(
            year=pl.when("good").then(pl.col("year").cast(pl.Int32)), year_basis=basis.otherwise(pl.lit(self.basis)),
            local_ns=pl.when("good").then("local_ns"), reason=reason,
        )  # fmt: skip

    def placed(self, month: Ints, day: Ints, clock_ns: Ints, reference_ns: Ints) -> tuple[Ints, Flags]:
        """What `years` says of further lines, in arrays: ``local_ns`` (`NO_TIME` for null), whether it is "inner"."""
        facts = self._facts(month, day, clock_ns, reference_ns)
        return np.where(facts["good"], facts["local_ns"], NO_TIME), facts["inner"]

    def _facts(self, months: Ints, days: Ints, clocks: Ints, references: Ints) -> dict[str, Any]:
        dated = day_exists(months, days)
        turns, doubts = self._rolls.turns(months, days, clocks, dated)
        lines = np.arange(self._lines, self._lines + len(months), dtype=np.int64)
        self._lines += len(months)
        near, agrees = years_near(months, days, clocks, references, dated)
        inner = agrees & (self.basis != "declared")
        if self._steps is None:
            years, known, doubtful = turns, np.zeros_like(dated), np.zeros_like(dated)
        else:
            later = doubts[lines[doubts] >= self._counted]
            if len(later) and self._steps.doubtful_from is None:
                self._steps.doubtful_from = int(lines[later[0]])
            bases, known = self._steps.at(lines)
            years, doubtful = bases + turns, self._steps.doubtful(lines)
        years = np.where(inner, near, years)
        known = (known | inner) & (years >= FIRST_YEAR) & (years <= LAST_YEAR)
        exists = known & date_exists(np.where(known, years, 2000), months, days)
        local = civil_days(np.where(exists, years, 1970), np.where(exists, months, 1), np.where(exists, days, 1))
        local_ns = local * DAY_NS + np.where(exists, clocks, 0)
        late = exists & ~inner & (lines >= self._counted)
        late &= local_ns > self._bound_ns if self._bound_ns is not None else False
        return {
            "year": years, "local_ns": local_ns, "dated": dated, "known": known, "good": exists & ~late,
            "inner": inner, "late": late, "doubtful": doubtful & ~inner, "stray": self._stray(lines) & ~inner,
            "apart": (references != NO_TIME) & ~agrees & dated,
        }  # fmt: skip

    def _stray(self, lines: Ints) -> Flags:
        if not len(self._strays):
            return np.zeros(len(lines), dtype=np.bool_)
        index = np.searchsorted(self._strays[:, 0], lines, side="right") - 1
        return np.asarray((index >= 0) & (lines < self._strays[np.maximum(index, 0), 1]))


class YearCounter:
    """First of two passes over the stamps of one log: counts the turns of the year.

    A log that begins in one year and ends in another shows it only as a step of
    month and day, and which years these are is known best at its end, by its name
    or its modification time. Hence two passes over the same lines, in the order
    of the file: `add` for each chunk of the first, then `resolve`, then
    `YearPlan.years` for each chunk of the second. State is a few numbers, whatever
    the log's length. The two passes need not be cut at the same places.

    Where the source cannot be read twice, add what is at hand (the head), resolve,
    and go on with `YearPlan.years`: it keeps counting beyond what was added, and
    leaves years null that would lie after the file's own date.

    Examples:
        >>> lines = [12, 1], [31, 1], [86_399 * 10**9, 0]
        >>> counter = YearCounter()
        >>> counter.add(*lines)
        >>> plan = counter.resolve(modified_ns=1_356_998_400 * 10**9)  # 2013-01-01
        >>> plan.basis, plan.years(*lines)["year"].to_list()
        ('modified', [2012, 2013])
    """

    def __init__(self) -> None:
        self._rolls = RollCounter()
        self._lines = 0
        self._runs: list[Run] = []
        self._doubts: list[int] = []
        self._overflow = False
        self._leap_turns: set[int] = set()
        self._first_turn: int | None = None
        self._last: tuple[int, int, int, int] | None = None  # turn, month, day, clock_ns of the last dated line

    def add(self, month: Column, day: Column, clock_ns: Column, reference_ns: Column | None = None) -> None:
        """Count further lines.

        Args:
            month: 1 to 12; null or 0 where a line has no stamp.
            day: Day of the month.
            clock_ns: Nanoseconds since midnight.
            reference_ns: Another clock on the same line that has a year: an inner
                stamp, or the line's own stamp where that is RFC 3339 or an epoch
                (its month, day and clock then go into the other arguments). Wall
                clock or UTC, nanoseconds since 1970; null or `NO_TIME` where there is none.
        """
        months, days, clocks, references = _columns(month, day, clock_ns, reference_ns)
        dated = day_exists(months, days)
        turns, doubts = self._rolls.turns(months, days, clocks, dated)
        room = _MOST_RUNS - len(self._doubts)
        self._overflow |= len(doubts) > room
        self._doubts.extend((doubts[:room] + self._lines).tolist())
        years, agrees = years_near(months, days, clocks, references, dated)
        self._note_runs(np.flatnonzero(agrees), (years - turns)[agrees])
        leap = dated & (months == 2) & (days == 29)
        if len(self._leap_turns) < _MOST_RUNS:
            self._leap_turns.update(np.unique(turns[leap]).tolist())
        rows = np.flatnonzero(dated)
        if len(rows):
            last = rows[-1]
            self._last = (int(turns[last]), int(months[last]), int(days[last]), int(clocks[last]))
            if self._first_turn is None:
                self._first_turn = int(turns[rows[0]])
        self._lines += len(months)

    def _note_runs(self, rows: Ints, bases: Ints) -> None:
        if not len(rows):
            return
        starts = np.concatenate(([0], np.flatnonzero(np.diff(bases)) + 1))
        for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(rows)], strict=True):
            first, last, base = int(rows[start]), int(rows[stop - 1]), int(bases[start])
            if self._runs and self._runs[-1].base == base:
                self._runs[-1].last = last + self._lines
            elif len(self._runs) < _MOST_RUNS:
                self._runs.append(Run(first + self._lines, last + self._lines, base))
            else:
                self._overflow = True
                return

    def resolve(
        self,
        *,
        declared: int | None = None,
        rotated_on_ns: int | None = None,
        elsewhere_ns: tuple[int, int] | None = None,
        modified_ns: int | None = None,
        now_ns: int | None = None,
    ) -> YearPlan:
        """Decide the years, by the best evidence there is.

        Args:
            declared: Year of the first line, as the case declares it. It wins over all else.
            rotated_on_ns: Day that the file's name tells (start of that day, UTC).
            elsewhere_ns: First and last instant of the case's sources whose year is known.
            modified_ns: Modification time of the file.
            now_ns: The present, where a modification time in the future shall be called out.

        Returns:
            The plan for the second pass.
        """
        strays, doubts = self._rolls.strays, np.array(self._doubts, dtype=np.int64)
        if self._last is None or self._first_turn is None:
            return YearPlan("none", "no line has a stamp")
        if declared is not None:
            steps = Steps.constant(declared - self._first_turn)
            steps.doubtful_from = int(doubts[0]) if len(doubts) else None
            return YearPlan("declared", steps=steps, lines=self._lines, strays=strays)
        if self._runs:
            steps = Steps.between(self._runs, doubts, self._overflow)
            note = None if steps.known.all() else "neighbours leave the year open"
            return YearPlan("neighbour", note, steps=steps, lines=self._lines, strays=strays)
        if rotated_on_ns is not None:
            return self._before("file-name", rotated_on_ns + NAME_SLACK_NS, [])
        if elsewhere_ns is not None and (base := self._base_near(*elsewhere_ns)) is not None:
            steps = Steps.constant(base)
            steps.doubtful_before = self._doubts[-1] if self._doubts else 0
            return YearPlan("neighbour", "the year of other sources", steps=steps, lines=self._lines, strays=strays)
        if modified_ns is None:
            return YearPlan("none", f"nothing tells the year{self._candidates()}")
        if modified_ns < OLDEST_MODIFIED_NS:
            return YearPlan("none", f"the modification time is before 1990{self._candidates()}")
        future = now_ns is not None and modified_ns > now_ns
        return self._before(
            "modified",
            modified_ns + MODIFIED_SLACK_NS,
            ["the modification time lies in the future"] if future else [],
        )

    def _base_near(self, first_ns: int, last_ns: int) -> int | None:
        """Year of turn 0 that brings the last line nearest to the dated sources, if that is near enough."""
        assert self._last is not None
        turn, month, day, clock = self._last
        middle = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=(first_ns + last_ns) // 2 // DAY_NS)).year
        years = np.arange(middle - 1, middle + 2, dtype=np.int64)
        years = years[[all(_has_leap_day(year - turn + leap) for leap in self._leap_turns) for year in years.tolist()]]
        at = civil_days(years, np.full_like(years, month), np.full_like(years, day)) * DAY_NS + clock
        away = np.maximum(np.maximum(first_ns - at, at - last_ns), 0)
        return int(years[np.argmin(away)]) - turn if len(years) and away.min() <= ELSEWHERE_NS else None

    def _before(self, basis: str, bound_ns: int, notes: list[str]) -> YearPlan:
        """The latest years that put the last line before the bound and give each 29 February its day."""
        assert self._last is not None
        turn, month, day, clock = self._last
        latest = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=bound_ns // DAY_NS)).year
        years = np.arange(latest, max(latest - _BACKWARD_YEARS, FIRST_YEAR) - 1, -1, dtype=np.int64)
        years = years[years <= LAST_YEAR]
        years = years[
            civil_days(years, np.full_like(years, month), np.full_like(years, day)) * DAY_NS + clock <= bound_ns
        ]
        fits = years[[all(_has_leap_day(year - turn + leap) for leap in self._leap_turns) for year in years.tolist()]]
        if not len(fits):
            return YearPlan("none", "no year gives every 29 February of this log its day")
        if fits[0] != years[0]:
            notes.append(f"29 February moved the year from {years[0]} to {fits[0]}")
        steps = Steps.constant(int(fits[0]) - turn)
        steps.doubtful_before = self._doubts[-1] if self._doubts else 0
        note = "; ".join(notes) or None
        return YearPlan(basis, note, steps=steps, lines=self._lines, bound_ns=bound_ns, strays=self._rolls.strays)

    def _candidates(self) -> str:
        """What days of 29 February leave open, as the end of a sentence."""
        if not self._leap_turns:
            return ""
        turn = min(self._leap_turns)
        years = [y for y in range(1996, 2041, 4) if all(_has_leap_day(y - turn + leap) for leap in self._leap_turns)]
        named = ", ".join(map(str, years))
        return f"; its 29 February allows {named}" if named else "; no year allows its days of 29 February"


def years_near(month: Ints, day: Ints, clock_ns: Ints, reference_ns: Ints, dated: Flags) -> tuple[Ints, Flags]:
    """The year that brings each stamp nearest to its reference, and whether it is near enough to count.

    The reference's own year would be wrong around New Year, when one clock is already in the next.
    """
    usable = dated & (reference_ns != NO_TIME)
    reference = np.where(usable, reference_ns, 0)
    middle = reference.astype("datetime64[ns]").astype("datetime64[Y]").astype(np.int64) + 1970
    middle = np.clip(middle, FIRST_YEAR + 1, LAST_YEAR - 1)
    months, days = np.where(usable, month, 1), np.where(usable, day, 1)
    best, distance = middle, np.full(len(middle), np.iinfo(np.int64).max, dtype=np.int64)
    for year in (middle - 1, middle, middle + 1):
        away = np.abs(civil_days(year, months, days) * DAY_NS + clock_ns - reference)
        nearer = date_exists(year, months, days) & (away < distance)
        best, distance = np.where(nearer, year, best), np.where(nearer, away, distance)
    return best, usable & (distance <= AGREEMENT_NS)


def _columns(month: Column, day: Column, clock_ns: Column, reference_ns: Column | None) -> tuple[Ints, ...]:
    months, days, clocks = whole_numbers(month), whole_numbers(day), whole_numbers(clock_ns)
    if reference_ns is None:
        return months, days, clocks, np.full(len(months), NO_TIME, dtype=np.int64)
    return months, days, clocks, whole_numbers(reference_ns, NO_TIME)


def _has_leap_day(year: int) -> bool:
    return bool(is_leap(np.array([year], dtype=np.int64))[0])
