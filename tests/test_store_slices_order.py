"""Whatever ends first, fails or dies while a file is read in slices: it is finished once, by nobody but one."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from forensics.case._load import SURVEY, Job, Outcome
from forensics.case._slices import Work
from forensics.evidence import walk
from forensics.loaders._reader import Origin

MARKS = [{"base": 12}, {"base": 24}]
KINDS = ("sound", "survey fails", "no slices", "early fails", "early ends elsewhere", "a slice fails", "dies")


def read(job: Job, kind: str) -> Outcome:
    """What a reader might say of a job."""
    share = job.share
    source = {"source": job.file.source, "sha256": "ab", "rows": 1, "started_at": None, "ended_at": None}
    if share is None:
        return Outcome(source, parts=["whole"])
    if share.cut == SURVEY:
        marks = None if kind in ("survey fails", "no slices") else MARKS
        parts = ["whole"] if kind == "no slices" else []
        return Outcome(source | {"rows": 0}, parts=parts, marks=marks, failed=kind == "survey fails")
    if share.early:
        failed = kind in ("early fails", "no slices")
        end = [{"base": 13}] if kind == "early ends elsewhere" else MARKS[:1]
        return Outcome(source | {"sha256": ""}, parts=["0"], marks=None if failed else end, failed=failed)
    assert (share.start, share.stop(35)) == ((0, 12), (12, 24), (24, 35))[share.cut]
    return Outcome(source, parts=[str(share.cut)], failed=kind == "a slice fails" and share.cut == 1)


@pytest.mark.parametrize("kind", KINDS)
def test_in_any_order(tmp_path: Path, kind: str) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(bytes(35))
    (tmp_path / "small").write_bytes(bytes(9))
    files = list(walk(tmp_path))
    orders = set()
    for seed in range(60):
        rng = random.Random(seed)
        jobs = [Job(n, one, Origin(one.source), tmp_path, slice_bytes=12) for n, one in enumerate(files, 1)]
        told: list[tuple[Job, Outcome]] = []
        work = Work(jobs, 3, lambda job, outcome, told=told: told.append((job, outcome)))
        running: list[Job] = []
        order = []
        while work.waiting or running:
            if work.waiting and (len(running) < rng.choice((1, 3)) or not running):
                (job,) = work.waiting.pop()
                beside = [other for other in running if other.number == job.number]
                assert job.share is not None or not beside, "nobody else reads what is read whole"
                running.append(job)
                continue
            job = running.pop(rng.randrange(len(running)))
            order.append((job.number, job.share and (job.share.cut, job.share.early)))
            own = kind if job.file.source == "a" else "sound"
            if own == "dies" and job.share is not None and job.share.cut == 1:
                while others := [one for one in running if one.number == job.number]:  # as a pool does: alone, last
                    running.remove(others[0])
                    work.take(others[0], read(others[0], own))
                work.give_up(job)
            else:
                work.take(job, read(job, own))
        orders.add(tuple(order))
        parts = {job.file.source: work.done[job.number].parts for job in jobs}
        whole, cut = ["whole"], ["0", "1", "2"]
        fine = kind == "sound" or (kind.startswith("early") and (1, (0, True)) not in order)  # it was not begun
        assert parts == {"a": cut if fine else [] if kind == "dies" else whole, "b": cut, "small": whole}
        ends = [job.number for job, _ in told if job.share is None]
        assert sorted(ends) == [1, 2, 3], "each is finished once"
        assert all(outcome.source.get("sha256") == "ab" for job, outcome in told if job.share is not None)
        assert not any(job.share.early for job, _ in told if job.share is not None)
    assert len(orders) > 20
