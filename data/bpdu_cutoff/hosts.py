"""Machines made of namespaces: hosts with a clock, a syslog and a disk of their own, and the instances on them."""

import os
import re
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

from _lab import FAKETIME, PATH, Machine, cable, wait_until

SNAPLEN = "128"
BRIDGE = "br135"
"""The bridge of the instances. No other name would do: all namespaces of a machine share one kernel log."""

# A host of its own: nothing that it writes to /dev/log, /run, /var/log or /var/lib reaches the machine's.
ENTER = """set -e
echo "$1" > /proc/sys/kernel/hostname
mkdir "$2/dev"; mount -t tmpfs lab "$2/dev"; mkdir "$2/dev/shm" "$2/dev/net"
for node in null zero random urandom net/tun; do touch "$2/dev/$node"; mount --bind "/dev/$node" "$2/dev/$node"; done
mount --rbind "$2/dev" /dev
mount -t tmpfs lab /run; mount -t tmpfs lab /var/lib
mount --bind "$2/log" /var/log
mount --bind "$2/rsyslog.d" /etc/rsyslog.d
for file in hosts resolv.conf; do [ ! -e "/etc/$file" ] || mount --bind "$2/$file" "/etc/$file"; done
for which in all default; do echo 1 > "/proc/sys/net/ipv6/conf/$which/disable_ipv6" || true; done
ip link set lo up
echo ready
exec cat
"""
ENTER_INSTANCE = """set -e
for which in all default; do echo 1 > "/proc/sys/net/ipv6/conf/$which/disable_ipv6" || true; done
ip link set lo up
echo ready
exec cat
"""

RSYSLOG = """module(load="imuxsock" SysSock.UseSysTimeStamp="off")
module(load="builtin:omfile" Template="RSYSLOG_TraditionalFileFormat")
*.* action(type="omfile" file="/var/log/syslog")
"""
RSYSLOG_SENDS = """*.* action(type="omfwd" target="{server}" port="514" protocol="udp"
    template="RSYSLOG_TraditionalForwardFormat")
"""
# The operations guide's recipe: one folder a host.
RSYSLOG_RECEIVES = """module(load="imudp")
template(name="PerHost" type="string" string="/var/log/rsyslog/%HOSTNAME%/syslog.log")
ruleset(name="remote") { action(type="omfile" dynaFile="PerHost" template="RSYSLOG_TraditionalFileFormat") }
input(type="imudp" port="514" ruleset="remote")
"""


class Clock:
    """The incident's time: real time, plus what was skipped of it."""

    def __init__(self) -> None:
        self.skipped_s = 0

    def ns(self) -> int:
        """The true instant, in nanoseconds since 1970."""
        return self.of(time.time_ns())

    def of(self, real_ns: int) -> int:
        """What a real instant of this run is in the incident."""
        return real_ns + self.skipped_s * 10**9


