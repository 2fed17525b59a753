"""Snapshot: what a command, a table or a file showed at one instant; the base of the records that come from such."""

from __future__ import annotations

from forensics.records._record import Observed, choice

TIME_BASES = ("stated", "command", "file-name", "modified", "declared", "none")


class Snapshot(Observed):
    """State as somebody took it down. ``ts`` is when that was, ``ts_basis`` how the instant is known."""

    ts_basis = choice(
        "how ts is known",
        "stated",  # the row or its document says it
        "command",  # a `date` typed just before, or a prompt with a time
        "file-name",  # a date in the file's name
        "modified",  # modification time of the file: false where it was copied or unpacked
        "declared",
        "none",
    )
