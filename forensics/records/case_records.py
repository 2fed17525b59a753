"""What a case knows about its own evidence: sources, stretches that are no rows, problems, clocks."""

from __future__ import annotations

from forensics.records._record import Record, choice, instant, number, pairs, real, seconds, size, text


class Source(Record):
    """One file of evidence: what it is, what it yielded, and how its time was obtained."""

    source = text("path inside the evidence, escaped where it is no plain text", primary_key=True)
    format = text("format that was recognised, such as pcap or syslog-traditional", nullable=True)
    status = choice(
        "what became of it",
        "read",  # every byte understood
        "damaged",  # read, but with gaps
        "not understood",  # readable bytes in no known format
        "not opened",  # a link, a FIFO, a device, or the system refused
        "configuration",  # the case's own case.toml
    )
    host = text("host or capture point", nullable=True)
    archive = text("the archive it is a member of; size and digest are then those it has outside", nullable=True)
    compression = text("gz, xz, bz2, zst or lz4", nullable=True)
    size_bytes = size("size on disk")
    modified_at = instant("modification time", nullable=True)
    sha256 = text("digest of the file as it lies on disk", nullable=True)
    rows = number("base records read (packets, log records)", min=0)
    rejects = number("lines or records that fit no grammar", min=0)
    gaps = number("damaged stretches", min=0)
    started_at = instant("earliest row", nullable=True)
    ended_at = instant("latest row", nullable=True)
    year_basis = text("where the year of its stamps comes from", nullable=True)
    zone = text("zone its stamps were read in", nullable=True)
    zone_basis = text("where that zone comes from", nullable=True)
    release = text(
        "OpenStack release that wrote it, as far as its own lines tell: Grizzly, Havana to Icehouse, …", nullable=True
    )
    release_basis = text("the lines that tell the release, and what in them does", nullable=True)
    note = text("what else is worth knowing: why it was not read, what changed while it was", nullable=True)


class Span(Record):
    """One stretch of a source that is no row. Rows and spans together cover a source exactly."""

    source = text("evidence file")
    offset_bytes = size("where it starts, decompressed", min=0)
    length_bytes = size("how long it is", min=0)
    kind = choice(
        "what it is",
        "framing",  # headers and blocks of the container
        "padding",  # filler that the format demands
        "reject",  # a line or record that fits no grammar
        "gap",  # damage
    )
    reason = text("block name, or what is wrong")


class Problem(Record):
    """Something the reader should know of one source: counted exactly, with a sample."""

    source = text("evidence file")
    type = text("kind of problem, such as `record header not plausible`")
    offset_bytes = size("first place", nullable=True)
    length_bytes = size("octets concerned", nullable=True)
    count = number("how often", min=1)
    example = text("one of them", nullable=True)


class Loss(Record):
    """A loss that the evidence itself admits: dropped packets, rate-limited messages, a cut dump."""

    ts = instant("when it was said", nullable=True)
    source = text("evidence file")
    position = number("line or frame where it is said", nullable=True)
    kind = text("what was lost, such as `packets dropped by the kernel`")
    count = number("how many", nullable=True)


class Clock(Record):
    """How far the clock of one source is from the case's reference clock."""

    source = text("evidence file, or series of rotated files", primary_key=True)
    host = text("host or capture point", nullable=True)
    reference = text("the source whose clock counts as right", nullable=True)
    offset_s = seconds("this clock minus the reference: subtract it to be on the reference's time", nullable=True)
    bound_s = seconds("the true offset lies within offset ± bound, all through the evidence", nullable=True)
    zone_s = seconds("part of the offset that is a time zone, in whole quarters of an hour", nullable=True)
    drift_ppm = real("change of the offset, parts per million", nullable=True)
    pivot_at = instant(
        "when the offset is offset_s, by this clock, and drift_ppm x (time - pivot_at) more at another time; "
        "null where no drift is known",
        nullable=True,
    )
    pivot_bound_s = seconds("the true offset lies so close to that line", nullable=True)
    exchanges = number("pairs of events seen by both", min=0)
    basis = text("what the offset rests on, or why there is none")
    pieces = pairs(
        "stretches with offsets of their own, by this clock; null where one holds for all: "
        "the clock was set, or the file holds lines of several hosts",
        {
            "host": text("whose lines; null for all", nullable=True),
            "from_at": instant("from then on; null for the beginning", nullable=True),
            "to_at": instant("until then; null for the end", nullable=True),
            "offset_s": seconds("as above, in this stretch"),
            "bound_s": seconds("as above, in this stretch"),
            "drift_ppm": real("as above, in this stretch", nullable=True),
            "pivot_at": instant("as above, in this stretch", nullable=True),
            "pivot_bound_s": seconds("as above, in this stretch", nullable=True),
        },
    )
    witnesses = pairs(
        "one event as the sources of the chain have it, two places each: the first is of this source",
        {
            "source": text("evidence file"),
            "locator": text("line:N or frame:N"),
            "at": instant("stamp, as the source has it"),
            "what": text("what the event is"),
        },
    )
