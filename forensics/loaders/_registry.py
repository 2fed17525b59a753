"""Which formats there are, and which of them a file is in. Found by listing the folders; nothing is registered."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import ModuleType

from forensics.loaders._reader import Reader
from forensics.records import LogRecord, Record

_FOLDERS = (
    "forensics.loaders",
    "forensics.loaders.captures",
    "forensics.loaders.lines",
    "forensics.loaders.documents",
)
_HERE = frozenset({"_registry", "_scan_records"})


@dataclass(frozen=True, slots=True)
class FormatDescription:
    """A line of `forensics formats`."""

    name: str
    tier: str
    """``captures``, ``lines``, ``documents`` or ``messages``."""
    yields: tuple[str, ...]
    reference: str


def _modules(folder: str) -> Iterator[ModuleType]:
    parent = importlib.import_module(folder)
    for info in sorted(pkgutil.iter_modules(parent.__path__), key=lambda info: info.name):
        if not info.ispkg and info.name not in _HERE:
            yield importlib.import_module(f"{folder}.{info.name}")


@cache
def readers() -> tuple[Reader, ...]:
    """Every format of the base tier, by name: whatever the modules of the loaders list as ``READERS``."""
    found: dict[str, Reader] = {}
    for folder in _FOLDERS:
        for module in _modules(folder):
            for reader in getattr(module, "READERS", ()):
                known = found.setdefault(reader.name, reader)
                if known is not reader:
                    raise TypeError(f"two formats are called {reader.name!r}; the second is in {module.__name__}")
    return tuple(found[name] for name in sorted(found))


def pick(head: bytes, name: str, among: tuple[Reader, ...] | None = None) -> Reader | None:
    """The format that the first bytes of a file are most like, the first by name between equals.

    Args:
        head: Up to 64 KiB from the start of the file, decompressed.
        name: Path of the file inside the evidence: a hint.
        among: The formats to choose from; all where None.

    Returns:
        None where no format knows the bytes.
    """
    best: tuple[float, Reader] | None = None
    for reader in readers() if among is None else sorted(among, key=lambda reader: reader.name):
        likeness = reader.likeness(head, name)
        if likeness > 0 and (best is None or likeness > best[0]):
            best = likeness, reader
    return None if best is None else best[1]


def yielding(record: type[Record]) -> tuple[Reader, ...]:
    """The formats that can hold rows of a record."""
    return tuple(reader for reader in readers() if record in reader.yields)


def formats() -> tuple[FormatDescription, ...]:
    """Everything that can be read: formats of files, framings of log lines, messages inside logs; each by name."""
    base = [
        FormatDescription(reader.name, _tier(reader), tuple(one.__name__ for one in reader.yields), reader.reference)
        for reader in readers()
    ]
    inner = {
        (tier, one.name): FormatDescription(one.name, tier, (record or one.record.__name__,), one.reference)
        for tier, record in (("lines", LogRecord.__name__), ("messages", None))
        for module in _modules(f"forensics.loaders.{tier}")
        for one in (*getattr(module, "FORMATS", ()), *((module.FORMAT,) if hasattr(module, "FORMAT") else ()))
    }
    return (*base, *(inner[key] for key in sorted(inner)))


def _tier(reader: Reader) -> str:
    tier = type(reader).__module__.removeprefix("forensics.loaders.").partition(".")[0]
    return tier if tier in ("captures", "documents") else "lines"
