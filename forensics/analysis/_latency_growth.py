"""Which operations slow down with the rows of a table, and not with anything else that changed meanwhile."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from forensics.analysis._correlate import SECOND_NS
from forensics.analysis._latency_rows import Series
from forensics.analysis._latency_statistics import Fit, Values, correlation, independent, line, misfit, p_of, partial

LEAST_REQUESTS = 12
LEAST_CORRELATION = 0.5
LEAST_PARTIAL = 0.35
LEAST_SPREAD = 0.05
"""Share of the rows that must have come or gone before anything can be read from it."""
MOST_ELASTIC = 2.5
"""A scan is linear in its rows, a sort little more, a nested loop quadratic: nothing grows faster than that by rows."""
CHANCE = 1e-4
WEIGHT = 0.3
"""Load or size must vary by this power of what the latency varies by, to be held still as a possible cause."""
BUSY = 0.3
"""Requests in flight from which on load may make others wait."""
HALF_HOUR_S = 1800.0
MOST_CONTROLS = 16
FEW_POINTS = 400
"""Operations to compare with, the busiest first, and the points that a comparison is reckoned from."""
SAME = 0.02
"""Rank correlations closer than this explain equally well."""
PARENTS = ("instances", "instance_system_metadata", "instance_info_caches")
"""Of tables that grow together, the one that the others hang on; the first two are what nova's EC2 API loads whole."""
_SERVERS = re.compile(r"(?i)server|instance")


@dataclass(frozen=True, slots=True)
class Control:
    """Another operation of the same service over the same rows."""

    operation: str
    requests: int
    correlation: float
    growth: float
    """By what share of its own latency it rises from the fewest rows to the most."""
    moves: bool
    """Whether it surely follows the rows, too."""
    still: bool
    """Whether it surely does not, or by less than half as much."""


@dataclass(frozen=True, slots=True)
class Fall:
    """A purge: rows became fewer, and requests before and after it."""

    at: int
    from_rows: int
    to_rows: int
    place: int
    """Index of the first count after it."""
    peak_s: float
    told_s: float
    """What the requests before it alone let expect afterwards."""
    seen_s: float
    seen_rows: float
    """Medians of the requests after it."""
    requests: int
    followed: bool


@dataclass(frozen=True, slots=True)
class Growth:
    """An operation that slows down with a table."""

    deployments: tuple[str, ...]
    operation: str
    requests: pl.DataFrame
    series: Series
    rows: Values
    fit: Fit
    correlation: float
    partial: float
    load: float
    length: float | None
    """Rank correlations of the latency with load and with the answers' size, None where that is constant."""
    controls: tuple[Control, ...] = ()
    fall: Fall | None = None
    as_well: tuple[str, ...] = ()
    """Tables that explain it equally well."""

    @property
    def least_s(self) -> float:
        """The line at the fewest rows."""
        return max(self.fit.at(float(self.rows.min())), 0.0)

    @property
    def most_s(self) -> float:
        """The line at the most rows."""
        return self.fit.at(float(self.rows.max()))


class Coming(NamedTuple):
    """When requests came in."""

    at: npt.NDArray[np.int64]
    """ns, in order, shape (n,)."""
    upto: Values
    """How many had before each of them, and in all, shape (n + 1,): one may stand for several."""


def coming(everything: pl.DataFrame) -> Coming:
    """When requests came in, of rows with ``start`` and ``stands_for``."""
    ordered = everything.select("start", "stands_for").sort("start")
    upto = np.concatenate([[0.0], ordered["stands_for"].cast(pl.Float64).cum_sum().to_numpy()])
    return Coming(ordered["start"].to_numpy(), upto)


def arrivals(starts: Coming, at: npt.NDArray[np.int64], seconds: Values) -> Values:
    """Requests that came in around each of some instants: load, as long as latency itself does not enter it.

    Requests in flight would not do: slow requests overlap more because they are slow.

    Args:
        starts: When any request of the deployment came in.
        at: When those of the operation came in, ns.
        seconds: How long they lasted: half their median, and a second at least, is the reach to both sides.
    """
    reach = int(max(float(np.median(seconds)), 1.0) * SECOND_NS)
    first, last = np.searchsorted(starts.at, at - reach, side="left"), np.searchsorted(starts.at, at + reach, "right")
    return starts.upto[last] - starts.upto[first]


