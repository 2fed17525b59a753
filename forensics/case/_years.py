"""Years that a file's modification time got wrong, put right by the dated sources of the same case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from forensics.case._load import Job, Outcome

APART = timedelta(days=60)
"""Evidence of one incident lies together; see `forensics.clocks`."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def misdated(jobs: Sequence[Job], outcomes: Sequence[Outcome]) -> list[Job]:
    """Logs whose year rests on their modification time and lies far from every dated source, to be read anew.

    A folder that was copied, unpacked or checked out has the times of that day, not of its content. Captures,
    RFC 3339 stamps and oslo.log lines say their own year.

    Args:
        jobs: The files as they were read.
        outcomes: What became of them, in the same order.

    Returns:
        Jobs with the span of the dated sources in their origin; none where nothing is dated or nothing is far.
    """
    rows = [outcome.source for outcome in outcomes]
    span = _span([row for row in rows if row.get("rows") and row.get("year_basis") in (None, "stated", "inner")])
    if span is None:
        return []
    around = (_nanoseconds(span[0]), _nanoseconds(span[1]))
    return [
        replace(job, origin=replace(job.origin, elsewhere_ns=around))
        for job, row in zip(jobs, rows, strict=True)
        if "modified" in str(row.get("year_basis")) and _is_far(row, span)
    ]


def _span(dated: Sequence[Mapping[str, Any]]) -> tuple[datetime, datetime] | None:
    """The stretch of time in which most dated rows lie."""
    timed = sorted(
        (row["started_at"], row["ended_at"], row["rows"]) for row in dated if row.get("started_at") is not None
    )
    groups: list[list[tuple[datetime, datetime, int]]] = []
    for one in timed:
        if groups and one[0] - max(end for _, end, _ in groups[-1]) <= APART:
            groups[-1].append(one)
        else:
            groups.append([one])
    if not groups:
        return None
    most = max(groups, key=lambda group: sum(rows for _, _, rows in group))
    return most[0][0], max(end for _, end, _ in most)


def _is_far(row: Mapping[str, Any], span: tuple[datetime, datetime]) -> bool:
    start, end = row.get("started_at"), row.get("ended_at")
    return start is not None and end is not None and (start - span[1] > APART or span[0] - end > APART)


def _nanoseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000
