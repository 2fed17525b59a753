"""Which operations got slower at one moment, or are slower in one deployment than in another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from forensics.analysis._latency_growth import BUSY, HALF_HOUR_S, WEIGHT, arrivals, coming
from forensics.analysis._latency_statistics import Change, Values, change, correlation, independent, partial, ranks

LEAST_RATIO = 1.5
LEAST_SEPARATION = 0.9
LEAST_SIGMAS = 3.0
LEAST_SIDE = 5
LEAST_OF_EACH = 8
CHANCE = 0.005
ALIKE_SIZE = 0.9
"""Answers that grew by this part of it, on a scale of ratios, explain a longer time by themselves."""
ALIKE = 0.6
"""Other operations that slowed down by this part of it, on a scale of ratios, slowed down alike."""


@dataclass(frozen=True, slots=True)
class Other:
    """Another operation on both sides."""

    operation: str
    requests: int
    ratio: float
    alike: bool


@dataclass(frozen=True, slots=True)
class Slower:
    """Two sets of requests of one operation, the slower one last."""

    operation: str
    before: pl.DataFrame
    after: pl.DataFrame
    deployments: tuple[str, ...]
    """One deployment that got slower, or two that differ."""
    separation: float
    load: float
    """Rank correlation of the latency with load, over both sets."""
    partial: float
    others: tuple[Other, ...]

    @property
    def before_s(self) -> float:
        """Median of the faster side."""
        return float(np.median(self.before["duration_s"].to_numpy()))

    @property
    def after_s(self) -> float:
        """Median of the slower side."""
        return float(np.median(self.after["duration_s"].to_numpy()))

    @property
    def ratio(self) -> float:
        """How many times slower."""
        return self.after_s / max(self.before_s, 1e-9)

    @property
    def all_alike(self) -> bool:
        """Whether every other operation that can be compared slowed down too."""
        return bool(self.others) and all(other.alike for other in self.others)


def over_time(requests: pl.DataFrame, operation: str, every: pl.LazyFrame, deployment: str) -> Slower | None:
    """Judge whether an operation got slower at one moment and stayed so.

    A slope has its middle, but no step there; a bad day or a busy hour ends; both are no change of regime.

    Args:
        requests: Those of the operation that were served, by ``at``.
        operation: Its name.
        every: All requests of the deployment, by ``at``.
        deployment: Its name.
    """
    seconds = requests["duration_s"].to_numpy().astype(np.float64)
    logs = np.log(np.maximum(seconds, 1e-6))
    found = change(logs, LEAST_SIDE)
    if found is None or found.p_value > CHANCE or found.separation < LEAST_SEPARATION:
        return None
    ratio = float(np.exp(found.after - found.before))
    least = max(LEAST_SIDE, requests.height // 10)
    if ratio < LEAST_RATIO or min(found.place, requests.height - found.place) < least:
        return None
    if not (_is_sharp(logs, found.place) and _lasts(logs, found.place) and _is_sure(logs, found)):
        return None
    before, after = requests[: found.place], requests[found.place :]
    moment, everything = int(after["at"][0]), every.collect()
    others = _others(
        everything.filter(pl.col("at") < moment), everything.filter(pl.col("at") >= moment), operation, ratio
    )
    load, left = _held(before, after, [(everything, requests)])
    if left < 0.5:
        return None
    return Slower(operation, before, after, (deployment,), found.separation, load, left, others)


def _is_sharp(logs: Values, place: int) -> bool:
    """Whether the neighbours of the moment differ as much as the two sides do: a slope has like neighbours."""
    near = [max(3, len(side) * 3 // 10) for side in (logs[:place], logs[place:])]
    step = float(np.median(logs[place : place + near[1]]) - np.median(logs[place - near[0] : place]))
    return step >= 0.6 * float(np.median(logs[place:]) - np.median(logs[:place]))


def _is_sure(logs: Values, found: Change) -> bool:
    """Whether the two sides differ by more than a sequence does that wanders by itself."""
    count, place = len(logs), found.place
    rests = np.concatenate([logs[:place] - np.median(logs[:place]), logs[place:] - np.median(logs[place:])])
    left = independent(rests) / count
    first, second = place * left, (count - place) * left
    return (found.separation - 0.5) / float(np.sqrt((first + second + 1) / (12 * first * second))) >= LEAST_SIGMAS


def _lasts(logs: Values, place: int) -> bool:
    """Whether the end of the evidence is still on the slower level."""
    low, high = float(np.median(logs[:place])), float(np.median(logs[place:]))
    end = logs[place:][-max(3, (len(logs) - place) // 4) :]
    return float(np.median(end)) >= low + 0.5 * (high - low)


def between(fast: pl.DataFrame, slow: pl.DataFrame, operation: str, every_fast: pl.LazyFrame, every_slow: pl.LazyFrame,
            deployments: tuple[str, str]) -> Slower | None:  # fmt: skip
    """Judge whether one deployment serves an operation slower than another.

    Args:
        fast: Requests of the operation that the first deployment served.
        slow: Those of the second.
        operation: Its name.
        every_fast: All requests of the first.
        every_slow: All of the second.
        deployments: Their names.
    """
    if min(fast.height, slow.height) < LEAST_OF_EACH:
        return None
    seconds = np.concatenate([part["duration_s"].to_numpy().astype(np.float64) for part in (fast, slow)])
    ranked, rest = ranks(seconds), slow.height
    separation = (float(ranked[fast.height :].sum()) - rest * (rest + 1) / 2) / (fast.height * rest)
    low, high = (float(np.median(part["duration_s"].to_numpy())) for part in (fast, slow))
    ratio = high / max(low, 1e-9)
    spread = np.sqrt((fast.height + rest + 1) / (12 * fast.height * rest))
    if ratio < LEAST_RATIO or separation < 0.75 or (separation - 0.5) / spread < 4:
        return None
    all_fast, all_slow = every_fast.collect(), every_slow.collect()
    load, left = _held(fast, slow, [(all_fast, fast), (all_slow, slow)])
    if left < 0.35:
        return None
    others = _others(all_fast, all_slow, operation, ratio)
    return Slower(operation, fast, slow, deployments, separation, load, left, others)


def _held(
    before: pl.DataFrame, after: pl.DataFrame, scenes: list[tuple[pl.DataFrame, pl.DataFrame]]
) -> tuple[float, float]:
    """Rank correlation of the latency with load, and with the side that is left when load and sizes are held still."""
    both = pl.concat([before, after])
    seconds = both["duration_s"].to_numpy().astype(np.float64)
    side = np.repeat([0.0, 1.0], [before.height, after.height])
    usual = float(np.median(before["duration_s"].to_numpy()))
    load, longer = (
        np.concatenate([_load(everything, part, np.array([reach])) for everything, part in scenes])
        for reach in (usual, HALF_HOUR_S)
    )
    busy = float(np.quantile(longer, 0.9)) / (2 * HALF_HOUR_S) * usual >= BUSY
    sizes = both["response_bytes"].cast(pl.Float64)
    known = [load, longer] if busy else [load]
    known += [] if sizes.null_count() else [sizes.to_numpy()]
    if not sizes.null_count() and _in_step(sizes.to_numpy(), seconds, before.height):
        return correlation(load, seconds), 0.0
    others = [values for values in known if _rises(values, seconds, before.height)]
    return correlation(load, seconds), partial(side, seconds, others)


def _rise(of: Values, place: int) -> float:
    return float(np.log((np.median(of[place:]) + 1e-9) / (np.median(of[:place]) + 1e-9)))


def _rises(values: Values, seconds: Values, place: int) -> bool:
    """Whether something rises enough between the sides to explain how the latency rises."""
    return _rise(values, place) >= WEIGHT * _rise(seconds, place)


def _in_step(sizes: Values, seconds: Values, place: int) -> bool:
    """Whether the answers grew at the same moment by as much: more is asked for, and each octet takes as long."""
    few, many = np.sort(sizes[:place]), sizes[place:]
    larger = float(np.searchsorted(few, many).mean()) / max(len(few), 1)
    return larger >= LEAST_SEPARATION and _rise(sizes, place) >= ALIKE_SIZE * _rise(seconds, place)


def _load(everything: pl.DataFrame, part: pl.DataFrame, reach: Values) -> Values:
    return arrivals(coming(everything), part["start"].to_numpy(), reach)


def _others(before: pl.DataFrame, after: pl.DataFrame, operation: str, ratio: float) -> tuple[Other, ...]:
    """How the other operations fared."""
    medians = [
        part.filter(pl.col("operation") != operation)
        .group_by("operation")
        .agg(pl.col("duration_s").median(), n=pl.len())
        for part in (before, after)
    ]
    both = medians[0].join(medians[1], on="operation", suffix="_b").filter(pl.min_horizontal("n", "n_b") >= 5)
    told = []
    for name, low, count, high, more in both.sort("operation").iter_rows():
        one = high / max(low, 1e-9)
        told.append(Other(name, count + more, one, bool(np.log(max(one, 1e-9)) >= ALIKE * np.log(ratio))))
    return tuple(sorted(told, key=lambda other: (other.alike, -other.requests, other.operation)))
