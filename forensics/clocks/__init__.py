"""Missing years, time zones and clock differences, resolved to UTC nanoseconds; columns in, columns out, no files."""

from forensics.clocks._rolls import RollCounter
from forensics.clocks._stamps import epoch, iso, traditional
from forensics.clocks._years import NO_TIME, YearCounter, YearPlan
from forensics.clocks._zones import (
    FIRST_TIME,
    MARKS,
    SECOND_TIME,
    SKIPPED,
    TZDATA_VERSION,
    UNDECIDED,
    LocalClock,
    is_zone,
    quarter_hours,
    transitions,
    zone_names,
    zone_offset,
)

__all__ = [
    "FIRST_TIME",
    "MARKS",
    "NO_TIME",
    "SECOND_TIME",
    "SKIPPED",
    "TZDATA_VERSION",
    "UNDECIDED",
    "LocalClock",
    "RollCounter",
    "YearCounter",
    "YearPlan",
    "epoch",
    "is_zone",
    "iso",
    "quarter_hours",
    "traditional",
    "transitions",
    "zone_names",
    "zone_offset",
]
