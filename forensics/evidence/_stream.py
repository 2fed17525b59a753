"""A file as evidence: its octets in order, decompressed, hashed on the way, and checked for change at the end."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from forensics.errors import EvidenceError
from forensics.evidence._decoders import pieces
from forensics.evidence._files import EvidenceFile, change, open_regular
from forensics.evidence._members import Gap, Input, Pieces

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_REST_BYTES = 1 << 20
_GAPS = 10_000
"""So many gaps are listed; those beyond are counted in the last one."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What can be said of a source once it was read."""

    sha256: str | None
    """SHA-256 of the octets on disk, in hexadecimal digits; None if it was not asked for or not all could be read."""
    size_bytes: int
    """Octets on disk: those that the digest is of."""
    changed: str | None
    """What happened to the file while it was read; None if nothing did."""


class Readable(Protocol):
    """What `stream_of` reads from: a pipe, a socket's file, an open file, `io.BytesIO`."""

    def read(self, size: int, /) -> bytes | None:
        """Up to ``size`` octets, none at the end."""
        ...


class Raw:
    """Octets on disk or in a pipe, counted and hashed."""

    def __init__(self, fill: Callable[[memoryview], int], limit: int | None, digest: bool, offset: int = 0) -> None:
        self._fill = fill
        self._limit = limit
        self.hash = hashlib.sha256() if digest else None
        self.offset = offset
        self.fault: str | None = None

    def readinto(self, view: memoryview) -> int:
        """Fill the view; fewer octets only at the end."""
        if self._limit is not None:
            view = view[: max(self._limit - self.offset, 0)]
        done = 0
        while done < len(view) and self.fault is None:
            try:
                count = self._fill(view[done:])
            except OSError as error:
                self.fault = f"cannot be read on from octet {self.offset + done}: {error.strerror or error}"
                break
            if not count:
                break
            done += count
        if self.hash is not None:
            self.hash.update(view[:done])
        self.offset += done
        if done < len(view) and self._limit is not None and self.fault is None:
            self.fault = f"ends at octet {self.offset}, {self._limit - self.offset} octets too early"
        return done

    def read(self, size: int) -> bytes:
        """Exactly ``size`` octets, fewer only at the end."""
        view = memoryview(bytearray(size))  # never made shorter: a profiler may hold on to the view that was filled
        return bytes(view[: self.readinto(view)])


