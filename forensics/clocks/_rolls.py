"""Where a log without years turns from one year to the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from forensics.clocks._stamps import DAY_S, NS, Flags, Ints

_BEFORE_MONTH = np.array([0, 0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335], dtype=np.int64)
YEAR_S = 366 * DAY_S
HALF_YEAR_S = YEAR_S // 2
SMALL_STEP_S = 7 * DAY_S
"""Lines out of order, zones, hosts that disagree: a step back up to this is no turn of the year."""
_STRAY_SPAN_S = 2 * DAY_S
"""A machine that starts with an unset clock is corrected within so much of its own time."""
_MOST_STRAYS = 65_536


class RollCounter:
    """Counts turns of the year over lines in the order of their file.

    - A step back by more than half a year is a turn: 31 December, 1 January.
    - A step back by up to a week is none, also where it leads back over New Year.
    - A jump there and back within a week of where it left, with at most two days
      spent there, is a clock that was elsewhere (a switch that boots on 1 January): a *stray*.
    - Any other step back, and any step forward by more than half a year, may be
      a long silence or a clock set back: counted as no turn, and as a *doubt*.
    """

    def __init__(self) -> None:
        self.turn = 0
        self.strays: list[tuple[int, int]] = []
        """Lines ``[first, end)`` during which the clock was elsewhere."""
        self._lines = 0
        self._position: int | None = None
        self._left: tuple[bool, int, int, int] | None = None  # turned?, left at, landed at, line of the landing

    @property
    def state(self) -> dict[str, Any]:
        """All that later lines need, as plain values; not the strays, which are told to whoever counts."""
        left = None if self._left is None else list(self._left)
        return {"turn": self.turn, "lines": self._lines, "position": self._position, "left": left}

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> RollCounter:
        """The counter that had this state."""
        counter = cls()
        counter.turn, counter._lines, counter._position = state["turn"], state["lines"], state["position"]
        if state["left"] is not None:
            turned, left, landed, line = state["left"]
            counter._left = (turned, left, landed, line)
        return counter

    def turns(self, month: Ints, day: Ints, clock_ns: Ints, dated: Flags) -> tuple[Ints, Ints]:
        """Turns before each line, and the lines (within this call) whose step is a doubt."""
        turns = np.full(len(month), self.turn, dtype=np.int64)
        rows = np.flatnonzero(dated)
        base, self._lines = self._lines, self._lines + len(month)
        if not len(rows):
            return turns, rows
        here = (_BEFORE_MONTH[month[rows]] + day[rows] - 1) * DAY_S + clock_ns[rows] // NS
        before = np.concatenate(([here[0] if self._position is None else self._position], here[:-1]))
        self._position = int(here[-1])
        step = here - before
        doubts: list[int] = []
        changes = np.zeros(len(rows), dtype=np.int64)
        for i in np.flatnonzero((step < -SMALL_STEP_S) | (step > HALF_YEAR_S)).tolist():
            change, doubtful = self._judge(int(before[i]), int(here[i]), base + int(rows[i]))
            changes[i] = change
            if doubtful:
                doubts.append(int(rows[i]))
        if changes.any():
            spread = np.zeros(len(month), dtype=np.int64)
            spread[rows] = changes
            turns += np.cumsum(spread)
            self.turn = int(turns[-1])
        return turns, np.array(doubts, dtype=np.int64)

    def _judge(self, left: int, landed: int, line: int) -> tuple[int, bool]:
        """Change of the turn that a large step means, and whether that is in doubt."""
        step = landed - left
        back_over_new_year = step > YEAR_S - SMALL_STEP_S
        if back_over_new_year:
            return -1, False
        if -HALF_YEAR_S <= step < 0:
            return 0, True
        turned = step < 0
        if self._left is not None and self._left[0] != turned:
            _, origin, target, since = self._left
            if abs(landed - origin) <= SMALL_STEP_S and abs(left - target) <= _STRAY_SPAN_S:
                self._left = None
                if len(self.strays) < _MOST_STRAYS:
                    self.strays.append((since, line))
                return (0 if turned else -1), True
        self._left = (turned, left, landed, line)
        return (1, False) if turned else (0, True)
