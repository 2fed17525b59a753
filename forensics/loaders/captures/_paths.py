"""What a user may name as captures: paths, patterns, open files, standard input."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from glob import glob, has_magic
from pathlib import Path
from threading import Lock
from typing import Any

from forensics.errors import EvidenceError
from forensics.evidence import Readable, Stream, capture_point, label_of, open_stream, stream_of, walk

PathLike = str | os.PathLike[str] | Readable
Paths = PathLike | Iterable[Any]
"""One or several of: a path, a pattern, ``"-"``, a binary file object."""


@dataclass(frozen=True, slots=True)
class Capture:
    """One capture that can be opened."""

    label: str
    """What its rows have as ``source``."""
    point: str | None
    """Name of its capture point."""
    file: Path | _Opened

    @property
    def repeatable(self) -> bool:
        """Whether it can be read more than once."""
        return isinstance(self.file, Path) or self.file.start is not None

    def open(self) -> AbstractContextManager[Stream]:
        """The capture at its first octet; leaving the context closes it, but not a file that somebody else opened."""
        if isinstance(self.file, _Opened):
            return nullcontext(stream_of(self.file.reader(self.label), self.label))
        found = next(iter(walk(self.file)), None)
        if found is None or found.path != self.file:
            raise EvidenceError(
                "is no file", where=self.label, hint="name captures, or a pattern such as 'folder/*.pcap'"
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


def captures(paths: Paths) -> list[Capture]:
    """The captures that are meant, in order.

    Raises:
        EvidenceError: If there is no such file, or a pattern matches none.
    """
    found = [capture for path in _several(paths) for capture in _of(path)]
    points = [capture.file for capture in found if isinstance(capture.file, Path)]
    if len(points) < 2:
        return found
    # what is common to all says nothing of where each was taken
    common = os.path.commonpath([path.parent for path in points])
    return [
        replace(capture, point=capture_point(label_of(os.fsencode(capture.file.relative_to(common)))))
        if isinstance(capture.file, Path) and capture.label != capture.point
        else capture
        for capture in found
    ]


def _several(paths: Paths) -> list[Any]:
    if isinstance(paths, str | os.PathLike | Capture) or hasattr(paths, "read"):
        return [paths]
    return list(paths)


def _of(path: Any) -> list[Capture]:
    if isinstance(path, Capture):
        return [path]
    if path == "-":
        return [Capture("-", None, _Opened(sys.stdin.buffer))]
    if not isinstance(path, str | os.PathLike):
        if isinstance(path, io.TextIOBase) or not hasattr(path, "read"):
            raise EvidenceError("is no binary file", where=repr(path), hint="open captures with mode 'rb'")
        name = getattr(path, "name", None)
        label = Path(name).name if isinstance(name, str) else "stream"
        return [Capture(label, capture_point(label) if isinstance(name, str) else None, _Opened(path))]
    name = os.fspath(path)
    if not Path(name).exists() and has_magic(name):
        matches = sorted(glob(name, recursive=True))  # noqa: PTH207 - Path.glob refuses absolute patterns
        if not matches:
            raise EvidenceError("matches no file", where=name, hint=f"the folder searched is {Path.cwd()}")
        return [_file(match) for match in matches if not Path(match).is_dir()]
    if not Path(name).exists():
        raise EvidenceError("no such file", where=name, hint=f"relative paths count from {Path.cwd()}")
    return [_file(name)]


def _file(name: str) -> Capture:
    # a link that the user names is meant; evidence.walk refuses those that evidence holds
    path = Path(name)
    label = label_of(os.fsencode(path.as_posix()))
    return Capture(label, capture_point(label_of(os.fsencode(path.name))), path.resolve())
