"""Clocks of switches and hosts, compared by what both ends of a cable see: its going down, and the BPDU that did it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from forensics.analysis._correlate import SECOND_NS, densest

REACH_NS = 120 * SECOND_NS
"""Clocks that are farther apart are not compared: two unrelated outages would be taken for one."""
WIDTH_NS = 5 * SECOND_NS // 2
"""How far the two ends of one cable may differ in telling of it: whole seconds at both, and a switch that waits one."""
AGREE_NS = 3 * SECOND_NS // 2
Moment = tuple[int, bool]
"""When a port went down (true) or up (false)."""


@dataclass(frozen=True, slots=True)
class Match:
    """How well two series of changes fit one another."""

    score: int
    of: int
    offset: int
    """The second clock minus the first, ns."""


def match(port: Sequence[Moment], card: Sequence[Moment], near: int = 0, width: int = WIDTH_NS) -> Match | None:
    """Fit the changes of a host's card to those of a switch's port, whatever their clocks.

    Args:
        port: Changes of the port, by the switch's clock.
        card: Changes of a host's card (or of all of them), by its own.
        near: Which difference to prefer among those that fit alike, ns.
        width: How far the two ends of a cable may differ in telling of it, ns.

    Returns:
        How many changes of the port have one at the host at the same difference; None where none has.

    Examples:
        >>> second = 1_000_000_000
        >>> match([(0, True), (60 * second, False)], [(7 * second, True), (67 * second, False)])
        Match(score=2, of=2, offset=7000000000)
    """
    pairs = [
        (there - here, number)
        for number, (here, down) in enumerate(port)
        for there, fell in card
        if down == fell and abs(there - here) <= REACH_NS
    ]
    if not pairs:
        return None
    values = np.array([value for value, _ in pairs], dtype=np.int64)
    owners = np.array([owner for _, owner in pairs], dtype=np.int64)
    windows = densest(values, owners, width)
    most = max(score for _, score in windows)

    def centre(edge: int) -> int:
        inside = values[(values >= edge) & (values <= edge + width)]
        return int(np.median(inside))

    offset = min(
        (centre(edge) for edge, score in windows if score == most), key=lambda value: (abs(value - near), value)
    )
    return Match(most, len(port), offset)


def shifts(ties: Mapping[tuple[str, str], int], anchors: Sequence[str], switches: Sequence[str]) -> dict[str, int]:
    """What to subtract from each machine's instants so that all are on one clock.

    The clock of a machine that is tied to the case's reference counts as right. Without one, the clock that most
    machines agree on does, for clocks that are kept agree and clocks that are not do not; and where no two agree, the
    switches are left as they are.

    Args:
        ties: (machine, other) -> the machine's clock minus the other's, ns.
        anchors: Machines whose instants are on the reference's clock already.
        switches: Which of the machines are switches.

    Returns:
        Nanoseconds by machine; machines that agree with the right clock to `AGREE_NS` have none.

    Examples:
        >>> shifts({("host", "sw1"): 3 * 10**9, ("host", "sw2"): 3 * 10**9}, [], ["sw1", "sw2"])
        {'host': 3000000000}
    """
    near: dict[str, dict[str, int]] = {}
    for (one, other), offset in sorted(ties.items()):
        near.setdefault(other, {})[one] = offset
        near.setdefault(one, {})[other] = -offset
    told: dict[str, int] = {}
    seen: set[str] = set()
    for root in sorted(near, key=lambda name: (name not in anchors, name not in switches, name)):
        if root in seen:
            continue
        reads, queue = {root: 0}, [root]
        while queue:
            name = queue.pop(0)
            for other, offset in sorted(near[name].items()):
                if other not in reads:
                    reads[other] = reads[name] + offset
                    queue.append(other)
        seen |= reads.keys()
        right = 0 if root in anchors else _agreed(reads, switches)
        alone = root not in anchors and sum(abs(value - right) <= AGREE_NS for value in reads.values()) < 2
        for name, value in reads.items():
            if name in anchors or abs(value - right) <= AGREE_NS or (alone and name in switches):
                continue
            told[name] = value - right
    return dict(sorted(told.items()))


def _agreed(reads: Mapping[str, int], switches: Sequence[str]) -> int:
    """The reading that most machines share, switches before hosts."""
    ordered = sorted(reads, key=lambda name: (name not in switches, name))

    def company(name: str) -> tuple[int, int]:
        close = [other for other in ordered if abs(reads[other] - reads[name]) <= AGREE_NS]
        return len(close), sum(other in switches for other in close)

    best = max(ordered, key=company)  # the first of several
    own = [reads[name] for name in ordered if abs(reads[name] - reads[best]) <= AGREE_NS and name in switches]
    return int(np.median(own)) if own else reads[best]
