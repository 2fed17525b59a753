"""Documents that tell when the folder around them was taken down: what `date` printed into it."""

from __future__ import annotations

import re

from forensics.loaders.documents._document import plain
from forensics.loaders.documents._instants import instant_of

_LONGEST_BYTES = 4096
_PLACES = (
    re.compile(r"(?:^|/)sos_commands/(?:date|general|host|ntp|chrony)/date(?P<utc>_--utc|_-u)?$"),
    re.compile(r"(?:^|/)date(?P<utc>[-_]u|[-_]utc)?(?:\.txt|\.out)?$"),
)


def taken_of(head: bytes, name: str, zone: str | None) -> tuple[str, int] | None:
    r"""When a collection was made, and the folder that holds it.

    Args:
        head: The first bytes of the file.
        name: Path of the file inside the evidence.
        zone: Zone of the host, for a date whose zone is an abbreviation that several share.

    Returns:
        Folder (empty for all of the evidence) and nanoseconds since 1970; None where the file is no output of
        ``date`` alone.

    Examples:
        >>> taken_of(b"Fri Feb 15 01:40:18 MST 2013\n", "sosreport-cc12/sos_commands/date/date", None)
        ('sosreport-cc12', 1360917618000000000)
    """
    for place in _PLACES:
        found = place.search(name)
        if found is None:
            continue
        lines = [plain(line) for line in head[:_LONGEST_BYTES].split(b"\n") if line.strip()]
        told = {instant_of(line, zone, utc=found["utc"] is not None) for line in lines[:2]}
        if len(lines) in (1, 2) and len(told) == 1 and None not in told:
            return name[: found.start()], int(told.pop() or 0)
    return None
