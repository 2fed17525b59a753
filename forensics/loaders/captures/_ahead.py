"""Chunks of a capture read and decoded ahead on all cores, and handed on in the order of the file."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import RLock
from typing import Any, Final, TypeVar

T = TypeVar("T")
R = TypeVar("R")

MOST_THREADS: Final = 4
"""Reading keeps no more of them busy; and each holds a chunk."""


def cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS, not on Windows
        return os.cpu_count() or 1


def ahead(events: Iterator[T], work: Callable[[T], R]) -> Iterator[R]:
    """Do ``work`` on every event, while the next ones are read.

    Nothing runs while nobody asks but what was begun: a reader that is left alone holds no thread up.

    Args:
        events: Read one after another, by one thread at a time.
        work: Done on several threads at a time, which pays where it lets go of the interpreter's lock.

    Yields:
        What ``work`` gives, in the order of the events.
    """
    threads = min(cores(), MOST_THREADS)
    if threads == 1:
        yield from map(work, events)
        return
    pool = ThreadPoolExecutor(threads + 1)
    reading = RLock()

    def following() -> T | None:
        with reading:
            return next(events, None)

    try:
        coming: Future[T | None] | None = pool.submit(following)
        working: deque[Future[R]] = deque()
        failure: BaseException | None = None
        given = 0
        while coming is not None or working:
            # more at a time only when more is asked for: whoever wants the first packets is not to wait for others
            if coming is not None and len(working) < min(1 + given // 3, threads):
                if not coming.done():
                    either: list[Future[Any]] = [coming, *list(working)[:1]]
                    wait(either, return_when=FIRST_COMPLETED)
                if coming.done():
                    failure = coming.exception()
                    event = None if failure else coming.result()
                    coming = None
                    if event is not None:
                        coming = pool.submit(following)
                        working.append(pool.submit(work, event))
                    continue
            yield working.popleft().result()
            given += 1
        if failure is not None:
            raise failure
    finally:
        # No thread is waited for: the garbage collector may have come here on one of them. But whoever asked is about
        # to close what is read from, so that the read under way has to come to its end.
        pool.shutdown(wait=False, cancel_futures=True)
        with reading:
            pass
