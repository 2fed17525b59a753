"""Archives as evidence: their members stand behind them as files of their own, and are read where they lie.

Nothing is unpacked: a member is a stretch of the archive, decompressed as it goes by. An archive that is compressed
as a whole can only be read forwards, so it is kept open from one member to the next, and members read in their
order cost one pass.
"""

from __future__ import annotations

import os
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace

from forensics.errors import EvidenceError
from forensics.evidence._archive_parts import Member, Part, Parts, Tape
from forensics.evidence._decoders import Bzip2, Inflation, Xz
from forensics.evidence._files import EvidenceFile, Within, change, label_of, open_regular
from forensics.evidence._frames import Zstandard
from forensics.evidence._members import Gap, Input
from forensics.evidence._stream import Raw, Stream, open_file
from forensics.evidence._tar import BLOCK, is_header, tar_parts
from forensics.evidence._zip import LOCAL, is_document, zip_parts

MOST_MEMBERS = 1_000_000
"""Members of all archives together; those beyond are not listed, and their archive says so."""
MOST_DEPTH = 8
"""Archives inside archives are followed that far."""
MOST_BYTES = 1 << 36
"""Octets that the members of compressed archives may have together, as their headers say. There is no limit to a ratio:
an honest log compresses ten thousand to one."""

_WALKERS: dict[str, Callable[[Tape], Parts]] = {"tar archive": tar_parts, "ZIP archive": zip_parts}


def archive_kind(head: bytes) -> str | None:
    r"""What kind of archive begins like this; None for none.

    Examples:
        >>> archive_kind(b"PK\x03\x04" + bytes(26) + b"nova.log")
        'ZIP archive'
    """
    if head[:4] == LOCAL and not is_document(head):
        return "ZIP archive"
    # An empty block has no checksum; a V7 header has nothing else that tells.
    named = head[:1] not in (b"", b"\0") or head[257:262] == b"ustar"
    return "tar archive" if named and is_header(head[:BLOCK]) else None


def archive_parts(file: EvidenceFile) -> Iterator[Part]:
    """The stretches of an archive, in order; together they cover it, decompressed, exactly.

    Raises:
        EvidenceError: If it cannot be opened, or is no archive.
    """
    with closing(Tape(lambda: open_stream(file))) as tape:
        kind = archive_kind(tape.peek(BLOCK))
        if kind is None:
            raise EvidenceError("is no archive", where=file.source)
        yield from _WALKERS[kind](tape)


def unfolded(files: Iterable[EvidenceFile]) -> Iterator[EvidenceFile]:
    """Files, and behind each archive its members, as files whose label goes on from the archive's.

    What is refused stays listed with its `EvidenceFile.refusal`: links, devices, encrypted and sparse members, and what
    is beyond `MOST_MEMBERS`, `MOST_DEPTH` or `MOST_BYTES`. Documents of office programs and Java archives stay whole.
    """
    budget = _Budget()
    for file in files:
        yield file
        yield from _inside(file, 1, budget)


class _Budget:
    def __init__(self) -> None:
        self.members = 0
        self.octets = 0


def _inside(archive: EvidenceFile, depth: int, budget: _Budget) -> Iterator[EvidenceFile]:
    if archive.refusal is not None or archive.size_bytes < 30:
        return
    try:
        with open_stream(archive) as stream:
            if archive_kind(stream.peek(BLOCK)) is None:
                return
            solid = stream.compression is not None or archive.within is not None
    except EvidenceError:  # told when it is read
        return
    labels: dict[str, int] = {}
    members = [part.member for part in archive_parts(archive) if part.member is not None]
    for member in members:
        budget.members += 1
        if budget.members > MOST_MEMBERS:
            return
        budget.octets += member.size_bytes if solid or member.method else 0
        found = _member(archive, member, solid, labels)
        if found.refusal is None and budget.octets > MOST_BYTES:
            found = replace(found, refusal="beyond what compressed archives may unfold to")
        if found.refusal is None and depth > MOST_DEPTH:
            found = replace(found, refusal="archive inside too many archives")
        yield found
        yield from _inside(found, depth + 1, budget)


def _member(archive: EvidenceFile, member: Member, solid: bool, labels: dict[str, int]) -> EvidenceFile:
    # `.` and `..` would lead out of the archive where a label is taken for a path
    names = [name for name in member.name.split(b"/") if name not in (b"", b".")]
    label = "/".join("\\x2e\\x2e" if name == b".." else label_of(name) for name in names) or "unnamed"
    unique = label
    while unique in labels:  # tar appends a newer copy of a file under the same name
        labels[label] += 1
        unique = f"{label} ({labels[label]})"
    labels[unique] = 1
    within = Within(archive, member.offset_bytes, member.stored_bytes, member.method, member.checksum, solid)
    return EvidenceFile(
        archive.path, f"{archive.source}/{unique}", member.size_bytes, member.modified_ns, member.refusal, within
    )


