"""Two clocks tied: one offset for all time, or one for each stretch where a clock was set in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from forensics.analysis._alignment import Fit, Times, fit
from forensics.analysis._clock_line import Line, chained
from forensics.analysis._correlate import SECOND_NS

STEP_NS = SECOND_NS // 10
"""What no line fits by more than this is a clock that was set: ntpd slews what is less than 0.128 s (RFC 5905 11.1)."""
MOST_PIECES = 8
FEWEST = 2
"""A stretch rests on no fewer pairs: one that is two events looks like a clock set to and fro."""
_EDGE = 2
START, END = -(2**62), 2**62


@dataclass(frozen=True, slots=True)
class Piece:
    """From one instant to another, by the first clock: the offset lies within ``offset_ns`` ± ``bound_ns``."""

    from_ns: int
    to_ns: int
    offset_ns: int
    bound_ns: int
    drift_ppm: float | None = None
    sure: bool = True
    """Whether one line holds: not so between the last pair before a clock was set and the first one after it."""
    line: Line | None = None
    """The same more closely, where the drift is known."""

    @property
    def ends(self) -> tuple[int, int]:
        """The least and the most that the offset can be."""
        return self.offset_ns - self.bound_ns, self.offset_ns + self.bound_ns


def hull(pieces: Sequence[Piece]) -> tuple[int, int]:
    """Offset and bound that hold in all of some pieces.

    Examples:
        >>> hull([Piece(0, 1, 100, 5), Piece(1, 2, 200, 5)])
        (150, 55)
    """
    least, most = min(piece.ends[0] for piece in pieces), max(piece.ends[1] for piece in pieces)
    return (least + most) // 2, (most - least + 1) // 2


def contiguous(stretches: Sequence[Piece]) -> tuple[Piece, ...]:
    """Stretches in which something was seen, made to cover all time.

    Between the last pair before a clock was set and the first one after it either offset may hold. So it may where a
    clock that was set back shows the same time twice.
    """
    told: list[Piece] = []
    since = START
    if not stretches:
        return ()
    for one, following in zip(stretches, [*stretches[1:], None], strict=True):
        if following is None:
            told.append(replace(one, from_ns=since, to_ns=END))
            break
        edges = sorted((one.to_ns, following.from_ns))
        until, after = max(edges[0], since), max(edges[1] + 1, since)
        offset, bound = hull((one, following))
        told += [replace(one, from_ns=since, to_ns=until), Piece(until, after, offset, bound, None, sure=False)]
        since = after
    return tuple(piece for piece in told if piece.from_ns < piece.to_ns)


def turned(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """The same by the other clock, for the offset the other way round.

    A stretch may last until the first pair of the next one, and begin with the last of the one before.
    """
    if not pieces:
        return ()
    sure = [piece for piece in pieces if piece.sure]
    stretches = []
    for before, piece, after in zip([None, *sure[:-1]], sure, [*sure[1:], None], strict=True):
        low, high = piece.ends
        start = START if before is None else before.to_ns - high  # it may hold since the last pair of the one before
        end = END if after is None else after.from_ns - low
        drift = None if piece.drift_ppm is None else -piece.drift_ppm
        line = piece.line.turned() if piece.line else None
        stretches.append(
            Piece(min(start, end), max(start, end), -piece.offset_ns, piece.bound_ns, drift, sure=True, line=line)
        )
    return contiguous(stretches)


def added(near: Sequence[Piece], far: Sequence[Piece]) -> tuple[Piece, ...]:
    """A minus B in pieces by A's clock, and B minus C in pieces by B's: A minus C by A's clock.

    Args:
        near: A minus B; one that covers all time where it is a single line.
        far: B minus C.
    """
    cuts = {START, END, *(edge for piece in near for edge in (piece.from_ns, piece.to_ns))}
    for piece in far:
        for edge in (piece.from_ns, piece.to_ns):
            if START < edge < END:
                cuts |= {edge + end for one in near for end in one.ends if _meets(one, edge + end)}
    told: list[Piece] = []
    edges = sorted(cut for cut in cuts if START <= cut <= END)
    for start, end in pairwise(edges):
        here = [one for one in near if one.from_ns < end and one.to_ns > start]
        offset, bound = hull(here)
        low = START if start <= START else start - offset - bound
        high = END if end >= END else end - offset + bound
        there = [one for one in far if one.from_ns < high and one.to_ns > low]
        far_offset, far_bound = hull(there)
        drift = here[0].drift_ppm if len(far) == 1 and far[0].drift_ppm == 0 else None
        sure = all(one.sure for one in (*here, *there)) and len(here) == len(there) == 1
        piece = Piece(start, end, offset + far_offset, bound + far_bound, drift, sure)
        if len(here) == len(there) == 1:
            line = chained(here[0].line, (offset, bound), there[0].line, (far_offset, far_bound))
            if line is not None:
                piece = Piece(start, end, line.offset_ns, line.wide_ns, line.drift_ppm, sure, line)
        if told and (told[-1].offset_ns, told[-1].bound_ns, told[-1].line) == (
            piece.offset_ns, piece.bound_ns, piece.line,
        ):  # fmt: skip
            piece = replace(piece, from_ns=told.pop().from_ns)
        told.append(piece)
    return tuple(told)


def _meets(piece: Piece, at: int) -> bool:
    return piece.from_ns <= at <= piece.to_ns


@dataclass(frozen=True, slots=True)
class Tie:
    """Clock A minus clock B: within ``offset_ns`` ± ``bound_ns`` all through the time that both cover."""

    offset_ns: int
    bound_ns: int
    drift_ppm: float | None
    pairs: int
    basis: str
    pieces: tuple[Piece, ...] = ()
    """Closer, by A's clock, where one of the two was set; none where one line holds."""
    witnesses: tuple[tuple[str, str, int, str], ...] = ()
    """One event as A and as B have it, where the tie itself remembers: source, locator, stamp in ns, what it is."""
    line: Line | None = None
    """Closer, where the two run apart and how fast is known."""

    @property
    def sure_ns(self) -> int:
        """How far to trust it at any one instant."""
        return self.line.bound_ns if self.line else self.bound_ns

    def wider(self, by_ns: int) -> Tie:
        """The same with a bound that is larger by so much."""
        return replace(
            self,
            bound_ns=self.bound_ns + by_ns,
            line=replace(self.line, bound_ns=self.line.bound_ns + by_ns) if self.line else None,
            pieces=tuple(
                replace(
                    piece,
                    bound_ns=piece.bound_ns + by_ns,
                    line=replace(piece.line, bound_ns=piece.line.bound_ns + by_ns) if piece.line else None,
                )
                for piece in self.pieces
            ),
        )

    def turned(self) -> Tie:
        """The same tie, seen from the other side."""
        if self.line and not self.pieces:
            line = self.line.turned()
            return replace(
                self, offset_ns=line.offset_ns, bound_ns=line.wide_ns, drift_ppm=line.drift_ppm, line=line,
                witnesses=self.witnesses[::-1],
            )  # fmt: skip
        drift = None if self.drift_ppm is None else -self.drift_ppm
        witnesses = self.witnesses[::-1]
        return replace(
            self, offset_ns=-self.offset_ns, drift_ppm=drift, pieces=turned(self.pieces), witnesses=witnesses
        )

    def lines(self) -> tuple[Piece, ...]:
        """Its pieces, or the one that it is."""
        whole = Piece(START, END, self.offset_ns, self.bound_ns, self.drift_ppm, sure=True, line=self.line)
        return self.pieces or (whole,)

    def then(self, far: Tie, basis: str) -> Tie:
        """A minus C, of A minus B and ``far``, which is B minus C."""
        witnesses = self.witnesses + far.witnesses
        if self.pieces or far.pieces:
            pieces = added(self.lines(), far.lines())
            offset, bound = hull(pieces)
            return Tie(offset, bound, None, self.pairs, basis, pieces if len(pieces) > 1 else (), witnesses)
        line = chained(self.line, (self.offset_ns, self.bound_ns), far.line, (far.offset_ns, far.bound_ns))
        if line is not None:
            return Tie(line.offset_ns, line.wide_ns, line.drift_ppm, self.pairs, basis, (), witnesses, line)
        drift = None if self.drift_ppm is None or far.drift_ppm is None else self.drift_ppm + far.drift_ppm
        offset, bound = self.offset_ns + far.offset_ns, self.bound_ns + far.bound_ns
        return Tie(offset, bound, drift, self.pairs, basis, (), witnesses)


