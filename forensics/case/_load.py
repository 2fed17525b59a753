"""Reads one file of a case into its own files of the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from forensics.errors import EvidenceError, StoppedError
from forensics.evidence import PADDING, EvidenceFile, Stream, archive_kind, archive_parts, open_stream
from forensics.loaders._reader import Batch, Origin, Reader
from forensics.loaders._registry import pick
from forensics.records import LogRecord, Loss, Span
from forensics.store import Sink

_HEAD_BYTES = 65_536
_MOST_REASONS = 1_000

ATIME = "access time not kept"
"""A problem that costs no evidence: only the owner of a file and root may read it without a trace (open(2))."""
CHANGED = "changed while it was read"

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Job:
    """One file to read."""

    number: int
    """Its place in the order of the evidence, from 1."""
    file: EvidenceFile
    origin: Origin
    folder: Path
    """The store under construction."""
    zone: str | None = None
    """The time zone that the file itself tells: then it is understood, whatever else it may be."""
    machine: str | None = None
    """The machine that the file itself names: then, too."""


@dataclass(slots=True)
class Outcome:
    """What became of one file."""

    source: dict[str, Any]
    """A row of `forensics.records.Source`."""
    problems: list[dict[str, Any]] = field(default_factory=list)
    """Rows of `forensics.records.Problem`."""
    rows: dict[str, int] = field(default_factory=dict)
    """Rows a record."""
    hosts: list[str | None] = field(default_factory=list)
    """Machines whose log records have a zone that is only assumed."""


class _Tally:
    """Counts what is no row, by reason, and remembers where it first was."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._found: dict[str, dict[str, Any]] = {}
        self.counts = {"reject": 0, "gap": 0}

    def add(self, kind: str, reason: str, offset: int | None, length: int | None, sample: str | None = None) -> None:
        if kind in self.counts:
            self.counts[kind] += 1
        if reason not in self._found and len(self._found) >= _MOST_REASONS:
            reason = "of still other kinds"
        row = self._found.setdefault(
            reason,
            {"source": self._source, "type": reason, "offset_bytes": offset, "length_bytes": 0, "count": 0}
            | {"example": sample},
        )
        row["count"] += 1
        row["length_bytes"] = None if length is None or row["length_bytes"] is None else row["length_bytes"] + length

    def illustrate(self, reason: str, sample: str) -> None:
        """Give an example for what was counted."""
        if reason in self._found:
            self._found[reason]["example"] = sample

    def problems(self) -> list[dict[str, Any]]:
        return [self._found[reason] for reason in sorted(self._found)]


class _Intake:
    """Takes the batches of one source into the store and keeps its accounts."""

    def __init__(self, source: str, sink: Sink, stir: Callable[[], None] | None) -> None:
        self.source, self.sink, self._stir = source, sink, stir
        self.tally = _Tally(source)
        self.facts: dict[str, str] = {}
        self.rows = 0
        self.covered = 0
        self.first: Any = None
        self.last: Any = None
        self.hosts: set[str | None] = set()

    def take(self, batch: Batch, reader: Reader) -> None:
        if self._stir is not None:
            self._stir()
        for record, frame in batch.rows.items():
            self.sink.append(record, frame)
        if (log := batch.rows.get(LogRecord)) is not None and "zone_basis" in log.columns:
            assumed = log.filter(pl.col("zone_basis") == "assumed")
            self.hosts |= set(assumed["host"].unique().to_list())
        for record in reader.bases:
            base = batch.rows.get(record)
            if base is None or not base.height:
                continue
            self.rows += base.height
            ends = base.select(
                first=pl.col("ts").min(),
                last=pl.col("ts").max(),
                end=(pl.col("offset_bytes") + pl.col("length_bytes")).max(),
            ).row(0)
            self.first = min((t for t in (self.first, ends[0]) if t is not None), default=None)
            self.last = max((t for t in (self.last, ends[1]) if t is not None), default=None)
            self.covered = max(self.covered, ends[2] or 0)
        self.stretches([(s.offset_bytes, s.length_bytes, s.kind, s.reason) for s in batch.stretches])
        if batch.losses:
            rows = [(ts, self.source, position, kind, count) for ts, position, kind, count in batch.losses]
            schema = {name: pl.Int64 if name == "ts" else kind for name, kind in Loss.polars_schema().items()}
            self.sink.append(Loss, pl.DataFrame(rows, schema=schema, orient="row"))
        self.facts |= batch.facts

    def stretches(self, stretches: Sequence[tuple[int, int, str, str]]) -> None:
        if not stretches:
            return
        rows = [(self.source, *stretch) for stretch in stretches]
        self.sink.append(Span, pl.DataFrame(rows, schema=Span.polars_schema(), orient="row"))
        self.covered = max(self.covered, max(offset + length for offset, length, _, _ in stretches))
        for offset, length, kind, reason in stretches:
            if kind in ("reject", "gap"):
                self.tally.add(kind, reason, offset, length)


