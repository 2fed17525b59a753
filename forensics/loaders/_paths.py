"""What a user may name as evidence to scan: files, folders, patterns, open files, standard input."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from glob import glob, has_magic
from pathlib import Path
from threading import Lock
from typing import Any

from forensics.errors import EvidenceError
from forensics.evidence import (
    EvidenceFile,
    Readable,
    Stream,
    archive_kind,
    capture_point,
    label_of,
    open_stream,
    stream_of,
    unfolded,
    walk,
)
from forensics.loaders._registry import pick
from forensics.records import Record

PathLike = str | os.PathLike[str] | Readable
Paths = PathLike | Iterable[Any]
"""One or several of: a file, a folder, an archive, a pattern, ``"-"``, a binary file object."""


@dataclass(frozen=True, slots=True)
class Given:
    """One file that can be opened."""

    label: str
    """What its rows have as ``source``."""
    point: str | None
    """Name of its capture point."""
    file: Path | _Opened
    member: EvidenceFile | None = None
    """The member that is meant, where ``file`` is an archive."""

    @property
    def modified_ns(self) -> int | None:
        """When it was modified; None for what has no such time."""
        if self.member is not None:
            return self.member.modified_ns
        return self.file.stat().st_mtime_ns if isinstance(self.file, Path) else None

    @property
    def repeatable(self) -> bool:
        """Whether it can be read more than once."""
        return isinstance(self.file, Path) or self.file.start is not None

    def open(self) -> AbstractContextManager[Stream]:
        """The file at its first octet; leaving the context closes it, but not a file that somebody else opened."""
        if isinstance(self.file, _Opened):
            return nullcontext(stream_of(self.file.reader(self.label), self.label))
        if self.member is not None:
            return open_stream(replace(self.member, source=self.label))
        found = next(iter(walk(self.file)), None)
        if found is None or found.path != self.file:
            raise EvidenceError(
                "is no file", where=self.label, hint="name files, a folder, or a pattern such as 'folder/*.pcap'"
            )
        return open_stream(replace(found, source=self.label))


class _Opened:
    """A binary file that somebody else opened.

    Each reader has its own place in it, so that several may read it at once; what cannot be sought in can be
    read once only.
    """

    def __init__(self, file: Readable) -> None:
        self.file = file
        self.start = _tell(file)
        self.lock = Lock()
        self.taken = False

    def reader(self, label: str) -> Readable:
        if self.start is None:
            with self.lock:
                if self.taken:
                    hint = "collect once and go on from there: packets = scan_packets(…).collect()"
                    raise EvidenceError("was read already, and cannot be read again", where=label, hint=hint)
                self.taken = True
            return self.file
        return _Reader(self, self.start)


class _Reader:
    def __init__(self, opened: _Opened, start: int) -> None:
        self.opened = opened
        self.place = start

    def read(self, size: int, /) -> bytes | None:
        with self.opened.lock:
            self.opened.file.seek(self.place)  # type: ignore[attr-defined]
            octets = self.opened.file.read(size)
        self.place += len(octets or b"")
        return octets


def _tell(file: Readable) -> int | None:
    try:
        return int(file.tell()) if file.seekable() else None  # type: ignore[attr-defined]
    except (AttributeError, OSError):
        return None


def given(paths: Paths, record: type[Record]) -> list[Given]:
    """The files that are meant, in order.

    Args:
        paths: What the user named. Of a folder, the files in a format that yields the record are meant.
        record: What they are wanted for.

    Raises:
        EvidenceError: If there is no such file, or a pattern or folder holds none.
    """
    found = [file for path in _several(paths) for file in _of(path, record)]
    points = [file.file for file in found if isinstance(file.file, Path)]
    if len(points) < 2 or len(set(points)) == 1:
        return found
    # what is common to all says nothing of where each was taken
    common = os.path.commonpath([path.parent for path in points])
    return [
        replace(file, point=capture_point(label_of(os.fsencode(file.file.relative_to(common))) + _behind(file)))
        if isinstance(file.file, Path) and file.label != file.point
        else file
        for file in found
    ]


def _behind(file: Given) -> str:
    """The part of a member's label that stands behind its archive's."""
    if file.member is None:
        return ""
    archive = file.member
    while archive.within is not None:
        archive = archive.within.archive
    return file.member.source.removeprefix(archive.source)


def _several(paths: Paths) -> list[Any]:
    if isinstance(paths, str | os.PathLike | Given) or hasattr(paths, "read"):
        return [paths]
    return list(paths)


def _of(path: Any, record: type[Record]) -> list[Given]:
    if isinstance(path, Given):
        return [path]
    if path == "-":
        return [Given("-", None, _Opened(sys.stdin.buffer))]
    if not isinstance(path, str | os.PathLike):
        if isinstance(path, io.TextIOBase) or not hasattr(path, "read"):
            raise EvidenceError("is no binary file", where=repr(path), hint="open it with mode 'rb'")
        name = getattr(path, "name", None)
        label = Path(name).name if isinstance(name, str) else "stream"
        return [Given(label, capture_point(label) if isinstance(name, str) else None, _Opened(path))]
    name = os.fspath(path)
    if not Path(name).exists() and has_magic(name):
        matches = sorted(glob(name, recursive=True))  # noqa: PTH207 - Path.glob refuses absolute patterns
        if not matches:
            raise EvidenceError("matches no file", where=name, hint=f"the folder searched is {Path.cwd()}")
        return [_file(match) for match in matches if not Path(match).is_dir()]
    if not Path(name).exists():
        raise EvidenceError("no such file", where=name, hint=f"relative paths count from {Path.cwd()}")
    return _within(name, record) if Path(name).is_dir() or _is_archive(name) else [_file(name)]


def _is_archive(name: str) -> bool:
    with suppress(EvidenceError), open_stream(next(iter(walk(Path(name).resolve())))) as stream:
        return archive_kind(stream.peek(512)) is not None
    return False


def _within(folder: str, record: type[Record]) -> list[Given]:
    found = []
    top = Path(folder).resolve() if Path(folder).is_file() else Path(folder)
    for file in unfolded(walk(top)):
        if file.refusal is None:
            with suppress(EvidenceError), open_stream(file) as stream:
                head = stream.peek()
                reader = None if archive_kind(head) else pick(head, file.source)
                if reader is not None and record in reader.yields:
                    found.append(_file(os.fspath(file.path), file))
    if not found:
        hint = "`forensics formats` lists what can be read"
        raise EvidenceError(f"holds no file with {record.__name__} rows", where=folder, hint=hint)
    return found


def _file(name: str, file: EvidenceFile | None = None) -> Given:
    # a link that the user names is meant; evidence.walk refuses those that evidence holds
    path = Path(name)
    found = Given("", None, path.resolve(), file if file is not None and file.within is not None else None)
    behind = _behind(found)
    label = label_of(os.fsencode(path.as_posix())) + behind
    return replace(found, label=label, point=capture_point(label_of(os.fsencode(path.name)) + behind))
