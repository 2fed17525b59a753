"""Joins over time that several analyses need: the latest before, runs split at silences, the densest window."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

SECOND_NS = 1_000_000_000


def latest_before(rows: pl.DataFrame, facts: pl.DataFrame, *, by: list[str], at: str = "ts") -> pl.DataFrame:
    """Give each row the last fact of the same kind that was true when it happened.

    Args:
        rows: Rows with an instant ``at`` and the columns ``by``.
        facts: Facts with the same columns; columns of both get the suffix ``_before``.
        by: Columns that must be equal.
        at: The instant, in both frames.

    Returns:
        The rows, in order of ``at``; null where no fact came before.

    Examples:
        >>> rows = pl.DataFrame({"ts": [5, 9], "mac": ["a", "b"]})
        >>> facts = pl.DataFrame({"ts": [1, 4, 10], "mac": ["a", "a", "b"], "ip": ["10.0.0.2", "10.0.0.3", "10.0.0.4"]})
        >>> latest_before(rows, facts, by=["mac"])["ip"].to_list()
        ['10.0.0.3', None]
    """
    told = facts.with_columns(pl.col(at).alias(f"{at}_before")).sort(at)
    return rows.sort(at).join_asof(told, on=at, by=by, strategy="backward", suffix="_before", check_sortedness=False)


def runs(rows: pl.DataFrame, *, by: list[str], gap_ns: int, at: str = "at") -> pl.DataFrame:
    """Number the runs of each kind: a silence longer than ``gap_ns`` ends a run.

    Args:
        rows: Rows with whole nanoseconds ``at``.
        by: Columns that tell one kind from another.
        gap_ns: Longest silence inside a run, nanoseconds.
        at: Name of the column with the time.

    Returns:
        The rows, sorted by ``by`` and ``at``, with ``run`` counting from 0 in each kind.

    Examples:
        >>> runs(pl.DataFrame({"mac": ["a"] * 4, "at": [0, 3, 30, 31]}), by=["mac"], gap_ns=5)["run"].to_list()
        [0, 0, 1, 1]
    """
    silence = pl.col(at).diff().over(by)
    begins = (silence > gap_ns).fill_null(value=False)
    return rows.sort(*by, at).with_columns(run=begins.cum_sum().over(by))


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
