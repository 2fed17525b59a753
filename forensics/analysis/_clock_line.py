"""How far two clocks are apart that run apart: an offset at one instant, and so much more with time."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, slots=True)
class Line:
    """The offset lies within ``offset_ns`` + drift x (instant - ``pivot_ns``) ± ``bound_ns``, by the first clock.

    Examples:
        >>> line = Line(1_000, 5, 10.0, 0, 100_000_000)
        >>> line.at(50_000_000), line.wide_ns, line.turned().offset_ns
        (1500, 1005, -1000)
    """

    offset_ns: int
    bound_ns: int
    drift_ppm: float
    pivot_ns: int
    reach_ns: int
    """So long before and after the pivot it holds."""

    def at(self, instant_ns: int) -> int:
        """The offset at an instant."""
        return self.offset_ns + round((instant_ns - self.pivot_ns) * self.drift_ppm * 1e-6)

    @property
    def wide_ns(self) -> int:
        """The offset is never further from that at the pivot, as long as the line holds."""
        return self.bound_ns + ceil(abs(self.drift_ppm) * 1e-6 * self.reach_ns)

    def turned(self) -> Line:
        """The same by the second clock, for the offset the other way round."""
        rate = self.drift_ppm * 1e-6
        wider = 1 + 2 * abs(rate)
        return Line(
            -self.offset_ns,
            ceil(self.bound_ns * wider),
            -self.drift_ppm / (1 - rate),
            self.pivot_ns - self.offset_ns,
            ceil(self.reach_ns * wider),
        )

    def then(self, far: Line) -> Line:
        """A minus C by A's clock, of A minus B and ``far``, which is B minus C by B's."""
        near_rate, far_rate = self.drift_ppm * 1e-6, far.drift_ppm * 1e-6
        there = far.pivot_ns + self.offset_ns
        first = min(self.pivot_ns - self.reach_ns, there - far.reach_ns)
        last = max(self.pivot_ns + self.reach_ns, there + far.reach_ns)
        pivot = (first + last) // 2
        offset = self.at(pivot)
        return Line(
            offset + far.at(pivot - offset),
            ceil(self.bound_ns * (1 + abs(far_rate))) + far.bound_ns,
            (near_rate + far_rate - near_rate * far_rate) * 1e6,
            pivot,
            (last - first + 1) // 2,
        )


def chained(near: Line | None, near_at: tuple[int, int], far: Line | None, far_at: tuple[int, int]) -> Line | None:
    """Lines of two ties that follow each other; one that has none keeps its offset and bound. None without any.

    Args:
        near: A minus B.
        near_at: Offset and bound of the same where it has no line, ns.
        far: B minus C.
        far_at: The same of it.
    """
    if near is None and far is None:
        return None
    if near is None and far is not None:
        near = Line(*near_at, 0.0, far.pivot_ns + near_at[0], far.reach_ns)
    if far is None and near is not None:
        far = Line(*far_at, 0.0, near.pivot_ns - near.offset_ns, near.reach_ns)
    return near.then(far) if near is not None and far is not None else None
