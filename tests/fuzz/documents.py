"""Documents: listings, configuration, dumps, notifications; every reader by itself."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

from forensics.loaders._reader import Reader
from forensics.loaders._registry import _tier, readers
from tests.fuzz import Target
from tests.fuzz._promises import read

FILES = Path(__file__).parents[1] / "loaders" / "documents" / "corpus"


@cache
def _files() -> list[bytes]:
    return [path.read_bytes() for path in sorted(FILES.iterdir())]


def one(reader: Reader, data: bytes) -> None:
    """What one reader makes of it, likely or not."""
    assert 0.0 <= reader.likeness(data[:65536], "cc12/x.txt") <= 1.0
    read(reader, data)


def seeds(reader: Reader) -> list[bytes]:
    """Files that the reader thinks its own, first; then all others: it must survive them too."""
    return sorted(_files(), key=lambda octets: -reader.likeness(octets[:65536], "cc12/x.txt"))


# test_any_octets.py of the documents has hundreds of each
TARGETS = tuple(
    Target(reader.name, partial(one, reader), partial(seeds, reader), replayed=1)
    for reader in readers()
    if _tier(reader) == "documents"
)