class Host(Machine):
    """A machine with files, a syslog, a zone and a clock that may be wrong."""

    def __init__(self, name: str, work: Path, clock: Clock, zone: str = "UTC", ahead_s: float = 0) -> None:
        self.folder, self.log = work / name, work / name / "log"
        self.clock, self.zone, self.ahead_s = clock, zone, ahead_s
        for folder in ("log", "rsyslog.d", "ovs"):
            (self.folder / folder).mkdir(parents=True)
        (self.folder / "hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {name}\n")
        (self.folder / "resolv.conf").write_text("")
        self.captures: dict[str, int] = {}
        self.ring: list[str] | None = []  # what the kernel says before there is a syslog to read it
        self.set_clock()
        env = {"PATH": PATH, "LC_ALL": "C", "TMPDIR": "/run", "TZ": zone}
        super().__init__(name, ENTER, name, str(self.folder), env=env, kinds=("--net", "--uts"))

    def now_ns(self) -> int:
        """What this host takes for the time."""
        return self.clock.ns() + round(self.ahead_s * 1e9)

    def set_clock(self) -> None:
        """Tell libfaketime how far this host's programs are ahead of the machine that runs them."""
        new = self.folder / "ahead.new"
        new.write_text(f"+{self.clock.skipped_s + self.ahead_s}\n")
        new.rename(self.folder / "ahead")

    def syslogd(self, more: str) -> None:
        """Start rsyslogd, by this host's clock."""
        (self.folder / "rsyslog.d" / "lab.conf").write_text(RSYSLOG + more)
        fake = {"LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(self.folder / "ahead"), "FAKETIME_NO_CACHE": "1"}
        self.spawn("rsyslogd", "-n", "-i", "/run/rsyslogd.pid", "-f", "/etc/rsyslog.d/lab.conf", **fake)
        wait_until(lambda: (self.log / "syslog").exists(), 10, f"{self.name}: rsyslogd")
        said, self.ring = self.ring or [], None
        for text in sorted(said):  # by uptime
            self.say(text, 6)

    def say(self, text: str, priority: int = 14) -> None:
        """Hand a message to the host's syslog, as a program on it does."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.sendto(f"<{priority}>{text}".encode(), str(Path("/proc", str(self.pid), "root", "dev", "log")))

    def kernel(self, text: str, uptime_s: float | None = None) -> None:
        """Hand a kernel message to the host's syslog, stamped with the uptime as imklog leaves it."""
        uptime_s = (time.monotonic() if uptime_s is None else uptime_s) + self.clock.skipped_s
        line = f"kernel: [{uptime_s:12.6f}] {text}"
        if self.ring is None:
            self.say(line, 6)
        else:
            self.ring.append(line)

    def tcpdump(self, interface: str, *what: str) -> None:
        """Start a capture of an interface, flushed packet by packet."""
        path = f"/var/log/{interface}.pcap"
        self.captures[interface] = self.spawn(
            "tcpdump", "-i", interface, "-n", "-U", "-Z", "root", "-s", SNAPLEN, "-w", path, *what
        )
        wait_until(lambda: (self.log / f"{interface}.pcap").exists(), 10, f"{self.name}: tcpdump")

    def end_captures(self) -> None:
        """End the captures and move them to the host's clock."""
        for process in self.captures.values():
            os.kill(process, 2)
        time.sleep(0.5)
        for interface in self.captures:
            raw, kept = self.log / f"{interface}.pcap", self.log / f"{interface}.moved.pcap"
            number = 0
            while kept.exists():  # as tcpdump names what it rotates
                number += 1
                kept = self.log / f"{interface}.moved.pcap{number}"
            ahead = str(self.clock.skipped_s + self.ahead_s)
            subprocess.run(["editcap", "-F", "pcap", "-t", ahead, raw, kept], check=True)
            raw.unlink()
        self.captures = {}


class Instance(Machine):
    """An instance: a network card, an address, somebody to talk to."""

    def __init__(self, name: str, host: Host, tap: str, mac: str, ip: str) -> None:
        super().__init__(name, ENTER_INSTANCE, env={"PATH": PATH, "LC_ALL": "C"}, kinds=("--net",))
        self.ip = ip
        connect(host, tap, self, "eth0", f"fe{mac[2:]}", mac)
        host.run("ip", "link", "set", tap, "master", BRIDGE)
        self.run("ethtool", "-K", "eth0", "tx", "off")
        self.run("ip", "addr", "add", f"{ip}/24", "dev", "eth0")

    def talk(self, to: str) -> None:
        """Ask for answers all the time, in place of work."""
        self.spawn("ping", "-n", "-i", "2", to)

    def bridge(self, stp: bool) -> None:
        """What the image's ifcfg-br0 does at boot: a bridge over eth0, with STP=on or without."""
        self.run("ip", "link", "add", "br0", "type", "bridge", "stp_state", str(int(stp)))
        self.run("ip", "addr", "flush", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "master", "br0")
        self.run("ip", "addr", "add", f"{self.ip}/24", "dev", "br0")
        self.run("ip", "link", "set", "br0", "up")


class KernelLog(threading.Thread):
    """Hands what the kernel says of the bridges on to the host that it concerns."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.ended = False
        self.host_of: dict[str, Host] = {}  # by tap
        self.host: Host | None = None  # whose bridge is being set up
        self.file = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.lseek(self.file, 0, os.SEEK_END)

    def run(self) -> None:
        """Read until `ended`."""
        while not self.ended:
            try:
                head, _, text = os.read(self.file, 8192).decode(errors="replace").partition(";")
            except BlockingIOError:
                time.sleep(0.05)
                continue
            except OSError:
                continue  # overwritten before it was read
            text = text.splitlines()[0]
            tap = re.search(r"\bvnet\d+\b", text)
            host = self.host_of.get(tap[0]) if tap else self.host if text.startswith(f"{BRIDGE}: ") else None
            if host:
                host.kernel(text, int(head.split(",")[2]) / 1e6)
        os.close(self.file)


def connect(one: Machine, end: str, other: Machine, other_end: str, own_mac: str = "", their_mac: str = "") -> None:
    """Connect two machines, both ends up."""
    ours, theirs = (("address", mac) if mac else () for mac in (own_mac, their_mac))
    cable(one, end, other, other_end, ours, theirs)
    one.run("ip", "link", "set", end, "up")
    other.run("ip", "link", "set", other_end, "up")


def copy(source: Path, target: Path) -> None:
    """Copy a file, making its folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
