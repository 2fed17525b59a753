"""What an earlier run read of evidence that is still the same is taken over; the rest is read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import polars
import pyarrow

from forensics.case._load import ATIME, CHANGED, SURVEY, Advance, Job, Outcome, Share, discard
from forensics.case._pool import MOST_WORKERS, load_all
from forensics.case._slices import octets
from forensics.errors import EvidenceError
from forensics.evidence import EvidenceFile, open_stream
from forensics.store import Draft, Entry

_INSTANTS = ("started_at", "ended_at")

_seen: dict[tuple[object, ...], tuple[str, bool]] = {}
"""Digests of files that this process has read, and whether it could do so without a trace: by all that the system
changes when it writes to a file."""


def versions() -> dict[str, str]:
    """What the bytes of a part depend on but its source: this code, and the libraries that write it."""
    package = Path(__file__).resolve().parents[1]
    code = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        data = path.read_bytes()
        code.update(f"{path.relative_to(package).as_posix()} {len(data)}\n".encode() + data)
    return {"code": code.hexdigest(), "polars": polars.__version__, "pyarrow": pyarrow.__version__}


class Reading:
    """Reads the files of a case into its draft, but those that are there already.

    Args:
        draft: The case under construction.
        files: All files, in the order of the evidence.
        workers: Most processes at a time; 0 to choose.
        advance: Called with octets of evidence that were done.
        told: Called once, if anything is taken over, with the number of sources that are, and of all.
        load: Reads files, as `load_all` does.
    """

    def __init__(
        self,
        draft: Draft,
        files: Sequence[EvidenceFile],
        workers: int,
        advance: Advance | None,
        told: Callable[[int, int], None] | None,
        load: Callable[..., list[Outcome]] = load_all,
    ) -> None:
        self._draft, self._workers, self._advance, self._told, self._load = draft, workers, advance, told, load
        self._entries = draft.resume({file.source: number for number, file in enumerate(files, 1)})
        self._placed = {
            entry.number: entry.key
            for entry in self._entries.values()
            if entry.parts is not None and "marks" not in entry.said
        }
        self._halves: set[int] = set()
        """Files of which an earlier run finished some slices, and which are still the same."""
        self._known = {entry.source for entry in self._entries.values()}

    def first(self, jobs: Sequence[Job]) -> list[Outcome]:
        """What each file says by itself, in the order of the jobs."""
        asked = [job for job in jobs if key_of(job) in self._entries]
        same = {job.number: _outcome_of(self._entries[key_of(job)]) for job in self._unchanged(asked)}
        for job in jobs:
            if job.number in same:
                self._draft.use(key_of(job))
            else:
                self._placed.pop(job.number, None)
        if same and self._told is not None:
            self._told(len(same), len(jobs))
        return self._with([job for job in jobs if job.number not in same], same, jobs, self._advance)

    def last(self, jobs: Sequence[Job], outcomes: Sequence[Outcome]) -> list[Outcome]:
        """The same for jobs whose origins are better known by now; from here on all rows lie in the draft.

        Args:
            jobs: As they were given to `first`, some of them with another origin.
            outcomes: What that gave.
        """
        done = {job.number: outcome for job, outcome in zip(jobs, outcomes, strict=True)}
        missing = []
        for job in jobs:
            key = key_of(job)
            entry = self._entries.get(key)
            if self._placed.get(job.number) != key:
                missing.append(job)
            elif entry is not None and entry.sha256 == done[job.number].source["sha256"]:
                done[job.number] = _outcome_of(entry)
                self._draft.use(key)
            elif entry is not None:  # it changed between two readings of an earlier run
                missing.append(job)
        found = self._with(missing, done, jobs, None)
        self._draft.commit()
        return found

    def _unchanged(self, jobs: Sequence[Job]) -> list[Job]:
        """Those whose octets are what they were; members of an archive one after the other, as they lie."""
        runs = [list(run) for _, run in groupby(jobs, key=lambda job: os.fspath(job.file.path))]

        def checked(run: Sequence[Job]) -> list[Job]:
            return [job for job in run if _is_same(job, self._entries[key_of(job)])]

        with ThreadPoolExecutor(min(os.cpu_count() or 1, MOST_WORKERS)) as pool:
            same = []
            for run in pool.map(checked, runs):
                same += run
                if self._advance is not None and run:
                    self._advance(sum(job.file.size_bytes for job in run))
        return same

    def _with(
        self, missing: Sequence[Job], there: Mapping[int, Outcome], jobs: Sequence[Job], advance: Advance | None
    ) -> list[Outcome]:
        """Outcomes of all jobs: those that are missing are read."""

        def taken(job: Job, outcome: Outcome) -> None:
            sha256 = outcome.source.get("sha256")
            if sha256 is not None and not any(problem["type"] == CHANGED for problem in outcome.problems):
                said = _said(outcome)
                if job.share is not None:
                    said["marks"] = outcome.marks
                entry = Entry(key_of(job), job.file.source, job.number, sha256, said, None)
                self._draft.finished(entry, outcome.parts, octets(job, outcome), piece=job.share is not None)

        for job in missing:
            survey = self._entries.get(key_of(replace(job, share=Share(SURVEY))))
            if survey is not None and survey.parts is not None and _is_same(job, survey):
                self._halves.add(job.number)
            elif job.file.source in self._known or job.number in self._placed:
                self._draft.outdone(job.number)
                discard(job)
            self._placed[job.number] = key_of(job)
            self._entries.pop(key_of(job), None)  # what an earlier run said of it holds no more
        read = self._load(missing, self._workers, advance, taken, apart=self._draft.died, kept=self)
        found = {**there, **{job.number: outcome for job, outcome in zip(missing, read, strict=True)}}
        return [found[job.number] for job in jobs]

    def known(self, job: Job) -> Outcome | None:
        """What an earlier run found out about a share of a file."""
        entry = self._entries.get(key_of(job)) if job.number in self._halves else None
        return _outcome_of(entry) if entry is not None and entry.parts is not None else None

    def drop(self, job: Job) -> None:
        """No share of the file counts any more."""
        self._draft.outdone(job.number)


def key_of(job: Job) -> str:
    """Digest of all that the rows of a file depend on but its octets and `versions`."""
    plain = {"file": job.file, "origin": job.origin, "zone": job.zone, "machine": job.machine}
    plain["slice"] = [job.slice_bytes, job.share.cut if job.share is not None else None]
    return hashlib.sha256(json.dumps(_plain(plain), sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return None if isinstance(value, Path) else value  # where the evidence lies is no part of it


def same_octets(file: EvidenceFile, sha256: str) -> bool:
    """Whether a file has this digest now."""
    found = _digest(file)
    return found is not None and found[0] == sha256


def _is_same(job: Job, entry: Entry) -> bool:
    found = _digest(job.file)
    noted = any(problem["type"] == ATIME for problem in entry.said["problems"])
    return found is not None and found == (entry.sha256, not noted)


def _digest(file: EvidenceFile) -> tuple[str, bool] | None:
    """Digest of a file and whether its access time is kept; None where it cannot be read, or changes right now."""
    try:
        before = _identity(file)
        if before not in _seen:
            with open_stream(file, digest=True) as stream:
                found = stream.finish()
            if found.sha256 is None or found.changed is not None or _identity(file) != before:
                return None
            _seen[before] = (found.sha256, stream.atime_kept)
        return _seen[before]
    except (EvidenceError, OSError):
        return None


def _identity(file: EvidenceFile) -> tuple[object, ...]:
    now = file.path.lstat()
    return (os.fspath(file.path), file.source, now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)


def _said(outcome: Outcome) -> dict[str, Any]:
    instants = {name: at.isoformat() for name in _INSTANTS if (at := outcome.source.get(name)) is not None}
    source = outcome.source | instants
    return {"source": source, "problems": outcome.problems, "rows": outcome.rows, "hosts": outcome.hosts}


def _outcome_of(entry: Entry) -> Outcome:
    said = entry.said
    row = dict(said["source"])
    instants = {name: datetime.fromisoformat(row[name]) for name in _INSTANTS if row.get(name) is not None}
    parts, hosts = list(entry.parts or ()), list(said["hosts"])
    return Outcome(row | instants, list(said["problems"]), dict(said["rows"]), parts, hosts, said.get("marks"))
