"""RowCount: rows of one table at one instant."""

from __future__ import annotations

from forensics.records._record import flag, number, size, text
from forensics.records.snapshot import Snapshot


class RowCount(Snapshot):
    """How many rows a table had, all or in one state."""

    database = text("schema", nullable=True)
    table = text("table")
    state = text("live, deleted, all, or a vm_state; another condition as it was written")
    rows = number("rows", min=0)
    is_estimate = flag("whether it is an estimate (information_schema of InnoDB)")
    data_bytes = size("what the table takes on disk, where told", nullable=True)
    is_complete = flag("whether all rows were counted; not so where a dump was cut", nullable=True)
