"""Robust figures of small and large samples: slopes with intervals, rank correlations, one change of level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
MOST_POINTS = 3000
"""Theil's and Sen's slope looks at all pairs of points: of more points than this, that many stand for all."""
SHUFFLES = 999


class Fit(NamedTuple):
    """A straight line through the middle of a cloud of points."""

    slope: float
    low: float
    high: float
    """Bounds of Sen's 95 % interval of the slope."""
    level: float
    points: int
    """Points that the slope was reckoned from."""

    def at(self, x: float) -> float:
        """The line's value."""
        return self.level + self.slope * x


class Change(NamedTuple):
    """A change of level in a sequence."""

    place: int
    """Index of the first value of the second level."""
    before: float
    after: float
    """Medians of both levels."""
    separation: float
    """Share of the pairs (one of each side) in which the later value is the larger one: 0.5 where nothing changed."""
    p_value: float
    """How often a shuffled sequence shows a change as clear."""


def ranks(values: Values) -> Values:
    """Ranks from 1, middle ones for ties."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(values), dtype=np.float64)


def correlation(x: Values, y: Values) -> float:
    """Spearman's rank correlation; 0 where one side does not vary.

    Examples:
        >>> correlation(np.array([1.0, 2, 3, 4]), np.array([1.0, 4, 9, 16])), correlation(np.ones(3), np.arange(3.0))
        (1.0, 0.0)
    """
    return _pearson(ranks(x), ranks(y))


def _pearson(x: Values, y: Values) -> float:
    x, y = x - x.mean(), y - y.mean()
    spread = float(np.sqrt((x @ x) * (y @ y)))
    return round(float(x @ y) / spread, 12) if spread > 1e-9 else 0.0


def partial(x: Values, y: Values, others: Sequence[Values]) -> float:
    """Rank correlation of two quantities that is left when others are held still.

    Ranks of both are freed of what is linear in the ranks of the others; 0 where nothing is left to compare.

    Args:
        x: One quantity, shape (n,).
        y: The other, shape (n,).
        others: What else may explain either, each of shape (n,); those that do not vary are passed over.

    Examples:
        >>> load = np.arange(20.0)
        >>> partial(load, 3 * load, [load])
        0.0
    """
    varying = [ranks(other) for other in others if np.ptp(other) > 0]
    if not varying:
        return correlation(x, y)
    design = np.column_stack([np.ones(len(x)), *varying])
    left = []
    for values in (ranks(x), ranks(y)):
        best = np.linalg.lstsq(design, values, rcond=None)[0]
        rest = values - design @ best
        if rest.std() < 1e-6 * max(values.std(), 1e-9):
            return 0.0
        left.append(rest)
    return _pearson(left[0], left[1])


def p_of(rho: float, count: float) -> float:
    """How likely a rank correlation as strong as this is among unrelated values (Student's t, two-sided)."""
    from scipy.stats import t as student

    if count < 4:
        return 1.0
    if abs(rho) >= 1:
        return 0.0
    return float(2 * student.sf(abs(rho) * np.sqrt((count - 2) / (1 - rho * rho)), count - 2))


def independent(rests: Values) -> float:
    """Values that say something new, of a sequence in which each may resemble the one before.

    Args:
        rests: What a model leaves unexplained, in order of time, shape (n,).

    Returns:
        n (1 - r) / (1 + r) where r is the rank correlation of neighbours; never more than n.

    References:
        Bartlett, Some aspects of the time-correlation problem, JRSS 98 (1935).

    Examples:
        >>> independent(np.array([1.0, -1, 1, -1, 1, -1])), independent(np.arange(6.0)) < 1
        (6.0, True)
    """
    near = max(correlation(rests[:-1], rests[1:]), 0.0) if len(rests) > 3 else 0.0
    return len(rests) * (1 - near) / (1 + near)


def line(x: Values, y: Values, most: int = MOST_POINTS) -> Fit:
    """Theil's and Sen's slope, and the level that leaves as many points above as below.

    Args:
        x: Shape (n,), at least two different values.
        y: Shape (n,).
        most: How many points enter.

    Returns:
        The fit. Of more than ``most`` points, as many are taken at even steps of their order in ``x``.

    References:
        Sen, Estimates of the regression coefficient based on Kendall's tau, JASA 63 (1968).

    Examples:
        >>> fit = line(np.array([0.0, 1, 2, 3, 4]), np.array([1.0, 3, 5, 7, 90]))
        >>> fit.slope, fit.at(10)
        (2.0, 21.0)
    """
    from scipy.stats import theilslopes

    if len(x) > most:
        order = np.lexsort((y, x))
        order = order[np.linspace(0, len(x) - 1, most).round().astype(int)]
        x, y = x[order], y[order]
    found: Any = theilslopes(y, x, alpha=0.95, method="joint")
    return Fit(float(found[0]), float(found[2]), float(found[3]), float(found[1]), len(x))


def misfit(y: Values, told: Values | float) -> float:
    """Mean distance between what was seen and what is told of it."""
    return float(np.abs(y - told).mean())


def change(values: Values, least: int = 4) -> Change | None:
    """The clearest change of level in a sequence, by rank sums.

    Args:
        values: In order of time, shape (n,).
        least: How many values each side has at least.

    Returns:
        The change, up or down; None for a sequence too short. Of more than 400 values, an even choice
        tells how sure it is; the place is that of the whole sequence.

    References:
        Pettitt, A non-parametric approach to the change-point problem, Applied Statistics 28 (1979).

    Examples:
        >>> change(np.array([1.0, 2, 1, 2, 1, 9, 8, 9, 8, 9]))[:3]
        (5, 1.0, 9.0)
    """
    count = len(values)
    if count < 2 * least or np.ptp(values) == 0:
        return None
    ranked = ranks(values)
    scores = _scores(ranked[None, :], least)[0]
    place = _sharpened(values, int(np.argmax(np.abs(scores))) + least, least)
    first, second = values[:place], values[place:]
    rest = len(second)
    separation = (float(ranked[place:].sum()) - rest * (rest + 1) / 2) / (place * rest)
    few = ranks(values[np.linspace(0, count - 1, min(count, 400)).round().astype(int)])
    seen = float(np.abs(_scores(few[None, :], least)).max())
    random = np.random.default_rng(0)
    shuffled = np.stack([random.permutation(few) for _ in range(SHUFFLES)])
    as_clear = int((np.abs(_scores(shuffled, least)).max(axis=1) >= seen - 1e-9).sum())
    p_value = (as_clear + 1) / (SHUFFLES + 1)
    return Change(place, float(np.median(first)), float(np.median(second)), separation, p_value)


def _sharpened(values: Values, place: int, least: int) -> int:
    """The place nearby that leaves fewest values on the wrong side of the middle between both levels.

    Rank sums weigh a cut in the middle of the sequence more than one at its side, and may miss by a value or two.
    """
    low, high = float(np.median(values[:place])), float(np.median(values[place:]))
    late = (values > (low + high) / 2) if high >= low else (values < (low + high) / 2)
    wrong = np.concatenate([[0], np.cumsum(late)]) + np.concatenate([np.cumsum(~late[::-1])[::-1], [0]])
    near = np.arange(max(least, place - 10), min(len(values) - least, place + 10) + 1)
    return int(near[np.lexsort((np.abs(near - place), wrong[near]))[0]])


def _scores(ranked: Values, least: int) -> Values:
    """Standardised rank sums of every split that leaves ``least`` values on both sides; one row a sequence."""
    count = ranked.shape[1]
    before = np.arange(1, count)
    sums = np.cumsum(ranked, axis=1)[:, :-1]
    expected = before * (count + 1) / 2
    spread = np.sqrt(before * (count - before) * (count + 1) / 12)
    scores: Values = -(sums - expected) / spread
    return scores[:, least - 1 : count - least]
