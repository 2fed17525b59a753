"""Reads files on the workers of a cluster; one that is lost, late or does its work twice changes nothing."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from forensics.case._keep import versions
from forensics.case._load import Advance, Job, Outcome, as_listed, load_one
from forensics.case._pool import wait_on
from forensics.case._slices import Kept, Taken, Work, octets
from forensics.errors import CaseError, ForensicsError, StoppedError
from forensics.store import Remote, attempts_beside, digest, part_name

_LOOK_S, _ALONE_S = 2.0, 60.0
"""How often to see whether the cluster is still there, and how long it may be without any worker."""
_CONNECT_S = 10.0
_AHEAD = 2
"""Units that are handed out for each thread of the cluster: one is read, the next one waits beside it."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_WANTED = "wanted"
_MISSING = 'pip install "cloud-forensics[cluster]", here and on every machine of the cluster'
_START = "start one with `dask scheduler`, and `dask worker ADDRESS --nthreads 1 --nworkers auto` on each machine"


@dataclass(frozen=True, slots=True)
class Place:
    """Where each attempt leaves what it wrote, under a name of its own."""

    folder: str
    """A folder that all machines share; or, with `url`, nothing."""
    url: str
    token: str
    versions: Mapping[str, str]
    """The code that all must run."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one reading of some files gave."""

    name: str
    worker: str
    outcomes: list[Outcome]
    digests: list[dict[str, tuple[int, str]]]
    """Sizes and digests of the parts of each file, by their keys."""
    strange: list[bool]
    """Whether a file was not there as it was listed."""


@functools.cache
def _versions() -> Mapping[str, str]:
    return versions()


def connect(address: str) -> Any:
    """A client of the scheduler at an address.

    Raises:
        CaseError: If ``distributed`` is not installed, or no scheduler answers there.
    """
    try:
        distributed = importlib.import_module("distributed")
    except ImportError as error:
        raise CaseError("distributed, which speaks to clusters, is not installed", hint=_MISSING) from error
    try:
        return distributed.Client(address, timeout=_CONNECT_S, set_as_default=False, name="forensics")
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise CaseError(f"no scheduler answers: {error}"[:300], where=address, hint=_START) from error


@contextlib.contextmanager
def connected(address: str) -> Iterator[Any]:
    """A client of the scheduler at an address, closed in the end; None for no address."""
    client = connect(address) if address else None
    try:
        yield client
    finally:
        if client is not None:
            with contextlib.suppress(Exception):
                client.close(timeout=5)


