"""Files of dnsmasq: its leases, and the hosts that nova-network and neutron give it."""

import re

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.records import InstancePort

_MAC = r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}"
_LEASE = re.compile(
    rf"(?P<expires>\d{{1,11}}) (?:[0-9a-f]{{2}}-)?(?P<mac>{_MAC}) (?P<ip>\d[\d.]{{6,14}}) (?P<host>\S+) \S+\s*$"
)
_LEASE_V6 = re.compile(r"duid [0-9a-f:]+\s*$|\d{1,11} T?\d{1,10} (?P<ip>[0-9a-f:]*:[0-9a-f:.]*) (?P<host>\S+) \S+\s*$")
_HOST = re.compile(
    rf"(?P<mac>{_MAC}),(?:(?:id|tag|set|net):[^,\s]+,)*(?P<host>[A-Za-z0-9][\w.\-]{{0,253}}),"
    r"(?P<ip>\d[\d.]{6,14}|\[[0-9a-f:.]+\])(?:,(?:net|set):(?P<tag>[\w.\-]+))?(?:,[\w.:\-]+)*\s*$"
)
_NEARLY_ALL = 0.75
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_PORT = re.compile(rf"(?:port-)?({_UUID})$")
_NETWORK = re.compile(rf"(?:^|/)dhcp/({_UUID})/")
_BRIDGE = re.compile(r"(?:^|[/ ])nova-([\w.\-]+?)\.(?:conf|leases)$")


def _share(head: Head, *patterns: re.Pattern[str]) -> float:
    """How sure it is where nearly all of the first lines are of these kinds, and one at least is of the first."""
    told = [line for line in head.lines if line.strip()][:200]
    if not any(patterns[0].match(line) for line in told):
        return 0.0
    share = sum(any(pattern.match(line) for pattern in patterns) for line in told) / len(told)
    return 0.97 * share if share >= _NEARLY_ALL else 0.0


def _place(document: Document) -> dict[str, str]:
    """What the path tells of all lines: neutron's network, or nova's bridge."""
    path = document.head.command or document.origin.source
    network, bridge = _NETWORK.search(path), _BRIDGE.search(path)
    return ({"network": network[1]} if network else {}) | ({"bridge": bridge[1]} if bridge else {})


def _read_leases(document: Document) -> None:
    """One row a lease. When it ends is no column: leases that ended are still held until the address is given away."""
    place = _place(document)
    for line, text in enumerate(document.lines):
        if found := _LEASE.match(text):
            document.add(InstancePort, line, mac=found["mac"].lower(), ip=found["ip"], state="leased", **place)
        elif found := _LEASE_V6.match(text):
            if found["ip"]:
                document.add(InstancePort, line, ip=found["ip"], state="leased", **place)
            else:
                document.skip(line)


def _read_hosts(document: Document) -> None:
    """One row for each address that is given to a hardware address."""
    place = _place(document)
    for line, text in enumerate(document.lines):
        if found := _HOST.match(text):
            port = _PORT.match(found["tag"] or "")
            address = found["ip"].strip("[]")
            document.add(
                InstancePort, line, mac=found["mac"].lower(), ip=address, port=port[1] if port else None,
                state="reserved", **place,
            )  # fmt: skip


READERS = (
    DocumentFormat(
        name="dnsmasq-leases",
        records=(InstancePort,),
        reference="dnsmasq src/lease.c, lease_update_file(), 2.45 to 2.90",
        recognise=lambda head: _share(head, _LEASE, _LEASE_V6),
        read=_read_leases,
        chunked=True,
    ),
    DocumentFormat(
        name="dnsmasq-hosts",
        records=(InstancePort,),
        reference="openstack/nova nova/network/linux_net.py, _host_dhcp(), 2011.1 to 21; openstack/neutron "
        "neutron/agent/linux/dhcp.py, _output_hosts_file(), Folsom to 2025.1",
        recognise=lambda head: _share(head, _HOST),
        read=_read_hosts,
        chunked=True,
    ),
)
