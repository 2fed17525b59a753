"""Files of a store: written whole or not at all, and their digests."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import zstandard

from forensics.errors import StoppedError


@contextlib.contextmanager
def stopping(path: Path) -> Iterator[None]:
    """What the system refuses here stops the run; nothing is tried twice, least of all an fsync.

    Raises:
        StoppedError: With the file, and the name of the error.
    """
    try:
        yield
    except OSError as error:
        raise stopped(error, path) from error


def stopped(error: OSError, path: Path) -> StoppedError:
    """The error of a run that can be gone on with."""
    name = errno.errorcode.get(error.errno or 0, type(error).__name__)
    return StoppedError(
        f"{error.strerror or error} ({name})",
        where=os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(path),
        hint="see to it and run it again: what was finished is kept, and it goes on from there",
    )


@contextlib.contextmanager
def whole(path: Path, *, sync: bool = True) -> Iterator[IO[bytes]]:
    """A file that appears under its name only when it is complete, and, if `sync`, on disk."""
    part = path.with_name(path.name + ".part")
    with stopping(path):
        with part.open("wb") as file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)


def sync_folder(path: Path) -> None:
    """Names in a folder are on disk when this returns."""
    if os.name == "posix":
        with stopping(path):
            folder = os.open(path, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def sync_folders(path: Path) -> None:
    """Names in a folder and in all below it are on disk when this returns, the outermost last."""
    for folder, _, _ in os.walk(path, topdown=False):
        sync_folder(Path(folder))


def link(old: Path, new: Path) -> None:
    """One more name for a file that nobody writes to again; a copy where the file system has no such thing."""
    try:
        os.link(old, new)
    except OSError:
        with old.open("rb") as file, whole(new) as copy:
            shutil.copyfileobj(file, copy, 1 << 20)


def digest(path: Path, *, sync: bool = False) -> str:
    """SHA-256 of a file of the store, in hexadecimal; if `sync`, the file is on disk when this returns."""
    mode: str = "r+b" if sync and os.name == "nt" else "rb"  # Windows syncs only what it may write
    opened: Any = path.open(mode)
    with opened as file:
        if sync:
            os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksum_line(name: bytes, sha256: str) -> bytes:
    r"""One line as ``sha256sum`` writes and reads it, whatever the name.

    References:
        GNU coreutils, "cksum output modes": a name with a backslash, LF or CR is
        escaped, and the line then starts with a backslash.

    Examples:
        >>> checksum_line(b"a\nb", "00ff")
        b'\\00ff  a\\nb\n'
    """
    escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    return (b"\\" if escaped != name else b"") + sha256.encode() + b"  " + escaped + b"\n"


def as_json(value: Any) -> bytes:
    """JSON as every file of the case has it: UTF-8, indented, keys in the order given, a newline at the end."""
    text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False)
    return text.encode("utf-8", "backslashreplace") + b"\n"


@contextlib.contextmanager
def compressed(path: Path) -> Iterator[IO[bytes]]:
    """A file that is compressed with zstd while it is written; whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as file, zstandard.ZstdCompressor(level=3).stream_writer(file, closefd=False) as stream:
        yield stream
