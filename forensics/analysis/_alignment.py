"""How far two clocks are apart, and how sure that is: what one side sent, the other cannot have seen before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from forensics.analysis._clock_line import Line
from forensics.analysis._correlate import SECOND_NS

Times = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]

CLIENT_TYPES = ("DISCOVER", "REQUEST", "DECLINE", "RELEASE", "INFORM")
"""Messages that a client sends (RFC 2131 table 2); a server sends the others."""
NOWHERE = "0.0.0.0"  # noqa: S104 - an absent address in a BOOTP field (RFC 2131 section 2)
MOST_DRIFT_PPM = 200.0
"""Quartz strays by up to 100 parts per million, in virtual machines by some more; a disciplined clock by less."""
LONGEST_TRANSIT_NS = SECOND_NS // 2
"""Where only one direction was seen: nothing is assumed to have travelled, or waited for its log line, for longer."""
MOST_KEYS = 1_000_000
IDENTITIES = (("chaddr", "xkey"), ("xkey",), ("chaddr",), ("ip",))
"""What tells that two DHCP messages of one type are the same one, the surest first."""


def xkey() -> pl.Expr:
    """The smaller of a transaction id and its byte swap: dhclient prints either."""
    xid = pl.col("xid").cast(pl.UInt64)
    swapped = ((xid & 0xFF) * 2**24) + ((xid & 0xFF00) * 2**8) + ((xid // 2**8) & 0xFF00) + (xid // 2**24)
    return pl.min_horizontal(xid, swapped)


def settle(upper_at: Times, upper: Times, lower_at: Times, lower: Times) -> tuple[int, int, float | None]:
    """Where an offset must lie that is at most ``upper`` and at least ``lower`` at given instants.

    The offset is taken to be a straight line over time of at most `MOST_DRIFT_PPM`. All lines that fit form a
    convex set, whose extremes are found exactly. What no line fits widens the bound.

    Args:
        upper_at: Instants, whole nanoseconds, at least one.
        upper: The offset is at most this, nanoseconds.
        lower_at: Instants, at least one.
        lower: The offset is at least this, nanoseconds.

    Returns:
        Offset and bound in nanoseconds, and the drift in parts per million where it is certainly not zero.

    Examples:
        >>> at = np.arange(0, 60_000_000_000, 1_000_000_000)
        >>> settle(at, np.full(60, 5_000_300), at, np.full(60, 5_000_100))[0]
        5000200
    """
    found = fit(upper_at, upper, lower_at, lower)
    return found.offset_ns, found.bound_ns, found.drift_ppm


@dataclass(frozen=True, slots=True)
class Fit:
    """What `settle` finds, and how far the best line is from fitting."""

    offset_ns: int
    bound_ns: int
    drift_ppm: float | None
    strain_ns: int
    line: Line | None = None
    """Where the drift is certainly not zero: the same more closely."""


def fit(upper_at: Times, upper: Times, lower_at: Times, lower: Times, reach: tuple[int, int] | None = None) -> Fit:
    """What `settle` gives, with the strain: half of what the points give way until a line fits.

    Args:
        upper_at: As `settle` has them.
        upper: As well.
        lower_at: As well.
        lower: As well.
        reach: From when to when the bound shall hold, as far as that is no further from the points than they are from
            each other; a little further than the points where it is None.
    """
    start, end = (int(edge) for edge in (min(upper_at.min(), lower_at.min()), max(upper_at.max(), lower_at.max())))
    base, middle = int(np.median(upper)), (start + end) // 2
    upper_at, upper = _extremes(upper_at, upper, start, end, np.minimum)
    lower_at, lower = _extremes(lower_at, lower, start, end, np.maximum)
    ceiling = _hull((upper_at - middle) / 1e9, (upper - base) / 1e9)
    floor_t, floor = _hull((lower_at - middle) / 1e9, -(lower - base) / 1e9)
    lines = _Lines(*ceiling, floor_t, -floor)
    strain = max(0.0, -float(lines.room(lines.slopes).max()) / 2)
    slack, width = strain * 1.001 + 1e-9, end - start
    first, last = (start - width // 25, end + width // 25) if reach is None else reach
    edges = [(min(max(first, start - width), start) - middle) / 1e9, (max(min(last, end + width), end) - middle) / 1e9]
    slopes = lines.fitting(slack)
    above, below = lines.above(slopes) + slack, lines.below(slopes) - slack
    ends = [(float((below + edge * slopes).min()), float((above + edge * slopes).max())) for edge in edges]
    if slopes.min() <= 0 <= slopes.max() or edges[0] == edges[1]:
        least, most = min(low for low, _ in ends), max(high for _, high in ends)
        offset, bound = base + round((most + least) / 2 * 1e9), round(((most - least) / 2 + strain) * 1e9) + 1000
        return Fit(offset, bound, None, round(strain * 1e9))
    # All lines that fit lie between a convex and a concave curve: they are furthest from one line at the ends.
    first_s, last_s = (sum(end) / 2 for end in ends)
    bound = round((max(high - low for low, high in ends) / 2 + strain) * 1e9) + 1000
    drift = (last_s - first_s) / (edges[1] - edges[0]) * 1e6
    pivot, half = middle + round(sum(edges) / 2 * 1e9), round((edges[1] - edges[0]) / 2 * 1e9)
    line = Line(base + round((first_s + last_s) / 2 * 1e9), bound, drift, pivot, half)
    return Fit(line.offset_ns, line.wide_ns, drift, round(strain * 1e9), line)


class _Lines:
    """Straight lines below some points and above others, by their slopes.

    The highest value in the middle that a slope allows is a concave function of it, the lowest a convex one, both of
    straight pieces: all extremes lie where pieces meet, so at the slopes of the two hulls' edges.
    """

    def __init__(self, upper_t: Reals, upper: Reals, lower_t: Reals, lower: Reals) -> None:
        self._upper, self._lower = (upper_t, upper), (lower_t, lower)
        limit = MOST_DRIFT_PPM / 1e6
        edges = [np.diff(y) / np.diff(t) for t, y in (self._upper, self._lower)]
        self.slopes = np.unique(np.clip(np.concatenate([*edges, [-limit, limit]]), -limit, limit))

    def above(self, slopes: Reals) -> Reals:
        """The highest value in the middle that keeps below the upper points."""
        t, y = self._upper
        highest: Reals = (y - slopes[:, None] * t).min(axis=1)
        return highest

    def below(self, slopes: Reals) -> Reals:
        """The lowest value in the middle that keeps above the lower points."""
        t, y = self._lower
        lowest: Reals = (y - slopes[:, None] * t).max(axis=1)
        return lowest

    def room(self, slopes: Reals) -> Reals:
        """How far apart the two are; negative where no line fits."""
        return self.above(slopes) - self.below(slopes)

    def fitting(self, slack: float) -> Reals:
        """The slopes that fit once all points give way by ``slack``, and of the others the exact edges."""
        room = self.room(self.slopes) + 2 * slack
        fit = np.flatnonzero(room >= 0)
        edges = [
            self.slopes[out] + (self.slopes[into] - self.slopes[out]) * -room[out] / (room[into] - room[out])
            for into, out in ((fit[0], fit[0] - 1), (fit[-1], fit[-1] + 1))
            if 0 <= out < len(room)
        ]
        return np.concatenate([self.slopes[fit], np.array(edges, np.float64)])


def _hull(t: Reals, y: Reals) -> tuple[Reals, Reals]:
    """The points of a lower convex hull, from left to right; of points at one instant the lowest."""
    kept: list[tuple[float, float]] = []
    for x, z in sorted(zip(t.tolist(), y.tolist(), strict=True)):
        if kept and kept[-1][0] == x:
            continue
        while len(kept) > 1 and (kept[-1][0] - kept[-2][0]) * (z - kept[-2][1]) <= (kept[-1][1] - kept[-2][1]) * (
            x - kept[-2][0]
        ):
            kept.pop()
        kept.append((x, z))
    points = np.array(kept, np.float64)
    return points[:, 0], points[:, 1]


def _extremes(at: Times, values: Times, start: int, end: int, keep: np.ufunc) -> tuple[Times, Times]:
    """The tightest value of each of up to 128 slices of time."""
    width = max((end - start) // 128 + 1, 1)
    slices = (at - start) // width
    order = np.lexsort((values if keep is np.minimum else -values, slices))
    first = np.concatenate([[True], np.diff(slices[order]) > 0])
    return at[order][first], values[order][first]


def zone_part(offset_ns: int) -> int:
    """The whole quarters of an hour in an offset, to the nearest: what a time zone can be."""
    quarter = 900 * SECOND_NS
    return (offset_ns + quarter // 2) // quarter * quarter


def off_zone(offset_ns: int) -> int:
    """What remains of an offset without that."""
    return offset_ns - zone_part(offset_ns)
