"""Which time zone each file of a case was written in, as files such as `/etc/timezone` of the same machine tell."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from forensics._discovery import modules
from forensics.case._load import Job, Outcome
from forensics.clocks import transitions, zone_offset
from forensics.errors import EvidenceError
from forensics.evidence import EvidenceFile, open_stream

_LARGEST = 65_536
_SINCE_S, _UNTIL_S = 1_262_304_000, 2_051_222_400
"""The years, 2010 to 2034, whose offsets a zone is known by."""


class Zones:
    """Zones of machines and, where nothing names the machine, of folders.

    A file that tells a zone speaks for its machine. Where nothing says which machine that is, it speaks for the
    folder that it lies in and for what lies below, as far as that has no machine either; a folder that holds
    ``etc`` is the root of one machine, and all below is that machine's, unless it has a zone of its own. Files
    that disagree tell nothing; an offset that a named zone has is no disagreement.

    Args:
        told: Zones, by the source that tells them.
        host_of: The machine of a source.
    """

    def __init__(self, told: Mapping[str, str], host_of: Callable[[str], str | None]) -> None:
        self._roots: set[str] = set()
        hosts: dict[str, set[str]] = {}
        machines: dict[str, set[str]] = {}
        folders: dict[str, set[str]] = {}
        for source, zone in told.items():
            host = host_of(source)
            if host is not None:
                hosts.setdefault(host, set()).add(zone)
                machines.setdefault(short(host), set()).add(zone)
            else:
                own = next(around(source))
                folder = own.removesuffix("etc").rstrip("/")
                folders.setdefault(folder, set()).add(zone)
                if own == "etc" or own.endswith("/etc"):
                    self._roots.add(folder)
        self._hosts = {host: one for host, own in hosts.items() if (one := _one(own)) is not None}
        self._machines = {name: one for name, own in machines.items() if (one := _one(own)) is not None}
        self._folders = {folder: one for folder, own in folders.items() if (one := _one(own)) is not None}

    def of(self, source: str, host: str | None) -> str | None:
        """The zone of a file that comes from some machine, or from one that is not known."""
        if host is not None and (told := self._hosts.get(host) or self._machines.get(short(host))) is not None:
            return told
        telling = (folder for folder in around(source) if folder in self._folders)
        return next((self._folders[one] for one in telling if host is None or one in self._roots), None)

    def together(self, hosts: Collection[str | None]) -> str | None:
        """The zone of a file whose lines come from these machines: None unless each has one, and all the same.

        A relay keeps a sender's stamp as it was written (RFC 3164, 4.3), and oslo.log stamps in the sender's zone.
        """
        told = {None if host is None else self._hosts.get(host) or self._machines.get(short(host)) for host in hosts}
        return next(iter(told)) if len(told) == 1 else None


def combined(jobs: Sequence[Job], outcomes: Sequence[Outcome], zones: Zones) -> dict[int, str]:
    """Zones of logs that hold several machines' lines, where all those machines have one: by number of the job.

    Args:
        jobs: The files as they were read.
        outcomes: What became of them, in the same order.
        zones: What is known of machines.
    """
    found: dict[int, str] = {}
    for job, outcome in zip(jobs, outcomes, strict=True):
        if outcome.source.get("zone_basis") == "assumed" and job.origin.zone is None and outcome.rows.get("LogRecord"):
            zone = zones.together(outcome.hosts)
            found |= {} if zone is None else {job.number: zone}
    return found


def told_zones(files: Sequence[EvidenceFile]) -> dict[str, str]:
    """Zones that files such as ``/etc/timezone`` tell, by source."""
    tellers = [module.zone_of for module in modules("forensics.loaders.documents") if hasattr(module, "zone_of")]
    told: dict[str, str] = {}
    for file in files:
        if not file.refusal and 0 < file.size_bytes <= _LARGEST:
            with contextlib.suppress(EvidenceError), open_stream(file) as stream:
                head = stream.peek(_LARGEST)
                zone = next((zone for teller in tellers if (zone := teller(head, file.source)) is not None), None)
                if zone is not None:
                    told[file.source] = zone
    return told


def around(source: str) -> Iterator[str]:
    """Folders that hold a file, the innermost first; the last one is the evidence itself."""
    while source:
        source = source.rpartition("/")[0]
        yield source


def short(host: str) -> str:
    """A machine's name without its domain; an address as it is."""
    return host.lower() if re.fullmatch(r"[\d.]+", host) else host.lower().partition(".")[0]


def _one(told: set[str]) -> str | None:
    names = {zone for zone in told if zone_offset(zone) is None}
    if len(names) == 1:
        name = next(iter(names))
        _, known = transitions(name, _SINCE_S, _UNTIL_S)
        told = names if {zone_offset(zone) for zone in told - names} <= set(known.tolist()) else told
    return next(iter(told)) if len(told) == 1 else None