def settled(
    upper_at: Times, upper: Times, lower_at: Times, lower: Times, reach: tuple[int, int] | None = None
) -> tuple[Fit, tuple[Piece, ...]]:
    """One line if one fits, and else pieces; what neither fits widens the bound.

    Args:
        upper_at: Instants by the first clock, ns.
        upper: The offset is at most this, ns.
        lower_at: Instants.
        lower: The offset is at least this.
        reach: From when to when it shall hold, see `fit`.

    Returns:
        The fit to all of it, and the pieces where the clock was set; no pieces where one line does.
    """
    whole = fit(upper_at, upper, lower_at, lower, reach)
    if whole.strain_ns <= STEP_NS:
        return whole, ()
    whole = replace(whole, drift_ppm=None, line=None)  # none fits: the bound holds all that was seen
    at = np.concatenate([upper_at, lower_at])
    value = np.concatenate([upper, lower])
    is_upper = np.concatenate([np.ones(len(upper_at), bool), np.zeros(len(lower_at), bool)])
    order = np.lexsort((is_upper, at))
    at, value, is_upper = at[order], value[order], is_upper[order]

    def tried(first: int, last: int, held: tuple[int, int] | None = None) -> Fit | None:
        """The line through some of the pairs, if both sides are held."""
        own = slice(first, last)
        high, low = is_upper[own], ~is_upper[own]
        if not high.any() or not low.any():
            return None
        return fit(at[own][high], value[own][high], at[own][low], value[own][low], held)

    def fits(first: int, last: int) -> bool:
        """Whether one line does."""
        found = tried(first, last)
        return found is None or found.strain_ns <= STEP_NS

    late = _cuts(len(at), fits)
    early = [len(at) - cut for cut in reversed(_cuts(len(at), lambda a, b: fits(len(at) - b, len(at) - a)))]
    if not 1 <= len(late) < MOST_PIECES or len(early) != len(late):
        return whole, ()
    stretches = []
    for first, sure, last in zip([0, *late], [*early, len(at)], [*late, len(at)], strict=True):
        until = sure if sure - first >= 2 * FEWEST else last
        start, end = reach or (int(at[0]), int(at[-1]))
        near = int(at[until - 1] - at[first]) // 25
        held = int(at[first]) - near if first else start, int(at[until - 1]) + near if last < len(at) else end
        found = tried(first, until, held)
        if found is None or until - first < FEWEST:
            return whole, ()
        kept = _EDGE if until - first > 4 * _EDGE else 0  # what was taken for one event may be two, next to the step
        inner = first + (kept if first else 0), until - 1 - (kept if last < len(at) else 0)
        stretches.append(
            Piece(int(at[inner[0]]), int(at[inner[1]]), found.offset_ns, found.bound_ns, found.drift_ppm,
                  sure=True, line=found.line)
        )  # fmt: skip
    if all(abs(a.offset_ns - b.offset_ns) <= a.bound_ns + b.bound_ns for a, b in pairwise(stretches)):
        return whole, ()
    pieces = contiguous(stretches)
    offset, bound = hull(pieces)
    return replace(whole, offset_ns=offset, bound_ns=bound), pieces


def _cuts(count: int, fits: Callable[[int, int], bool]) -> list[int]:
    """Where each stretch ends that is made as long as one line fits."""
    cuts: list[int] = []
    first = 0
    while not fits(first, count) and len(cuts) < MOST_PIECES:
        low, high = first + 1, count  # fits up to `low`, not up to `high`
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if fits(first, middle) else (low, middle)
        first = low
        cuts.append(first)
    return cuts
