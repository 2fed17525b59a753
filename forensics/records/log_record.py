"""LogRecord: one record of a log, with its continuation lines."""

from __future__ import annotations

from forensics.records._record import Observed, choice, instant, number, text

YEAR_BASES = ("stated", "inner", "neighbour", "file-name", "modified", "declared", "none")
ZONE_BASES = ("stated", "utc-by-definition", "declared", "inner", "matched", "assumed", "none")


class LogRecord(Observed):
    """One record of a log: a header line and the continuation lines that belong to it."""

    program = text("program or syslog tag; the service for oslo logs, where the line says it", nullable=True)
    pid = number("process id", nullable=True)
    severity = text("level word as written, upper case; from the PRI where only that is there", nullable=True)
    logger = text("logger name, such as nova.virt.libvirt.imagecache", nullable=True)
    request_id = text("req-…, the local one where two are given", nullable=True)
    user_id = text("user of the request context", nullable=True)
    project_id = text("project (tenant) of the request context", nullable=True)
    instance = text("instance (or other resource) uuid of the [instance: …] prefix", nullable=True)
    message = text("what was said, continuation lines joined with a newline, transport escapes undone")
    n_lines = number("physical lines of this record", bits=32)
    framing = text("grammar that matched, such as syslog-traditional or oslo-grizzly")
    duplicate_of = text("`source:position` of the same record in a file read earlier", nullable=True)
    outer_at = instant("the transport's own stamp on a double-stamped line", nullable=True)
    global_request_id = text("the calling service's request id", nullable=True)
    repeats = number("how many more times the transport says that it was repeated", bits=32, nullable=True)
    year_basis = choice("where the year comes from", *YEAR_BASES)
    zone_basis = choice("where the zone comes from", *ZONE_BASES)
