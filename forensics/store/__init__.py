"""The only writer: a case's records as Parquet, checked when opened.

A store is a folder::

    case.json                      schema and version of the tool that wrote it
    records/<Record>/<id>.parquet  one file a record and source, rows in the order of the source
    sources.parquet  problems.parquet  clocks.parquet
    findings.json  report.html
    evidence.sha256                digests of the evidence (``cd EVIDENCE && sha256sum -c …``)
    manifest                       digests of all of the above (``cd CASE && sha256sum -c manifest``)
    manifest.sha256                digest of the manifest; the last file written
    evidence.path                  where the evidence lay: a hint, no part of the content

It is built beside its final place and renamed into it when it is whole. The same evidence, version
and options give the same bytes: nothing here depends on the clock, the machine or the order of work.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import polars as pl
import pyarrow.parquet as pq

from forensics.errors import CaseError, StoreDamagedError
from forensics.records import Record
from forensics.store._files import as_json, checksum_line, compressed, digest, sync_folder, whole

__all__ = ["ROW_GROUP", "Draft", "Sink", "Store", "as_json", "checksum_line", "digest", "is_store", "scan", "shaped"]

SCHEMA = 2
ROW_GROUP = 65_536
"""Rows of a row group: fixed, so that the size of the reader's chunks does not show in the bytes."""
MANIFEST, SEAL, HINT, ABOUT = "manifest", "manifest.sha256", "evidence.path", "case.json"
_UNLISTED = {MANIFEST, SEAL, HINT}
_PARQUET: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 3,
    "version": "2.6",
    "data_page_version": "1.0",
    "use_dictionary": True,
    "write_statistics": True,
    "write_page_checksum": True,
    "store_schema": True,
}


def shaped(record: type[Record], frame: pl.DataFrame) -> pl.DataFrame:
    """The columns of the record in its order and types; null where the frame has no such column."""
    return frame.select(
        pl.col(name).cast(kind) if name in frame.columns else pl.lit(None, kind).alias(name)
        for name, kind in record.polars_schema().items()
    )


def part_name(number: int) -> str:
    """Name of the file that holds the rows of a source."""
    return f"{number:06d}.parquet"


class Sink:
    """Writes the rows of one source as they come, in memory that does not grow with them.

    Args:
        folder: The store under construction.
        number: Number of the source in the order of the evidence, from 1.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self._folder = folder
        self._file_name = part_name(number)
        self._waiting: dict[type[Record], list[pl.DataFrame]] = {}
        self._open: dict[type[Record], tuple[contextlib.ExitStack, pq.ParquetWriter]] = {}
        self.rows: dict[type[Record], int] = {}

    def append(self, record: type[Record], frame: pl.DataFrame) -> None:
        """Add rows of one record."""
        if not frame.height:
            return
        waiting = self._waiting.setdefault(record, [])
        waiting.append(shaped(record, frame))
        self.rows[record] = self.rows.get(record, 0) + frame.height
        if sum(part.height for part in waiting) >= ROW_GROUP:
            rows = pl.concat(waiting)
            whole = rows.height - rows.height % ROW_GROUP
            self._write(record, rows[:whole])
            self._waiting[record] = [rows[whole:]]

    def _write(self, record: type[Record], rows: pl.DataFrame) -> None:
        table = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
        if record not in self._open:
            path = self._folder / "records" / record.__name__ / self._file_name
            path.parent.mkdir(parents=True, exist_ok=True)
            stack = contextlib.ExitStack()
            file = stack.enter_context(whole(path, sync=False))  # `Draft.seal` does, many at a time
            self._open[record] = (stack, stack.enter_context(pq.ParquetWriter(file, table.schema, **_PARQUET)))
        self._open[record][1].write_table(table, row_group_size=ROW_GROUP)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the files; after an interruption close them as they are: nobody will read them."""
        if kind is not None:
            for stack, _ in self._open.values():
                with contextlib.suppress(Exception):
                    stack.__exit__(kind, error, trace)
            return
        try:
            for record, parts in self._waiting.items():
                rows = pl.concat(parts)
                if rows.height:
                    self._write(record, rows)
        finally:
            for stack, _ in self._open.values():
                stack.close()


