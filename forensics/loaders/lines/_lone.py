"""Lines of no record, as stretches: blank ones, those apart, and those in no framing that is known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from forensics.loaders._reader import Stretch
from forensics.loaders.lines._clean import FRAMING
from forensics.loaders.lines._text import Ints, Text

_REJECT = "line in no known framing"


def stretches(text: Text, lone: Ints, apart: Mapping[int, str]) -> tuple[list[Stretch], int]:
    """Lines of no record, adjacent ones of one kind together.

    Args:
        text: The lines.
        lone: Those of no record, in order.
        apart: Why some of them belong to none.

    Returns:
        The stretches, and how many of the lines are rejects.
    """
    if not len(lone):
        return [], 0
    blank = text.end[lone] <= text.start[lone]
    kinds = np.where(blank, 0, 1)
    reasons = {0: ("padding", "blank line"), 1: ("reject", _REJECT)}
    codes = {reason: code for code, reason in enumerate(sorted(set(apart.values())), 2)}
    if apart:
        special = np.array(list(apart), np.int64)
        at = np.minimum(np.searchsorted(lone, special), len(lone) - 1)
        there = lone[at] == special
        kinds[at[there]] = np.array([codes[reason] for reason in apart.values()], np.int64)[there]
    reasons |= {code: ("framing" if reason in FRAMING else "reject", reason) for reason, code in codes.items()}
    rejected = [code for code, (kind, _) in reasons.items() if kind == "reject"]
    breaks = (np.diff(lone) != 1) | (np.diff(kinds) != 0) | (text.raw_start[lone[1:]] != text.raw_end[lone[:-1]])
    found = []
    for run in np.split(np.arange(len(lone)), np.flatnonzero(breaks) + 1):
        first, last = lone[run[0]], lone[run[-1]]
        kind, reason = reasons[int(kinds[run[0]])]
        begin, end = int(text.raw_start[first]), int(text.raw_end[last])
        found.append(Stretch(begin, end - begin, kind, reason, int(text.number[first])))
    return found, int(np.isin(kinds, rejected).sum())
