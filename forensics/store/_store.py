"""A finished store: read-only but for what analysts add, and checked before a row is shown."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl

from forensics.errors import CaseError, StoreDamagedError
from forensics.records import Record
from forensics.store._files import checksum_line, digest, link, stopping, sync_folder, sync_folders, whole
from forensics.store._sink import part_of, shaped

SCHEMA = 3
MANIFEST, SEAL, HINT, ABOUT = "manifest", "manifest.sha256", "evidence.path", "case.json"
_ADDING = ".adding"
_UNLISTED = {MANIFEST, SEAL, HINT}
_HINT_AT = 66
"""Where the place begins, behind its digest and two blanks."""


def hint_line(evidence: str) -> bytes:
    """Where the evidence lies, with a digest: a place that was altered by accident is not looked at."""
    place = os.fsencode(evidence)
    return hashlib.sha256(place).hexdigest().encode() + b"  " + place


def seal(folder: Path, digests: Mapping[str, str]) -> None:
    """Write the manifest and, when all else is on disk, its seal."""
    lines = b"".join(checksum_line(name.encode(), digests[name]) for name in sorted(digests))
    sync_folders(folder)
    for name, data in ((MANIFEST, lines), (SEAL, checksum_line(MANIFEST.encode(), hashlib.sha256(lines).hexdigest()))):
        with whole(folder / name) as file:
            file.write(data)
        sync_folder(folder)


def lock(folder: Path) -> int | None:
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


def files_of(folder: Path) -> list[str]:
    """Names of all files of a store that its manifest covers, sorted."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    return sorted(name for name in found if name not in _UNLISTED and not name.startswith(f"{_ADDING}/"))


def by_number(folder: Path, names: Iterable[str]) -> dict[int, list[Path]]:
    """Parts of a store by number of the source, in its order."""
    found: dict[int, list[Path]] = {}
    for name in sorted(names):
        if (part := part_of(name)) is not None:
            found.setdefault(part[0], []).append(folder / name)
    return found


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
        url: Where in an object store the case lies that this is the copy of; what is added here is stored there, too.

    Raises:
        CaseError: If it is no case, or one of a later version of the tool.
        StoreDamagedError: If a file is missing or differs.
    """

    def __init__(self, path: Path, *, check: bool = True, url: str | None = None) -> None:
        self.path, self.url = path, url
        if not is_store(path):
            hint = "give the folder that `forensics triage` wrote, or triage the evidence again"
            raise CaseError("no finished case", where=str(path), hint=hint)
        _roll_forward(path)
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
        present = set(files_of(self.path))
        listed = [name for name in self._digests if name in present]
        with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
            now = dict(zip(listed, pool.map(lambda name: digest(self.path / name), listed), strict=True))
        found = [
            (name, "differs from its digest in the manifest" if name in now else "is missing")
            for name, sha256 in self._digests.items()
            if now.get(name) != sha256
        ]
        found += [(name, "is not listed in the manifest") for name in sorted(present - self._digests.keys())]
        with contextlib.suppress(FileNotFoundError):
            place = (self.path / HINT).read_bytes()
            if place != hint_line(os.fsdecode(place[_HINT_AT:])):
                found.append((HINT, "differs from its digest in front of it"))
        return found

    def table(self, name: str, record: type[Record]) -> pl.DataFrame:
        """A small table of the case."""
        with (self.path / f"{name}.parquet").open("rb") as file:
            return shaped(record, pl.read_parquet(file))

    def parts(self, record: type[Record]) -> dict[int, list[Path]]:
        """The files that hold rows of a record, by number of the source; of a source in its order."""
        prefix = f"records/{record.__name__}/"
        return by_number(self.path, (name for name in self._digests if name.startswith(prefix)))

    def add(self, name: str, data: bytes) -> None:
        """Put one more file into the store, or replace it, and list it in the manifest: all of that or nothing.

        Raises:
            CaseError: If another process is adding something right now.
            StoppedError: If the system does not let it be written.
        """
        with stopping(self.path), _alone(self.path):
            _roll_forward(self.path)
            self._digests = self._manifest()  # another process may have added something since
            if name in self._digests and self.read(name) == data:
                return
            new = self.path / _ADDING
            if new.exists():
                shutil.rmtree(new)
            (new / name).parent.mkdir(parents=True)
            with whole(new / name) as file:
                file.write(data)
            before = (self.path / SEAL).read_bytes()
            self._digests[name] = hashlib.sha256(data).hexdigest()
            seal(new, self._digests)
            sync_folder(self.path)
            _roll_forward(self.path)
            if self.url is not None:
                from forensics.store._remote import push

                push(self.path, self.url, instead_of=before)

    def read(self, name: str) -> bytes:
        """A file of the case."""
        return (self.path / name).read_bytes()

    def has(self, name: str) -> bool:
        """Whether there is such a file in the case."""
        return name in self._digests or (self.path / name).is_file()  # somebody may have added it since

    def hint(self) -> Path | None:
        """Where the evidence lay when the case was made."""
        hint = self.path / HINT
        return self.path / os.fsdecode(hint.read_bytes()[_HINT_AT:]) if hint.is_file() else None

    @property
    def began_ns(self) -> int | None:
        """When the evidence was first looked at, nanoseconds since 1970, as the file system remembers it."""
        hint = self.path / HINT
        return hint.stat().st_mtime_ns if hint.is_file() else None


def is_store(path: Path) -> bool:
    """Whether the folder is a finished case."""
    return path.is_dir() and all((path / name).is_file() for name in (ABOUT, MANIFEST, SEAL))


def _damaged(path: Path, what: str) -> StoreDamagedError:
    hint = "nothing of this case is shown; make it again with `forensics triage EVIDENCE --out CASE`"
    return StoreDamagedError(what, where=str(path), hint=hint)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    handle = lock(folder)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _roll_forward(folder: Path) -> None:
    """Finish an addition that was sealed; what was added keeps its old name until the new ones are on disk."""
    new = folder / _ADDING
    if not (new / SEAL).is_file():
        return
    added = [name.relative_to(new) for name in new.rglob("*") if name.is_file() and name.suffix != ".part"]
    with stopping(folder):
        for name in sorted(added, key=lambda name: (name.name == SEAL, name.name == MANIFEST, name)):
            part = folder / name.with_name(f"{name.name}.part")
            part.parent.mkdir(parents=True, exist_ok=True)
            part.unlink(missing_ok=True)
            link(new / name, part)
            part.replace(folder / name)
            part.unlink(missing_ok=True)  # where both are names of one file already, they stay as they are
        for parent in {parent for name in added for parent in name.parents}:
            sync_folder(folder / parent)
        shutil.rmtree(new)
