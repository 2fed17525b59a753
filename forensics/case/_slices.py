"""What is still to be read: files whole, and of large captures a survey first, and then slice by slice."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from forensics.case._load import SURVEY, Job, Outcome, Share, discard

Taken = Callable[[Job, Outcome], None]


class Kept(Protocol):
    """What an earlier run, and this one, finished of files that are read in slices."""

    def known(self, job: Job) -> Outcome | None:
        """What an earlier run found out about a share of a file."""

    def drop(self, job: Job) -> None:
        """No share of the file counts any more."""


@dataclass(slots=True)
class _Sliced:
    """A file of which slices are read."""

    survey: Outcome | None
    """None while it is being made; then, only the first slice is known."""
    slices: list[Outcome | None]
    missing: set[int] = field(default_factory=set)
    """Slices that are waiting, or being read."""
    failed: bool = False


FAIR_SHARE = 2
"""A file is cut that is as large as what one process has to read, divided by this."""


class Work:
    """Files to read, the largest first; those that would keep one process busy when all others are done, in slices.

    A slice is read with what the survey knew at its start. Should that not be possible, because a reader fails or the
    file changes, the file is read whole, by one process, like any other: what comes of that is what counts.

    Args:
        jobs: Files in the order of the evidence.
        workers: Processes that read at the same time.
        taken: Called with each outcome, of shares and of whole files.
        kept: Knows what earlier runs did.
        cores: How many of the cores that workers share one of them keeps busy that reads a file whole. Only where there
            are more workers does a file gain by being cut.

    Attributes:
        waiting: What one process reads in a row, the next one last.
        done: What became of whole files, by number.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        workers: int,
        taken: Taken | None = None,
        kept: Kept | None = None,
        cores: Callable[[Job], int] = lambda _: 1,
    ) -> None:
        self.done: dict[int, Outcome] = {}
        self.waiting: list[list[Job]] = []
        self._taken, self._kept = taken, kept
        self._sliced: dict[int, _Sliced] = {}
        total = sum(job.file.size_bytes for job in jobs)
        for unit in reversed(units(jobs)):
            long = _may_be_cut(unit[0]) and unit[0].file.size_bytes * workers * FAIR_SHARE >= total
            if long and workers > cores(unit[0]):
                self._begin(unit[0])
            else:
                self.waiting.append(unit)

    def take(self, job: Job, outcome: Outcome) -> None:
        """Something was read."""
        plain, share = replace(job, share=None), job.share
        at_once = share is not None and share.cut == SURVEY and outcome.marks is None and not outcome.failed
        if share is None or at_once:  # neither capture nor log, or compressed, where a survey was asked for
            self._forget(plain)
            self._sliced.pop(job.number, None)
            self._finish(plain, outcome)
        elif share.cut == SURVEY:
            if not outcome.failed:
                self._tell(job, outcome)
            self._surveyed(plain, outcome)
        elif share.early:
            self._put_early(plain, outcome)
        else:
            if not outcome.failed:
                self._tell(job, outcome)
            self._put(plain, share.cut, outcome)

    def give_up(self, job: Job) -> None:
        """A file killed whoever read it, twice. Nothing else of it is being read now."""
        self._sliced.pop(job.number, None)
        self._forget(job)
        self._drop(job)
        self._finish(replace(job, share=None), poison(job))

    def _begin(self, job: Job) -> None:
        survey = replace(job, share=Share(SURVEY))
        known = self._known(survey)
        if known is not None:
            self._surveyed(job, known)
            return
        self._sliced[job.number] = _Sliced(None, [None], {0})
        self.waiting += [[replace(job, share=Share(0, early=True))], [survey]]

    def _surveyed(self, job: Job, survey: Outcome) -> None:
        waits = self._forget(job)
        before = self._sliced.pop(job.number, None)
        early = before.slices[0] if before is not None else None
        running = before is not None and early is None and not waits
        if survey.failed or survey.marks is None:
            of = self._sliced[job.number] = _Sliced(survey, [early], {0} if running else set(), failed=True)
            self._look(job, of)
            return
        of = self._sliced[job.number] = _Sliced(survey, [None] * (len(survey.marks) + 1))
        of.slices = [self._known(self._slice(job, survey, cut)) for cut in range(len(of.slices))]
        of.missing = {cut for cut, known in enumerate(of.slices) if known is None}
        begun = {0} if running or early is not None else set()
        self.waiting += [[self._slice(job, survey, cut)] for cut in sorted(of.missing - begun, reverse=True)]
        if early is not None:
            self._put_early(job, early)
        else:
            self._look(job, of)

    @staticmethod
    def _slice(job: Job, survey: Outcome, cut: int) -> Job:
        marks = [None, *(survey.marks or ()), None]
        return replace(job, share=Share(cut, marks[cut], marks[cut + 1], survey.source["sha256"]))

    def _put_early(self, job: Job, outcome: Outcome) -> None:
        """The first slice was read; it counts if it ends where the survey says."""
        of = self._sliced.get(job.number)
        if of is None:  # all of it was read meanwhile
            return
        if of.survey is None:
            of.slices[0] = outcome
            return
        outcome.failed |= outcome.marks != (of.survey.marks or [])[:1]
        if not (outcome.failed or of.failed):
            outcome = replace(outcome, source=outcome.source | {"sha256": of.survey.source["sha256"]}, marks=None)
            self._tell(self._slice(job, of.survey, 0), outcome)
        self._put(job, 0, outcome)

    def _forget(self, job: Job) -> bool:
        """Nothing that waits of a file is wanted any more; whether anything did."""
        mine = [unit for unit in self.waiting if unit[0].number == job.number]
        if mine:
            self.waiting[:] = [unit for unit in self.waiting if unit[0].number != job.number]
        return bool(mine)

    def _put(self, job: Job, cut: int, outcome: Outcome) -> None:
        of = self._sliced[job.number]
        of.slices[cut] = outcome
        of.missing.discard(cut)
        if outcome.failed and not of.failed:
            of.failed = True
            mine = [unit[0].share for unit in self.waiting if unit[0].number == job.number]
            of.missing -= {share.cut for share in mine if share is not None}
            self._forget(job)
        self._look(job, of)

    def _look(self, job: Job, of: _Sliced) -> None:
        if of.missing:
            return
        del self._sliced[job.number]
        if of.failed or of.survey is None:
            self._drop(job)
            self.waiting.append([job])
        else:
            self._finish(job, joined(of.survey, [one for one in of.slices if one is not None]))

    def _known(self, job: Job) -> Outcome | None:
        return self._kept.known(job) if self._kept is not None else None

    def _drop(self, job: Job) -> None:
        if self._kept is not None:
            self._kept.drop(job)
        discard(job)

    def _tell(self, job: Job, outcome: Outcome) -> None:
        if self._taken is not None:
            self._taken(job, outcome)

    def _finish(self, job: Job, outcome: Outcome) -> None:
        self.done[job.number] = outcome
        self._tell(job, outcome)


