"""A running database as evidence: read once into a dump that lies inside the case, and is then read like any other."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from forensics.evidence import EvidenceFile, walk
from forensics.loaders.live_database import shown, snapshot, url_of
from forensics.store import Draft, Store, is_store

FOLDER = "database"
"""Where the dumps lie inside the case, and what their labels begin with."""


def take(database: str, draft: Draft) -> str:
    """Read a running database into a case under construction.

    Args:
        database: Its URL.
        draft: The case.

    Returns:
        The URL as it may be shown.

    Raises:
        DatabaseError: If it cannot be read.
    """
    from forensics.loaders.documents._tables import needed

    url = url_of(database)

    def write(path: Path) -> AbstractContextManager[IO[bytes]]:
        return draft.snapshot(path.as_posix())

    snapshot(url, Path(FOLDER), needed, write)
    return shown(url)


def carried(draft: Draft) -> str | None:
    """Take over the dumps of an earlier case in the same place: the database may have changed since.

    Returns:
        The URL that they were read from; None where there are none.
    """
    if not is_store(draft.target) or not (draft.target / FOLDER).is_dir():
        return None
    earlier = Store(draft.target)
    for file in kept(earlier.path):
        draft.put(f"{FOLDER}/{file.path.name}", earlier.read(f"{FOLDER}/{file.path.name}"))
    told: str | None = earlier.about.get("database")
    return told


def host_of_url(url: str | None) -> str | None:
    """The server that a URL names."""
    return None if url is None else urlsplit(url).hostname


def kept(case: Path, taken: Collection[str] = ()) -> list[EvidenceFile]:
    """The dumps that a case holds.

    Args:
        case: Folder of the case.
        taken: Labels that other evidence has: dumps never get one of these.
    """
    folder = case / FOLDER
    if not folder.is_dir():
        return []
    label = FOLDER
    while any(source.startswith(f"{label}/") for source in taken):
        label = f"{label}'"
    return [replace(file, source=f"{label}/{file.source}") for file in walk(folder)]
