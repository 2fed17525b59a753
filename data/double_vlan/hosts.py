"""Hosts made of namespaces, the cables between them, and Open vSwitch in user space on those that handle tags."""

import re
import subprocess
from pathlib import Path

from _lab import FAKETIME, PATH, Machine, wait_until

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
ROOM = "9000"  # for cables that must not be what loses a frame

# A host of its own: nothing that it writes to /dev/log, /run or /var/log reaches the machine's.
ENTER = """set -e
echo "$1" > /proc/sys/kernel/hostname
mount -t tmpfs lab /run
mount --bind "$2/log" /var/log
for which in all default; do echo 1 > "/proc/sys/net/ipv6/conf/$which/disable_ipv6" || true; done
echo 1 > /proc/sys/net/ipv4/ip_forward
ip link set lo up
echo ready
exec cat
"""


class Host(Machine):
    """A host whose clock may be wrong."""

    def __init__(self, name: str, work: Path, zone: str = "UTC", ahead_s: float = 0) -> None:
        self.log, self.ahead_s = work / name / "log", ahead_s
        self.log.mkdir(parents=True)
        env = {"PATH": PATH, "LC_ALL": "C", "TZ": zone, "OVS_RUNDIR": "/run", "OVS_LOGDIR": "/run"}
        super().__init__(name, ENTER, name, str(work / name), env=env, kinds=("--net", "--uts"))

    def date(self) -> str:
        """What `date` says here, by the host's own clock and zone."""
        fake = {"LD_PRELOAD": FAKETIME, "FAKETIME": f"{self.ahead_s:+}"} if self.ahead_s else {}
        return self.run("date", **fake).strip()

    def card(self, name: str, mac: str, mtu: str = "1500") -> None:
        """Set up a network card: its own address, and no offloads, so that captures show what the wire carries."""
        self.run("ip", "link", "set", name, "address", mac, "mtu", mtu, "up")
        self.run("ethtool", "-K", name, "tx", "off", "rx", "off", "sg", "off", "tso", "off", "gso", "off", "gro", "off",
                 "txvlan", "off", "rxvlan", "off")  # fmt: skip

    def vswitch(self) -> None:
        """Start an Open vSwitch of the host's own; frames may carry any number of tags.

        Version 3.1 widens the flow of a frame with one tag so far that it also takes in frames with two (flow_pop_vlan
        in lib/flow.c); without megaflows each frame is looked at for itself.
        """
        self.run("ovsdb-tool", "create", "/run/double_vlan.db", SCHEMA)
        self.start("ovsdb-server", "/run/double_vlan.db", "--remote=punix:/run/db.sock", "--unixctl=/run/db.ctl")
        wait_until(lambda: self.tried("find", "/run/db.sock").stdout, 20, f"{self.name}: ovsdb-server")
        self.run("ovs-vsctl", "--no-wait", "set", "Open_vSwitch", ".", "other_config:vlan-limit=0")
        self.start("ovs-vswitchd", "unix:/run/db.sock", "--unixctl=/run/vswitchd.ctl")
        control = ("ovs-appctl", "-t", "/run/vswitchd.ctl")
        wait_until(lambda: self.tried(*control, "version").stdout, 20, f"{self.name}: ovs-vswitchd")
        self.run(*control, "upcall/disable-megaflows")

    def bridge(self, name: str, *ports: tuple[str, ...]) -> None:
        """Add a bridge that lives in user space, with its ports: each a name and what ovs-vsctl sets of it."""
        self.run("ovs-vsctl", "--timeout=30", "add-br", name, "--", "set", "bridge", name, "datapath_type=netdev",
                 "protocols=OpenFlow10,OpenFlow13,OpenFlow14")  # fmt: skip
        for port, *settings in ports:
            self.run("ovs-vsctl", "--timeout=30", "add-port", name, port, *settings)

    def flows(self, bridge: str, *flows: str) -> None:
        """Replace a bridge's learning by flows."""
        self.run("ovs-ofctl", "-O", "OpenFlow14", "del-flows", bridge)
        for flow in flows:
            self.run("ovs-ofctl", "-O", "OpenFlow14", "add-flow", bridge, flow)

    def tcpdump(self, interface: str, snaplen: int) -> None:
        """Start a capture of an interface, flushed packet by packet."""
        path = f"/var/log/{interface}.pcap"
        self.start("tcpdump", "-i", interface, "-n", "-U", "-Z", "root", "-s", str(snaplen), "-w", path)
        wait_until(lambda: (self.log / f"{interface}.pcap").exists(), 20, f"{self.name}: tcpdump")

    def stop(self, program: str) -> None:
        """Ask every process of that name on this host to end (it has process ids of its own)."""
        self.tried("pkill", "-INT", "-x", program)

    def dropped(self, interface: str) -> int:
        """Frames that an interface sent and the other end of its cable did not take, as the kernel counted them."""
        stats = self.run("ip", "-s", "link", "show", "dev", interface)
        found = re.search(r"TX:.*\n\s*\d+\s+\d+\s+\d+\s+(\d+)", stats)
        if found is None:
            raise RuntimeError(f"{self.name}: ip -s link: no counters of {interface}")
        return int(found[1])


def ended(programs: list[subprocess.Popen[bytes]], limit_s: float, what: str) -> None:
    """Wait for programs to end."""
    wait_until(lambda: all(p.poll() is not None for p in programs), limit_s, what)
