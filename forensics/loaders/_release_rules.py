"""What tells an OpenStack release: layouts, loggers, wordings and versions, each with the releases that have it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RELEASES = (
    *(("Cactus", "2011-04"), ("Diablo", "2011-09"), ("Essex", "2012-04"), ("Folsom", "2012-09"), ("Folsom", "2012-11")),
    *(("Grizzly", "2013-04"), ("Havana", "2013-10"), ("Icehouse", "2014-04"), ("Juno", "2014-10"), ("Kilo", "2015-04")),
    *(("Liberty", "2015-10"), ("Mitaka", "2016-04"), ("Newton", "2016-10"), ("Ocata", "2017-02"), ("Pike", "2017-08")),
    *(("Queens", "2018-02"), ("Rocky", "2018-08"), ("Stein", "2019-04"), ("Train", "2019-10"), ("Ussuri", "2020-05")),
    *(("Victoria", "2020-10"), ("Wallaby", "2021-04"), ("Xena", "2021-10"), ("Yoga", "2022-03"), ("Zed", "2022-10")),
    *(
        ("2023.1", "2023-03"),
        ("2023.2", "2023-10"),
        ("2024.1", "2024-04"),
        ("2024.2", "2024-10"),
        ("2025.1", "2025-04"),
    ),
    *(("2025.2", "2025-10"), ("2026.1", "2026-04")),
)


@dataclass(frozen=True, slots=True)
class Name:
    """How a release is called alone, as the beginning and as the end of a range."""

    stem: str
    alone: str
    begins: str
    ends: str


NAMES = tuple(
    Name(name, "Folsom 2012.2", "Folsom", "Folsom 2012.2")
    if (name, date) == ("Folsom", "2012-09")
    else Name(name, "Folsom 2012.2.1 or later", "Folsom 2012.2.1", "Folsom")
    if name == "Folsom"
    else Name(name, name, name, name)
    for name, date in _RELEASES
)
"""In order. 2012.2.1 changed the layout of lines, so that Folsom counts as two."""
LAST = len(_RELEASES) - 1
DATED = tuple((number, date) for number, (name, date) in enumerate(_RELEASES) if date != "2012-11")
"""Months of release; the first one after a line's date is the newest that could be run then, from trunk."""
_BY_NAME = {name: number for number, (name, _) in enumerate(_RELEASES)} | {"Folsom": 3, "Folsom 2012.2.1": 4}


@dataclass(frozen=True, slots=True)
class Rule:
    """What a line shows, and the first and last release (numbers in `NAMES`) that show it."""

    first: int
    last: int
    words: str


def _rule(first: str | None, last: str | None, words: str) -> Rule:
    ends = {"Folsom": _BY_NAME["Folsom 2012.2.1"], "Folsom 2012.2": _BY_NAME["Folsom"]}
    newest = LAST if last is None else ends.get(last, _BY_NAME.get(last, LAST))
    return Rule(0 if first is None else _BY_NAME[first], newest, words)


SERVICES = (
    r"^(nova|neutron|quantum|cinder|glance|keystone|heat|ceilometer|trove|ironic|sahara|designate|barbican|manila|magnum|"
    r"octavia|placement|aodh|mistral|murano|zaqar|swift|oslo[a-z]*|keystonemiddleware|neutronclient|quantumclient)(?:[._]|$)"
)
"""First parts of the loggers of OpenStack; other Python programs write lines of the same layout."""
IDENTITY = r"^(?:[0-9a-f]{32}|[0-9a-f]{64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{1,6})$"
"""Keystone's ids; where names stand instead, a format string of the site (or devstack's) laid out the line."""

_Shape = tuple[tuple[str, str], Rule]


def _shape(nova: tuple[str, str | None], other: tuple[str, str | None], what: str, words: str) -> tuple[_Shape, ...]:
    return (("nova", what), _rule(*nova, words)), (("other", what), _rule(*other, words))


