"""Reads the files of a case, several at a time, each into its own files of the store."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from forensics.errors import EvidenceError
from forensics.evidence import PADDING, EvidenceFile, Stream, open_stream
from forensics.loaders._reader import Batch, Origin, Reader
from forensics.loaders._registry import pick
from forensics.records import Loss, Span
from forensics.store import Sink

_HEAD_BYTES = 65_536
_MOST_REASONS = 1_000
_POOL_FROM_BYTES, _POOL_FROM_FILES = 64 << 20, 300
"""Below this much evidence one process is done before a second one has started."""

ATIME = "access time not kept"
"""A problem that costs no evidence: only the owner of a file and root may read it without a trace (open(2))."""

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

    def __init__(self, source: str, sink: Sink) -> None:
        self.source, self.sink = source, sink
        self.tally = _Tally(source)
        self.facts: dict[str, str] = {}
        self.rows = 0
        self.covered = 0
        self.first: Any = None
        self.last: Any = None

    def take(self, batch: Batch, reader: Reader) -> None:
        for record, frame in batch.rows.items():
            self.sink.append(record, frame)
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


def _rest(stream: Stream) -> int:
    """Read to the end; the number of octets there are in all."""
    buffer = bytearray(1 << 20)
    while stream.readinto(buffer):
        pass
    return stream.offset


def load_one(job: Job, advance: Advance | None = None) -> Outcome:
    """Read one file into the store. Whatever its content does to a reader costs this file alone."""
    file = job.file
    row: dict[str, Any] = {
        "source": file.source,
        "host": job.origin.host,
        "size_bytes": file.size_bytes,
        "modified_at": file.modified_ns,
        "rows": 0,
        "rejects": 0,
        "gaps": 0,
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
        intake = _Intake(file.source, sink)
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
            intake.tally.add("", "changed while it was read", None, None, digest.changed)
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
    return Outcome(row, intake.tally.problems(), {record.__name__: count for record, count in sink.rows.items()})


def _read(job: Job, stream: Stream, intake: _Intake, row: dict[str, Any], tell: Advance) -> str:
    """Read one open stream to its end; returns the status of the source."""
    head = stream.peek(_HEAD_BYTES)
    reader = None
    archive = _archive(head)
    alone = job.zone is not None and head.strip(b"\0\r\n").count(b"\n") == 0  # a stamp, and nothing that it stamps
    try:
        reader = None if archive or alone else pick(head, job.file.source)
        if reader is not None:
            row["format"] = reader.name
            for batch in reader.batches(stream, job.origin):
                intake.take(batch, reader)
                if stream.compression is None:
                    tell(min(stream.offset, job.file.size_bytes))
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a panic of polars is no Exception; none of them may cost another file
        end = _rest(stream)
        intake.stretches([(intake.covered, end - intake.covered, "gap", "the reader failed")])
        intake.tally.illustrate("the reader failed", f"{type(error).__name__}: {error}"[:300])
        return "damaged"
    end = _rest(stream)
    if reader is None and job.zone is not None:
        intake.stretches([(0, end, "framing", "tells a time zone")])
        row |= {"format": "time zone", "note": f"tells the zone {job.zone}"}
    elif reader is None and job.machine is not None:
        intake.stretches([(0, end, "framing", "names the machine")])
        row |= {"format": "host name", "note": f"names the machine {job.machine}"}
    elif reader is None and end:
        intake.stretches([(0, end, "reject", "in no format that is known")])
        row["note"] = "in no format that is known" if archive is None else f"{archive}: unpack it and read the folder"
        return "not understood"
    if not end:
        row["note"] = "empty"
    return "read"


def _archive(head: bytes) -> str | None:
    """What kind of archive a file is, whose members would be read as one file."""
    if head[257:262] == b"ustar":
        return "a tar archive"
    return "a ZIP archive" if head[:4] == b"PK\x03\x04" else None


def _refused(row: dict[str, Any], reason: str) -> Outcome:
    row |= {"status": "not opened", "note": reason}
    problem = {"source": row["source"], "type": "not opened", "count": 1, "example": reason}
    return Outcome(row, [problem | {"offset_bytes": None, "length_bytes": None}])


def load_all(jobs: Sequence[Job], workers: int, advance: Advance | None = None) -> list[Outcome]:
    """Read all files, in processes of their own where that pays; outcomes in the order of the jobs.

    Args:
        jobs: Files in the order of the evidence.
        workers: Most processes at a time; 0 to choose.
        advance: Called with octets of evidence that were done.
    """
    total = sum(job.file.size_bytes for job in jobs)
    if workers == 0:
        workers = min(os.cpu_count() or 1, 8) if total >= _POOL_FROM_BYTES or len(jobs) >= _POOL_FROM_FILES else 1
    workers = min(workers, len(jobs))
    if workers <= 1:
        return [load_one(job, advance) for job in jobs]
    done: dict[int, Outcome] = {}
    broken = _in_pool(jobs, workers, done, advance)
    for job in jobs:  # a process that died took others with it: each of those gets one more try, alone
        if job.number not in done:
            again: dict[int, Outcome] = {}
            _in_pool([job], 1, again, advance)
            done[job.number] = again.get(job.number) or _poison(job, broken)
    return [done[job.number] for job in jobs]


def _in_pool(jobs: Sequence[Job], workers: int, done: dict[int, Outcome], advance: Advance | None) -> str:
    told = 0

    def tell() -> None:
        nonlocal told
        if advance is not None and counter.value > told:
            advance(counter.value - told)
            told = counter.value

    pending: dict[Future[Outcome], Job] = {}
    with _nothing_from_here():  # the counter, too, starts a process: multiprocessing's resource tracker
        context = multiprocessing.get_context("spawn")
        counter = context.Value("q", 0)
        pool = ProcessPoolExecutor(workers, context, _start_worker, (counter,))
    try:
        with _nothing_from_here():
            for job in sorted(jobs, key=lambda job: (-job.file.size_bytes, job.number)):  # the longest first
                pending[pool.submit(_work, job)] = job
        while pending:
            ended, _ = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
            tell()
            for future in ended:
                done[pending.pop(future).number] = future.result()
    except BrokenProcessPool as error:
        return str(error)
    except BaseException:
        for process in list(pool._processes.values()):
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return ""


def discard(job: Job) -> None:
    """Take what a file yielded out of the store under construction."""
    for part in job.folder.glob(f"records/*/{job.number:06d}.parquet*"):
        part.unlink()


def _poison(job: Job, reason: str) -> Outcome:
    row = {"source": job.file.source, "host": job.origin.host, "size_bytes": job.file.size_bytes}
    row |= {"modified_at": job.file.modified_ns, "rows": 0, "rejects": 0, "gaps": 1, "status": "damaged"}
    row["note"] = "the process that read it died twice"
    discard(job)
    problem = {"source": job.file.source, "type": "poison", "offset_bytes": 0, "length_bytes": job.file.size_bytes}
    return Outcome(row, [problem | {"count": 1, "example": reason}])


@contextlib.contextmanager
def _nothing_from_here() -> Iterator[None]:
    """New processes import nothing from the current folder, which may be the evidence, and do not run the caller again.

    Without the second, a script that opens a case at its top level would do so once more in each process.
    """
    before = os.environ.get("PYTHONSAFEPATH")
    caller = sys.modules["__main__"]
    os.environ["PYTHONSAFEPATH"] = "1"
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = caller
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


_counter: Any = None


def _start_worker(counter: Any) -> None:
    global _counter
    _counter = counter
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that was killed cannot end its workers, and they would wait for it for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _count(octets: int) -> None:
    with _counter.get_lock():
        _counter.value += octets


def _work(job: Job) -> Outcome:
    return load_one(job, _count)
