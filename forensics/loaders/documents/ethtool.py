"""Output of `ethtool IFACE` and `ethtool -i IFACE`."""

from __future__ import annotations

import re
from typing import Any

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._network import NAME, skip_left_out, subject
from forensics.records import HostInterface

_SETTINGS = re.compile(rf"^Settings for (?P<name>{NAME}):\s*$")
_FACT = re.compile(r"^\s{0,8}(?P<key>[A-Za-z][\w /.-]{1,60}?):(?:\s{0,20}(?P<value>\S.*))?$")
_SPEED = re.compile(r"^(?P<mbps>\d{1,7})\s?Mb/s$")
_NO_DATA = re.compile(r"^\s*(?:Cannot get .{1,80}|No data available)\s*$")
UNNAMED = "?"
"""Name of an interface that neither the command nor the document tells."""


def _settings(document: Document) -> None:
    skip_left_out(document)
    lines = [line[:300].rstrip() for line in document.lines]
    at = 0
    while at < len(lines):
        end = at + 1
        if found := _SETTINGS.match(lines[at]):
            facts: dict[str, str] = {}
            while end < len(lines) and lines[end].strip() and (lines[end][0].isspace() or _NO_DATA.match(lines[end])):
                fact = _FACT.match(lines[end])
                if fact:
                    facts.setdefault(fact["key"], fact["value"] or "")
                end += 1
            document.add(HostInterface, at, end - at, interface=found["name"], **_row(facts))
        elif _NO_DATA.match(lines[at]):
            document.skip(at)
        at = end


def _row(facts: dict[str, str]) -> dict[str, Any]:
    speed = _SPEED.match(facts.get("Speed", ""))
    duplex = facts.get("Duplex", "").lower()
    return {
        "speed_mbps": int(speed["mbps"]) if speed else None,
        "duplex": duplex if duplex in ("full", "half") else None,
        "carrier": {"yes": True, "no": False}.get(facts.get("Link detected", "").split(" ")[0]),
    }


def _driver(document: Document) -> None:
    told = {at: fact for at, line in enumerate(document.lines) if (fact := _FACT.match(line[:300].rstrip()))}
    if not told:
        return
    facts = {fact["key"]: fact["value"] or "" for fact in told.values()}
    driver = " ".join(filter(None, (facts.get("driver"), facts.get("version"))))
    name = subject(document.head.command, "ethtool") or UNNAMED
    document.add(HostInterface, min(told), max(told) - min(told) + 1, interface=name, driver=driver or None)


def _is_settings(head: Head) -> float:
    first = head.first[:300]
    if _SETTINGS.match(first):
        return 0.98
    return 0.9 if _NO_DATA.match(first) and any(_SETTINGS.match(line[:300]) for line in head.lines[:6]) else 0.0


def _is_driver(head: Head) -> float:
    if not head.first.startswith("driver: "):
        return 0.0
    return 0.97 if any(line.startswith(("bus-info:", "firmware-version:")) for line in head.lines[:8]) else 0.0


_REFERENCE = "ethtool 2.6 to 6.x, ethtool.c, netlink/settings.c"
READERS = (
    DocumentFormat("ethtool", (HostInterface,), _REFERENCE, _is_settings, _settings),
    DocumentFormat("ethtool-driver", (HostInterface,), _REFERENCE, _is_driver, _driver),
)
