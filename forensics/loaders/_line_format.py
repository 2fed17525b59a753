"""What a line framing is, as data: a pattern, what it frames, and the samples that prove it.

A pattern is the definition; `lines/_fast.py` reads the commonest framings with byte arithmetic instead, and tests
hold both to the same result. A compiled kernel can stand beside it: a framing is known to all of them by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

DIGITS = "0123456789"
MONTHS = "ADFJMNOS"
CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Sets for `LineFormat.leads`."""
GROUPS = frozenset(
    {
        # the stamp, in parts
        *("year", "month", "day", "time", "date", "fraction", "millis", "zone", "stamp", "epoch_us", "epoch_s"),
        *("epoch_ms", "clock"),
        # fields of a LogRecord, as the line writes them
        *("host", "program", "pid", "pri", "severity", "logger", "request_id", "global_request_id"),
        *("user_id", "project_id", "instance", "message"),
        # the wrapped line, for a framing that wraps another
        *("rest", "tagged"),
        # of a framing in JSON: lines that follow the message, and a message as a list of octets
        *("traceback", "octets"),
    }
)
"""Names that a group of a pattern may have.

``month`` is a name (``Dec``), ``date`` is ``YYYY-MM-DD``, ``time`` is ``HH:MM:SS``, ``clock`` is ``HHMMSS``;
``millis`` are milliseconds without leading zeros, ``stamp`` is all of it (RFC 3339). A time without a date is a time
of day. A year of two digits is of this century.
``rest`` is read on as a line of its own, ``tagged`` is read on as what follows the host name in RFC 3164: a tag and a
message.
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """Evidence and what must be read from it.

    Args:
        text: One record as it lies in a file, without the last line feed; it may have several lines.
        expected: Columns of the record and their values. Columns that are not named are not looked at.
        year: The year to assume, for a stamp that has none.
        rows: Rows that a message gives, where it is not one; ``expected`` is then the first of them.
    """

    text: str
    expected: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    year: int | None = None
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class LineFormat:
    """One framing of a log line.

    Args:
        name: What `LogRecord.framing` says.
        reference: The document or upstream file, and the releases.
        pattern: Rust regular expression in verbose mode, anchored; its groups are named as `GROUPS` lists.
        samples: At least one for each variant.
        rank: Lines are offered to the lowest rank first; within a rank no two patterns claim the same line.
        leads: The characters that such a line can begin with; any where empty.
        inside: Whether such a line is looked for behind a syslog tag.
        inner_only: Needs a wrapper around it, because it has no stamp of its own.
        behind_host: Stands only where others have a tag, directly behind the host name of a syslog header.
        context: What it says of the request's context: ``given`` (a bracket, if only ``[-]``) or ``bare`` (none:
            its lines of level TRACE or ERROR continue a record of the same logger and process), or ``repeated`` (each
            line of a message has the whole header again: equal headers that touch are one record).
        json: The pattern only recognises the line; these fields are then read from it by their JSON paths, the first
            that there is.
    """

    name: str
    reference: str
    pattern: str
    samples: tuple[Sample, ...]
    rank: int = 0
    leads: str = ""
    inside: bool = True
    inner_only: bool = False
    behind_host: bool = False
    context: str | None = None
    json: Mapping[str, str | tuple[str, ...]] | None = None

    @property
    def regex(self) -> str:
        """The pattern with the flag for verbose mode in front."""
        return "(?x)" + self.pattern