# openstack/nova nova/log.py @ 2011.2 to 2012.1, nova/openstack/common/log.py @ 2012.2 to 2014.2; openstack/oslo.log
# oslo_log/_options.py. Other projects copied the module at other times: one release more on either side.
SHAPES: dict[str, tuple[_Shape, ...]] = {
    "oslo-cactus": _shape(("Cactus", "Cactus"), ("Cactus", "Diablo"), "any", "a request id of twenty characters"),
    "oslo-diablo": (
        *_shape(("Diablo", "Diablo"), ("Diablo", "Essex"), "known", "a request id without req-"),
        *_shape(("Diablo", "Diablo"), ("Diablo", "Essex"), "asked", "a request id without req-"),
        *_shape(("Cactus", "Diablo"), ("Cactus", "Essex"), "none", "milliseconds behind a comma"),
    ),
    "openstack-diablo-trace": _shape(("Cactus", "Diablo"), ("Cactus", "Essex"), "any", "(logger): TRACE:"),
    "openstack-named": _shape(("Essex", "Folsom"), ("Essex", "Grizzly"), "any", "(logger): in front of the stamp"),
    "openstack-log-format": _shape(("Essex", "Havana"), ("Essex", "Havana"), "any", "the logger in brackets"),
    "oslo-essex": (
        *_shape(("Essex", "Folsom"), ("Essex", "Grizzly"), "known", "no milliseconds in a request line"),
        *_shape(("Essex", "Folsom"), ("Essex", "Grizzly"), "asked", "no milliseconds in a request line"),
        *_shape(("Essex", "Folsom 2012.2"), ("Essex", "Grizzly"), "none", "no milliseconds and no pid in a [-] line"),
    ),
    "oslo-folsom": _shape(
        ("Folsom 2012.2.1", "Folsom"), ("Folsom", "Grizzly"), "none", "a pid and no milliseconds in a [-] line"
    ),
    "oslo-grizzly": _shape(
        ("Grizzly", "Grizzly"), ("Folsom", "Havana"), "known", "milliseconds and no pid in a request line"
    ),
    "oslo-havana": (
        *_shape(("Havana", "Icehouse"), ("Grizzly", "Juno"), "known", "pid, user and project in a request line"),
        *_shape(("Grizzly", None), ("Folsom", None), "none", "milliseconds and a pid in a [-] line"),
    ),
    "oslo-juno": _shape(("Juno", "Kilo"), ("Icehouse", "Kilo"), "any", "no identity in a request line"),
    # distributions kept this layout for years after 4.8 had replaced it
    "oslo-kilo": _shape(("Kilo", None), ("Juno", None), "any", "five ids of identity in a request line"),
    "oslo-zed": _shape(("Zed", None), ("Zed", None), "any", "a global request id and six ids in a request line"),
    # devstack e123edee, 2017-05
    "oslo-devstack": _shape(("Pike", None), ("Pike", None), "any", "devstack's global request id"),
}
MARKS = {
    "trace": _rule("Essex", "Kilo", "a traceback of level TRACE"),
    "audit": _rule(None, "Kilo", "level AUDIT"),
    "error-trace": _rule("Liberty", None, "a traceback of level ERROR, each line with a header"),  # oslo.log 1.2.0
    "none": _rule("Juno", "Juno", "[req-… None]"),  # nova b29443b7f5
    "python 2.6": _rule(None, "Juno", "Python 2.6"),
    "python 2.7": _rule(None, "Train", "Python 2.7"),
    "python 3": _rule("Newton", None, "Python 3"),
}

LOGGERS = tuple(
    (pattern, _rule(first, last, words))
    for pattern, first, last, words in (
        (r"^nova\.(?:api\.)?ec2(?:\.|$)", None, "Liberty", "the EC2 API inside nova"),  # removed: 4140eb4004
        (r"^nova\.osapi_volume\.|^nova\.volume\.(?:manager|driver)", None, "Folsom", "nova-volume"),
        (r"^nova\.(?:osapi_compute|ec2|metadata)\.wsgi\.server$", "Folsom", None, "logger of an API's own server"),
        (r"^nova\.rpc\.(?:common|amqp|impl_)", "Diablo", "Essex", "nova.rpc"),
        (r"^nova\.openstack\.common\.rpc\b", "Folsom", "Havana", "nova.openstack.common.rpc"),
        (r"^(?!nova)\w+\.openstack\.common\.rpc\b", "Folsom", "Icehouse", "openstack.common.rpc"),
        (r"^nova\.openstack\.common\.(?:lockutils|processutils)$", "Folsom", "Juno", "nova.openstack.common"),
        (r"^\w+\.openstack\.common\.(?:service|periodic_task|loopingcall|threadgroup)$", "Folsom", "Kilo",
         "openstack.common.service and its like"),
        (r"^oslo\.messaging\b", "Icehouse", None, "oslo.messaging"),
        (r"^oslo_(?:messaging|concurrency|db|config|policy)\b", "Kilo", None, "an oslo library by its new name"),
        (r"^oslo_service\b", "Liberty", None, "oslo_service"),
        (r"^quantum(?:client)?\b", None, "Grizzly", "quantum"),
        (r"^neutron(?:client)?\b", "Havana", None, "neutron"),
        (r"^nova\.virt\.libvirt\.connection$", None, "Essex", "nova.virt.libvirt.connection"),
        (r"^nova\.virt\.libvirt\.driver$", "Folsom", None, "nova.virt.libvirt.driver"),
        (r"^nova\.virt\.libvirt\.imagecache$", "Essex", None, "nova.virt.libvirt.imagecache"),
        (r"^nova\.api\.openstack\.placement\b", "Newton", "Stein", "placement inside nova"),
        (r"^placement\.", "Stein", None, "placement on its own"),
        (r"^nova\.api\.openstack\.requestlog$", "Pike", None, "nova.api.openstack.requestlog"),
    )
)  # fmt: skip

