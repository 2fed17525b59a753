"""Which year the lines of a log without years were begun in, from line to line."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from forensics.clocks._stamps import Flags, Ints


@dataclass(slots=True)
class Run:
    """Consecutive lines with a second clock that agree on the year of turn 0."""

    first: int
    last: int
    base: int


@dataclass(slots=True)
class Steps:
    """Year of turn 0 by line number, and the lines at either end that a doubtful step parts from it."""

    starts: Ints
    bases: Ints
    known: Flags
    doubtful_before: int = 0
    doubtful_from: int | None = None

    @classmethod
    def constant(cls, base: int) -> Steps:
        """One base for all lines."""
        return cls(np.zeros(1, dtype=np.int64), np.array([base], dtype=np.int64), np.ones(1, dtype=np.bool_))

    @classmethod
    def between(cls, runs: list[Run], doubts: Ints, overflow: bool) -> Steps:
        """Bases from neighbours: where two disagree, a single doubtful step between them is the place."""
        pieces: list[tuple[int, int, bool]] = [(0, runs[0].base, True)]
        for before, after in itertools.pairwise(runs):
            low, high = np.searchsorted(doubts, [before.last, after.first], side="right")
            if high - low == 1:
                pieces.append((int(doubts[low]), after.base, True))
                continue
            # A silence of more than a year, or more than one doubtful step: nobody knows where the year changed.
            if after.first > before.last + 1:
                pieces.append((before.last + 1, 0, False))
            pieces.append((after.first, after.base, True))
        if overflow:
            pieces.append((runs[-1].last + 1, 0, False))
        starts, bases, known = zip(*pieces, strict=True)
        return cls(
            np.array(starts, dtype=np.int64),
            np.array(bases, dtype=np.int64),
            np.array(known, dtype=np.bool_),
            doubtful_before=int(max(doubts[doubts <= runs[0].first], default=0)),
            doubtful_from=min((int(line) for line in doubts[doubts > runs[-1].last]), default=None),
        )

    @property
    def state(self) -> dict[str, Any]:
        """All of it, as plain values."""
        columns = {"starts": self.starts.tolist(), "bases": self.bases.tolist(), "known": self.known.tolist()}
        return columns | {"before": self.doubtful_before, "since": self.doubtful_from}

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Steps:
        """The steps that had this state."""
        starts, bases = (np.array(state[name], dtype=np.int64) for name in ("starts", "bases"))
        known = np.array(state["known"], dtype=np.bool_)
        return cls(starts, bases, known, doubtful_before=state["before"], doubtful_from=state["since"])

    def at(self, lines: Ints) -> tuple[Ints, Flags]:
        """Base of each line, and whether it is known."""
        index = np.searchsorted(self.starts, lines, side="right") - 1
        return self.bases[index], self.known[index]

    def doubtful(self, lines: Ints) -> Flags:
        """Lines that a doubtful step parts from what decides the year."""
        doubtful: Flags = lines < self.doubtful_before
        return doubtful if self.doubtful_from is None else doubtful | (lines >= self.doubtful_from)
