"""Hosts made of namespaces, and the virtual network card between two of them."""

import ctypes
import fcntl
import os
import re
import select
import struct
import threading
from pathlib import Path

from _lab import FAKETIME, PATH, Machine, wait_until

SNAPLEN = "400"  # a DHCP message with its options fits

# A host of its own: nothing that it writes to /dev/log, /run, /var/log or /var/lib reaches the machine's.
ENTER = """set -e
echo "$1" > /proc/sys/kernel/hostname
mkdir "$2/dev"; mount -t tmpfs lab "$2/dev"; mkdir "$2/dev/shm"
for node in null zero random urandom; do touch "$2/dev/$node"; mount --bind "/dev/$node" "$2/dev/$node"; done
mount --rbind "$2/dev" /dev
mount -t tmpfs lab /run; mount -t tmpfs lab /var/lib; mkdir -p /var/lib/dhcp /var/lib/nova/networks
mount --bind "$2/log" /var/log
mount --bind "$2/rsyslog.d" /etc/rsyslog.d
mount --bind "$2/dhcp" /etc/dhcp
for file in hosts resolv.conf; do [ ! -e "/etc/$file" ] || mount --bind "$2/$file" "/etc/$file"; done
for which in all default; do echo 1 > "/proc/sys/net/ipv6/conf/$which/disable_ipv6" || true; done
ip link set lo up
echo ready
exec cat
"""

RSYSLOG = """module(load="imuxsock" SysSock.UseSysTimeStamp="off")
module(load="builtin:omfile" Template="RSYSLOG_TraditionalFileFormat")
*.* action(type="omfile" file="/var/log/syslog")
"""

# Debian's dhclient-script without resolv.conf and hooks: the address lives as long as its lease.
DHCLIENT_SCRIPT = """#!/bin/sh
case "$reason" in
PREINIT) ip link set dev "$interface" up ;;
BOUND|RENEW|REBIND|REBOOT)
    ip -4 addr replace "$new_ip_address/24" broadcast "$new_broadcast_address" dev "$interface" \\
        valid_lft "$new_dhcp_lease_time" preferred_lft "$new_dhcp_lease_time"
    ip -4 route replace default via "$new_routers" dev "$interface" ;;
EXPIRE|FAIL|RELEASE|STOP) ip -4 addr flush dev "$interface" ;;
esac
exit 0
"""


class Host(Machine):
    """A host with a syslog, and a clock that may be wrong."""

    def __init__(self, name: str, work: Path, zone: str = "UTC", ahead_s: float = 0) -> None:
        self.folder, self.log = work / name, work / name / "log"
        for folder in ("log", "rsyslog.d", "dhcp"):
            (self.folder / folder).mkdir(parents=True)
        (self.folder / "hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {name}\n")
        (self.folder / "resolv.conf").write_text("")
        (self.folder / "rsyslog.d" / "lab.conf").write_text(RSYSLOG)
        (self.folder / "dhcp" / "dhclient.conf").write_text(
            f'send host-name "{name}";\nrequest subnet-mask, broadcast-address, routers, domain-name-servers;\n'
        )
        script = self.folder / "dhcp" / "lab-script"
        script.write_text(DHCLIENT_SCRIPT)
        script.chmod(0o755)
        self.ahead_s = ahead_s
        env = {"PATH": PATH, "LC_ALL": "C", "TMPDIR": "/run", "TZ": zone}
        super().__init__(name, ENTER, name, str(self.folder), env=env, kinds=("--net", "--uts"))

    def syslogd(self) -> int:
        """Start rsyslogd, by a clock that is `ahead_s` ahead."""
        fake = {"LD_PRELOAD": FAKETIME, "FAKETIME": f"+{self.ahead_s}"} if self.ahead_s else {}
        pid = self.spawn("rsyslogd", "-n", "-i", "/run/rsyslogd.pid", "-f", "/etc/rsyslog.d/lab.conf", **fake)
        wait_until(lambda: (self.log / "syslog").exists(), 10, f"{self.name}: rsyslogd")
        return pid

    def tcpdump(self, interface: str) -> int:
        """Start a capture of an interface, flushed packet by packet."""
        path = f"/var/log/{interface}.pcap"
        pid = self.spawn("tcpdump", "-i", interface, "-n", "-U", "-Z", "root", "-s", SNAPLEN, "-w", path)
        wait_until(lambda: (self.log / f"{interface}.pcap").exists(), 10, f"{self.name}: tcpdump")
        return pid

    def said(self, pattern: str) -> list[re.Match[str]]:
        """What the host's syslog says that fits `pattern`."""
        return list(re.finditer(pattern, (self.log / "syslog").read_text(), re.MULTILINE))


class Virtio(threading.Thread):
    """The virtual network card: carries frames between the compute host's tap and the instance's."""

    def __init__(self, outside: Host, inside: Host) -> None:
        super().__init__(daemon=True)
        self.hosts, self.ready, self.deaf, self.ended = (outside, inside), threading.Event(), False, False

    def run(self) -> None:
        """Open both taps, then copy until `ended`; a deaf card no longer reads the host's side."""
        vnet0, eth0 = (self._tap(host, name) for host, name in zip(self.hosts, ("vnet0", "eth0"), strict=True))
        self.ready.set()
        while not self.ended:
            sources = [eth0] if self.deaf else [eth0, vnet0]
            for source in select.select(sources, [], [], 0.05)[0]:
                try:
                    os.write(vnet0 if source == eth0 else eth0, os.read(source, 65536))
                except OSError:
                    continue  # the other side is down: the frame is lost, as on a real card
        os.close(vnet0)
        os.close(eth0)

    @staticmethod
    def _tap(host: Host, name: str) -> int:
        """A tap device in a host's network namespace: setns(2) moves this thread alone (os.setns needs Python 3.12)."""
        with open(f"/proc/{host.pid}/ns/net") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), 0x40000000):  # CLONE_NEWNET
                raise OSError(ctypes.get_errno(), "setns")
        device = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(device, 0x400454CA, struct.pack("16sH22x", name.encode(), 0x1002))  # TUNSETIFF, IFF_TAP | IFF_NO_PI
        return device
