"""A store under construction: what was finished stays when the run is stopped or killed, and the next one goes on."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import polars as pl
import pyarrow.parquet as pq

from forensics.errors import CaseError
from forensics.records import Record
from forensics.store import _journal
from forensics.store._files import (
    as_json,
    compressed,
    digest,
    link,
    stopped,
    stopping,
    sync_folder,
    sync_folders,
    whole,
)
from forensics.store._journal import Entry, Journal
from forensics.store._sink import PARQUET, ROW_GROUP, part_name, part_of, shaped
from forensics.store._store import ABOUT, HINT, SCHEMA, by_number, files_of, hint_line, lock, seal

COMMIT_S, COMMIT_BYTES = 1.0, 64 << 20
"""Finished sources are written into the journal when that much time passed or that much evidence was read."""
_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE}
_RECORDS, _BEFORE, _GONE, _WRITER = "records", "before", "gone", "writer"


class Draft:
    """A store under construction: a hidden folder beside its final place, renamed when it is whole.

    Args:
        target: The final folder. An earlier case there is replaced at the end, nothing else ever is.
        head: All that the bytes of a case depend on but the evidence; plain values. Only what was written under the
            same is taken over.
        fresh: Take over nothing.

    Attributes:
        died: Whether an earlier run of this case ended without a word.

    Raises:
        CaseError: If the target is something else than a case, or another run is writing it.
        StoppedError: From here on, if the system does not let it be written.
    """

    def __init__(self, target: Path, head: Mapping[str, Any] | None = None, *, fresh: bool = False) -> None:
        self.target = target
        if target.is_symlink() or (target.exists() and not (target / ABOUT).is_file() and not _is_empty(target)):
            raise CaseError(
                "there is something else in the place of the case", where=str(target), hint="give another --out"
            )
        self.path = target.with_name(f".{target.name}.partial")
        self._began_ns = time.time_ns()
        self._head = {"schema": SCHEMA, **(head or {})}
        self._journal = Journal(self.path / _journal.NAME, self._head)
        self._fresh = fresh
        self._entries: dict[str, Entry] = {}
        self._used: dict[str, None] = {}
        self._pending: dict[str, tuple[str, ...] | None] = {}
        self._pieces: dict[str, str] = {}
        """Digests of the parts of slices, by name: they are not read again when all of their source is finished."""
        self._pending_bytes = 0
        self._committed = time.monotonic()
        self._lock: int | None = None
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = lock(self.path)
            self.died = (self.path / _WRITER).exists()
            self._tidy()
            (self.path / _WRITER).write_text(f"process {os.getpid()} on {socket.gethostname()}\n")
        except OSError as error:
            self._unlock()
            if error.errno in _PASSING:
                raise stopped(error, self.path) from error
            raise CaseError(
                f"the case cannot be written: {error.strerror}",
                where=str(target.parent),
                hint="give a folder with --out that you may write to",
            ) from error

    def _tidy(self) -> None:
        """Put aside what an earlier run finished, and remove all else of it."""
        earlier = self._earlier
        if earlier.exists() and not self.target.exists():  # killed between two renames
            earlier.rename(self.target)
        records, before = self.path / _RECORDS, self.path / _BEFORE
        if records.exists() and not before.exists() and not self._fresh:
            records.rename(before)
        shutil.rmtree(attempts_beside(self.path), ignore_errors=True)
        keep = set() if self._fresh else {_BEFORE, _journal.NAME}
        for old in self.path.iterdir():
            if old.name not in keep:
                shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()

    @property
    def _earlier(self) -> Path:
        return self.target.with_name(f".{self.target.name}.earlier")

    def resume(self, numbers: Mapping[str, int]) -> dict[str, Entry]:
        """Take over what an earlier run finished, stopped or not, as far as its digests are right.

        Whether the evidence is still the same is for the caller to find out; what is of no use is loaded anew.

        Args:
            numbers: Place of each source in the order of the evidence.

        Returns:
            Entries by key.
        """
        with stopping(self.path):
            folder, entries = self.path / _BEFORE, self._journal.entries()
            if entries is None and not self._fresh:
                folder = self.target / _RECORDS
                entries = Journal(self.target / _journal.NAME, self._head).entries()
            former = {one.key: one for one in entries or () if one.source in numbers}

            def taken(entry: Entry) -> Entry:
                return _taken(entry, folder, self.path / _RECORDS, numbers[entry.source])

            with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
                self._entries = {entry.key: entry for entry in pool.map(taken, former.values())}
            if self._entries:
                sync_folders(self.path)
                self._journal.write(self._entries.values())
            if (self.path / _BEFORE).exists():
                (self.path / _BEFORE).rename(self.path / _GONE)
                shutil.rmtree(self.path / _GONE)
        return dict(self._entries)

    def use(self, key: str) -> None:
        """An entry that was taken over is part of this case."""
        self._used[key] = None

    def finished(self, entry: Entry, parts: Iterable[str], octets: int, *, piece: bool = False) -> None:
        """One more source was read; its rows lie in these parts.

        Args:
            entry: What there is to say of it; its parts are filled in here.
            parts: Keys of its parts.
            octets: How much evidence it was.
            piece: It is a slice of a source: kept only until all of the source was read.
        """
        self._entries[entry.key] = entry
        if not piece:
            self._used[entry.key] = None
        self._pending[entry.key] = tuple(parts)
        self._pending_bytes += octets
        if self._pending_bytes >= COMMIT_BYTES or time.monotonic() - self._committed >= COMMIT_S:
            self.commit()

    def outdone(self, number: int) -> None:
        """The files of a source are about to be written anew: of what was finished before, only what it said stays."""
        for key in self._pending:
            if self._entries[key].number == number:
                self._pending[key] = None
        mine = {name for name in self._pieces if (part := part_of(name)) is not None and part[0] == number}
        self._pieces = {name: sha256 for name, sha256 in self._pieces.items() if name not in mine}

    def commit(self) -> None:
        """Write what was finished into the journal: first the parts are on disk, then their names, then the lines."""
        names = {
            key: {part: part_name(self._entries[key].number, part) for part in own or ()}
            for key, own in self._pending.items()
        }
        every = dict.fromkeys(name for own in names.values() for name in own.values())
        digests = self._pieces | self._synced(name for name in every if name not in self._pieces)
        sliced = [own for key, own in names.items() if key not in self._used]
        self._pieces |= {name: digests[name] for own in sliced for name in own.values()}
        parts: dict[str, dict[str, str] | None] = {
            key: None if own is None else {part: digests[name] for part, name in names[key].items()}
            for key, own in self._pending.items()
        }
        self._entries |= {key: replace(self._entries[key], parts=own) for key, own in parts.items()}
        if parts:
            sync_folders(self.path)
            if self._journal.begun:
                self._journal.append(self._entries[key] for key in parts)
            else:
                self._journal.write(self._entries[key] for key in parts)
                sync_folder(self.path)
        self._pending.clear()
        self._pending_bytes = 0
        self._committed = time.monotonic()

    def _synced(self, names: Iterable[str]) -> dict[str, str]:
        """Digests of files that are on disk from here on; one commit of the file system serves all that wait for it."""
        names = list(names)
        with stopping(self.path), ThreadPoolExecutor(16) as pool:
            digests = pool.map(lambda name: digest(self.path / name, sync=True), names)
            return dict(zip(names, digests, strict=True))

    def parts(self, record: type[Record]) -> dict[int, list[Path]]:
        """The files that hold rows of a record, by number of the source; of a source in its order."""
        own = (self.path / _RECORDS / record.__name__).glob("*.parquet")
        return by_number(self.path, (part.relative_to(self.path).as_posix() for part in own))

    def snapshot(self, name: str) -> contextlib.AbstractContextManager[IO[bytes]]:
        """Open a file for evidence that was taken for this case and is kept in it, compressed: ``NAME.zst``."""
        return compressed(self.path / f"{name}.zst")

    def table(self, name: str, record: type[Record], rows: pl.DataFrame) -> None:
        """Write a small table of the case, ``NAME.parquet``."""
        table = shaped(record, rows).to_arrow(compat_level=pl.CompatLevel.oldest())
        with whole(self.path / f"{name}.parquet") as file, pq.ParquetWriter(file, table.schema, **PARQUET) as writer:
            writer.write_table(table, row_group_size=ROW_GROUP)

    def put(self, name: str, data: bytes) -> None:
        """Write a file of the case."""
        path = self.path / name
        with stopping(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as file:
            file.write(data)

    def seal(self, about: Mapping[str, Any], evidence: str | None) -> Path:
        """Write what makes it a case, and move it to its place. Nothing can be added afterwards.

        Args:
            about: What else ``case.json`` says; plain values.
            evidence: Where the evidence lies, relative to the case.
        """
        with stopping(self.path):
            if (self.path / _BEFORE).exists():
                shutil.rmtree(self.path / _BEFORE)
            self.put(ABOUT, as_json({"schema": SCHEMA, **about}))
            names = [name for name in files_of(self.path) if name not in (_WRITER, _journal.NAME)]
            digests = self._synced(names)
            self._journal.write(self._final(digests))
            digests[_journal.NAME] = digest(self.path / _journal.NAME)
            if evidence is not None:
                self.put(HINT, hint_line(evidence))
                os.utime(self.path / HINT, ns=(self._began_ns, self._began_ns))
            (self.path / _WRITER).unlink()
            seal(self.path, digests)
            earlier = self._earlier
            if self.target.exists():
                if earlier.exists():
                    shutil.rmtree(earlier)
                self.target.rename(earlier)
            self.path.rename(self.target)
            sync_folder(self.target.parent)
            if earlier.exists():
                shutil.rmtree(earlier)
        self._unlock()
        return self.target

    def _final(self, digests: Mapping[str, str]) -> list[Entry]:
        """The entries of this case alone, in the order of the evidence; of several readings the last has the parts."""
        parts: dict[int, dict[str, str]] = {}
        for name in digests:
            if (part := part_of(name)) is not None:
                parts.setdefault(part[0], {})[part[1]] = digests[name]
        used = [self._entries[key] for key in self._used]
        last = {entry.number: entry.key for entry in used}
        return [
            replace(entry, parts=parts.get(entry.number, {}) if last[entry.number] == entry.key else None)
            for entry in sorted(used, key=lambda entry: entry.number)
        ]

    def leave(self) -> None:
        """Stop here: what was finished is kept for the next run; nothing is left where nothing was."""
        with contextlib.suppress(Exception):
            self.commit()
        if not self._journal.begun:
            self.abandon()
            return
        with contextlib.suppress(OSError):
            (self.path / _WRITER).unlink()
        self._unlock()

    def abandon(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _taken(entry: Entry, folder: Path, into: Path, number: int) -> Entry:
    """The entry with its parts in place; without parts where one of them is not what it was."""
    names = {part: part_name(entry.number, part) for part in entry.parts or ()}
    try:
        sound = entry.parts is not None and all(
            part_of(names[part]) is not None and digest(_inside(folder, names[part])) == sha256
            for part, sha256 in entry.parts.items()
        )
    except OSError:
        sound = False
    if not sound or entry.parts is None:
        return replace(entry, number=number, parts=None)
    for part, name in names.items():
        new = _inside(into, part_name(number, part))
        new.parent.mkdir(parents=True, exist_ok=True)
        if not new.exists():
            link(_inside(folder, name), new)
    return replace(entry, number=number)


def _inside(records: Path, name: str) -> Path:
    """The file of this name where the folder of all records has another name."""
    return records / name.removeprefix(f"{_RECORDS}/")


def attempts_beside(draft: Path) -> Path:
    """Where machines of a cluster leave what they wrote: on the same file system as the draft, and no part of it."""
    return draft.with_name(f"{draft.name}.attempts")


def clear(target: Path) -> None:
    """Remove what killed runs left beside a case that is whole, unless one of them is still at work."""
    draft, earlier = target.with_name(f".{target.name}.partial"), target.with_name(f".{target.name}.earlier")
    with contextlib.suppress(OSError, CaseError):
        if earlier.exists():
            shutil.rmtree(earlier)
        if draft.exists():
            handle = lock(draft)
            try:
                shutil.rmtree(draft)
                shutil.rmtree(attempts_beside(draft), ignore_errors=True)
            finally:
                if handle is not None:
                    os.close(handle)


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())
