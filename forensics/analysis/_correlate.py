"""What several analyses need of instants: their unit, and the window in which most of them agree."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SECOND_NS = 1_000_000_000


def densest(values: npt.NDArray[np.int64], owners: npt.NDArray[np.int64], width: int) -> list[tuple[int, int]]:
    """Where most owners have a value: windows of one width, best first.

    Args:
        values: Candidate values, such as time differences of all pairs that could belong together.
        owners: To whom each value belongs; an owner counts once in a window.
        width: Width of the window, in the unit of the values.

    Returns:
        ``(left edge, owners)`` of at most eight windows that do not overlap.

    Examples:
        >>> densest(np.array([7, 107, 8, 108, 209]), np.array([0, 0, 1, 1, 2]), 5)
        [(7, 2), (107, 2), (209, 1)]
    """
    order = np.lexsort((owners, values))
    sorted_values, sorted_owners = values[order], owners[order]
    counts: dict[int, int] = {}
    scores = np.zeros(len(order), dtype=np.int64)
    right, distinct = 0, 0
    for left in range(len(order)):
        while right < len(order) and sorted_values[right] - sorted_values[left] <= width:
            owner = int(sorted_owners[right])
            counts[owner] = counts.get(owner, 0) + 1
            distinct += counts[owner] == 1
            right += 1
        scores[left] = distinct
        leaving = int(sorted_owners[left])
        counts[leaving] -= 1
        distinct -= counts[leaving] == 0
    found: list[tuple[int, int]] = []
    for index in np.argsort(-scores, kind="stable"):
        edge = int(sorted_values[index])
        if all(abs(edge - other) > width for other, _ in found):
            found.append((edge, int(scores[index])))
        if len(found) == 8:
            break
    return found