class Cluster:
    """Hands files to the workers of a cluster, and takes into the draft what the first whole attempt at each wrote.

    Args:
        client: A ``distributed.Client``; it stays open.
        draft: Folder of the case under construction.
        url: Object store through which parts come; where None, all machines see the draft under the same path.
    """

    def __init__(self, client: Any, draft: Path, url: str | None = None) -> None:
        self._client, self._draft, self._url = client, draft.absolute(), url
        self._distributed = importlib.import_module("distributed")
        self._since: float | None = None
        self._window = self._threads = 0

    def load_all(
        self,
        jobs: Sequence[Job],
        workers: int = 0,  # noqa: ARG002
        advance: Advance | None = None,
        taken: Taken | None = None,
        *,
        apart: bool = False,  # noqa: ARG002
        kept: Kept | None = None,
    ) -> list[Outcome]:
        """The same as `forensics.case._pool.load_all`, octet for octet; how many workers there are, the cluster knows.

        Raises:
            CaseError: If workers run other code, or do not see the evidence or the place of the case.
            StoppedError: If the cluster is gone, or without workers.
        """
        if not jobs:
            return []
        self._look()
        work = Work(jobs, self._threads, taken, kept)

        def take(job: Job, outcome: Outcome) -> None:
            if advance is not None:
                advance(octets(job, outcome))
            work.take(job, outcome)

        with self._handover() as place:
            while work.waiting:
                for job in self._run(work.waiting, place, take):
                    if job.number not in work.done and self._run([[job]], place, take):
                        work.give_up(job)
        return [work.done[job.number] for job in jobs]

    @contextlib.contextmanager
    def _handover(self) -> Iterator[Place]:
        """A place beside the case; whoever comes late finds it gone, and leaves nothing."""
        token = secrets.token_hex(16)
        if self._url is not None:
            remote = Remote(f"{self._url}.attempts/{token}")
            try:
                yield Place("", f"{self._url}.attempts/{token}", token, _versions())
            finally:
                with contextlib.suppress(ForensicsError):
                    remote.remove()
            return
        folder = attempts_beside(self._draft)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            (folder / _WANTED).write_text(token)
            yield Place(str(folder), "", token, _versions())
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _run(self, waiting: list[list[Job]], place: Place, take: Taken) -> list[Job]:
        """Read all that waits, and what comes to wait meanwhile; those that killed every worker that tried."""
        suspects: list[Job] = []
        running: dict[Any, list[Job]] = {}
        ended: SimpleQueue[Any] = SimpleQueue()
        self._look()
        try:
            while waiting or running:
                while waiting and len(running) < self._window:
                    unit = waiting.pop()
                    future = self._submit(unit, place)
                    running[future] = unit
                    future.add_done_callback(ended.put)
                try:
                    future = ended.get(timeout=_LOOK_S)
                except Empty:
                    self._look()
                    continue
                unit = running[future]
                attempt = self._result(future, ended)
                if attempt is not None:
                    del running[future]
                    if isinstance(attempt, ForensicsError):
                        raise attempt
                    if attempt == "died":
                        suspects += unit
                    else:
                        self._accept(attempt, unit, place, take)
        finally:
            with contextlib.suppress(Exception):
                self._client.cancel(list(running), force=True)
        return suspects

    def _submit(self, unit: list[Job], place: Place) -> Any:
        key = f"forensics-{unit[0].number:06d}-{secrets.token_hex(8)}"
        try:
            return self._client.submit(read_unit, unit, place, key=key, pure=False)
        except Exception as error:
            raise _gone(error) from error

    def _result(self, future: Any, ended: SimpleQueue[Any]) -> Any:
        """The attempt; "died" where it killed all that tried; None where it is being done again."""
        cancelled = importlib.import_module("distributed.client").FutureCancelledError
        try:
            return future.result(timeout=_LOOK_S)
        except self._distributed.TimeoutError:  # what it gave was lost with its worker
            self._look()
            ended.put(future)
            return None
        except self._distributed.KilledWorker:
            return "died"
        except (cancelled, OSError) as error:
            raise _gone(error) from error
        except Exception as error:
            what = f"a worker failed: {type(error).__name__}: {error}"[:300]
            raise CaseError(what, hint=f"every machine needs this version of the tool: {_MISSING}") from error

    def _look(self) -> None:
        """Whether there is somebody to do the work."""
        try:
            threads = self._threads = sum(self._client.nthreads().values())
        except Exception as error:
            raise _gone(error) from error
        now = time.monotonic()
        self._window = max(threads * _AHEAD, 4)
        self._since = None if threads else self._since or now
        if self._since is not None and now - self._since > _ALONE_S:
            hint = "start some with `dask worker ADDRESS`, and run it again: it goes on from there"
            raise StoppedError("the cluster has no workers", where=self._client.scheduler.address, hint=hint)

    def _accept(self, attempt: Attempt, unit: Sequence[Job], place: Place, take: Taken) -> None:
        for job, outcome, parts, strange in zip(unit, attempt.outcomes, attempt.digests, attempt.strange, strict=True):
            if strange and as_listed(job):
                hint = "mount the folder of the evidence at the same path on every machine"
                where = f"{attempt.worker}: {job.file.path}"
                raise CaseError("a worker does not see the evidence that is here", where=where, hint=hint)
            names = {part_name(job.number, key): told for key, told in parts.items()}
            if place.url:
                fetched = {name: sha256 for name, (_, sha256) in names.items()}
                Remote(f"{place.url}/{attempt.name}").get(self._draft, fetched)
            else:
                for name, (size, _) in names.items():
                    self._move(Path(place.folder, attempt.name, name), self._draft / name, size)
            take(job, outcome)
        if not place.url:
            shutil.rmtree(Path(place.folder, attempt.name), ignore_errors=True)

    @staticmethod
    def _move(part: Path, into: Path, size: int) -> None:
        into.parent.mkdir(parents=True, exist_ok=True)
        if part.stat().st_size != size:
            hint = "the shared folder must show at once what another machine has closed; see docs/scale.md"
            raise StoppedError("is not as long as its worker wrote it", where=str(part), hint=hint)
        part.replace(into)


