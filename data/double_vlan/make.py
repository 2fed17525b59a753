#!/usr/bin/env python3
"""Make the double VLAN again: a tenant's tag on top of the uplink's, 4 octets too many, and two twins that are sound.

nova puts its tenants' VLANs on whatever `vlan_interface` names. Here it names vlan20, the data center's VLAN for the
way to the Internet, instead of bond0 below it. A tenant's frame then carries two tags, 20 outside and 100 inside, and
one with 1500 octets of IP is 1522 octets long where it meets a switch port whose MTU of 1500 has room for 1518:

    outside ───(VLAN 20)─── switch ──(trunk)── bond0 controller vlan20 198.51.100.2, br100 10.0.100.1
    eth0 198.51.100.9         │
                              └─(trunk, MTU 1500 for what comes in)── bond0 compute vnet0 ── eth0 web-1 10.0.100.5

The controller is the gateway, as in any cloud that is not multi-host, and everything passes its one bond twice: with
the tenant's tags before the routing, with VLAN 20's behind it, or the other way round. Captures were taken at
outside/eth0, controller/bond0, compute/bond0 and web-1/eth0. Both ends ping each other with IP packets of 1400 to 1500
octets, with DF and without, and somebody outside works on web-1 over TCP: `uptime` is answered, and so is `ps aux`
while few processes run; later it fills a segment, and the session hangs while new ones open as if nothing were wrong.

What is real: the packets, both hosts' TCP, ping's and tcpdump's part in it, tags pushed and popped by Open vSwitch in
user space (by flows on the hosts, by ports and learning on the switch), and each lost frame. It is lost where the
kernel hands it to an interface whose MTU it outgrows (`is_skb_forwardable`: MTU, Ethernet header, one tag); that
interface's counter must agree with tshark's comparison of the captures, or the run is refused. The tenant's broadcasts
that show up outside are real as well: the switch takes VLAN 20's tag off at the uplink's port, as it should, and what
is left has tag 100. What is arranged:

- No clock agrees with another: the captures of controller, compute and web-1 are moved by `editcap -t` (+3.4, -2.25 and
  +0.75 s), and `date` on controller and compute runs under libfaketime. Both live in America/Vancouver.
- The switch looks at the size of frames that come in, and only at the port of compute; the hosts' cables have room to
  spare, as vlan devices hand down what they are given whatever the MTU below. So all loss is on the way from compute.
- The uplink's port is a dot1q-tunnel: Open vSwitch keeps frames with a second tag from an access port, other switches
  take off one tag and send the rest.
- The capture of compute kept 96 octets of each packet. Offloads are off: the captures show what the wire carries.
- The session is Python's (session.py) on port 22, so that no key exchange meets the fault before the login does.
- web-1 pings a neighbour that has been terminated, which makes it ask by ARP, in vain, every few seconds.

What is rendered (rendered.py): the hosts' `ip -d link`, `ip a` and /proc/net/vlan/config in iproute2's and the kernel's
layout, since the lab does without 8021q and bonding; nova.conf, after nova's own of Folsom. They state what the flows
do.

`healthy` has vlan_interface=bond0: one tag, 1518 octets, nothing lost, same traffic. `qinq` stacks on purpose, and with
room: tenants travel in the provider's service VLAN 200 (0x88a8), bond and switch port have an MTU of 1504.

Run as root: `python3 make.py [--half guilty|healthy|qinq|all] [--out FOLDER]`, about a minute each. Everything lives
in namespaces that end with this process, however it ends; only FOLDER and a temporary folder are written.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `python -P` leaves both out
sys.path.insert(0, str(Path(__file__).resolve().parent))

from _lab import FAKETIME, cable, main, pack
from counted import truth
from hosts import ROOM, SCHEMA, Host, ended
from rendered import Tags, card, devices, ip_address, ip_link, nova_conf, vlan_config

OUTSIDE, CONTROLLER, GATEWAY, INSTANCE = "198.51.100.9", "198.51.100.2", "10.0.100.1", "10.0.100.5"
COMPUTE, GONE = "198.51.100.3", "10.0.100.6"  # GONE: an instance that was terminated
MACS = {"controller": "00:25:90:3a:5c:10", "compute": "00:25:90:3a:5d:44", "outside": "00:1c:73:0b:22:01"}
INSTANCE_MAC, TAP_MAC = "fa:16:3e:24:e7:22", "fe:16:3e:24:e7:22"
NOVA = ("controller", "compute")
ZONE = "America/Vancouver"  # of the hosts of NOVA
AHEAD_S = {"outside": 0.0, "controller": 3.4, "compute": -2.25, "web-1": 0.75}
WHOLE = 262144
POINTS = {
    "outside": ("eth0", WHOLE), "controller": ("bond0", WHOLE), "compute": ("bond0", 96), "web-1": ("eth0", WHOLE),
}  # fmt: skip
SIZES = (1400, 1420, 1440, 1460, 1480, 1490, 1494, 1495, 1496, 1497, 1498, 1499, 1500)  # IP total length
SESSIONS = (("uptime", "ls /usr", "ps aux"), ("uptime", "ps aux"), ("uptime", "ls /usr"))
WORKERS = 30  # processes on web-1: their lines make `ps aux` outgrow a segment
TENANT = 100
HALVES = {
    "guilty": Tags("vlan20", 20, 0x8100, 1500),
    "healthy": Tags("bond0", None, 0x8100, 1500),
    "qinq": Tags("vlan200", 200, 0x88A8, 1504),
}
TITLES = {
    "guilty": "Instances lock up now and then",
    "healthy": "Instances under the same load",
    "qinq": "Instances behind a provider's network",
}

PACKAGES = {
    "ip": "iproute2", "tc": "iproute2", "unshare": "util-linux", "nsenter": "util-linux", "mount": "mount",
    "ethtool": "ethtool",
    "ovs-vswitchd": "openvswitch-switch", "ovsdb-server": "openvswitch-switch", "ovs-vsctl": "openvswitch-common",
    "ovs-ofctl": "openvswitch-common", "ovsdb-tool": "openvswitch-common", SCHEMA: "openvswitch-switch",
    "tcpdump": "tcpdump", "ping": "iputils-ping", "ps": "procps", "pkill": "procps", "tshark": "tshark",
    "editcap": "wireshark-common", FAKETIME: "libfaketime", f"/usr/share/zoneinfo/{ZONE}": "tzdata",
}  # fmt: skip


def incident(tags: Tags, work: Path) -> tuple[dict[str, str], int]:
    """Run one half and leave its captures in `work`; returns what `date` said on the hosts, and the frames dropped."""
    with ExitStack() as stack:
        hosts = {
            name: stack.enter_context(closing(Host(name, work, ZONE if name in NOVA else "UTC", ahead_s)))
            for name, ahead_s in (*AHEAD_S.items(), ("switch", 0.0))
        }
        outside, controller, compute, instance, switch = hosts.values()
        lay_cables(hosts)
        for host in (controller, compute, switch):
            host.vswitch()
        connect(tags, controller, compute, switch)
        outside.run("ip", "addr", "add", f"{OUTSIDE}/24", "brd", "198.51.100.255", "dev", "eth0")
        outside.run("ip", "route", "add", "10.0.100.0/24", "via", CONTROLLER)
        instance.run("ip", "addr", "add", f"{INSTANCE}/24", "brd", "10.0.100.255", "dev", "eth0")
        for name, (interface, snaplen) in POINTS.items():
            hosts[name].tcpdump(interface, snaplen)
        time.sleep(2)
        instance.run("ip", "route", "add", "default", "via", GATEWAY)
        traffic(outside, instance)
        for name in POINTS:
            hosts[name].stop("tcpdump")
        time.sleep(1)
        return {host.name: host.date() for host in (controller, compute)}, switch.dropped("giants0")


def lay_cables(hosts: dict[str, Host]) -> None:
    """Connect the hosts' cards to the switch, and the switch's check of frame sizes to itself."""
    outside, controller, compute, instance, switch = hosts.values()
    for host, port in ((outside, "swp1"), (controller, "swp2"), (compute, "swp3")):
        card = "eth0" if host is outside else "bond0"
        cable(host, card, switch, port)
        host.card(card, MACS[host.name], "1500" if host is outside else ROOM)
        switch.card(port, f"02:00:00:00:00:0{port[-1]}", ROOM)
    cable(instance, "eth0", compute, "vnet0")
    instance.card("eth0", INSTANCE_MAC)
    compute.card("vnet0", TAP_MAC)
    cable(switch, "giants0", switch, "giants1")


def connect(tags: Tags, controller: Host, compute: Host, switch: Host) -> None:
    """Put the tags where the half has them: on hosts as the kernel's vlan devices would, on the switch by its ports."""
    switch.card("giants0", "02:00:00:00:00:0a", ROOM)
    switch.card("giants1", "02:00:00:00:00:0b", str(tags.bond_mtu))
    trunks = f"trunks=20,{TENANT},200"
    inside = ("--", "set", "interface")
    uplink = ("swp1", "tag=20", "vlan_mode=dot1q-tunnel", "other_config:qinq-ethtype=802.1q")
    check = ("to3", trunks, *inside, "to3", "type=patch", "options:peer=from3")
    switch.bridge("tor", uplink, ("swp2", trunks), check)
    switch.bridge("port3", ("swp3",), ("giants0",), ("giants1",),
                  ("from3", *inside, "from3", "type=patch", "options:peer=to3"))  # fmt: skip
    switch.flows("port3", "in_port=swp3,actions=output:giants0", "in_port=giants1,actions=output:from3",
                 "in_port=from3,actions=output:swp3")  # fmt: skip
    # without a queue (it removes what it finds) Open vSwitch hears of a drop, and drops the rest of its batch too
    switch.run("tc", "qdisc", "add", "dev", "giants0", "root", "pfifo", "limit", "1000")

    controller.bridge("host", ("bond0",), *((name, *inside, name, "type=internal", "mtu_request=1500")
                                            for name in ("vlan20", "br100")))  # fmt: skip
    for name, address in (("vlan20", CONTROLLER), ("br100", GATEWAY)):
        controller.run("ip", "link", "set", name, "address", MACS["controller"], "up")
        controller.run("ip", "addr", "add", f"{address}/24", "dev", name)
    compute.bridge("host", ("bond0",), ("vnet0",))

    pushed = f"push_vlan:0x8100,set_field:{0x1000 | TENANT}->vlan_vid"
    if tags.outer_vid is not None:
        pushed += f",push_vlan:{tags.outer_tpid:#06x},set_field:{0x1000 | tags.outer_vid}->vlan_vid"
    stacked = (f"in_port=bond0,dl_vlan={tags.outer_vid},actions=pop_vlan,resubmit(,1)",) if tags.outer_vid else ()
    for host, port in ((controller, "br100"), (compute, "vnet0")):
        only = stacked or (f"in_port=bond0,dl_vlan={TENANT},actions=pop_vlan,output:{port}",)
        host.flows("host", f"in_port={port},actions={pushed},output:bond0", *only,
                   f"table=1,dl_vlan={TENANT},actions=pop_vlan,output:{port}")  # fmt: skip
    routed = ["in_port=vlan20,actions=push_vlan:0x8100,set_field:4116->vlan_vid,output:bond0"]
    if tags.outer_vid == 20:
        routed.append("table=1,vlan_tci=0x0000/0x1fff,actions=output:vlan20")
    else:
        routed.append("in_port=bond0,dl_vlan=20,actions=pop_vlan,output:vlan20")
    for flow in routed:
        controller.run("ovs-ofctl", "-O", "OpenFlow14", "add-flow", "host", flow)