def open_stream(file: EvidenceFile, *, digest: bool = False, start: int = 0) -> Stream:
    """Open a file of evidence for reading: never a link, a FIFO or a device, never more than it holds now.

    Args:
        file: A file that `walk` or `unfolded` found.
        digest: Whether `Stream.finish` shall give the SHA-256 of the octets on disk; of a member, those it has outside.
        start: The octet to begin at, in a file of its own that is not compressed; its digest is then asked for in vain.

    Raises:
        EvidenceError: If it cannot be opened, or is no regular file any more.
    """
    within = file.within
    if within is None:
        return open_file(file, digest=digest, start=start)
    if file.refusal is not None:
        raise EvidenceError(f"not opened: {file.refusal}", where=file.source)
    source: _Solid | _Direct = _Solid(within) if within.solid else _Direct(within)
    try:
        return Stream(
            _raw(source.pull, within, digest),
            file.source,
            size_bytes=file.size_bytes,
            again=source.again if isinstance(source, _Direct) and not within.method else None,
            close=source.close,
            changed=source.changed,
            atime_kept=source.atime_kept,
        )
    except BaseException:
        source.close()
        raise


Pull = Callable[[memoryview], int]


def _raw(pull: Pull, within: Within, digest: bool) -> Raw:
    if within.method:
        return Raw(_decoded(pull, within), None, digest)
    return Raw(pull, within.stored_bytes, digest)


class _Direct:
    """A stretch of an archive that lies on disk as it is."""

    def __init__(self, within: Within) -> None:
        self._path = within.archive.path
        self._descriptor, self._state, self.atime_kept = open_regular(within.archive)
        self._place = within.offset_bytes
        self._start = within.offset_bytes
        self._end = within.offset_bytes + within.stored_bytes

    def pull(self, view: memoryview) -> int:
        data = self._at(self._place, len(view))
        view[: len(data)] = data
        self._place += len(data)
        return len(data)

    def _at(self, place: int, size: int) -> bytes:
        size = max(min(size, self._end - place), 0)
        if hasattr(os, "pread"):
            return os.pread(self._descriptor, size, place)
        os.lseek(self._descriptor, place, os.SEEK_SET)
        return os.read(self._descriptor, size)

    def again(self, start: int) -> Input:
        place = self._start + start

        def pull(size: int) -> bytes:
            nonlocal place
            data = self._at(place, size)
            place += len(data)
            return data

        return Input(pull)

    def changed(self) -> str | None:
        return change(self._path, self._descriptor, self._state)

    def close(self) -> None:
        os.close(self._descriptor)


_kept = threading.local()
"""The archive that a thread read last, kept open: the next member most often lies ahead in it."""


class _Solid:
    """A stretch of an archive that can only be read forwards."""

    def __init__(self, within: Within) -> None:
        self._archive = within.archive
        stream: Stream | None = None
        last: tuple[EvidenceFile, Stream] | None = getattr(_kept, "last", None)
        if last is not None:
            _kept.last = None
            if last[0] == within.archive and last[1].offset <= within.offset_bytes:
                stream = last[1]
            else:
                last[1].close()
        self._stream = stream or open_stream(within.archive)
        self._left = within.stored_bytes
        self.atime_kept = self._stream.atime_kept
        self._stream.skip(within.offset_bytes - self._stream.offset)

    def pull(self, view: memoryview) -> int:
        count = self._stream.readinto(view[: self._left])
        self._left -= count
        return count

    def changed(self) -> str | None:
        return self._stream.finish().changed

    def close(self) -> None:
        last: tuple[EvidenceFile, Stream] | None = getattr(_kept, "last", None)
        if last is not None:  # a member was opened while this one was
            last[1].close()
        _kept.last = (self._archive, self._stream)


def _decoded(pull: Pull, within: Within) -> Pull:
    """What a compressed member stands for, in steps of bounded size; damage ends it, and is said."""
    pieces = _pieces(Input(lambda size: _exactly(pull, size)), within)
    rest = memoryview(b"")

    def fill(view: memoryview) -> int:
        nonlocal rest
        while not rest:
            piece = next(pieces, None)
            if piece is None:
                return 0
            rest = memoryview(piece)
        count = min(len(view), len(rest))
        view[:count] = rest[:count]
        rest = rest[count:]
        return count

    return fill


def _exactly(pull: Pull, size: int) -> bytes:
    buffer = bytearray(size)
    view = memoryview(buffer)
    done = 0
    while done < size and (count := pull(view[done:])):
        done += count
    return bytes(view[:done])


def _pieces(source: Input, within: Within) -> Iterator[bytes]:
    total = 0
    for piece in _METHODS[within.method](source):
        if isinstance(piece, Gap):
            raise OSError(0, piece.reason)
        total = zlib.crc32(piece, total)
        yield piece
    if within.checksum not in (None, total):
        raise OSError(0, f"its {within.method} data is damaged or changed: the checksum does not match")


_METHODS: dict[str, Callable[[Input], Iterable[bytes | Gap]]] = {
    "deflate": Inflation,
    "bzip2": lambda source: Bzip2().member(source),
    "xz": lambda source: Xz().member(source),
    "zstd": lambda source: Zstandard().member(source),
}
"""How members of a ZIP archive are compressed."""
