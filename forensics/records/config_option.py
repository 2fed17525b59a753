"""ConfigOption: one option of one configuration file."""

from __future__ import annotations

from forensics.records._record import flag, text
from forensics.records.snapshot import Snapshot


class ConfigOption(Snapshot):
    """One option, as the file has it; ``-`` in names is ``_``. Of a repeated option each has a row, in order."""

    file = text("file as its host knows it: /etc/nova/nova.conf; the evidence's own path where that is not told")
    service = text("nova, neutron, glance, …", nullable=True)
    section = text("group; DEFAULT where there is none")
    key = text("name of the option")
    value = text("value as written; a secret is masked", nullable=True)
    effective = text("value with $other_option filled in, where it has such", nullable=True)
    is_commented = flag("whether the line is commented out: then it shows a default and has no effect")
