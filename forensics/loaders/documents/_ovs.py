"""What the listings of Open vSwitch share: maps as it prints them, and the types of its interfaces."""

from __future__ import annotations

import re
from typing import Any

from forensics.loaders.documents._network import ip_of, key_of

_PAIR = re.compile(r'([\w.-]{1,60})=("(?:[^"\\]|\\.)*"|[^,}\s]*)')
KINDS = {"internal": "ovs-internal", "system": None, "": None}


def pairs(said: str) -> dict[str, str]:
    """A map as Open vSwitch prints it.

    Examples:
        >>> pairs('{key="5", local_ip="10.0.0.1", out_key=flow}')
        {'key': '5', 'local_ip': '10.0.0.1', 'out_key': 'flow'}
    """
    return {key: value.strip('"') for key, value in _PAIR.findall(said[:100_000])}


def interface_row(kind: str, options: dict[str, str]) -> dict[str, Any]:
    """Columns that the type and the options of an interface fill."""
    return {
        "kind": KINDS.get(kind, kind),
        "tunnel_id": key_of(options.get("key") or options.get("out_key")),
        "remote_ip": ip_of(options.get("remote_ip")),
        "peer": options.get("peer") or None,
    }
