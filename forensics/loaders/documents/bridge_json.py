"""Output of iproute2's `bridge -json link`, `bridge -json vlan` and `bridge -json fdb`."""

from __future__ import annotations

from typing import Any

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._network import ip_of, mac_of, skip_left_out, whole
from forensics.loaders.documents._trees import objects
from forensics.records import ForwardingEntry, HostInterface

_NOT_LINK = ('"qdisc"', '"operstate"', '"addr_info"', '"link_type"')


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _words(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _show_link(document: Document) -> None:
    skip_left_out(document)
    for port, first, count in objects(document):
        flags = _words(port.get("flags"))
        if name := _text(port.get("ifname")):
            document.add(
                HostInterface, first, count, interface=name, index=whole(port.get("ifindex")), flags=flags,
                parent=_text(port.get("link")) or (f"if{peer}" if (peer := whole(port.get("link_index"))) else None),
                carrier="LOWER_UP" in flags and "NO-CARRIER" not in flags, mtu_bytes=whole(port.get("mtu")),
                master=_text(port.get("master")), mode=_text(port.get("state")), state=_text(port.get("operstate")),
            )  # fmt: skip


def _show_vlan(document: Document) -> None:
    skip_left_out(document)
    for found, first, count in objects(document):
        # until 4.19 one object had the ports as its keys
        ports = {found["ifname"]: found.get("vlans")} if isinstance(found.get("ifname"), str) else found
        for name, listed in ports.items():
            tags = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
            own = [whole(tag.get("vlan"), 4095) for tag in tags if "PVID" in _words(tag.get("flags"))]
            trunks: dict[int, None] = {}
            for tag in tags:
                vid, end = whole(tag.get("vlan"), 4095), whole(tag.get("vlanEnd"), 4095)
                if vid is not None and "Egress Untagged" not in _words(tag.get("flags")):
                    trunks.update(dict.fromkeys(range(vid, (end or vid) + 1)))
            row = {"interface": name, "vlan_id": own[0] if own else None, "trunks": list(trunks) or None}
            document.add(HostInterface, first, count, **row)


def _show_fdb(document: Document) -> None:
    skip_left_out(document)
    for found, first, count in objects(document):
        state, marks, bridge = _text(found.get("state")), _words(found.get("flags")), _text(found.get("master"))
        age = whole(found.get("updated"))
        document.add(
            ForwardingEntry, first, count, mac=mac_of(found.get("mac")), interface=_text(found.get("ifname")),
            bridge=bridge, vlan_id=whole(found.get("vlan"), 4095), remote_ip=ip_of(found.get("dst")),
            kind=state or ("self" if "self" in marks else "dynamic"), is_local=state == "permanent" if bridge else None,
            age_s=None if age is None else float(age),
        )  # fmt: skip


def _begins(head: Head) -> str:
    """The beginning of what may be JSON; empty where it is none."""
    return "\n".join(head.lines)[:8_000] if head.first.lstrip()[:1] in ("[", "{") else ""


def _is_link(head: Head) -> float:
    text = _begins(head)
    own = '"ifname"' in text and '"priority"' in text and '"cost"' in text
    return 0.96 if own and not any(word in text for word in _NOT_LINK) else 0.0


def _is_vlan(head: Head) -> float:
    text = _begins(head)
    return (
        0.96 if '"vlan"' in text and '"mac"' not in text and ('"vlans"' in text or '"Egress Untagged"' in text) else 0.0
    )


def _is_fdb(head: Head) -> float:
    text = _begins(head)
    return 0.96 if '"mac"' in text and '"ifname"' in text and '"flags"' in text and '"ifindex"' not in text else 0.0


_REFERENCE = "iproute2 4.13 to 6.x, bridge/{}.c, option -json"
READERS = (
    DocumentFormat("bridge-link-json", (HostInterface,), _REFERENCE.format("link"), _is_link, _show_link),
    DocumentFormat("bridge-vlan-json", (HostInterface,), _REFERENCE.format("vlan"), _is_vlan, _show_vlan),
    DocumentFormat("bridge-fdb-json", (ForwardingEntry,), _REFERENCE.format("fdb"), _is_fdb, _show_fdb),
)
