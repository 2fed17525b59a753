"""Hosts made of namespaces, and the switch between them."""

import subprocess
from pathlib import Path

from _lab import FAKETIME, PATH, Machine, cable, child_of

MTU = "9000"  # a management network of its own

# A host of its own: what it writes to /run, /var/lib, /var/log or /etc/rabbitmq does not reach the machine's.
ENTER = """set -e
echo "$1" > /proc/sys/kernel/hostname
mount --bind "$2/hosts" /etc/hosts
mount -t tmpfs rabbit_hole /run; mount -t tmpfs rabbit_hole /var/lib
mkdir /var/lib/rabbitmq /var/lib/nova
mount --bind "$2/log" /var/log; mount --bind "$2/nova" /var/lib/nova; mount --bind "$2/rabbitmq" /etc/rabbitmq
for which in all default; do echo 1 > "/proc/sys/net/ipv6/conf/$which/disable_ipv6" || true; done
ip link set lo up
echo ready
exec cat
"""


class Host(Machine):
    """A host whose clock may be wrong."""

    def __init__(self, name: str, work: Path, zone: str = "UTC", ahead_s: float = 0, hosts: str = "") -> None:
        self.folder, self.ahead_s = work / name, ahead_s
        self.log = self.folder / "log"
        for folder in ("log", "nova", "rabbitmq"):
            (self.folder / folder).mkdir(parents=True)
        (self.folder / "hosts").write_text(f"127.0.0.1 localhost\n{hosts}")
        env = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": "/var/lib/rabbitmq", "TZ": zone}
        if ahead_s:  # the clock of the wall alone: timers go by the other one
            env |= {"LD_PRELOAD": FAKETIME, "FAKETIME": f"{ahead_s:+}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        super().__init__(name, ENTER, name, str(self.folder), env=env, kinds=("--net", "--uts"))

    def run(self, *command: str, cwd: str | Path = "/", true_time: bool = True) -> str:
        """Run a command to its end and return what it says; a failure ends the whole run."""
        env = {key: value for key, value in self.env.items() if key != "LD_PRELOAD" or not true_time}
        inside = ["env", "-C", str(cwd), *command]  # nsenter changes the working directory
        done = self.tried(*inside, env=env)
        if done.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(command)}: {(done.stderr or done.stdout).strip()[-600:]}")
        return done.stdout

    def spawn(self, *command: str, true_time: bool = False, **env: str) -> int:
        """Start a program by the host's clock and return its process id, as seen from outside."""
        words = self.env | env
        if true_time:
            words.pop("LD_PRELOAD", None)
        with open(self.folder / "stderr", "ab") as said:
            outer = subprocess.Popen(
                self.inside(command), env=words, cwd="/", start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            )  # fmt: skip
        return child_of(outer.pid)


def connect(switch: Host, host: Host, mac: str, address: str, speed: str = "") -> None:
    """Give a host its eth0, plugged into the switch; `speed` limits what it sends."""
    cable(switch, f"to-{host.name}", host, "eth0", ("mtu", MTU), ("mtu", MTU))
    switch.run("ip", "link", "set", f"to-{host.name}", "master", "br0", "up")
    host.run("ip", "link", "set", "eth0", "address", mac, "up")
    host.run("ip", "addr", "add", f"{address}/24", "dev", "eth0")
    if speed:
        host.run("tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", speed, "burst", "256kb", "latency", "2s")
