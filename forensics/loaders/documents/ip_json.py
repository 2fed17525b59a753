"""Output of `ip -json addr` and `ip -json link`, compact or pretty, with and without details."""

from __future__ import annotations

from typing import Any

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._network import (
    ip_of,
    mac_of,
    member_traits,
    merged,
    namespace_in,
    namespace_of,
    prefixed,
    skip_left_out,
    traits,
    vlan_of,
    whole,
)
from forensics.loaders.documents._trees import objects
from forensics.records import HostInterface

_OWN = ('"qdisc"', '"operstate"', '"addr_info"', '"link_type"', '"linkmode"')


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def described(device: dict[str, Any]) -> list[dict[str, Any]]:
    """Columns of an interface, and of the virtual functions that it lists."""
    name = _text(device.get("ifname"))
    if name is None:
        return []
    peer_index = whole(device.get("link_index"))
    parent = _text(device.get("link")) or (f"if{peer_index}" if peer_index else None)
    info = _mapping(device.get("linkinfo"))
    kind = _text(info.get("info_kind"))
    data, member = _mapping(info.get("info_data")), _mapping(info.get("info_slave_data"))
    if "info_slave_data" in info or "info_slave_kind" in info:
        slave = member_traits(_text(info.get("info_slave_kind")), member.get)
    else:
        slave = {}
    flags = [flag for flag in _listed(device.get("flags")) if isinstance(flag, str)]
    vlan_id = vlan_of(name, parent) if kind in (None, "vlan") else None
    if kind == "bond":
        data = {"ad_aggregator": _mapping(data.get("ad_info")).get("aggregator"),
                "ad_partner_mac": _mapping(data.get("ad_info")).get("partner_mac"), **data}  # fmt: skip
    far = device.get("broadcast") if device.get("link_type") not in ("ether", "loopback") else None
    own: dict[str, Any] = {
        "interface": name,
        "index": whole(device.get("ifindex")),
        "parent": parent,
        "kind": kind or ("vlan" if vlan_id is not None else None),
        "mtu_bytes": whole(device.get("mtu")),
        "master": _text(device.get("master")),
        "state": _text(device.get("operstate")),
        "carrier": "LOWER_UP" in flags and "NO-CARRIER" not in flags if "flags" in device else None,
        "flags": flags if "flags" in device else None,
        "mac": mac_of(device.get("address")),
        "permanent_mac": mac_of(device.get("permaddr")),
        "remote_ip": ip_of(far),
        "addresses": _addresses(device),
        "qdisc": _text(device.get("qdisc")),
        "peer": parent if kind == "veth" else None,
    }
    below = {"parent": _text(data.get("link"))} if kind in ("vxlan", "geneve") else {}
    functions = (_virtual(name, _mapping(one)) for one in _listed(device.get("vfinfo_list")))
    return [merged(own, traits(kind, data.get), below, slave, {"vlan_id": vlan_id}), *filter(None, functions)]


def _addresses(device: dict[str, Any]) -> list[str] | None:
    found: list[str] = []
    for one in map(_mapping, _listed(device.get("addr_info"))):
        said, length = _text(one.get("local")), whole(one.get("prefixlen"), 128)
        found += filter(None, [prefixed(said if length is None else f"{said}/{length}") if said else None])
    return found or None


def _virtual(name: str, one: dict[str, Any]) -> dict[str, Any] | None:
    number = whole(one.get("vf"))
    if number is None:
        return None
    tags = [_mapping(tag).get("vlan") for tag in _listed(one.get("vlan_list"))] or [one.get("vlan")]
    mac = mac_of(one.get("mac")) or mac_of(one.get("address"))
    row = {"interface": f"{name} vf {number}", "kind": "vf", "parent": name, "mac": mac}
    return {**row, "vlan_id": whole(tags[0], 4095) or None}


def _read(document: Document) -> None:
    namespaces = [(at, found) for at, line in enumerate(document.lines) if (found := namespace_in(line))]
    of_command = namespace_of(document.head.command)
    for at, _ in namespaces:
        document.skip(at)
    skip_left_out(document)
    for device, first, count in objects(document):
        above = [found for at, found in namespaces if at < first] if namespaces else []
        rows = described(device)
        for row in rows:
            document.add(HostInterface, first, count, **row, namespace=above[-1] if above else of_command)
        if not rows and not any(device.values()):
            document.skip(first, count)


def _recognise(head: Head) -> float:
    if not any(line.lstrip()[:1] in ("[", "{") for line in head.lines[:20]):
        return 0.0
    text = "\n".join(head.lines)[:20_000]
    if '"ifname"' not in text or '"ifindex"' not in text:
        return 0.0
    return 0.97 if any(word in text for word in _OWN) else 0.0


READERS = (
    DocumentFormat(
        name="ip-json",
        records=(HostInterface,),
        reference="iproute2 4.13 to 6.x, ip/ipaddress.c, option -json",
        recognise=_recognise,
        read=_read,
    ),
)
