"""Cells of OpenStack's listings as values: ids, instants, addresses, what stands for nothing."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from collections.abc import Mapping
from typing import Any

from forensics.loaders.documents._wall import utc_of

_UUID = re.compile(r"[\da-fA-F]{8}-(?:[\da-fA-F]{4}-){3}[\da-fA-F]{12}")
_NOTHING = frozenset(("", "-", "None", "none", "null", "N/A", "n/a", "<none>", "{}", "[]"))
_MAC = re.compile(r"^[\da-f]{2}(?:[:-][\da-f]{2}){5}$")
_FIXED = re.compile(r"ip_address[\"']?\s*[=:]\s*u?[\"']?([\da-fA-F.:]{2,45})")
_TRUE = frozenset(("true", "up", ":-)", "yes", "alive", "1"))
_FALSE = frozenset(("false", "down", "xxx", "no", "dead", "0"))

Cells = Mapping[str, Any]


def text(cells: Cells, *names: str) -> str | None:
    """The first of the cells named that says something, as text."""
    for name in names:
        value = cells.get(name)
        if value is None:
            continue
        said = (
            value
            if isinstance(value, str)
            else json.dumps(value, ensure_ascii=False)
            if not_plain(value)
            else str(value)
        )
        said = said.strip()
        if said not in _NOTHING:
            return said
    return None


def not_plain(value: Any) -> bool:
    """Whether a value of JSON is a list or an object."""
    return isinstance(value, list | dict)


def uuid(cells: Cells, *names: str) -> str | None:
    """The first of the cells named that holds a uuid, in lower case, put together where it was wrapped."""
    for name in names:
        said = text(cells, name)
        found = _UUID.search(re.sub(r"\s*\n\s*", "", said)) if said else None
        if found:
            return found[0].lower()
    return None


def instant(cells: Cells, *names: str) -> int | None:
    """The first of the cells named that holds an instant; UTC, as OpenStack's interfaces tell them."""
    return next((at for name in names if (at := utc_of((text(cells, name) or "").replace("\n", ""))) is not None), None)


def yes(cells: Cells, *names: str) -> bool | None:
    """The first of the cells named that says yes or no."""
    for name in names:
        said = (text(cells, name) or "").lower()
        if said in _TRUE:
            return True
        if said in _FALSE:
            return False
    return None


def whole(cells: Cells, *names: str) -> int | None:
    """The first of the cells named that holds a whole number."""
    said = next((said for name in names if (said := text(cells, name)) and re.fullmatch(r"\d{1,18}", said)), None)
    return int(said) if said else None


def mac(cells: Cells, *names: str) -> str | None:
    """A hardware address."""
    said = (text(cells, *names) or "").lower()
    return said.replace("-", ":") if _MAC.match(said) else None


def address(said: str | None) -> str | None:
    """An address as people write it; None where it is none."""
    try:
        return str(ipaddress.ip_address((said or "").strip()))
    except ValueError:
        return None


def fixed_addresses(cells: Cells, *names: str) -> list[str]:
    """Addresses of a port."""
    said = text(cells, *names) or ""
    found = _FIXED.findall(said) or re.split(r"[,;\s]+", said)
    return [known for one in found if (known := address(one))]


def image_hash(image: str | None) -> str | None:
    """Name of the base file of an image: SHA-1 of its id (nova/virt/images.py, nova/virt/libvirt/imagecache.py)."""
    return hashlib.sha1(image.encode(), usedforsecurity=False).hexdigest() if image else None


def in_brackets(said: str | None) -> tuple[str | None, str | None]:
    """Name and id of ``cirros (5f1b…)``.

    Examples:
        >>> in_brackets("m1.tiny (1)"), in_brackets("m1.tiny"), in_brackets(None)
        (('m1.tiny', '1'), ('m1.tiny', None), (None, None))
    """
    if said is None:
        return None, None
    found = re.match(r"^(.*\S)\s*\(([^()]*)\)$", said.replace("\n", " "))
    return (found[1], found[2]) if found else (said.replace("\n", " "), None)


def networks(said: Any) -> list[tuple[str, list[str]]]:
    """Networks and their addresses, as all generations print them.

    Examples:
        >>> networks("private=10.0.0.2, 203.0.113.5; net2=fd00::2"), networks({"net": ["10.0.0.3"]})
        ([('private', ['10.0.0.2', '203.0.113.5']), ('net2', ['fd00::2'])], [('net', ['10.0.0.3'])])
    """
    if isinstance(said, dict):
        return [
            (str(name), [known for one in _listed(found) if (known := address(one))]) for name, found in said.items()
        ]
    if not isinstance(said, str):
        return []
    if said.startswith("{"):
        try:
            return networks(json.loads(said))
        except (ValueError, RecursionError):
            return []
    parts = [part.partition("=") for part in re.split(r"[;\n]\s*(?=[^=;\n]{1,255}=)|;\s*", said) if "=" in part]
    split = [
        (name.strip(), [known for one in re.split(r"[,\s]+", rest) if (known := address(one))])
        for name, _, rest in parts
    ]
    return [(name, found) for name, found in split if found]


def _listed(found: Any) -> list[str]:
    if not isinstance(found, list):
        return [str(found)]
    return [str(one.get("addr", "")) if isinstance(one, dict) else str(one) for one in found]