def load_one(job: Job, advance: Advance | None = None, stir: Callable[[], None] | None = None) -> Outcome:
    """Read one file into the store. Whatever its content does to a reader costs this file alone.

    Args:
        job: The file.
        advance: Called with octets of it that were done.
        stir: Called whenever a reader has yielded something: it does not hang.

    Raises:
        StoppedError: If the system does not let the store be written.
    """
    file = job.file
    row: dict[str, Any] = {
        "source": file.source,
        "host": job.origin.host,
        "size_bytes": file.size_bytes,
        "modified_at": file.modified_ns,
        "rows": 0,
        "rejects": 0,
        "gaps": 0,
        "archive": file.within.archive.source if file.within is not None else None,
    }
    if file.refusal is not None:
        return _refused(row, file.refusal)
    seen = 0

    def tell(position: int) -> None:
        nonlocal seen
        if advance is not None and position > seen:
            advance(position - seen)
            seen = position

    with Sink(job.folder, job.number) as sink:
        intake = _Intake(file.source, sink, stir)
        try:
            with open_stream(file, digest=True) as stream:
                status = _read(job, stream, intake, row, tell)
                digest = stream.finish()
        except EvidenceError as error:
            tell(file.size_bytes)
            return _refused(row, error.what)
        row |= {"compression": stream.compression, "sha256": digest.sha256}
        for offset, reason in stream.gaps:
            if not reason.startswith(PADDING):
                intake.tally.add("gap", reason, offset, None)
        if not stream.atime_kept:
            intake.tally.add("", ATIME, None, None)
        if digest.changed:
            intake.tally.add("", CHANGED, None, None, digest.changed)
        counts = intake.tally.counts
        if status == "read" and (counts["gap"] or digest.changed):
            status = "damaged"
        facts = intake.facts
        note = "; ".join(text for text in (row.get("note"), facts.get("note"), digest.changed) if text)
        row |= {
            "format": facts.get("format", row.get("format")),
            "status": status,
            "rows": intake.rows,
            "rejects": int(facts.get("rejects", counts["reject"])),
            "gaps": counts["gap"],
            "started_at": intake.first,
            "ended_at": intake.last,
            "year_basis": facts.get("year_basis"),
            "zone": facts.get("zone"),
            "zone_basis": facts.get("zone_basis"),
            "release": facts.get("release"),
            "release_basis": facts.get("release_basis"),
            "note": note or None,
        }
    tell(file.size_bytes)
    hosts = sorted(intake.hosts, key=lambda host: (host is not None, host or ""))
    rows = {record.__name__: count for record, count in sink.rows.items()}
    return Outcome(row, intake.tally.problems(), rows, hosts)


def _read(job: Job, stream: Stream, intake: _Intake, row: dict[str, Any], tell: Advance) -> str:
    """Read one open stream to its end; returns the status of the source."""
    head = stream.peek(_HEAD_BYTES)
    reader = None
    archive = archive_kind(head)
    alone = job.zone is not None and head.strip(b"\0\r\n").count(b"\n") == 0  # a stamp, and nothing that it stamps
    try:
        if archive is not None:
            row |= {"format": archive, "note": _unfold(job, intake)}
            stream.skip()
            return "read"
        reader = None if alone else pick(head, job.file.source)
        if reader is not None:
            row["format"] = reader.name
            for batch in reader.batches(stream, job.origin):
                intake.take(batch, reader)
                if stream.compression is None:
                    tell(min(stream.offset, job.file.size_bytes))
    except (KeyboardInterrupt, SystemExit, GeneratorExit, StoppedError):
        raise
    except BaseException as error:  # a panic of polars is no Exception; none of them may cost another file
        stream.skip()
        end = stream.offset
        intake.stretches([(intake.covered, end - intake.covered, "gap", "the reader failed")])
        intake.tally.illustrate("the reader failed", f"{type(error).__name__}: {error}"[:300])
        return "damaged"
    stream.skip()
    end = stream.offset
    if reader is None and job.zone is not None:
        intake.stretches([(0, end, "framing", "tells a time zone")])
        row |= {"format": "time zone", "note": f"tells the zone {job.zone}"}
    elif reader is None and job.machine is not None:
        intake.stretches([(0, end, "framing", "names the machine")])
        row |= {"format": "host name", "note": f"names the machine {job.machine}"}
    elif reader is None and end:
        intake.stretches([(0, end, "reject", "in no format that is known")])
        row["note"] = "in no format that is known"
        return "not understood"
    if not end:
        row["note"] = "empty"
    return "read"


def _unfold(job: Job, intake: _Intake) -> str:
    """Account for the octets of an archive, whose members are files of their own; what it holds."""
    members = 0
    waiting: list[tuple[int, int, str, str]] = []
    for part in archive_parts(job.file):
        members += part.member is not None
        waiting.append((part.offset_bytes, part.length_bytes, part.kind, part.reason))
        if len(waiting) >= _MOST_REASONS:
            intake.stretches(waiting)
            waiting = []
    intake.stretches(waiting)
    return f"{members} member{'s' * (members != 1)}"


def _refused(row: dict[str, Any], reason: str) -> Outcome:
    row |= {"status": "not opened", "note": reason}
    problem = {"source": row["source"], "type": "not opened", "count": 1, "example": reason}
    return Outcome(row, [problem | {"offset_bytes": None, "length_bytes": None}])


def discard(job: Job) -> None:
    """Take what a file yielded out of the store under construction."""
    for part in job.folder.glob(f"records/*/{job.number:06d}.parquet*"):
        part.unlink()