class Stream:
    """A source of evidence, read once from its first octet to its last, decompressed.

    Made by `forensics.evidence.open_stream` and `stream_of`. It is a context manager; leaving it closes the file.
    """

    source: str
    """Label of the source."""
    compression: str | None
    """``gzip``, ``xz``, ``bzip2``, ``zstd``, ``lz4``, or several (``gzip in xz``); None for none."""
    size_bytes: int | None
    """Octets on disk when it was opened; None where that is not known, as for a pipe."""
    offset: int
    """Decompressed octets delivered so far."""
    gaps: list[tuple[int, str]]
    """Where data is missing or doubtful: decompressed offset, reason. Grows while the stream is read, never ahead of
    more than what `peek` looked at. A reason that begins with ``padding`` tells of no damage."""
    atime_kept: bool
    """Whether reading leaves the access time of the file as it was."""

    def __init__(
        self,
        raw: Raw,
        source: str,
        *,
        size_bytes: int | None = None,
        again: Callable[[int], Input] | None = None,
        close: Callable[[], None] | None = None,
        changed: Callable[[], str | None] | None = None,
        atime_kept: bool = True,
    ) -> None:
        self.source = source
        self.size_bytes = size_bytes
        self.offset = raw.offset
        self.gaps = []
        self.atime_kept = atime_kept
        self._raw = raw
        self._close = close
        self._changed = changed
        self._produced = 0
        self._fault_told = False
        self._further = 1
        self._pending = memoryview(b"")
        self.compression: str | None = None
        self._pieces: Pieces | None = None
        self._produced = raw.offset
        if raw.offset:  # the middle of what is known to be no compressed data
            return
        compressed = Input(raw.read, again)
        self.compression, decompressed = pieces(compressed, source)
        self._pieces = decompressed if self.compression is not None else None
        head = b"" if self._pieces is not None else compressed.ahead(raw.offset)
        self._pending = memoryview(head)
        self._produced = len(head)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill a buffer with the next octets.

        Returns:
            How many there were; fewer than the buffer holds only at the end of the source, 0 only behind it.
        """
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view):
            if not self._pending:
                if self._pieces is None:
                    count = self._raw.readinto(view[done:])
                    self._produced += count
                    done += count
                    if done < len(view):
                        self._at_end()
                    break
                if not self._more():
                    break
            count = min(len(view) - done, len(self._pending))
            view[done : done + count] = self._pending[:count]
            self._pending = self._pending[count:]
            done += count
        self.offset += done
        return done

    def read(self, size: int = -1, /) -> bytes:
        """The next ``size`` octets, fewer only at the end; all that are left for a negative size."""
        if 0 <= size <= _REST_BYTES:
            view = memoryview(bytearray(size))
            return bytes(view[: self.readinto(view)])
        parts, left = [], size
        while part := self.read(_REST_BYTES if size < 0 else min(left, _REST_BYTES)):  # memory for what there is
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def skip(self, size: int | None = None, /) -> int:
        """Let octets go by, all that are left for None; how many there were."""
        start = self.offset
        most = _REST_BYTES if size is None else min(size, _REST_BYTES)
        scratch = memoryview(bytearray(max(most, 0)))
        while size is None or self.offset - start < size:
            left = len(scratch) if size is None else min(size - (self.offset - start), len(scratch))
            if not self.readinto(scratch[:left]):
                break
        return self.offset - start

    def peek(self, size: int = 65536, /) -> bytes:
        """The next ``size`` octets, fewer only at the end, without taking them."""
        if len(self._pending) < size:
            parts = [bytes(self._pending)]
            missing = size - len(self._pending)
            while missing > 0:
                if self._pieces is None:
                    part = self._raw.read(missing)
                    self._produced += len(part)
                    parts.append(part)
                    if len(part) < missing:
                        self._at_end()
                    break
                if not self._more():
                    break
                parts.append(bytes(self._pending))
                missing -= len(self._pending)
            self._pending = memoryview(b"".join(parts))
        return bytes(self._pending[:size])

    def _more(self) -> bool:
        """Get the next piece from the decoder; False at the end."""
        assert self._pieces is not None
        for piece in self._pieces:
            if not isinstance(piece, Gap):
                self._pending = memoryview(piece)
                self._produced += len(piece)
                return True
            self._gap(piece.reason)
        self._pending = memoryview(b"")
        self._at_end()
        return False

    def _at_end(self) -> None:
        if self._raw.fault is not None and not self._fault_told:
            self._fault_told = True
            self._gap(f"the file {self._raw.fault}")

    def _gap(self, reason: str) -> None:
        if len(self.gaps) < _GAPS:
            self.gaps.append((self._produced, reason))
        else:  # hostile data could have millions, and memory must not grow with it
            self._further += 1
            self.gaps[-1] = (self.gaps[-1][0], f"{self._further} further places that are not decodable, from here on")

    def finish(self) -> Digest:
        """Read the rest of the raw octets if a digest was asked for, and look whether the file changed.

        Call it before the stream is closed, whether or not all was read.
        """
        if self._raw.hash is not None:
            scratch = memoryview(bytearray(_REST_BYTES))
            while self._raw.readinto(scratch):
                pass
        complete = self._raw.hash is not None and self._raw.fault is None
        sha256 = self._raw.hash.hexdigest() if complete and self._raw.hash is not None else None
        known = self.size_bytes if self._raw.hash is None and self.size_bytes is not None else self._raw.offset
        return Digest(sha256, known, self._changed() if self._changed is not None else None)

    def close(self) -> None:
        """Close the file, if this stream opened it."""
        if self._close is not None:
            close, self._close = self._close, None
            close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Stream {self.source} at octet {self.offset}>"


def open_file(file: EvidenceFile, *, digest: bool = False, start: int = 0) -> Stream:
    """`forensics.evidence.open_stream` for what is a file of its own."""
    descriptor, state, quiet = open_regular(file)
    try:
        if start:
            os.lseek(descriptor, start, os.SEEK_SET)

        def fill(view: memoryview) -> int:
            if hasattr(os, "readv"):
                return os.readv(descriptor, [view])
            data = os.read(descriptor, len(view))
            view[: len(data)] = data
            return len(data)

        def again(start: int) -> Input:
            at = start

            def pull(size: int) -> bytes:
                nonlocal at
                data = os.pread(descriptor, min(size, state.st_size - at), at)
                at += len(data)
                return data

            return Input(pull)

        return Stream(
            Raw(fill, state.st_size, digest, start),
            file.source,
            size_bytes=state.st_size,
            again=again if hasattr(os, "pread") else None,
            close=lambda: os.close(descriptor),
            changed=lambda: change(file.path, descriptor, state),
            atime_kept=quiet,
        )
    except BaseException:
        os.close(descriptor)
        raise


def stream_of(binary_io: Readable, source: str, *, digest: bool = False) -> Stream:
    """The same for anything that is open already; nothing is sought in it, and it is not closed.

    Args:
        binary_io: Has ``read(size)`` and gives octets: ``sys.stdin.buffer``, a pipe, `io.BytesIO`.
        source: The label that rows of it shall bear, such as ``-``.
        digest: Whether `Stream.finish` shall give the SHA-256 of the octets.

    Raises:
        EvidenceError: If it gives text instead of octets.

    Examples:
        >>> import gzip, io
        >>> stream = stream_of(io.BytesIO(gzip.compress(b"Feb 15") + b"cut"), "-")
        >>> stream.compression, stream.read(), stream.gaps
        ('gzip', b'Feb 15', [(6, 'gzip data is not decodable from octet 26 to the end at octet 29')])
    """

    def fill(view: memoryview) -> int:
        data: Any = binary_io.read(len(view))
        if isinstance(data, str):
            raise EvidenceError("gives text, not octets", where=source, hint="open it in binary mode")
        if not data:
            return 0
        view[: len(data)] = data
        return len(data)

    return Stream(Raw(fill, None, digest), source)
