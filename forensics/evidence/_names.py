"""What the path of a file of evidence tells: its host, its capture point, and its place in a rotation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from forensics.evidence._words import (
    CONTAINERS,
    COUNTED,
    DAEMONS,
    HOST_FOLDERS,
    KINDS,
    PRODUCTS,
    ROLES,
    SAYS_NOTHING,
    WORDS,
)

_CAPTURE = re.compile(r"\.(?:pcap|pcapng|cap|dmp|ntar)(?P<number>\d*)$", re.IGNORECASE)
_COMPRESSED = re.compile(r"\.(?:gz|xz|bz2|zst|zstd|lz4|Z)$")
_NUMBER = re.compile(r"(?<=.)\.(?P<number>\d{1,3}|old)$")
_ADDRESS = re.compile(r"^\d{1,3}(?:\.\d{1,3}){3}$")
_DATE = re.compile(
    r"""[-._](?P<year>19[789]\d|20\d\d)(?P<between>[-._]?)(?P<month>0[1-9]|1[0-2])(?P=between)(?P<day>[0-2]\d|3[01])
    (?:[-_.T\ @]?(?P<hour>[01]\d|2[0-3])(?:[-:.]?(?P<minute>[0-5]\d)(?:[-:.]?(?P<second>[0-5]\d))?)?Z?)?
    (?:-(?P<epoch_too>1\d{9}))?$""",
    re.VERBOSE,
)
_EPOCH = re.compile(r"[-._](?P<epoch>1\d{9})$")
_RING = re.compile(r"_(?P<ring>\d{5})$")
_EXTENSION = re.compile(r"(?<=[^.])\.[A-Za-z][A-Za-z0-9]{0,7}$")
_SECOND_NS = 1_000_000_000
_NAME_BYTES = 255
"""No file system takes a longer name (NAME_MAX); what is longer is the escaped label of no machine."""


@dataclass(frozen=True, slots=True)
class Series:
    """Files that are one log or one capture, cut into pieces by rotation."""

    stem: str
    """Path that all members have in common: without compression, rotation number and date."""
    order: tuple[int, int, int]
    """Sorts the members of a series, oldest first, as far as names tell."""
    rotated_on_ns: int | None
    """The date in the name, as UTC; the start of the day where it has no time. Nanoseconds since 1970."""
    is_capture: bool
    """Whether it is named like a packet capture."""


def series_of(source: str) -> Series:
    """Where a file stands in a rotation, by its name.

    Knows logrotate (``.1``, ``.2.gz``, ``-20130101``), Python's handlers (``.1``, ``.2013-01-01_00-00-00``),
    Loghub's collections (``.1.2017-05-16_13:53:08``), tcpdump's ``-C``, ``-G`` and ``-W`` and dumpcap's ring buffers.

    Examples:
        >>> names = ["n/nova.log", "n/nova.log.1", "n/nova.log.10.gz", "n/nova.log.2.gz"]
        >>> sorted(names, key=lambda name: series_of(name).order)
        ['n/nova.log.10.gz', 'n/nova.log.2.gz', 'n/nova.log.1', 'n/nova.log']
        >>> series_of("a/x.pcap12.gz")
        Series(stem='a/x.pcap', order=(1, 0, 12), rotated_on_ns=None, is_capture=True)
    """
    folder, slash, name = source.rpartition("/")
    stem, order, rotated_on_ns, is_capture = _rotation(name)
    return Series(folder + slash + stem, order, rotated_on_ns, is_capture)


def _rotation(name: str) -> tuple[str, tuple[int, int, int], int | None, bool]:
    plain = _COMPRESSED.sub("", name) or name
    capture = _CAPTURE.search(plain)
    if capture is None:
        older = _NUMBER.search(plain)  # logrotate turns captures by number, too
        capture = older and _CAPTURE.search(plain[: older.start()])
        if capture is None:
            return _log_rotation(plain)
        number = -1 - _count(older)
        plain = plain[: capture.end()]
    else:
        number = int(capture["number"] or 0)
    extension = plain[capture.start() : capture.start("number")]
    stem, at = _without_date(plain[: capture.start()])
    ring = _RING.search(stem)
    if ring is not None:
        stem, number = stem[: ring.start()], int(ring["ring"])
    if at is None:
        stem, at = _without_date(stem)
    return stem + extension, (1, at or 0, number), at, True


def _log_rotation(name: str) -> tuple[str, tuple[int, int, int], int | None, bool]:
    extension = ""
    stem, at = _without_date(name)
    if at is None and (found := _EXTENSION.search(name)):
        dated, inner = _without_date(name[: found.start()])  # nova-api-20130101.log
        if inner is not None:
            stem, at, extension = dated, inner, found[0]
    numbered = None if _ADDRESS.match(stem) else _NUMBER.search(stem)
    count = _count(numbered) if numbered else 0
    if numbered:
        stem = stem[: numbered.start()]
        if at is None:
            stem, at = _without_date(stem)
    if at is not None:
        return stem + extension, (0, at, -count), at, False
    return stem, (1, 0, -1 - count) if numbered else (2, 0, 0), None, False


def _count(match: re.Match[str] | None) -> int:
    if match is None:
        return 0
    return 1 if match["number"] == "old" else int(match["number"])


def _without_date(name: str) -> tuple[str, int | None]:
    """Cut a date off the end of a name; the date as nanoseconds since 1970."""
    found = _DATE.search(name)
    if found is not None and found.start() > 0:
        fields = [int(found[part] or 0) for part in ("year", "month", "day", "hour", "minute", "second")]
        try:
            at = int(datetime(*fields, tzinfo=UTC).timestamp()) * _SECOND_NS  # type: ignore[arg-type, misc]
        except ValueError:  # 31 February
            return name, None
        return name[: found.start()], int(found["epoch_too"]) * _SECOND_NS if found["epoch_too"] else at
    found = _EPOCH.search(name)
    if found is not None and found.start() > 0:
        return name[: found.start()], int(found["epoch"]) * _SECOND_NS
    return name, None


def capture_point(source: str) -> str:
    """The name of the place where a capture was taken: its path without what says nothing.

    Examples:
        >>> capture_point("evidence/pcap/monitor01/ens3.pcap2.gz"), capture_point("pcaps/compute47-bond0.pcapng")
        ('monitor01/ens3', 'compute47-bond0')
        >>> capture_point("x-2013-02-15_014018.pcap"), capture_point("x_00001_20130215014018.pcap")
        ('x', 'x')
    """
    *folders, name = source.split("/")
    folders = [_ARCHIVE.sub("", folder) for folder in folders]
    stem, _, _, is_capture = _rotation(name)
    found = (_CAPTURE if is_capture else _EXTENSION).search(stem)
    bare = (stem[: found.start()] if found else stem) or stem
    return "/".join([*(folder for folder in folders if folder.lower() not in SAYS_NOTHING), bare])


def host_of(source: str) -> str | None:
    """The machine that a path names, if it names one.

    A folder that looks like a machine wins over the file's own name, the innermost one over those around it.
    Services, products, dates and instances are no machines. A container of OpenStack-Ansible
    (``infra1_nova_api_container-1a2b3c4d``) stands for the machine it runs on, a unit of juju
    (``nova-compute-3``) for itself.

    Examples:
        >>> host_of("dair-ua-c03/nova.log"), host_of("logs/compute01/var/log/nova/nova-compute.log")
        ('dair-ua-c03', 'compute01')
        >>> host_of("var/log/kolla/nova/nova-api.log"), host_of("syslog"), host_of("ip_addr_compute47.txt")
        (None, None, 'compute47')
        >>> host_of("compute1/proc/net/vlan/config"), host_of("compute2.tar.gz/var/log/messages")
        ('compute1', 'compute2')
    """
    *folders, name = source.split("/")
    folders = [_ARCHIVE.sub("", folder) for folder in folders]  # an archive stands before its members as a folder does
    kernel = next((at for at, folder in enumerate(folders) if folder in ("proc", "sys")), len(folders))
    folders = [_machine(folder) for folder in folders[:kernel]]  # what the kernel shows names no machine below
    for folder in reversed(folders):
        if len(folder) <= _NAME_BYTES and (found := _SOS.match(folder)):
            return found["host"]
    if found := _RABBIT.match(name):
        return _machine(found["host"])
    for above, folder in pairwise(folders):
        if above.lower() in HOST_FOLDERS and _may_be_host(folder):
            return folder
    for at in range(len(folders) - 1, -1, -1):
        if len(folders[at]) <= _NAME_BYTES and (found := _UNIT.match(folders[at])):
            return found["host"]
        if folders[at + 1 : at + 3] == ["var", "log"] and _may_be_host(folders[at]):
            return folders[at]
        if host := _host_in(folders[at]):
            return host
    return _host_in_file(name) if kernel == source.count("/") else None


def _machine(folder: str) -> str:
    """The machine that a container runs on, where OpenStack-Ansible named it; otherwise the name as it is."""
    found = _CONTAINER.match(folder) if "container-" in folder and len(folder) <= _NAME_BYTES else None
    return found["host"] if found else folder


_ARCHIVE = re.compile(r"\.(?:tar(?:\.\w{1,4})?|t[gbx]z2?|tbz2|txz|zip)$", re.IGNORECASE)


def _any(words: frozenset[str]) -> str:
    return "|".join(sorted(words))


# sos: HOST.CASE-RANDOM-DIGEST (1.x), HOST-CASE-STAMP-DIGEST (2, 3), HOST-LABEL-CASE-DATE-RANDOM (3.4 and later)
_SOS = re.compile(
    r"^sosreport-(?P<host>.+?)(?:[-.]\d{5,})?(?:-(?:\d{4}-\d\d-\d\d|\d{8,14})(?:[-.].*)?|-\d{4,6}-[\da-f]{4,8}"
    r"|-(?=[a-f]*\d)[\da-f]{6})?(?:\.tar(?:\.\w+)?|\.t[gx]z)?$"
)
# OpenStack-Ansible names a container after its machine, its service and eight digits; other machines do not see it
_CONTAINER = re.compile(
    rf"^(?P<host>[A-Za-z0-9.]+(?:-[A-Za-z0-9.]+)*?)[-_](?:{_any(PRODUCTS | CONTAINERS)})"
    r"(?:[-_][a-z\d]+)*[-_]container-[\da-f]{8}$"
)
_UNIT = re.compile(rf"^(?:unit-)?(?P<host>(?:{_any(PRODUCTS)})(?:-[a-z]+)*-\d{{1,4}})$")
_UNIT_FILE = re.compile(r"^unit-[a-z\d-]+-\d+(?:\.log.*)?$")
_RABBIT = re.compile(r"^rabbit@(?P<host>[A-Za-z0-9.-]+?)(?:[-_](?:sasl|upgrade))?(?:\.log.*)?$")
_HOST_NAME = re.compile(r"^[A-Za-z0-9](?:[A-Za-z0-9.:-]{0,252}[A-Za-z0-9])?$")
_NO_HOST = re.compile(
    rf"""^(?:
        [\d._:\-T]+[kmg]?                         # a number, a date, a size; addresses are asked for before
        | [\da-f]{{8}}-[\da-f]{{4}}-.*              # a uuid
        | instance-[\da-f]{{8}}                     # libvirt's name of an instance
        | .*[-_]20\d\d\.\d                          # nova-2013.1: a release
        | rack[-_.]?\d+[a-z]?                     # but not rack1a-mgmt, a switch
        | (?:{_any(COUNTED)})[-_.]?\d.*          # incident-0215, region1
    )$""",
    re.VERBOSE | re.IGNORECASE,
)
_ROLE = re.compile(rf"(?:^|[-.])(?:{_any(ROLES)})\d*(?:$|[-.])", re.IGNORECASE)
_CONTROLLER = re.compile(r"(?:^|[-.])controller(?:$|[-.\d])", re.IGNORECASE)
_ROLE_NUMBER = re.compile(rf"(?:^|[-.])(?:{_any(ROLES)})-?\d+(?:$|[-.])", re.IGNORECASE)
_WORD_NUMBER = re.compile(r"(?:^|[-.])[A-Za-z]+\d+[a-z]?(?:$|[-.\d])")
_SERVICE = re.compile(rf"(?:^|-)(?:{_any(PRODUCTS)})(?:-(?:{_any(DAEMONS)}))*(?=-|$|\.conf\b)", re.IGNORECASE)
_WORD = re.compile(rf"^(?:{_any(WORDS)})[-.]|[-.](?:{_any(WORDS)})$", re.IGNORECASE)
_INTERFACE = re.compile(
    r"[-.](?:any|(?:bond|br|br-ex|eth|eno|em|ens|p\dp|qbr|qvb|qvo|tap|team|veth|virbr|vlan|vnet)\d[\w.]*|en[opsx]\w+"
    r"|br-(?:int|ex|tun|vlan)|(?:tap|qbr|qvb|qvo|qr|qg)-?[\da-f]{8}-[\da-f]{2})$",
    re.IGNORECASE,
)


def _may_be_host(name: str) -> bool:
    lower = name.lower()
    if lower in SAYS_NOTHING or lower in PRODUCTS or lower in KINDS or not _HOST_NAME.match(name):
        return False
    return bool(_ADDRESS.match(name)) or not _NO_HOST.match(name)


def _host_in(folder: str) -> str | None:
    """The machine after which a folder is named, if it looks like one."""
    name = _bare(_without_date(folder)[0])
    if not _may_be_host(name):
        return None
    if _ADDRESS.match(name) or _ROLE.search(name):
        return name
    return name if name[0].isalpha() and any(character.isdigit() for character in name) else None


def _host_in_file(name: str) -> str | None:
    """The machine that a file's name tells beside what the file is: ``compute47-ip-a.txt``, ``syslog.compute01``."""
    if len(name) <= _NAME_BYTES and _UNIT_FILE.match(name) and (found := _UNIT.match(name.partition(".")[0])):
        return found["host"]  # juju: the log of a unit
    stem, _, _, is_capture = _rotation(name)
    extension = (_CAPTURE if is_capture else _EXTENSION).search(stem)
    if extension and not _WORD_NUMBER.search(extension[0]):
        stem = stem[: extension.start()]
    for part in stem.split("_"):
        bare = _bare(part)
        place = _INTERFACE.sub("", bare)
        if not _may_be_host(place):
            continue
        if _ADDRESS.match(place) or _CONTROLLER.search(place):
            return place
        numbered = _ROLE_NUMBER.search(place) or (not is_capture and _WORD_NUMBER.search(place))
        if place[0].isalpha() and (numbered or place != bare):
            return place
    return None


def _bare(name: str) -> str:
    """A name without the services, commands and kinds of files that it mentions."""
    if len(name) > _NAME_BYTES:
        return ""
    before = ""
    name = _SERVICE.sub("", name).strip("-.")
    while name != before:
        before, name = name, _WORD.sub("", name).strip("-.")
    return name
