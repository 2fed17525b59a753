"""Reads one file of a case, or a slice of it, into its own files of the store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import polars as pl

from forensics.case._tally import MOST_REASONS, Tally
from forensics.errors import EvidenceError, StoppedError
from forensics.evidence import PADDING, EvidenceFile, Stream, archive_kind, archive_parts, open_stream
from forensics.loaders._reader import Batch, Cuts, Origin, Reader, SliceReader
from forensics.loaders._registry import pick, readers
from forensics.records import LogRecord, Loss, Record, Span
from forensics.store import Sink

_HEAD_BYTES = 65_536

ATIME = "access time not kept"
"""A problem that costs no evidence: only the owner of a file and root may read it without a trace (open(2))."""
CHANGED = "changed while it was read"

SLICE_BYTES = 256 << 20
"""Large captures are cut into slices of about this many octets, whoever reads them."""
SURVEY = -1

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Share:
    """What is read of a file that several processes read."""

    cut: int
    """The slice, from 0; `SURVEY` reads all of the file for its digest, its problems, the records that need all of it,
    and for what is known where a slice begins."""
    mark: Mapping[str, Any] | None = None
    """What is known where the slice begins; None at the start of the file."""
    end: Mapping[str, Any] | None = None
    """The same where it ends; None at the end of the file."""
    sha256: str = ""
    """Digest of the file, as the survey found it."""
    early: bool = False
    """Whether it is the first slice, read while the survey is still looking for its end."""

    @property
    def start(self) -> int:
        """The octet at which the slice begins."""
        return 0 if self.mark is None else int(self.mark["base"])

    def stop(self, size_bytes: int) -> int:
        """The octet at which it ends, in a file of this size."""
        return size_bytes if self.end is None else int(self.end["base"])


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
    slice_bytes: int = field(default_factory=lambda: SLICE_BYTES)
    share: Share | None = None
    """What to read of it; None for all."""


@dataclass(slots=True)
class Outcome:
    """What became of one file."""

    source: dict[str, Any]
    """A row of `forensics.records.Source`."""
    problems: list[dict[str, Any]] = field(default_factory=list)
    """Rows of `forensics.records.Problem`."""
    rows: dict[str, int] = field(default_factory=dict)
    """Rows a record, by name."""
    parts: list[str] = field(default_factory=list)
    """Keys of the files that hold them."""
    hosts: list[str | None] = field(default_factory=list)
    """Machines whose log records have a zone that is only assumed."""
    marks: list[Mapping[str, Any]] | None = None
    """What is known at each cut, where this is a survey; at the end of a slice that was read before it."""
    failed: bool = False
    """Whether a file cannot be read in slices, or not right now."""


class _Intake:
    """Takes the batches of one source into the store and keeps its accounts."""

    def __init__(self, source: str, sink: Sink, stir: Callable[[], None] | None) -> None:
        self.source, self.sink, self._stir = source, sink, stir
        self.tally = Tally(source)
        self.facts: dict[str, str] = {}
        self.rows = 0
        self.covered = 0
        self.first: Any = None
        self.last: Any = None
        self.hosts: set[str | None] = set()
        self.spanning: Collection[type[Record]] = ()
        self.marks: list[Mapping[str, Any]] | None = None
        self.failed = False

    def batches(self, job: Job, reader: Reader, stream: Stream) -> Iterator[Batch]:
        """What the reader yields: of a file that can be cut, with the cuts, and for a survey with little else."""
        spanning: Collection[type[Record]] | None = getattr(reader, "spanning", None)
        if spanning is None or job.file.within is not None or stream.compression is not None:
            return reader.batches(stream, job.origin)
        self.spanning, share = spanning, job.share
        records: Collection[type[Record]] | None = None
        if share is not None and share.cut == SURVEY:
            self.marks, records = [], spanning
        elif share is not None:
            records = [record for record in reader.yields if record not in spanning]
        mark, single = (None, False) if share is None else (share.mark, share.cut != SURVEY)
        cuts = Cuts(job.slice_bytes, mark, single=single)
        return cast(SliceReader, reader).batches(stream, job.origin, records=records, cuts=cuts)

    def take(self, batch: Batch, reader: Reader) -> None:
        if self._stir is not None:
            self._stir()
        for record, frame in batch.rows.items():
            if self.marks is None or record in self.spanning:
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
        if batch.losses and self.marks is None:
            rows = [(ts, self.source, position, kind, count) for ts, position, kind, count in batch.losses]
            schema = {name: pl.Int64 if name == "ts" else kind for name, kind in Loss.polars_schema().items()}
            self.sink.append(Loss, pl.DataFrame(rows, schema=schema, orient="row"))
        self.facts |= batch.facts
        if (mark := _noted(batch, reader)) is not None:
            if self.marks is not None:
                self.marks.append(mark)
            else:
                self.sink.cut(self.spanning)

    def stretches(self, stretches: Sequence[tuple[int, int, str, str]]) -> None:
        if not stretches:
            return
        if self.marks is None:
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
    if job.share is not None and job.share.cut != SURVEY:
        return _load_slice(job, job.share, advance, stir)
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
    with Sink(job.folder, job.number) as sink:
        intake = _Intake(file.source, sink, stir)
        told = _teller(0, advance)

        def tell(position: int) -> None:
            if intake.marks is None:
                told(position)

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
    outcome = Outcome(row, intake.tally.problems(), _counted(sink), sorted(sink.parts), hosts, intake.marks)
    if intake.marks is not None:
        outcome.failed = intake.failed or bool(stream.gaps or digest.changed) or not (digest.sha256 and as_listed(job))
    return outcome


def _noted(batch: Batch, reader: Reader) -> dict[str, Any] | None:
    """The mark at the end of a batch, and whose it is."""
    return None if batch.mark is None else {**batch.mark, "format": reader.name}


def _counted(sink: Sink) -> dict[str, int]:
    return dict(sorted((record.__name__, count) for record, count in sink.rows.items()))


def _teller(start: int, advance: Advance | None) -> Advance:
    seen = start

    def tell(position: int) -> None:
        nonlocal seen
        if advance is not None and position > seen:
            advance(position - seen)
            seen = position

    return tell


def _load_slice(job: Job, share: Share, advance: Advance | None, stir: Callable[[], None] | None) -> Outcome:
    """Read one slice into the store: what the survey did not read of it."""
    file = job.file
    tell = _teller(share.start, advance)
    stop = min(job.slice_bytes, file.size_bytes) if share.early else share.stop(file.size_bytes)
    failed = Outcome({"source": file.source}, failed=True)
    with Sink(job.folder, job.number, share.cut) as sink:
        intake = _Intake(file.source, sink, stir)
        reader, end = None, None
        try:
            if share.mark is not None:
                reader = next(one for one in readers() if one.name == share.mark["format"])
            else:
                with open_stream(file) as stream:
                    if stream.compression is None:
                        reader = _reader_of(job, stream.peek(_HEAD_BYTES))
            if reader is None or not hasattr(reader, "spanning"):
                return failed
            with open_stream(file, start=share.start) as stream:
                for batch in intake.batches(job, reader, stream):
                    end = _noted(batch, reader) or end
                    intake.take(batch, reader)
                    tell(min(stream.offset, stop))
                sound = not stream.gaps and stream.finish().changed is None
        except (KeyboardInterrupt, SystemExit, GeneratorExit, StoppedError):
            raise
        except BaseException:  # read whole, it will say what is wrong
            return failed
    if not (sound and (share.early or end == share.end) and as_listed(job)):
        return failed
    tell(file.size_bytes if end is None else int(end["base"]))
    row = {"source": file.source, "sha256": share.sha256, "rows": intake.rows}
    row |= {"started_at": intake.first, "ended_at": intake.last}
    marks: list[Mapping[str, Any]] | None = None
    if share.early:
        marks = [] if end is None else [end]
    return Outcome(row, rows=_counted(sink), parts=sink.parts, marks=marks)


def _reader_of(job: Job, head: bytes) -> Reader | None:
    """Who reads a file with these first octets; nobody reads an archive."""
    alone = job.zone is not None and head.strip(b"\0\r\n").count(b"\n") == 0  # a stamp, and nothing that it stamps
    return None if alone or archive_kind(head) is not None else pick(head, job.file.source)


def _read(job: Job, stream: Stream, intake: _Intake, row: dict[str, Any], tell: Advance) -> str:
    """Read one open stream to its end; returns the status of the source."""
    head = stream.peek(_HEAD_BYTES)
    reader = None
    archive = archive_kind(head)
    try:
        if archive is not None:
            row |= {"format": archive, "note": _unfold(job, intake)}
            stream.skip()
            return "read"
        reader = _reader_of(job, head)
        if reader is not None:
            row["format"] = reader.name
            for batch in intake.batches(job, reader, stream):
                intake.take(batch, reader)
                if stream.compression is None:
                    tell(min(stream.offset, job.file.size_bytes))
    except (KeyboardInterrupt, SystemExit, GeneratorExit, StoppedError):
        raise
    except BaseException as error:  # a panic of polars is no Exception; none of them may cost another file
        stream.skip()
        end = stream.offset
        intake.stretches([(intake.covered, end - intake.covered, "gap", "the reader failed")])
        intake.failed = True
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
        if len(waiting) >= MOST_REASONS:
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
    for end in (".parquet*", "_*.parquet*"):
        for part in job.folder.glob(f"records/*/{job.number:06d}{end}"):
            part.unlink()


def as_listed(job: Job) -> bool:
    """Whether a file, or the archive that holds it, is what it was when the evidence was listed."""
    file = job.file
    while file.within is not None:
        file = file.within.archive
    if file.refusal is not None:
        return True
    try:
        now = file.path.lstat()
    except OSError:
        return False
    return (now.st_size, now.st_mtime_ns) == (file.size_bytes, file.modified_ns)