def traffic(outside: Host, instance: Host) -> None:
    """Ping both ways in all sizes while somebody works on the instance."""
    session = Path(__file__).with_name("session.py").read_text()
    for host in (outside, instance):
        host.run("sh", "-c", 'printf %s "$1" > /run/session.py', "sh", session)
    instance.start("python3", "/run/session.py", "serve")
    instance.start("ping", "-n", "-i", "5", GONE)
    time.sleep(2)
    talk = ("python3", "/run/session.py", "talk", INSTANCE)
    outside.run(*talk, "uptime", "ps aux")
    for _ in range(WORKERS):
        instance.start("sleep", "86400")
    sweeps = [instance.start("sh", "-c", sweep(OUTSIDE)), outside.start("sh", "-c", sweep(INSTANCE))]
    for commands in SESSIONS:
        outside.run(*talk, *commands)
    ended(sweeps, 240, "the pings")
    time.sleep(1)


def sweep(address: str) -> str:
    """A shell script: three requests of each size, with DF and without."""
    sizes = " ".join(str(size - 28) for size in SIZES)
    ping = f"ping -n -q -c 3 -i 0.2 -W 1 -s $size -M $df {address}"
    return f"for size in {sizes}; do for df in do dont; do {ping}; done; done"


def collect(half: str, work: Path, evidence: Path, dates: dict[str, str]) -> None:
    """Write the folder that an operator would hand over."""
    shutil.rmtree(evidence, ignore_errors=True)
    for name, (interface, _) in POINTS.items():
        (evidence / name).mkdir(parents=True)
        raw, moved = work / name / "log" / f"{interface}.pcap", work / f"{name}.pcap"
        subprocess.run(["editcap", "-F", "pcap", "-t", str(AHEAD_S[name]), raw, moved], check=True)
        pack(moved, evidence / name / f"{interface}.pcap.gz")
    tags = HALVES[half]
    shown = {
        "controller": devices(tags, MACS["controller"], (MACS["controller"], "00:25:90:3a:5c:11"),
                              {"vlan20": f"{CONTROLLER}/24", "br100": f"{GATEWAY}/24"}, None),
        "compute": devices(tags, MACS["compute"], (MACS["compute"], "00:25:90:3a:5d:45"),
                           {"vlan20": f"{COMPUTE}/24"}, TAP_MAC),
    }  # fmt: skip
    place(evidence / "outside" / "ip_-d_link.txt", ip_link(card(MACS["outside"])))
    for name, found in shown.items():
        conf = nova_conf(tags, CONTROLLER if name == "controller" else COMPUTE)
        place(evidence / name / "etc" / "nova" / "nova.conf", conf)
        place(evidence / name / "proc" / "net" / "vlan" / "config", vlan_config(found))
        place(evidence / name / "ip_-d_link.txt", ip_link(found))
        prompt = f"root@{name}:~# "
        typed = f"{prompt}date\n{dates[name]}\n{prompt}ip a\n{ip_address(found)}"
        typed += f"{prompt}grep vlan_interface /etc/nova/nova.conf\nvlan_interface={tags.parent}\n"
        place(evidence / name / "session.txt", typed)
    place(evidence / "case.toml", f'title = "{TITLES[half]}"\n')


def place(path: Path, text: str) -> None:
    """Write a text, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def make(half: str, out: Path) -> None:
    """Make one half: its evidence, and its truth beside it."""
    with tempfile.TemporaryDirectory(prefix="double_vlan_") as folder:
        dates, dropped = incident(HALVES[half], Path(folder))
        collect(half, Path(folder), out / half, dates)
    told = truth(out / half, HALVES[half], dropped, AHEAD_S, ZONE)
    (out / f"{half}.truth.json").write_text(json.dumps(told, indent=2) + "\n")
    print(f"{half}: {json.dumps(told, indent=2)}")


if __name__ == "__main__":
    sys.exit(main("Make the double VLAN again (as root, a minute a half).", tuple(HALVES), make, PACKAGES, every="all"))