def _may_be_cut(job: Job) -> bool:
    file = job.file
    return file.within is None and file.refusal is None and file.size_bytes >= 2 * job.slice_bytes > 0


def joined(survey: Outcome, slices: Sequence[Outcome]) -> Outcome:
    """What became of a file whose slices were all read."""
    times = {
        name: choice((one.source[name] for one in slices if one.source[name] is not None), default=None)
        for name, choice in (("started_at", min), ("ended_at", max))
    }
    every = [survey, *slices]
    rows = {
        name: sum(one.rows.get(name, 0) for one in every) for name in sorted({n for one in every for n in one.rows})
    }
    return replace(
        survey,
        source=survey.source | {"rows": sum(one.source["rows"] for one in slices)} | times,
        rows=rows,
        parts=sorted(part for one in every for part in one.parts),
    )


def units(jobs: Sequence[Job]) -> list[list[Job]]:
    """What one process reads in a row: a file, or all members of an archive that can only be read forwards."""
    found: dict[object, list[Job]] = {}
    for job in jobs:
        within = job.file.within
        key = job.number if within is None or not within.solid else os.fspath(job.file.path)
        found.setdefault(key, []).append(job)
    return sorted(found.values(), key=lambda unit: (-sum(job.file.size_bytes for job in unit), unit[0].number))


def octets(job: Job, outcome: Outcome) -> int:
    """How much of the evidence is done when a job is; a survey does none."""
    size, share, marks = job.file.size_bytes, job.share, outcome.marks
    if share is None:
        return size
    if share.cut == SURVEY:
        return size if marks is None and not outcome.failed else 0
    if share.early:
        return 0 if marks is None else int(marks[0]["base"]) if marks else size
    return share.stop(size) - share.start


def poison(job: Job) -> Outcome:
    """What becomes of a file that kills whoever reads it."""
    row = {"source": job.file.source, "host": job.origin.host, "size_bytes": job.file.size_bytes}
    row |= {"modified_at": job.file.modified_ns, "rows": 0, "rejects": 0, "gaps": 1, "status": "damaged"}
    row["note"] = "the process that read it died twice"
    problem = {"source": job.file.source, "type": "poison", "offset_bytes": 0, "length_bytes": job.file.size_bytes}
    return Outcome(row, [problem | {"count": 1, "example": None}])
