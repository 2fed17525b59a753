"""Which machine each file of a case comes from: what files of that machine say, then what the path says."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence

from forensics._discovery import modules
from forensics.case._zones import Zones, around, short
from forensics.errors import EvidenceError
from forensics.evidence import EvidenceFile, host_of, open_stream

_LARGEST = 4096
_NAMED = re.compile(r"(?:hostname|hostnamectl|uname)[^/]{0,16}$")
_DATED = re.compile(r"(?:^|/)date[^/]{0,12}$")
_HOUR_NS = 3600 * 10**9
_CONTAINER_ID = re.compile(r"^[\da-f]{12}$")


class Hosts:
    """Machines of a folder of evidence.

    A file such as ``etc/hostname`` speaks for the folder that holds ``etc`` and for all that lies in it; a folder
    further in that is named like another machine (logs that a server collected) stays that machine's. Where the path
    has the same name in its short or full form, the path's form is kept.

    Args:
        told: Folders, and the machines that files in them name.
    """

    def __init__(self, told: Mapping[str, str]) -> None:
        self._told = dict(told)

    def of(self, source: str) -> str | None:
        """The machine that a file comes from; None where nothing tells."""
        named = host_of(source)
        for folder in around(source):
            if (told := self._told.get(folder)) is None:
                continue
            outer = {host_of(f"{folder}/x"), host_of(f"{folder}/var/log/x")} if folder else set[str | None]()
            if named is not None and named not in outer:
                return named
            if named is not None and short(named) == short(told):
                return named
            return told
        return named


def told_hosts(files: Sequence[EvidenceFile]) -> tuple[Hosts, dict[str, str]]:
    """What files such as ``etc/hostname`` say: the machines, and which file names which."""
    readers = [module for module in modules("forensics.loaders.documents") if hasattr(module, "host_of_document")]
    named: dict[str, set[str]] = {}
    by_source: dict[str, str] = {}
    for file in files:
        if file.refusal or not 0 < file.size_bytes <= _LARGEST or not _NAMED.search(file.source):
            continue
        with contextlib.suppress(EvidenceError), open_stream(file) as stream:
            head = stream.peek(_LARGEST)
            told = next((told for one in readers if (told := one.host_of_document(head, file.source))), None)
            if told is not None and not _CONTAINER_ID.match(told[1]):
                machine = host_of(f"{told[1]}/var/log/x") or told[1]
                named.setdefault(told[0], set()).add(machine)
                by_source[file.source] = machine
    agreed = {
        folder: max(sorted(machines), key=len)
        for folder, machines in named.items()
        if len({short(machine) for machine in machines}) == 1
    }
    return Hosts(agreed), by_source


def told_instants(files: Sequence[EvidenceFile], zones: Zones, hosts: Hosts) -> dict[str, int]:
    """When folders were taken down, where a file of theirs holds the output of ``date``: nanoseconds since 1970.

    A folder with two dates that are more than an hour apart tells nothing.
    """
    readers = [module for module in modules("forensics.loaders.documents") if hasattr(module, "taken_of")]
    found: dict[str, list[int]] = {}
    for file in files:
        if file.refusal or not 0 < file.size_bytes <= _LARGEST or not _DATED.search(file.source):
            continue
        with contextlib.suppress(EvidenceError), open_stream(file) as stream:
            head, zone = stream.peek(_LARGEST), zones.of(file.source, hosts.of(file.source))
            told = next((told for one in readers if (told := one.taken_of(head, file.source, zone))), None)
            if told is not None:
                found.setdefault(told[0], []).append(told[1])
    return {folder: min(instants) for folder, instants in found.items() if max(instants) - min(instants) < _HOUR_NS}


def taken_at(source: str, told: Mapping[str, int]) -> int | None:
    """When the folder of a file was taken down: the innermost that tells."""
    return next((told[folder] for folder in around(source) if folder in told), None)