# Loggers, the most rows that are looked through, and wordings. openstack/nova nova/virt/libvirt/imagecache.py @ 2012.1
# to 33.0.0; nova/wsgi.py @ 2013.1; openstack/oslo.service oslo_service/_options.py (two blanks before len:).
WORDINGS = tuple(
    (logger, most, tuple((pattern, _rule(first, last, words)) for pattern, first, last, words in wordings))
    for logger, most, wordings in (
        (
            r"^nova\.virt\.libvirt\.imagecache$",
            1 << 20,
            (
                (r"^[0-9a-f-]{32,36} \(/[^)]*\): ", "Essex", "Folsom", "an image in front of (its file)"),
                (r"^image [0-9a-f-]{32,36} at \(/", "Grizzly", None, "image … at (its file)"),
                (r"on other nodes sharing this instance storage", "Grizzly", "Ocata", "sharing this instance storage"),
                (r"^(?:Removing base file|Base file too young)", "Essex", "Juno", "Removing base file"),
                (r"^(?:Removing base or swap|Base or swap) file", "Kilo", "Victoria", "base or swap file"),
                (r"^(?:Removing base|Base), swap or ephemeral file", "Wallaby", None, "base, swap or ephemeral file"),
                (r"^Corrupt base files: ", "Essex", "Mitaka", "Corrupt base files"),
            ),
        ),
        (
            r"^nova\.(?:osapi_compute|osapi_volume|ec2|metadata)\.wsgi\.server$",
            256,
            (
                (r'" status: \d{3} len: ', "Grizzly", None, "status: and len: in an access line"),
                (r' - - \[\d\d/\w{3}/\d{4} \d\d:\d\d:\d\d\] "', "Folsom", "Folsom", "eventlet's own access line"),
            ),
        ),
        (
            r"wsgi",
            256,
            ((r'" status: \d{3}  len: ', "Liberty", None, "two blanks before len: in an access line"),),
        ),
    )
)

VENV = r"/openstack/venvs/(?:nova|neutron|cinder|glance|keystone|heat|octavia)-(\d{2}\.\d+)"
"""OpenStack-Ansible, whose versions are nova's."""
_YEARS = {
    name: number
    for number, name in enumerate(
        ("2011.2", "2011.3", "2012.1", "2012.2", None, "2013.1", "2013.2", "2014.1", "2014.2", "2015.1")
    )
    if name is not None
}
_LIBERTY = {"nova": 12, "neutron": 7, "cinder": 7}
"""Version of Liberty, from which on each project counts alone, one a release."""


def of_version(project: str, version: str, words: str) -> Rule | None:
    """The rule that a service's version makes: ``2013.1.3``, ``13.1.0-0.20…``, ``2:12.0.0``; None for no release.

    Examples:
        >>> NAMES[of_version("nova", "13.1.0-0.20160601", "").first].stem
        'Mitaka'
    """
    found = re.match(r"(?:\d:)?(\d{1,4})\.(\d{1,3})(?:\.(\d{1,3}))?", version)
    if found is None:
        return None
    number = _YEARS.get(f"{found[1]}.{found[2]}")
    if number is not None:
        number += int(number == _BY_NAME["Folsom"] and int(found[3] or 0) > 0)
    elif project in _LIBERTY and _LIBERTY[project] <= int(found[1]) < 100:
        number = _BY_NAME["Liberty"] + int(found[1]) - _LIBERTY[project]
    elif project == "nova" and found[1] in ("10", "11"):
        number = _BY_NAME["Kilo"] + int(found[1]) - 11
    return None if number is None or number > LAST else Rule(number, number, words)
