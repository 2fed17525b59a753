"""The network between the hosts: Open vSwitch in user space, the guard on the switches' edge, and what EOS writes."""

import ctypes
import re
import select
import socket
import struct
import subprocess
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from _lab import Machine, wait_until
from hosts import BRIDGE, Clock, Host, connect

SWITCHES = {"SW-1": "sw1", "SW-2": "sw2"}
CORE = "core"
MACS = {"sw1": "00:1c:73:0a:41:10", "sw2": "00:1c:73:0a:52:20", CORE: "00:1c:73:03:13:40"}
TRUNKS = {"et47": "Ethernet47", "et48": "Ethernet48"}  # to the other switch, to the core
STP = bytes.fromhex("0180c2000000")
SO_TIMESTAMPNS = 35


class OpenVSwitch:
    """ovsdb-server and ovs-vswitchd of one host, datapath netdev: no kernel module takes part."""

    def __init__(self, host: Host) -> None:
        self.folder = host.folder / "ovs"
        database, remote = self.folder / "conf.db", f"punix:{self.folder}/db.sock"
        schema = "/usr/share/openvswitch/vswitch.ovsschema"
        subprocess.run(["ovsdb-tool", "create", database, schema], check=True)
        env = {"OVS_RUNDIR": str(self.folder), "OVS_LOGDIR": str(self.folder), "OVS_DBDIR": str(self.folder)}
        quiet = ("-vconsole:off", "-vsyslog:off")
        control = f"--unixctl={self.folder}/db.ctl"
        host.spawn("ovsdb-server", str(database), f"--remote={remote}", control, *quiet, **env)
        wait_until((self.folder / "db.sock").exists, 10, f"{host.name}: ovsdb-server")
        self.vsctl("--no-wait", "init")
        host.spawn("ovs-vswitchd", f"unix:{self.folder}/db.sock", f"--unixctl={self.folder}/vs.ctl", *quiet,
                   f"--log-file={self.folder}/vs.log", **env)  # fmt: skip
        wait_until((self.folder / "vs.ctl").exists, 10, f"{host.name}: ovs-vswitchd")

    def vsctl(self, *command: str) -> None:
        """Change the configuration and wait until it is so."""
        subprocess.run(["ovs-vsctl", "--timeout=15", f"--db=unix:{self.folder}/db.sock", *command], check=True)

    def appctl(self, *command: str) -> str:
        """Ask ovs-vswitchd."""
        asked = ["ovs-appctl", f"--target={self.folder}/vs.ctl", *command]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout


@dataclass
class SwitchLogs:
    """The logs of both switches, in EOS's words."""

    clock: Clock
    lines: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, switch: str, text: str, at: int | None = None) -> None:
        """One line, at an instant of the incident."""
        self.lines.append((self.clock.ns() if at is None else at, switch, text))

    def text(self, switch: str) -> str:
        """A switch's /var/log/messages."""
        written = sorted((line for line in self.lines if line[1] == switch), key=lambda line: line[0])
        stamps = [datetime.fromtimestamp(at // 10**9, UTC) for at, _, _ in written]
        return "".join(
            f"{at:%b} {at.day:2d} {at:%H:%M:%S} {switch} {line}\n"
            for at, (_, _, line) in zip(stamps, written, strict=True)
        )


@dataclass
class Cut:
    """A port that a guard shut, all in nanoseconds of the incident."""

    switch: str
    number: int
    mac: str
    cut_at: int
    link_down_at: int
    restored_at: int | None = None


class Fabric(threading.Thread):
    """Two switches and a core in one namespace, and the BPDU guard on the ports of the compute hosts."""

    def __init__(self, work: Path, clock: Clock) -> None:
        super().__init__(daemon=True)
        self.clock, self.ended, self.ready = clock, False, threading.Event()
        self.machine = Host("fabric", work, clock)
        self.logs, self.cuts = SwitchLogs(clock), list[Cut]()
        self.edge: dict[tuple[str, int], str] = {}

    def set_up(self) -> None:
        """Switches in a triangle, so that spanning tree has something to do."""
        machine = self.machine
        self.vswitch = vswitch = OpenVSwitch(machine)
        for bridge, mac in MACS.items():
            priority = "32768" if bridge == CORE else "28672" if bridge == "sw1" else "32768"
            vswitch.vsctl("add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev", "rstp_enable=true",
                          f'other_config:hwaddr="{mac}"', f"other_config:rstp-priority={priority}")  # fmt: skip
        for own, theirs in (("sw1-et47", "sw2-et47"), ("sw1-et48", "core-et1"), ("sw2-et48", "core-et2")):
            near, far = (MACS[name.split("-")[0]][:-2] + f"{int(name[-2:].strip('t')):02x}" for name in (own, theirs))
            connect(machine, own, machine, theirs, near, far)
            for name in (own, theirs):
                vswitch.vsctl("add-port", name.split("-")[0], name)

        for bridge in SWITCHES.values():  # edge ports: a part of the switch that passes no BPDUs on, either way
            vswitch.vsctl(
                "add-br", f"{bridge}e", "--", "set", "bridge", f"{bridge}e", "datapath_type=netdev",
                "--", "add-port", f"{bridge}e", f"{bridge}e-in", "--", "set", "interface", f"{bridge}e-in",
                "type=patch", f"options:peer={bridge}-edge", "--", "add-port", bridge, f"{bridge}-edge",
                "--", "set", "interface", f"{bridge}-edge", "type=patch", f"options:peer={bridge}e-in",
                "--", "set", "port", f"{bridge}-edge", "other_config:rstp-port-admin-edge=true",
            )  # fmt: skip

    def connect(self, host: Machine, interface: str, switch: str, number: int, guarded: bool = True) -> None:
        """An edge port, with the guard on it or without."""
        port = f"{SWITCHES[switch]}-et{number}"
        connect(self.machine, port, host, interface)
        self.vswitch.vsctl("add-port", f"{SWITCHES[switch]}e", port)
        if guarded:
            self.edge[switch, number] = port

    def run(self) -> None:
        """Watch the edge; the first BPDU on a port shuts it."""
        with open(f"/proc/{self.machine.pid}/ns/net") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), 0x40000000):  # CLONE_NEWNET
                raise OSError(ctypes.get_errno(), "setns")
        watched = {}
        for where, port in self.edge.items():
            tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0004))  # ETH_P_802_2: BPDUs are LLC
            tap.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            tap.bind((port, 0x0004))
            watched[tap] = where
        self.ready.set()
        while not self.ended:
            for tap in select.select(list(watched), [], [], 0.1)[0]:
                try:
                    packet, extra, _, address = tap.recvmsg(2048, 256)
                except OSError:
                    continue  # the port has just been shut
                shut = any((c.switch, c.number) == watched[tap] and c.restored_at is None for c in self.cuts)
                if packet[:6] == STP and address[2] != socket.PACKET_OUTGOING and not shut:
                    seconds, nanoseconds = struct.unpack("qq", extra[0][2][:16])
                    self.cut(*watched[tap], packet[6:12].hex(":"), self.clock.of(seconds * 10**9 + nanoseconds))

    def cut(self, switch: str, number: int, mac: str, at: int) -> None:
        """Shut a port, and write what EOS 4 writes of it."""
        cut = Cut(switch, number, mac, at, 0)
        self.cuts.append(cut)
        self.machine.run("ip", "link", "set", self.edge[switch, number], "down")
        cut.link_down_at = self.clock.ns()
        channel, member = f"Port-Channel{number}", f"Ethernet{number}"
        guard = f"Received BPDU packet on {channel} with BPDU guard enabled. Disabling interface. (source mac {mac})"
        gone = f"Local interface {channel} is link down. MLAG {number} is inactive."
        protocol = "Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface"
        for line in (
            f"Stp: %SPANTREE-4-BLOCK_BPDUGUARD: {guard}",
            f"Ebra: %ETH-4-ERRDISABLE: bpduguard error detected on {channel}.",
            f"Mlag: %MLAG-4-INTF_INACTIVE_LOCAL: {gone}",
            f"{protocol} {channel} (Server{number}), changed state to down",
        ):
            self.logs.add(switch, line, at)
        removed = f"Stp: %SPANTREE-6-INTERFACE_DEL: Interface {channel} has been removed from instance MST0"
        self.logs.add(switch, removed, cut.link_down_at)
        self.logs.add(switch, f"{protocol} {member} (Server{number}), changed state to down", cut.link_down_at)

    def restore(self, cut: Cut) -> None:
        """Shut and no shut, as an administrator does."""
        channel, member = f"Port-Channel{cut.number}", f"Ethernet{cut.number}"
        who = "console by admin on vty4 (192.168.35.9)"
        self.logs.add(cut.switch, f"ConfigAgent: %SYS-5-CONFIG_E: Enter configuration mode from {who}")
        time.sleep(3)
        self.machine.run("ip", "link", "set", self.edge[cut.switch, cut.number], "up")
        cut.restored_at = at = self.clock.ns()
        protocol = "Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface"
        self.logs.add(cut.switch, f"{protocol} {member} (Server{cut.number}), changed state to up", at)
        self.logs.add(cut.switch, f"{protocol} {channel} (Server{cut.number}), changed state to up", at)
        added = f"Stp: %SPANTREE-6-INTERFACE_ADD: Interface {channel} has been added to instance MST0"
        self.logs.add(cut.switch, added, at)
        time.sleep(2)
        self.logs.add(cut.switch, f"ConfigAgent: %SYS-5-CONFIG_I: Configured from {who}")

    def tree(self, bridge: str) -> dict[str, str]:
        """What Open vSwitch says of a switch's tree: its root, and the state of each trunk."""
        said = self.vswitch.appctl("rstp/show", bridge)
        told = {"root": re.findall(r"stp-system-id\s+(\S+)", said)[0]}
        for port, _, state in re.findall(rf"^\s+{bridge}-(et4[78])\s+(\w+)\s+(\w+)", said, re.MULTILINE):
            told[TRUNKS[port]] = state.lower()
            if re.search(rf"{bridge}-{port}\s+Root\b", said):
                told["way"] = TRUNKS[port]
        return told

    def move_root(self, priority: int, watch_s: float = 8) -> None:
        """Give the core another priority, and write what the switches make of it."""
        before = {switch: self.tree(bridge) for switch, bridge in SWITCHES.items()}
        self.vswitch.vsctl("set", "bridge", CORE, f"other_config:rstp-priority={priority}")
        end, told = time.monotonic() + watch_s, set[str]()
        while time.monotonic() < end:
            for switch, bridge in SWITCHES.items():
                now = self.tree(bridge)
                if now != before[switch] and switch not in told:
                    told.add(switch)
                    self.logs.add(switch, "Stp: %SPANTREE-6-STABLE_CHANGE: Stp state is now not stable")
                if (now["root"], now.get("way")) != (before[switch]["root"], before[switch].get("way")):
                    way = now.get("way", "(none)")
                    of = f"{now['root']}" + ("" if "way" in now else " (this switch)")
                    self.logs.add(switch, "Stp: %SPANTREE-6-ROOTCHANGE: Root changed for instance MST0: new root "
                                          f"interface is {way}, new root bridge mac address is {of}")  # fmt: skip
                for port in TRUNKS.values():
                    old, new = before[switch][port], now[port]
                    if old != new:
                        self.logs.add(switch, f"Stp: %SPANTREE-6-INTERFACE_STATE: Interface {port} instance MST0 "
                                              f"moving from {old} to {new}")  # fmt: skip
                before[switch] = now
            time.sleep(0.1)
        for switch in told:
            self.logs.add(switch, "Stp: %SPANTREE-6-STABLE_CHANGE: Stp state is now stable")


