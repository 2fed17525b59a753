"""Hosts made of namespaces, and the switch between them."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
FAKETIME = next((str(p) for p in Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), "libfaketimeMT.so.1")
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


class Host:
    """A host in namespaces of its own, gone as soon as this process is."""

    def __init__(self, name: str, work: Path, zone: str = "UTC", ahead_s: float = 0, hosts: str = "") -> None:
        self.name, self.folder, self.ahead_s = name, work / name, ahead_s
        self.log = self.folder / "log"
        for folder in ("log", "nova", "rabbitmq"):
            (self.folder / folder).mkdir(parents=True)
        (self.folder / "hosts").write_text(f"127.0.0.1 localhost\n{hosts}")
        self.env = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": "/var/lib/rabbitmq", "TZ": zone}
        if ahead_s:  # the clock of the wall alone: timers go by the other one
            self.env |= {"LD_PRELOAD": FAKETIME, "FAKETIME": f"{ahead_s:+}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        # `cat` is the namespaces' first process: it ends when our end of its pipe closes, and takes all others along.
        self.shell = subprocess.Popen(
            ["unshare", "--net", "--uts", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child",
             "sh", "-c", ENTER, "sh", name, str(self.folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PATH": PATH}, cwd="/", start_new_session=True,
        )  # fmt: skip
        assert self.shell.stdout is not None
        if self.shell.stdout.readline() != b"ready\n":
            self.close()
            raise RuntimeError(f"{name}: its namespaces could not be set up (see the message above)")
        self.pid = child_of(self.shell.pid)

    def _inside(self, command: tuple[str, ...]) -> list[str]:
        return ["nsenter", "--target", str(self.pid), "--net", "--uts", "--mount", "--pid", "--", *command]

    def run(self, *command: str, cwd: str | Path = "/", true_time: bool = True) -> str:
        """Run a command to its end and return what it says; a failure ends the whole run."""
        env = {key: value for key, value in self.env.items() if key != "LD_PRELOAD" or not true_time}
        inside = ["env", "-C", str(cwd), *command]  # nsenter changes the working directory
        done = subprocess.run(self._inside(tuple(inside)), env=env, capture_output=True, text=True, check=False)
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
                self._inside(command), env=words, cwd="/", start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            )  # fmt: skip
        return child_of(outer.pid)

    def close(self) -> None:
        """End the host and all that runs on it."""
        assert self.shell.stdin is not None
        self.shell.stdin.close()
        try:
            self.shell.wait(5)
        except subprocess.TimeoutExpired:
            self.shell.kill()  # --kill-child takes the rest along
            self.shell.wait()


def connect(switch: Host, host: Host, mac: str, address: str, speed: str = "") -> None:
    """Give a host its eth0, plugged into the switch; `speed` limits what it sends."""
    cable = ["ip", "link", "add", f"to-{host.name}", "mtu", MTU, "type", "veth", "peer", "name", "eth0", "mtu", MTU]
    outside = ["nsenter", "--target", str(switch.pid), "--net"]  # where the other host's process has its number
    subprocess.run([*outside, *cable, "netns", str(host.pid)], check=True)
    switch.run("ip", "link", "set", f"to-{host.name}", "master", "br0", "up")
    host.run("ip", "link", "set", "eth0", "address", mac, "up")
    host.run("ip", "addr", "add", f"{address}/24", "dev", "eth0")
    if speed:
        host.run("tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", speed, "burst", "256kb", "latency", "2s")


def child_of(pid: int) -> int:
    """The process that `unshare` or `nsenter` forked."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    wait_until(lambda: bool(children.read_text()), 20, f"process {pid}")
    return int(children.read_text().split()[0])


def wait_until(happened: Callable[[], object], limit_s: float, what: str) -> None:
    """Look ten times a second; give up after `limit_s`."""
    end = time.monotonic() + limit_s
    while not happened():
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: nothing after {limit_s:.0f} s")
        time.sleep(0.1)