def loads(starts: Coming, at: npt.NDArray[np.int64], seconds: Values) -> list[Values]:
    """Load at the time of each request, and within half an hour where a service has that much to do that it queues.

    By Little's law so many requests are in flight as come in a second times the seconds that each stays: where that is
    next to nothing, more requests an hour keep nobody waiting.
    """
    short = arrivals(starts, at, seconds)
    long = arrivals(starts, at, np.array([HALF_HOUR_S]))
    in_flight = float(np.quantile(long, 0.9)) / (2 * HALF_HOUR_S) * float(np.median(seconds))
    return [short, long] if in_flight >= BUSY else [short]


def growth(
    requests: pl.DataFrame, operation: str, everything: pl.DataFrame, tables: Sequence[Series], tests: int
) -> Growth | None:
    """Judge one operation.

    Args:
        requests: Those of the operation that were served, by ``at``.
        operation: Its name.
        everything: All requests of the same deployments, served or not.
        tables: Tables that may explain it.
        tests: How many operations and tables are judged in all: chance has as many attempts.

    Returns:
        The table that explains it best, None where none does: too few requests, no relation, one that load or the
        answers' size explain, or one that is no line (a step, or steeper than rows can be).
    """
    if requests.height < LEAST_REQUESTS:
        return None
    starts = coming(everything)
    found = [one for table in tables if (one := _against(requests, operation, starts, table, tests)) is not None]
    if not found:
        return None
    best = max(one.correlation for one in found)
    alike = sorted((one for one in found if one.correlation >= best - SAME), key=_first)
    chosen = alike[0]
    others = tuple(dict.fromkeys(one.series.table for one in alike[1:] if one.series.table != chosen.series.table))
    chosen = replace(chosen, controls=_controls(chosen, everything), fall=_fall(chosen), as_well=others)
    return None if _whole_host(chosen) else chosen


def _first(one: Growth) -> tuple[object, ...]:
    table = one.series.table
    known = PARENTS.index(table) if table in PARENTS else len(PARENTS)
    return (known, -one.correlation, -int(one.series.rows.max()), table, one.series.database or "")


def _against(requests: pl.DataFrame, operation: str, starts: Coming, table: Series, tests: int) -> Growth | None:
    part = requests.filter(pl.Series(table.known(requests["start"].to_numpy())))
    if part.height < LEAST_REQUESTS:
        return None
    at, seconds = part["start"].to_numpy(), part["duration_s"].to_numpy().astype(np.float64)
    rows = table.as_of(at)
    if np.unique(rows).size < 3 or np.ptp(rows) < LEAST_SPREAD * rows.max():
        return None
    rho = correlation(rows, seconds)
    if rho < LEAST_CORRELATION or p_of(rho, part.height) * tests > CHANCE:
        return None
    load, *longer = loads(starts, at, seconds)
    sizes = part["response_bytes"].cast(pl.Float64).to_numpy() if part["response_bytes"].null_count() == 0 else None
    others = [other for other in (load, *longer, sizes) if other is not None and _weighs(other, seconds)]
    left = partial(rows, seconds, others)
    fit = line(rows, seconds)
    order = np.argsort(at, kind="stable")
    if p_of(rho, independent((seconds - fit.level - fit.slope * rows)[order])) * tests > CHANCE:
        return None
    middle, typical = float(np.median(rows)), float(np.median(seconds))
    elastic = fit.low * middle / max(typical, 1e-9)
    if left < LEAST_PARTIAL or fit.low <= 0 or elastic > MOST_ELASTIC or _is_step(at, seconds, rows, fit):
        return None
    length = correlation(sizes, seconds) if sizes is not None and np.ptp(sizes) > 0 else None
    return Growth((), operation, part, table, rows, fit, rho, left, correlation(load, seconds), length)


def _weighs(other: Values, seconds: Values) -> bool:
    """Whether something varies enough to explain how the latency varies: a tenth more does not take thrice as long."""
    low, high = np.quantile(other, [0.1, 0.9])
    fast, slow = np.quantile(seconds, [0.1, 0.9])
    return bool(np.log((high + 1e-9) / (low + 1e-9)) >= WEIGHT * np.log((slow + 1e-9) / (fast + 1e-9)))


