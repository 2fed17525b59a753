"""What a run has finished, line by line, each line sealed together with all before it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from forensics.store._files import stopping, whole

NAME = "journal"


@dataclass(frozen=True, slots=True)
class Entry:
    """One source that was read."""

    key: str
    """Digest of all that its rows depend on but its octets."""
    source: str
    number: int
    """Its place in the order of the evidence, which names its parts."""
    sha256: str
    """Digest of its octets."""
    said: Mapping[str, Any]
    """What the reader said of it; plain values."""
    parts: Mapping[str, str] | None
    """Digests of its files in the store, by record; None where a later reading replaced them."""


class Journal:
    """Hash-chained lines: ``SHA-256 of the digest before and of what follows``, a blank, JSON.

    Args:
        path: The file.
        head: What wrote it. Lines of anything else are worth nothing here.
    """

    def __init__(self, path: Path, head: Mapping[str, Any]) -> None:
        self._path = path
        self._head = dict(head)
        self._last: str | None = None

    def entries(self) -> list[Entry] | None:
        """All entries before the first that is torn or damaged; None where there is no such journal."""
        try:
            lines = self._path.read_bytes().split(b"\n")[:-1]
        except OSError:
            return None
        told = []
        chain = ""
        for line in lines:
            link, _, body = line.partition(b" ")
            chain = _linked(chain, body)
            if link.decode("ascii", "replace") != chain:
                break
            told.append(json.loads(body))
        if not told or told[0] != self._head:
            return None
        with contextlib.suppress(TypeError):
            return [Entry(**one) for one in told[1:]]
        return None

    def write(self, entries: Iterable[Entry]) -> None:
        """Begin anew with these entries; on disk when this returns."""
        self._last, data = _lines("", [self._head, *map(asdict, entries)])
        with whole(self._path) as file:
            file.write(data)

    def append(self, entries: Iterable[Entry]) -> None:
        """Add entries; on disk when this returns. `write` comes first."""
        assert self._last is not None
        self._last, data = _lines(self._last, map(asdict, entries))
        with stopping(self._path), self._path.open("ab", buffering=0) as file:
            file.write(data)
            os.fsync(file.fileno())

    @property
    def begun(self) -> bool:
        """Whether there is something to append to."""
        return self._last is not None


def _lines(chain: str, bodies: Iterable[Mapping[str, Any]]) -> tuple[str, bytes]:
    lines = []
    for body in bodies:
        octets = json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii")
        chain = _linked(chain, octets)
        lines.append(chain.encode() + b" " + octets + b"\n")
    return chain, b"".join(lines)


def _linked(chain: str, body: bytes) -> str:
    return hashlib.sha256(chain.encode() + body).hexdigest()