# What Open vSwitch logs of a bond's members, and how Linux's bonding driver and ixgbe word the same event.
BOND_WORDS = (
    (r"(?:member|slave) (\S+): link state down", "ixgbe {bus} {0}: NIC Link is Down"),
    (r"(?:member|slave) (\S+): disabled", "bond0: (slave {0}): link status definitely down, disabling slave"),
    (r"(?:member|slave) (\S+): link state up", "ixgbe {bus} {0}: NIC Link is Up 10 Gbps, Flow Control: RX/TX"),
    (r"(?:member|slave) (\S+): enabled", "bond0: (slave {0}): link status definitely up, 10000 Mbps full duplex"),
    (r"active (?:member|slave) is now (\S+)", "bond0: (slave {0}): making interface the new active one"),
    (r"all (?:members|slaves) disabled", "bond0: now running without any active interface!"),
)


class Bond(threading.Thread):
    """A host's bond0: Open vSwitch in place of Linux's driver, which a container may not load."""

    def __init__(self, host: Host, mac: str) -> None:
        super().__init__(daemon=True)
        self.host, self.ended, self.events = host, False, list[tuple[int, str]]()
        self.vswitch = OpenVSwitch(host)
        self.vswitch.vsctl(
            "add-br", "bond0", "--", "set", "bridge", "bond0", "datapath_type=netdev", f'other_config:hwaddr="{mac}"',
            "other_config:forward-bpdu=true", "--", "add-bond", "bond0", "uplink", "eth2", "eth3",
            "bond_mode=active-backup", "other_config:bond-primary=eth2",
        )  # fmt: skip
        host.run("ip", "link", "set", "bond0", "master", BRIDGE, "up")

    def run(self) -> None:
        """Follow ovs-vswitchd's log and write the kernel's words for it."""
        with open(self.vswitch.folder / "vs.log") as log:
            while not self.ended:
                line = log.readline()
                if not line:
                    time.sleep(0.05)
                    continue
                _, _, module, _, text = [*line.rstrip("\n").split("|", 4), "", "", "", ""][:5]
                for pattern, words in BOND_WORDS if module == "bond" else ():
                    if found := re.search(pattern, text):
                        member = (*found.groups(), "")[0]
                        said = words.format(member, bus=f"0000:04:00.{int(member == 'eth3')}")
                        self.events.append((self.host.clock.ns(), said))
                        self.host.kernel(said)
