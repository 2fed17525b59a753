"""Reads files in processes of their own: what kills one of them costs the file that it was reading."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import types
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any

from forensics.case._load import Advance, Job, Outcome, discard, load_one
from forensics.case._slices import Kept, Taken, Work
from forensics.errors import EvidenceError
from forensics.evidence import open_stream
from forensics.loaders._registry import readers

MOST_WORKERS = 8
_POOL_FROM_BYTES, _POOL_FROM_FILES = 64 << 20, 300
"""Below this much evidence one process is done before a second one has started."""
_PATIENCE_S, _PATIENCE_BYTES = 300, 1_000_000
"""A reader that yields nothing for so long, and a second more for so many octets of the file, hangs."""
_LEAST_BYTES = 2 << 30
"""A worker may always have so much memory, however many there are."""


def load_all(
    jobs: Sequence[Job],
    workers: int,
    advance: Advance | None = None,
    taken: Taken | None = None,
    *,
    apart: bool = False,
    kept: Kept | None = None,
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
        kept: Knows what earlier runs found out about slices.
    """
    total = sum(job.file.size_bytes for job in jobs)
    if workers == 0:
        pays = apart or total >= _POOL_FROM_BYTES or len(jobs) >= _POOL_FROM_FILES
        workers = max(min(os.cpu_count() or 1, MOST_WORKERS), 2 if apart else 1) if pays else 1
    work = Work(jobs, workers, taken, kept, _cores)
    if workers <= 1 or not jobs:
        for job in jobs:
            work.take(job, load_one(job, advance))
        return [work.done[job.number] for job in jobs]
    while work.waiting:
        for job in _in_pool(work.waiting, workers, work.take, advance):
            if job.number not in work.done:
                if job.share is None:
                    discard(job)
                if _in_pool([[job]], 1, work.take, advance):
                    work.give_up(job)
    return [work.done[job.number] for job in jobs]


def _cores(job: Job) -> int:
    """How many cores a process keeps busy that reads a file whole, as far as its first octets tell at once."""
    several = [(cores, reader) for reader in readers() if (cores := getattr(reader, "cores", 1)) > 1]
    try:
        with open_stream(job.file) as stream:
            head = stream.peek()
    except EvidenceError:  # whoever reads it will say so
        return 1
    return max((cores for cores, reader in several if reader.likeness(head, job.file.source)), default=1)


def _in_pool(waiting: list[list[Job]], workers: int, take: Taken, advance: Advance | None) -> list[Job]:
    """Read until all is done or a process dies; then, what was being read. More may come to wait meanwhile."""
    told = 0

    def tell() -> None:
        nonlocal told
        if advance is not None and counter.value > told:
            advance(counter.value - told)
            told = counter.value

    pending: dict[Future[list[Outcome]], list[Job]] = {}
    if all(unit[0].share is None for unit in waiting):  # a survey will find more to do
        workers = min(workers, len(waiting))
    with _nothing_from_here():  # the counter, too, starts a process: multiprocessing's resource tracker
        context = multiprocessing.get_context("spawn")
        counter = context.Value("q", 0)
        pool = ProcessPoolExecutor(workers, context, _start_worker, (counter, workers))
    try:
        while waiting or pending:
            with _nothing_from_here():
                while waiting and len(pending) < workers:  # no more than are read: they are suspects if one dies
                    pending[pool.submit(_work, waiting[-1])] = waiting[-1]
                    waiting.pop()
            ended, _ = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
            tell()
            for future in ended:
                outcomes = future.result()
                for job, outcome in zip(pending.pop(future), outcomes, strict=True):
                    take(job, outcome)
    except BrokenProcessPool:
        return [job for unit in (pending.values() or [waiting.pop()]) for job in unit]
    except BaseException:
        for process in list(pool._processes.values()):
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return []


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