class Draft:
    """A store under construction: a hidden folder beside its final place, renamed when it is whole.

    Args:
        target: The final folder. An earlier case there is replaced at the end, nothing else ever is.

    Raises:
        CaseError: If the target is something else than a case, or another run is writing it.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        if target.is_symlink() or (target.exists() and not (target / ABOUT).is_file() and not _is_empty(target)):
            raise CaseError(
                "there is something else in the place of the case", where=str(target), hint="give another --out"
            )
        self.path = target.with_name(f".{target.name}.partial")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self.path)
            for old in self.path.iterdir():
                shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
            (self.path / "writer").write_text(f"process {os.getpid()} on {socket.gethostname()}\n")
        except OSError as error:
            raise CaseError(
                f"the case cannot be written: {error.strerror}",
                where=str(target.parent),
                hint="give a folder with --out that you may write to",
            ) from error

    def parts(self, record: type[Record]) -> dict[int, Path]:
        """The files that hold rows of a record, by number of the source."""
        return {int(part.stem): part for part in sorted((self.path / "records" / record.__name__).glob("*.parquet"))}

    def snapshot(self, name: str) -> contextlib.AbstractContextManager[IO[bytes]]:
        """Open a file for evidence that was taken for this case and is kept in it, compressed: ``NAME.zst``."""
        return compressed(self.path / f"{name}.zst")

    def table(self, name: str, record: type[Record], rows: pl.DataFrame) -> None:
        """Write a small table of the case, ``NAME.parquet``."""
        table = shaped(record, rows).to_arrow(compat_level=pl.CompatLevel.oldest())
        with whole(self.path / f"{name}.parquet") as file, pq.ParquetWriter(file, table.schema, **_PARQUET) as writer:
            writer.write_table(table, row_group_size=ROW_GROUP)

    def put(self, name: str, data: bytes) -> None:
        """Write a file of the case."""
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        with whole(self.path / name) as file:
            file.write(data)

    def seal(self, about: Mapping[str, Any], evidence: str | None) -> Path:
        """Write what makes it a case, and move it to its place. Nothing can be added afterwards.

        Args:
            about: What else ``case.json`` says; plain values.
            evidence: Where the evidence lies, relative to the case.
        """
        (self.path / "writer").unlink()
        self.put(ABOUT, as_json({"schema": SCHEMA, **about}))
        if evidence is not None:
            self.put(HINT, os.fsencode(evidence))
        names = _files(self.path)
        with ThreadPoolExecutor(16) as pool:  # one commit of the file system serves all that wait for it
            digests = pool.map(lambda name: digest(self.path / name, sync=True), names)
            _list(self.path, dict(zip(names, digests, strict=True)))
        earlier = self.target.with_name(f".{self.target.name}.earlier")
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

    def abandon(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _list(folder: Path, digests: Mapping[str, str]) -> None:
    """Write the manifest and, last of all, its seal."""
    lines = b"".join(checksum_line(name.encode(), digests[name]) for name in sorted(digests))
    for name, data in ((MANIFEST, lines), (SEAL, checksum_line(MANIFEST.encode(), hashlib.sha256(lines).hexdigest()))):
        with whole(folder / name) as file:
            file.write(data)
    sync_folder(folder)


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _locked(folder: Path) -> int | None:
    """Take the folder for this process; the lock ends with the process, however that ends."""
    try:
        import fcntl
    except ImportError:  # Windows: two writers are not told apart there
        return None
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        writer = folder / "writer"
        who = writer.read_text().strip() if writer.is_file() else "another process"
        raise CaseError(
            f"{who} is writing this case", where=str(folder), hint="wait for it, or give another --out"
        ) from None
    return handle


def _files(folder: Path) -> list[str]:
    """Names of all files of a store that its manifest covers, sorted."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    return sorted(name for name in found if name not in _UNLISTED)


