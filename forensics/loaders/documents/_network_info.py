"""What nova caches of an instance's network: JSON text of ``instance_info_caches.network_info``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import polars as pl

_MOST_OCTETS = 1 << 20
_EMPTY = ["", "[]", "null", "{}"]
_SCHEMA = {"row": pl.Int64(), "mac": pl.String(), "ip": pl.String(), "floating_ip": pl.String(), "port": pl.String(),
           "network": pl.String(), "bridge": pl.String(), "tap": pl.String()}  # fmt: skip


def interfaces(texts: pl.Series) -> pl.DataFrame:
    """Addresses of all interfaces, ``row`` being the index of the text; one row an address, or a bare interface.

    References:
        nova/network/model.py, Essex to 2026.1 (``VIF``); nova/network/manager.py before (pairs of network and info).

    Examples:
        >>> text = '[{"id": "p", "address": "FA:16:3E:00:00:01", "devname": "tapp", "network": {"id": "n", "bridge": '
        >>> text += '"br", "subnets": [{"ips": [{"address": "10.0.0.2", "floating_ips": [{"address": "9.9.9.9"}]}]}]}}]'
        >>> interfaces(pl.Series(["[]", text])).rows()
        [(1, 'fa:16:3e:00:00:01', '10.0.0.2', '9.9.9.9', 'p', 'n', 'br', 'tapp')]
    """
    full = (texts.is_not_null() & ~texts.is_in(_EMPTY) & (texts.str.len_bytes() <= _MOST_OCTETS)).arg_true()
    rows = [
        {"row": index, **found}
        for index, text in zip(full.to_list(), texts.gather(full).to_list(), strict=True)
        for found in _of(text)
    ]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row", strict=False)


def _of(text: str) -> Iterator[dict[str, str | None]]:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return
    for one in told if isinstance(told, list) else []:
        if isinstance(one, dict):
            yield from _interface(one)
        elif isinstance(one, list) and len(one) == 2 and all(isinstance(part, dict) for part in one):
            yield from _pair(*one)


def _interface(one: dict[str, Any]) -> Iterator[dict[str, str | None]]:
    network = _dict(one.get("network"))
    own = {
        "mac": _lower(one.get("address")),
        "port": _lower(one.get("id")),
        "network": _text(network.get("id")),
        "bridge": _text(network.get("bridge")),
        "tap": _text(one.get("devname")),
    }
    ips = [ip for subnet in _dicts(network.get("subnets")) for ip in _dicts(subnet.get("ips"))]
    for ip in ips:
        floating = [_text(each.get("address")) for each in _dicts(ip.get("floating_ips"))] or [None]
        for leading in floating:
            yield own | {"ip": _text(ip.get("address")), "floating_ip": leading}
    if not ips:
        yield own


def _pair(network: dict[str, Any], info: dict[str, Any]) -> Iterator[dict[str, str | None]]:
    own = {
        "mac": _lower(info.get("mac")),
        "port": _lower(info.get("vif_uuid")),
        "network": _text(network.get("id")),
        "bridge": _text(network.get("bridge")),
    }
    ips = [*_dicts(info.get("ips")), *_dicts(info.get("ip6s"))]
    for ip in ips:
        yield own | {"ip": _text(ip.get("ip"))}
    if not ips and own["mac"]:
        yield own


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, (str, int)) and value != "" else None


def _lower(value: Any) -> str | None:
    told = _text(value)
    return None if told is None else told.lower()
