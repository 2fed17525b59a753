"""ShellCommand: one command that somebody typed, as a transcript shows it."""

from __future__ import annotations

from forensics.records._record import number, text
from forensics.records.snapshot import Snapshot


class ShellCommand(Snapshot):
    """One prompt with what was typed at it; what it printed becomes rows of other records."""

    user = text("who", nullable=True)
    directory = text("where", nullable=True)
    shell = text("shell, mysql, psql, …")
    command = text("what was typed; secrets masked")
    affected = number("rows that a statement changed, as the database answered", nullable=True)
    n_lines = number("lines of output", bits=32)