def _gone(error: BaseException) -> StoppedError:
    hint = "see to it and run it again: what was finished is kept, and it goes on from there"
    return StoppedError(f"the cluster is gone: {type(error).__name__}: {error}"[:300], hint=hint)


def read_unit(unit: Sequence[Job], place: Place) -> Attempt | ForensicsError:
    """What a worker does: read some files, one after the other, into a folder of this attempt alone.

    It may be done any number of times, at once or one after the other, and may end anywhere: nothing but its own folder
    is written to, and nobody looks there before it has told that it is whole. What went wrong is told as a value: an
    exception would have to survive dask's transport together with its traceback, and not all do.
    """
    here = _worker()
    try:
        return _attempt(unit, place, here)
    except ForensicsError as error:
        return error
    except Exception as error:
        return CaseError(f"a worker failed: {type(error).__name__}: {error}"[:300], where=here[0])


def _attempt(unit: Sequence[Job], place: Place, here: tuple[str, bool]) -> Attempt:
    name = f"{unit[0].number:06d}-{secrets.token_hex(16)}"
    _keep_memory()
    if dict(place.versions) != dict(_versions()):
        raise CaseError("a worker runs another version of the tool", where=here[0], hint=_MISSING)
    if place.url:
        with tempfile.TemporaryDirectory(prefix="forensics-") as folder:
            attempt = _read(unit, Path(folder), name, *here)
            names = [
                part_name(job.number, key) for job, parts in zip(unit, attempt.digests, strict=True) for key in parts
            ]
            Remote(f"{place.url}/{name}").put(Path(folder), names)
        return attempt
    if not _is_wanted(place):
        hint = "give an --out that lies at the same path on every machine, or an object store: --out s3://BUCKET/NAME"
        raise CaseError("a worker does not see the folder of the case", where=f"{here[0]}: {place.folder}", hint=hint)
    own = Path(place.folder, name)
    try:
        return _read(unit, own, name, *here)
    except BaseException:
        shutil.rmtree(own, ignore_errors=True)
        raise
    finally:
        if not _is_wanted(place):  # somebody else was faster, and all is over
            shutil.rmtree(own, ignore_errors=True)
            with contextlib.suppress(OSError):
                Path(place.folder).rmdir()


def _keep_memory() -> None:
    """Use freed memory again, where dask has told glibc not to.

    dask starts workers with ``MALLOC_TRIM_THRESHOLD_=65536``: each chunk is handed back as soon as it is free, and
    fetched again page by page, which doubles the time that the system takes. These are the bounds that glibc finds by
    itself otherwise (mallopt(3), M_MMAP_THRESHOLD).
    """
    if "MALLOC_TRIM_THRESHOLD_" in os.environ:
        with contextlib.suppress(AttributeError, OSError, TypeError):  # there is no glibc
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(_MMAP_THRESHOLD, 32 << 20)
            mallopt(_TRIM_THRESHOLD, 64 << 20)


def _is_wanted(place: Place) -> bool:
    try:
        return Path(place.folder, _WANTED).read_text() == place.token
    except OSError:
        return False


def _read(unit: Sequence[Job], folder: Path, name: str, worker: str, may_end: bool) -> Attempt:
    outcomes, digests, strange = [], [], []
    for job in unit:
        stir = functools.partial(wait_on, job) if may_end else None
        strange.append(not as_listed(job))
        outcome = load_one(replace(job, folder=folder), None, stir)
        parts = {key: folder / part_name(job.number, key) for key in outcome.parts}
        digests.append({key: (part.stat().st_size, digest(part)) for key, part in parts.items()})
        outcomes.append(outcome)
    if may_end:
        wait_on(None)
    return Attempt(name, worker, outcomes, digests, strange)


def _worker() -> tuple[str, bool]:
    """Name of the worker that this is, and whether its process may end when a reader hangs: another one is started."""
    try:
        worker = importlib.import_module("distributed").get_worker()
    except (ImportError, ValueError):
        return "this process", False
    return str(worker.address), worker.nanny is not None and worker.state.nthreads == 1