def scan(record: type[Record], parts: Iterable[Path]) -> pl.LazyFrame:
    """All rows in some files of a store, in their order; no rows for no files."""
    paths = [os.fsencode(part.absolute()) for part in parts]
    if not paths:
        return record.empty().lazy()
    try:  # names are taken as they are, no patterns; polars knows them as UTF-8 only, whatever the locale says
        sources: Any = [path.decode("utf-8") for path in paths]
    except UnicodeDecodeError:
        sources = [Path(os.fsdecode(path)).read_bytes() for path in paths]
    return pl.scan_parquet(sources, glob=False, hive_partitioning=False)


class Store:
    """A finished store, read-only.

    Args:
        path: The folder.
        check: Whether to compare every file with its digest before anything is shown.

    Raises:
        CaseError: If it is no case, or one of a later version of the tool.
        StoreDamagedError: If a file is missing or differs.
    """

    def __init__(self, path: Path, *, check: bool = True) -> None:
        self.path = path
        if not is_store(path):
            hint = "give the folder that `forensics triage` wrote, or triage the evidence again"
            raise CaseError("no finished case", where=str(path), hint=hint)
        self._digests = self._manifest()
        if check:
            damage = self.damage()
            if damage:
                name, what = damage[0]
                raise _damaged(path / name, what)
        self.about: dict[str, Any] = json.loads((path / ABOUT).read_bytes())
        if self.about.get("schema") != SCHEMA:
            raise CaseError(
                f"the case has schema {self.about.get('schema')!r}, this version reads {SCHEMA}",
                where=str(path),
                hint="triage the evidence again",
            )

    def _manifest(self) -> dict[str, str]:
        manifest = (self.path / MANIFEST).read_bytes()
        if (self.path / SEAL).read_bytes() != checksum_line(MANIFEST.encode(), hashlib.sha256(manifest).hexdigest()):
            raise _damaged(self.path / MANIFEST, "differs from the digest in manifest.sha256")
        pairs = (line.split("  ", 1) for line in manifest.decode("utf-8").splitlines())
        return {name: sha256 for sha256, name in pairs}

    def damage(self) -> list[tuple[str, str]]:
        """Every file that is missing, differs from its digest or is not listed: name and what is wrong."""
        found = []
        present = set(_files(self.path))
        for name, sha256 in self._digests.items():
            if name not in present:
                found.append((name, "is missing"))
            elif digest(self.path / name) != sha256:
                found.append((name, "differs from its digest in the manifest"))
        found += [(name, "is not listed in the manifest") for name in sorted(present - self._digests.keys())]
        return found

    def table(self, name: str, record: type[Record]) -> pl.DataFrame:
        """A small table of the case."""
        with (self.path / f"{name}.parquet").open("rb") as file:
            return shaped(record, pl.read_parquet(file))

    def parts(self, record: type[Record]) -> dict[int, Path]:
        """The files that hold rows of a record, by number of the source."""
        prefix = f"records/{record.__name__}/"
        names = (name for name in sorted(self._digests) if name.startswith(prefix))
        return {int(Path(name).stem): self.path / name for name in names}

    def add(self, name: str, data: bytes) -> None:
        """Put one more file into the store, or replace it, and list it in the manifest."""
        if name in self._digests and self.read(name) == data:
            return
        with whole(self.path / name) as file:
            file.write(data)
        self._digests[name] = hashlib.sha256(data).hexdigest()
        _list(self.path, self._digests)

    def read(self, name: str) -> bytes:
        """A file of the case."""
        return (self.path / name).read_bytes()

    def has(self, name: str) -> bool:
        """Whether there is such a file in the case."""
        return name in self._digests

    def hint(self) -> Path | None:
        """Where the evidence lay when the case was made."""
        hint = self.path / HINT
        return self.path / os.fsdecode(hint.read_bytes()) if hint.is_file() else None


def is_store(path: Path) -> bool:
    """Whether the folder is a finished case."""
    return path.is_dir() and all((path / name).is_file() for name in (ABOUT, MANIFEST, SEAL))


def _damaged(path: Path, what: str) -> StoreDamagedError:
    hint = "nothing of this case is shown; make it again with `forensics triage EVIDENCE --out CASE`"
    return StoreDamagedError(what, where=str(path), hint=hint)
