"""Reads files in processes of their own: what kills one of them costs the file that it was reading."""

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
from functools import partial
from typing import Any

from forensics.case._load import Advance, Job, Outcome, discard, load_one

MOST_WORKERS = 8
_POOL_FROM_BYTES, _POOL_FROM_FILES = 64 << 20, 300
"""Below this much evidence one process is done before a second one has started."""
_PATIENCE_S, _PATIENCE_BYTES = 300, 1_000_000
"""A reader that yields nothing for so long, and a second more for so many octets of the file, hangs."""
_LEAST_BYTES = 2 << 30
"""A worker may always have so much memory, however many there are."""

Taken = Callable[[Job, Outcome], None]


def load_all(
    jobs: Sequence[Job],
    workers: int,
    advance: Advance | None = None,
    taken: Taken | None = None,
    *,
    apart: bool = False,
) -> list[Outcome]:
    """Read all files, in processes of their own where that pays; outcomes in the order of the jobs.

    A process that dies takes the files with it that others were reading: each of these gets one more try, alone.
    One that dies again is `poison`: a problem of that file, which then has no rows.

    Args:
        jobs: Files in the order of the evidence.
        workers: Most processes at a time; 1 reads in this one, 0 chooses.
        advance: Called with octets of evidence that were done.
        taken: Called with each outcome as soon as it is there, in any order.
        apart: Read in other processes even where it does not pay; without effect on ``workers`` of 1.
    """
    total = sum(job.file.size_bytes for job in jobs)
    if workers == 0:
        pays = apart or total >= _POOL_FROM_BYTES or len(jobs) >= _POOL_FROM_FILES
        workers = max(min(os.cpu_count() or 1, MOST_WORKERS), 2 if apart else 1) if pays else 1
    done: dict[int, Outcome] = {}

    def take(job: Job, outcome: Outcome) -> None:
        done[job.number] = outcome
        if taken is not None:
            taken(job, outcome)

    if workers <= 1 or not jobs:
        for job in jobs:
            take(job, load_one(job, advance))
        return [done[job.number] for job in jobs]
    left = units(jobs)
    while left:
        suspects = _in_pool(left, workers, take, advance)
        for job in suspects:
            if job.number not in done:
                discard(job)
                if _in_pool([[job]], 1, take, advance):
                    discard(job)
                    take(job, poison(job))
        left = [rest for unit in left if (rest := [job for job in unit if job.number not in done])]
    return [done[job.number] for job in jobs]


def units(jobs: Sequence[Job]) -> list[list[Job]]:
    """What one process reads in a row: a file, or all members of an archive that can only be read forwards."""
    found: dict[object, list[Job]] = {}
    for job in jobs:
        within = job.file.within
        key = job.number if within is None or not within.solid else os.fspath(job.file.path)
        found.setdefault(key, []).append(job)
    return sorted(found.values(), key=lambda unit: (-sum(job.file.size_bytes for job in unit), unit[0].number))


def _in_pool(given: Sequence[list[Job]], workers: int, take: Taken, advance: Advance | None) -> list[Job]:
    """Read until all is done or a process dies; then, what was being read."""
    told = 0

    def tell() -> None:
        nonlocal told
        if advance is not None and counter.value > told:
            advance(counter.value - told)
            told = counter.value

    waiting = list(reversed(given))  # the longest first
    pending: dict[Future[list[Outcome]], list[Job]] = {}
    workers = min(workers, len(given))
    with _nothing_from_here():  # the counter, too, starts a process: multiprocessing's resource tracker
        context = multiprocessing.get_context("spawn")
        counter = context.Value("q", 0)
        pool = ProcessPoolExecutor(workers, context, _start_worker, (counter, workers))
    try:
        while waiting or pending:
            with _nothing_from_here():
                while waiting and len(pending) < workers:  # no more than are read: they are suspects if one dies
                    unit = waiting.pop()
                    pending[pool.submit(_work, unit)] = unit
            ended, _ = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
            tell()
            for future in ended:
                outcomes = future.result()
                for job, outcome in zip(pending.pop(future), outcomes, strict=True):
                    take(job, outcome)
    except BrokenProcessPool:
        return [job for unit in (pending.values() or given[:1]) for job in unit]
    except BaseException:
        for process in list(pool._processes.values()):
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return []


def poison(job: Job) -> Outcome:
    """What becomes of a file that kills whoever reads it."""
    row = {"source": job.file.source, "host": job.origin.host, "size_bytes": job.file.size_bytes}
    row |= {"modified_at": job.file.modified_ns, "rows": 0, "rejects": 0, "gaps": 1, "status": "damaged"}
    row["note"] = "the process that read it died twice"
    problem = {"source": job.file.source, "type": "poison", "offset_bytes": 0, "length_bytes": job.file.size_bytes}
    return Outcome(row, [problem | {"count": 1, "example": None}])


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


def _start_worker(counter: Any, workers: int) -> None:
    global _counter
    _counter = counter
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _confine(workers)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _confine(workers: int) -> None:
    """Memory that one of so many may take, so that a file that asks for all of it ends its reader, not the machine."""
    try:
        import resource

        physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ImportError, ValueError, OSError):  # Windows, or a system that does not say
        return
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = max(physical * 3 // 4 // workers, _LEAST_BYTES)
    if most == resource.RLIM_INFINITY or wanted < most:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _end_with_parent() -> None:
    """A parent that was killed cannot end its workers, and they would wait for it for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _count(octets: int) -> None:
    with _counter.get_lock():
        _counter.value += octets


def _work(unit: Sequence[Job]) -> list[Outcome]:
    outcomes = []
    for job in unit:
        stir = partial(wait_on, job)
        stir()
        outcomes.append(load_one(job, _count, stir))
    wait_on(None)
    return outcomes


def wait_on(job: Job | None) -> None:
    """From now on the system ends this process when its reader hangs, even in a library that holds the interpreter."""
    if hasattr(signal, "alarm"):
        signal.alarm(0 if job is None else _PATIENCE_S + job.file.size_bytes // _PATIENCE_BYTES)
