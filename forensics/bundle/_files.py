"""The files of a bundle: written beside its place, listed with their digests, and then moved there."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import lz4.frame
import zstandard

from forensics.errors import CaseError
from forensics.evidence import name_of
from forensics.store import checksum_line
from forensics.store._files import digest, sync_folder, whole

EVIDENCE, SUMS, CITATIONS, ABOUT = "evidence", "SHA256SUMS", "citations.csv", "bundle.json"


class Draft:
    """A bundle under construction.

    Args:
        target: Its place. An earlier bundle there is replaced; nothing else ever is.

    Raises:
        CaseError: If something else is there, or it cannot be written.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        if target.is_symlink() or (target.exists() and not (target / ABOUT).is_file()):
            raise CaseError("there is something else in the place of the bundle", where=str(target), hint="give --out")
        self.path = target.with_name(f".{target.name}.partial")
        try:
            if self.path.exists():
                shutil.rmtree(self.path)
            (self.path / EVIDENCE).mkdir(parents=True)
        except OSError as error:
            what = f"the bundle cannot be written: {error.strerror}"
            raise CaseError(what, where=str(target.parent), hint="give a place with --out") from error

    @contextlib.contextmanager
    def evidence(self, label: str, compression: str | None, modified_ns: int) -> Iterator[IO[bytes]]:
        """A file of evidence under its label, compressed as the original was, with its modification time."""
        path = self.path / EVIDENCE / os.fsdecode(name_of(label))
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file, _compressed(file, compression) as out:
            yield out
        os.utime(path, ns=(modified_ns, modified_ns))

    def put(self, name: str, data: bytes) -> None:
        """Another file."""
        with whole(self.path / name) as file:
            file.write(data)

    def seal(self) -> None:
        """List all files with their digests and move the bundle to its place."""
        names = sorted(os.fsencode(path.relative_to(self.path)) for path in self.path.rglob("*") if path.is_file())
        sums = b"".join(checksum_line(name, digest(self.path / os.fsdecode(name), sync=True)) for name in names)
        self.put(SUMS, sums)
        earlier = self.target.with_name(f".{self.target.name}.earlier")
        if self.target.exists():
            shutil.rmtree(earlier, ignore_errors=True)
            self.target.rename(earlier)
        self.path.rename(self.target)
        sync_folder(self.target.parent)
        shutil.rmtree(earlier, ignore_errors=True)

    def abandon(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self.path, ignore_errors=True)


def _compressed(file: IO[bytes], compression: str | None) -> contextlib.AbstractContextManager[IO[bytes]]:
    """A writer in the outermost compression of the original, without names or times of its own."""
    made: Any
    match (compression or "").rpartition(" in ")[2]:
        case "gzip":
            made = gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0)
        case "xz":
            made = lzma.LZMAFile(file, "wb")  # noqa: SIM115 - its user closes it
        case "bzip2":
            made = bz2.BZ2File(file, "wb")
        case "zstd":
            made = zstandard.ZstdCompressor().stream_writer(file, closefd=False)
        case "lz4":
            made = lz4.frame.LZ4FrameFile(file, "wb")
        case _:
            made = contextlib.nullcontext(file)
    return cast("contextlib.AbstractContextManager[IO[bytes]]", made)
