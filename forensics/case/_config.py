"""``case.toml``: what the operator knows about the evidence and its files do not say."""

from __future__ import annotations

import fnmatch
import re
import tomllib
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from forensics.errors import CaseError
from forensics.evidence import EvidenceFile, open_stream

NAME = "case.toml"
_LARGEST = 1 << 20
_OFFSET = re.compile(r"[+-](?:0\d|1[0-4]):[0-5]\d")


@dataclass(frozen=True, slots=True)
class Declared:
    """What ``[[source]]`` declares about the files that match."""

    match: str = "*"
    zone: str | None = None
    year: int | None = None
    host: str | None = None
    clock_offset_s: float | None = None


@dataclass(frozen=True, slots=True)
class CaseFile:
    """The whole of ``case.toml``."""

    title: str | None = None
    declared: tuple[Declared, ...] = ()

    def of(self, source: str) -> Declared:
        """What is declared about one source; a later ``[[source]]`` overrules an earlier one, key by key.

        Examples:
            >>> case = CaseFile(None, (Declared("*", zone="UTC"), Declared("web*/*", zone="Europe/Vienna", year=2013)))
            >>> case.of("web01/syslog").zone, case.of("db/syslog").zone, case.of("db/syslog").year
            ('Europe/Vienna', 'UTC', None)
        """
        keys: dict[str, Any] = {}
        for one in self.declared:
            if fnmatch.fnmatchcase(source, one.match):
                keys |= {key: value for key in _TYPES if (value := getattr(one, key)) is not None}
        return Declared(**{"match": source, **keys})

    def and_host(self, host: str | None, sources: Sequence[str]) -> CaseFile:
        """The same, with the host of some sources where nothing else is declared of them."""
        own = tuple(Declared(_literally(source), host=host) for source in sources if host is not None)
        return CaseFile(self.title, (*own, *self.declared))


def _literally(source: str) -> str:
    """A pattern that matches one name alone."""
    return re.sub(r"([*?[])", r"[\1]", source)


_TYPES: dict[str, tuple[type, ...]] = {"zone": (str,), "year": (int,), "host": (str,), "clock_offset_s": (int, float)}


def read_case_file(file: EvidenceFile) -> CaseFile:
    """Read a ``case.toml``.

    Raises:
        CaseError: If it is no TOML, has a key that nobody reads, or a value that makes no sense.
    """
    with open_stream(file) as stream:
        data = stream.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise CaseError("longer than 1 MiB", where=file.source, hint="it should only declare what files do not say")
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, or a number of very many digits
        raise CaseError(f"no valid TOML: {error}", where=file.source, hint="see https://toml.io/en/v1.0.0") from error
    _only(table, ("title", "source"), file.source)
    title = table.get("title")
    if title is not None and not isinstance(title, str):
        raise CaseError("title must be text", where=file.source, hint='write title = "…"')
    blocks = table.get("source", [])
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise CaseError("source must be a list of tables", where=file.source, hint="write [[source]], not [source]")
    return CaseFile(
        title, tuple(_declared(block, f"{file.source}: [[source]] {n}") for n, block in enumerate(blocks, 1))
    )


def _declared(block: dict[str, Any], where: str) -> Declared:
    _only(block, ("match", *_TYPES), where)
    if not isinstance(block.get("match"), str):
        raise CaseError("match is missing", where=where, hint='write match = "compute*/syslog*" or match = "*"')
    for key, kinds in _TYPES.items():
        if key in block and (not isinstance(block[key], kinds) or isinstance(block[key], bool)):
            raise CaseError(f"{key} must be {' or '.join(kind.__name__ for kind in kinds)}", where=where)
    zone = block.get("zone")
    if zone is not None and not _known(zone):
        raise CaseError(f"unknown zone {zone!r}", where=where, hint='write a name such as "Europe/Vienna", or "+01:00"')
    if not 1970 <= block.get("year", 1970) <= 2261:
        raise CaseError("year must lie between 1970 and 2261", where=where)
    offset = block.get("clock_offset_s")
    if offset is not None and not abs(offset) < 1e9:
        raise CaseError("clock_offset_s must be a number of seconds", where=where)
    return Declared(**{**block, **({} if offset is None else {"clock_offset_s": float(offset)})})


def _known(zone: str) -> bool:
    if _OFFSET.fullmatch(zone):
        return True
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _only(table: dict[str, Any], known: tuple[str, ...], where: str) -> None:
    unknown = sorted(table.keys() - set(known))
    if unknown:
        names = ", ".join(map(repr, unknown))
        raise CaseError(
            f"unknown {'keys' if len(unknown) > 1 else 'key'} {names}",
            where=where,
            hint=f"known are {', '.join(known)}",
        )