def _is_step(at: npt.NDArray[np.int64], seconds: Values, rows: Values, fit: Fit) -> bool:
    """Whether one moment explains more than the rows do: then it is no growth, though both rise with time."""
    order = np.argsort(at, kind="stable")
    values, told = seconds[order], fit.level + fit.slope * rows[order]
    count = len(values)
    cuts = np.unique(np.linspace(4, count - 4, min(count - 7, 60)).round().astype(int))
    best = min(
        float(
            np.abs(values[:cut] - np.median(values[:cut])).sum() + np.abs(values[cut:] - np.median(values[cut:])).sum()
        )
        for cut in cuts
    )
    return best / count < 0.8 * misfit(values, told)


def _controls(one: Growth, everything: pl.DataFrame) -> tuple[Control, ...]:
    """The other operations of those deployments, over the same rows."""
    first, last = int(one.requests["start"][0]), int(one.requests["start"].max() or 0)  # type: ignore[arg-type]
    rise = one.most_s / max(one.least_s, one.most_s / 100) - 1
    told = []
    span = pl.col("start").is_between(first, last) & (pl.col("operation") != one.operation)
    counts = everything.filter(span).group_by("operation").len().cast({"operation": pl.String})
    for operation in counts.sort(-pl.col("len").cast(pl.Int64), "operation")["operation"].head(MOST_CONTROLS):
        part = everything.filter(span, pl.col("operation") == operation)
        known = part.filter(pl.Series(one.series.known(part["start"].to_numpy())))
        if known.height < 8:
            continue
        known = known.sort("start", "source", "position")
        rows, seconds = one.series.as_of(known["start"].to_numpy()), known["duration_s"].to_numpy().astype(np.float64)
        if np.ptp(rows) < 0.5 * np.ptp(one.rows):
            continue
        rho, fit = correlation(rows, seconds), line(rows, seconds, FEW_POINTS)
        low = fit.at(float(rows.min()))
        share = float(np.ptp(rows)) / max(low, float(np.median(seconds)) / 100, 1e-9)
        moves = rho > 0.3 and p_of(rho, known.height) < 0.01 and fit.slope * share > min(rise, 4) / 4
        still = not moves and (fit.high * share < rise / 2 or rho <= 0)
        told.append(Control(operation, known.height, rho, fit.slope * share, moves, still))
    return tuple(sorted(told, key=lambda control: (not control.still, -control.requests, control.operation)))


def _whole_host(one: Growth) -> bool:
    """Whether everything slowed down, also what never looks at that table: then the host did, or what it waits for."""
    if not one.series.table.startswith("instance"):
        return False
    own = bool(_SERVERS.search(one.operation))
    strangers = [control for control in one.controls if not (own and _SERVERS.search(control.operation))]
    return any(control.moves for control in strangers) and all(control.moves for control in one.controls)


def _fall(one: Growth) -> Fall | None:
    """The largest loss of rows with requests on both sides of it, and whether the latency followed."""
    counts = one.series.rows
    if one.series.basis == "rebuilt" or len(counts) < 2:
        return None
    at, seconds = one.requests["start"].to_numpy(), one.requests["duration_s"].to_numpy().astype(np.float64)
    drops = counts[:-1] - counts[1:]
    for place in np.argsort(-drops, kind="stable")[:3]:
        if drops[place] < 0.1 * counts[place]:
            break
        moment = int(one.series.at[place + 1])
        before, after = at <= int(one.series.at[place]), at >= moment
        low = after & (one.rows <= counts[place + 1] * 1.1)
        if before.sum() < 8 or low.sum() < 3 or np.ptp(one.rows[before]) == 0:
            continue
        fit = line(one.rows[before], seconds[before], 2 * FEW_POINTS)
        high = before & (one.rows >= 0.9 * counts[place])
        if high.sum() < 3:
            continue
        peak, seen = float(np.median(seconds[high])), float(np.median(seconds[low]))
        left = float(np.median(one.rows[low]))
        told = fit.at(left)
        followed = fit.low > 0 and told > 0 and 0.6 <= seen / told <= 1.67 and peak - seen >= 0.5 * (peak - told) > 0
        return Fall(
            moment,
            int(counts[place]),
            int(counts[place + 1]),
            int(place) + 1,
            peak,
            told,
            seen,
            left,
            int(low.sum()),
            followed,
        )
    return None
