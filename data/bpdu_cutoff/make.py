#!/usr/bin/env python3
"""Make the compute nodes' massacre again: real BPDUs out of an instance, a switch's guard, and a healthy twin.

An instance whose image brings up a bridge with STP=on sends spanning-tree BPDUs. Its host's bridge has spanning tree
off and passes them on, the host's bond sends them to the switch, the switch has BPDU guard on ports where hosts belong,
and shuts the port: the whole host is gone. The bond turns to its other switch, two seconds later so does the next BPDU.

    centos-test          cc35, and likewise cc36, cc37                                  one namespace
    ┌── br0 ──┐          ┌────── br135 ──────┐                        eth2 ── Ethernet35 SW-1 ─ Ethernet48 ─ core
    │  eth0 ──┼── veth ── vnet37, vnet35, …  bond0 (Open vSwitch) ──<                     │ 47                │
    └─────────┘                                                       eth3 ── Ethernet35 SW-2 ─ Ethernet48 ────┘
    controller: rsyslogd for all hosts, MariaDB with nova's tables, on SW-1

What is real: the BPDUs (Linux's bridge in the instance's namespace sends them, with the card's fa:16:3e address), the
host's bridge, the bond's failover (Open vSwitch in user space, active-backup), the switches' forwarding and their own
RSTP over three trunks (Open vSwitch), every frame of the captures; the guard, which sits on the switches' ports,
takes the kernel's time of the first BPDU and shuts the port's link; rsyslogd on every host, which sends over the bond
and therefore falls silent in the controller's logs while the host's own log goes on; nova-compute's heartbeat, an
UPDATE over the bond into a real MariaDB, the resulting services table and mysqldump's dump; the kernel's messages of
the host's bridge; the ping that every instance sends all the time. In both halves, the core becomes root of the tree.

What is rendered, from upstream's message strings, at the instants of the real events:

- The switches' logs, as EOS 4 writes them. The first four lines of a cut bear the time of the BPDU's arrival, the last
  two the time at which the link was down. Root and port states are what Open vSwitch says of its tree. The member port
  of a port-channel with one member is called Ethernet35, its channel Port-Channel35, the host behind it Server35.
- Messages of Linux's bonding driver and of ixgbe: a line for each event in ovs-vswitchd's log of the bond.
- nova-compute's lines and notifications (Havana), the listing of `nova-manage service list`, cron's and sshd's lines.

What is arranged:

- The second hour. The run lasts minutes; between its three acts everybody's clock (libfaketime for rsyslogd and
  mysqldump, `editcap -t` for captures) is moved on in steps of two or six minutes, at each of which all services
  report and cron writes a line. Captures were taken during the acts only; the kernel's uptime stamps move along.
- The compute hosts log in America/Regina, as their /etc/timezone says; cc36's clock is 3.5 s ahead, its captures
  too. Switches and controller keep UTC.
- The host ports send no BPDUs of the switch; captures keep 128 bytes of each packet.
- Administrators: after the second cut, the first instance is destroyed on its host, reached over another card, cc35's
  two ports are taken back by hand, the instance is deleted. cc36 is still down when the evidence is collected.

The healthy half does the same, deletes the same instance, and its image brings the bridge up without STP.

`cut_at` in the truth is the arrival of the BPDU at the switch's port, `restored_at` the link's return there. A host's
`bond0` is down from the loss of its second member on.

Run as root: `python3 make.py [--half guilty|healthy|both] [--out FOLDER]`, four minutes a half, one after the other,
for all namespaces share one kernel log: two runs at a time would read each other's. Everything lives in namespaces that
end with this process, however it ends; only FOLDER and a temporary folder are written.
"""

import json
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `python -P` leaves both out
sys.path.insert(0, str(Path(__file__).resolve().parent))

from _lab import FAKETIME, main, pack, wait_until
from cloud import LAUNCHED, SERVER, STANDING, Cloud, Server, utc
from fabric import Bond, Fabric
from hosts import (
    BRIDGE,
    RSYSLOG_RECEIVES,
    RSYSLOG_SENDS,
    Clock,
    Host,
    Instance,
    KernelLog,
    copy,
)
from truth import AHEAD_S, ZONE, truth

HOSTS = {"cc35": 35, "cc36": 36, "cc37": 37}
BOOT_S = 12  # from the instance's start to its ifcfg-br0
TITLES = {"guilty": "Two compute nodes are down within an hour", "healthy": "Two instances are launched"}

PACKAGES = {
    "ip": "iproute2", "unshare": "util-linux", "nsenter": "util-linux", "mount": "mount", "tcpdump": "tcpdump",
    "ethtool": "ethtool",
    "ovs-vswitchd": "openvswitch-switch", "ovsdb-server": "openvswitch-switch", "ovsdb-tool": "openvswitch-common",
    "ovs-vsctl": "openvswitch-switch", "ovs-appctl": "openvswitch-common", "ping": "iputils-ping",
    "rsyslogd": "rsyslog", "mariadbd": "mariadb-server", "mariadb": "mariadb-client", "mariadb-dump": "mariadb-client",
    "tshark": "tshark", "editcap": "wireshark-common", FAKETIME: "libfaketime",
    f"/usr/share/zoneinfo/{ZONE}": "tzdata",
}  # fmt: skip


class Incident:
    """All machines of one half, and what is done to them."""

    def __init__(self, half: str, work: Path, stack: ExitStack) -> None:
        self.half, self.work, self.stack, self.clock = half, work, stack, Clock()
        self.listings: list[str] = []
        self.instances: dict[int, Instance] = {}
        self.fabric = Fabric(work, self.clock)
        stack.enter_context(closing(self.fabric.machine))
        self.fabric.set_up()
        self.controller = self.host("controller")
        self.fabric.connect(self.controller, "eth0", "SW-1", 1, guarded=False)
        self.controller.run("ip", "addr", "add", f"{SERVER}/24", "dev", "eth0")
        self.controller.run("ethtool", "-K", "eth0", "tx", "off")  # Open vSwitch reads what no card would complete
        self.controller.syslogd(RSYSLOG_RECEIVES)
        self.kernel = KernelLog()
        self.begin(self.kernel)
        self.computes, self.bonds = {}, {}
        for name, number in HOSTS.items():
            self.compute(name, number)
        self.begin(self.fabric)
        if not self.fabric.ready.wait(5):
            raise RuntimeError("the guard could not be set up")
        self.cloud = Cloud(self.controller, self.computes.values())
        self.cloud.fill()

    def begin(self, thread: KernelLog | Fabric | Bond) -> None:
        """Start a thread that ends with the run."""
        self.stack.callback(setattr, thread, "ended", True)
        thread.start()

    def host(self, name: str, zone: str = "UTC", ahead_s: float = 0) -> Host:
        """A host that ends with the run."""
        return self.stack.enter_context(closing(Host(name, self.work, self.clock, zone, ahead_s)))

    def compute(self, name: str, number: int) -> None:
        """A compute host, both its cards, its bond, and the instances that it has had for days."""
        self.computes[name] = host = self.host(name, ZONE, AHEAD_S.get(name, 0))
        self.kernel.host = host
        host.run("ip", "link", "add", BRIDGE, "type", "bridge", "stp_state", "0")
        for switch, card in (("SW-1", "eth2"), ("SW-2", "eth3")):
            self.fabric.connect(host, card, switch, number)
        self.bonds[name] = Bond(host, f"90:e2:ba:35:{number:02x}:20")
        self.begin(self.bonds[name])
        for device in ("bond0", BRIDGE):
            host.run("ethtool", "-K", device, "tx", "off")
        host.run("ip", "addr", "add", f"10.0.0.{number}/24", "dev", BRIDGE)
        host.run("ip", "link", "set", BRIDGE, "up")
        time.sleep(0.5)
        host.syslogd(RSYSLOG_SENDS.format(server=SERVER))
        for server in STANDING:
            if server.host == name:
                self.start(server).talk(SERVER)
        time.sleep(1)

    def start(self, server: Server) -> Instance:
        """What libvirt does: a tap on the host's bridge, and the instance behind it."""
        host = self.computes[server.host]
        self.kernel.host_of[server.tap] = host
        instance = Instance(server.name, host, server.tap, server.mac, server.ip)
        self.instances[server.number] = self.stack.enter_context(closing(instance))
        return instance

    def wait(self, seconds: float) -> None:
        """Let real time pass; services report every ten seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            started = time.monotonic()
            self.cloud.report()
            time.sleep(max(0, min(left, 10) - (time.monotonic() - started)))

    def skip(self, seconds: int) -> None:
        """Move everybody's clock on, to a second past a minute, when cron is at work."""
        arrived_s = self.clock.ns() // 10**9 + seconds
        self.clock.skipped_s += seconds + (1 - arrived_s) % 60
        for host in (self.controller, *self.computes.values()):
            host.set_clock()
        time.sleep(0.3)
        for host in (self.controller, *self.computes.values()):
            pid = 20000 + self.clock.skipped_s // 3
            host.say(f"CRON[{pid}]: (root) CMD (/usr/local/sbin/collect-load)", 78)
        self.cloud.report()

    def launch(self, server: Server) -> None:
        """A user launches an instance; after its boot its image brings up a bridge."""
        host, cloud, named = self.computes[server.host], self.cloud, f"[instance: {server.uuid}] "
        created, context = self.clock.ns(), self.cloud.context(server)
        cloud.notify(server, "compute.instance.create.start", f"compute.{server.host}", created)
        cloud.log(host, "AUDIT", "nova.compute.manager", f"{named}Starting instance...", context)
        claim = f"{named}Attempting claim: memory 2048 MB, disk 20 GB, VCPUs 1"
        cloud.log(host, "AUDIT", "nova.compute.claims", claim, context)
        time.sleep(1)
        cloud.log(host, "INFO", "nova.virt.libvirt.driver", f"{named}Creating image", context)
        time.sleep(2)
        instance = self.start(server)
        for interface in ("bond0", server.tap):
            host.tcpdump(interface)
        time.sleep(1)
        cloud.log(host, "INFO", "nova.virt.libvirt.driver", f"{named}Instance spawned successfully.")
        cloud.insert(server, created)
        launched = utc(self.clock.ns())
        cloud.notify(server, "compute.instance.create.end", f"compute.{server.host}", created,
                     launched_at=launched, state="active")  # fmt: skip
        self.wait(BOOT_S)
        instance.bridge(stp=self.half == "guilty")
        instance.talk(SERVER)
        if self.half == "guilty":
            wait_until(lambda: self.down(server.host), 30, f"{server.host}: the cuts")

    def down(self, host: str) -> bool:
        """Whether both ports of a host are shut, and its bond has noticed."""
        return sum("without any active" in said for _, said in self.bonds[host].events) > 0

    def list(self) -> None:
        """An operator looks at the services."""
        self.cloud.report()
        self.listings.append(self.cloud.listing())

    def play(self) -> None:
        """Three acts: an instance on cc35, an hour later one on cc36, then the administrators."""
        first, second = LAUNCHED
        self.fabric.machine.tcpdump("sw1-et48", "stp")
        self.wait(5)
        self.fabric.move_root(4096)
        self.launch(first)
        self.wait(15)
        self.end_captures()
        for _ in range(3):
            self.skip(60)
        self.list()
        for _ in range(11):
            self.skip(300)
        self.fabric.machine.tcpdump("sw1-et48", "stp")
        self.wait(5)
        self.launch(second)
        self.wait(15)
        self.end_captures()
        for _ in range(3):
            self.skip(60)
        self.list()
        self.skip(300)
        self.administrators(first)

    def administrators(self, first: Server) -> None:
        """Destroy the first instance on its host, take its host's ports back, delete it."""
        host = self.computes[first.host]
        pid = 21000 + self.clock.skipped_s // 3
        host.say(f"sshd[{pid}]: Accepted publickey for root from 192.168.35.9 port 51022 ssh2", 86)
        time.sleep(2)
        self.instances[first.number].close()  # its end of the veth goes, and with it the tap
        time.sleep(2)
        for cut in self.fabric.cuts:
            if cut.number == HOSTS[first.host]:
                self.fabric.restore(cut)
        self.wait(15)
        self.skip(60)
        named = f"[instance: {first.uuid}] "
        context = self.cloud.context(first, "delete")
        self.cloud.log(host, "AUDIT", "nova.compute.manager", f"{named}Terminating instance", context)
        created = self.clock.ns()
        self.cloud.delete(first, created)
        self.cloud.notify(first, "compute.instance.delete.end", f"compute.{first.host}", created,
                          state="deleted", deleted_at=utc(created), terminated_at=utc(created))  # fmt: skip
        for _ in range(2):
            self.skip(60)
        self.list()
        self.dump = self.cloud.dump()
        time.sleep(1)
        for thread in (self.kernel, self.fabric, *self.bonds.values()):
            thread.ended = True
            thread.join()

    def end_captures(self) -> None:
        """End the captures of an act."""
        for host in (self.fabric.machine, *self.computes.values()):
            host.end_captures()

    def collect(self, evidence: Path) -> None:
        """Write the folder that an operator would hand over."""
        shutil.rmtree(evidence, ignore_errors=True)
        for name, host in self.computes.items():
            copy(host.log / "syslog", evidence / name / "syslog")
            (evidence / name / "timezone").write_text(f"{host.zone}\n")
            sent = self.controller.log / "rsyslog" / name / "syslog.log"
            copy(sent, evidence / "controller" / "rsyslog" / name / "syslog.log")
            for capture in sorted(host.log.glob("*.moved.pcap*")):
                pack(capture, evidence / name / f"{capture.name.replace('.moved', '')}.gz")
        copy(self.controller.log / "syslog", evidence / "controller" / "syslog")
        (evidence / "controller" / "nova.sql").write_text(self.dump)
        (evidence / "controller" / "notifications.json").write_text("\n".join(self.cloud.notifications) + "\n")
        (evidence / "controller" / "services.txt").write_text("".join(self.listings))
        for switch in ("SW-1", "SW-2"):
            (evidence / switch).mkdir()
            (evidence / switch / "messages").write_text(self.fabric.logs.text(switch))
        for capture in sorted(self.fabric.machine.log.glob("*.moved.pcap*")):
            pack(capture, evidence / "SW-1" / f"{capture.name.replace('sw1-', '').replace('.moved', '')}.gz")
        (evidence / "case.toml").write_text(f'title = "{TITLES[self.half]}"\n')


def make(half: str, out: Path) -> None:
    """Make one half: its evidence, and its truth beside it."""
    with tempfile.TemporaryDirectory(prefix="bpdu_cutoff_") as folder, ExitStack() as stack:
        incident = Incident(half, Path(folder), stack)
        incident.play()
        incident.collect(out / half)
        told = json.dumps(truth(half, out / half, incident.fabric.cuts, incident.bonds), indent=2)
    (out / f"{half}.truth.json").write_text(told + "\n")
    print(f"{half}: {told}")


if __name__ == "__main__":
    sys.exit(main("Make the BPDU cut-off again (as root, four minutes a half).", tuple(TITLES), make, PACKAGES))
