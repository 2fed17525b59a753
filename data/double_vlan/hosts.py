"""Hosts made of namespaces, the cables between them, and Open vSwitch in user space on those that handle tags."""

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
FAKETIME = next((str(p) for p in Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), "libfaketimeMT.so.1")
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


class Host:
    """A host in namespaces of its own, gone as soon as this process is."""

    def __init__(self, name: str, work: Path, zone: str = "UTC", ahead_s: float = 0) -> None:
        self.name, self.log, self.ahead_s = name, work / name / "log", ahead_s
        self.log.mkdir(parents=True)
        self.env = {"PATH": PATH, "LC_ALL": "C", "TZ": zone, "OVS_RUNDIR": "/run", "OVS_LOGDIR": "/run"}
        # `cat` is the namespaces' first process: it ends when our end of its pipe closes, and takes all others along.
        self.shell = subprocess.Popen(
            ["unshare", "--net", "--uts", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child",
             "sh", "-c", ENTER, "sh", name, str(work / name)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.env, cwd="/", start_new_session=True,
        )  # fmt: skip
        assert self.shell.stdout is not None
        if self.shell.stdout.readline() != b"ready\n":
            self.close()
            raise RuntimeError(f"{name}: its namespaces could not be set up (see the message above)")
        self.pid = child_of(self.shell.pid)

    def _inside(self, command: tuple[str, ...]) -> list[str]:
        return ["nsenter", "--target", str(self.pid), "--net", "--uts", "--mount", "--pid", "--", *command]

    def run(self, *command: str, failing: bool = False, **env: str) -> str:
        """Run a command to its end and return what it printed; a failure ends the whole run, unless it is expected."""
        done = subprocess.run(
            self._inside(command), env=self.env | env, cwd="/", capture_output=True, text=True, check=False
        )
        if done.returncode and not failing:
            raise RuntimeError(f"{self.name}: {' '.join(command)}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def spawn(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a program."""
        return subprocess.Popen(
            self._inside(command), env=self.env, cwd="/", start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

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
        self.spawn("ovsdb-server", "/run/double_vlan.db", "--remote=punix:/run/db.sock", "--unixctl=/run/db.ctl")
        wait_until(lambda: self.run("find", "/run/db.sock", failing=True), 20, f"{self.name}: ovsdb-server")
        self.run("ovs-vsctl", "--no-wait", "set", "Open_vSwitch", ".", "other_config:vlan-limit=0")
        self.spawn("ovs-vswitchd", "unix:/run/db.sock", "--unixctl=/run/vswitchd.ctl")
        control = ("ovs-appctl", "-t", "/run/vswitchd.ctl")
        wait_until(lambda: self.run(*control, "version", failing=True), 20, f"{self.name}: ovs-vswitchd")
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
        self.spawn("tcpdump", "-i", interface, "-n", "-U", "-Z", "root", "-s", str(snaplen), "-w", path)
        wait_until(lambda: (self.log / f"{interface}.pcap").exists(), 20, f"{self.name}: tcpdump")

    def stop(self, program: str) -> None:
        """Ask every process of that name on this host to end (it has process ids of its own)."""
        self.run("pkill", "-INT", "-x", program, failing=True)

    def dropped(self, interface: str) -> int:
        """Frames that an interface sent and the other end of its cable did not take, as the kernel counted them."""
        stats = self.run("ip", "-s", "link", "show", "dev", interface)
        found = re.search(r"TX:.*\n\s*\d+\s+\d+\s+\d+\s+(\d+)", stats)
        if found is None:
            raise RuntimeError(f"{self.name}: ip -s link: no counters of {interface}")
        return int(found[1])

    def close(self) -> None:
        """End the host and all that runs on it."""
        assert self.shell.stdin is not None
        self.shell.stdin.close()
        try:
            self.shell.wait(5)
        except subprocess.TimeoutExpired:
            self.shell.kill()  # --kill-child takes the rest along
            self.shell.wait()


def cable(one: Host, end: str, other: Host, other_end: str) -> None:
    """Lay a cable between two cards."""
    lay = ["ip", "link", "add", end, "type", "veth", "peer", "name", other_end, "netns", str(other.pid)]
    subprocess.run(["nsenter", "--target", str(one.pid), "--net", *lay], check=True)


def child_of(pid: int) -> int:
    """The process that `unshare` forked."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    wait_until(lambda: bool(children.read_text()), 5, f"process {pid}")
    return int(children.read_text().split()[0])


def wait_until(happened: Callable[[], object], limit_s: float, what: str) -> None:
    """Look ten times a second; give up after `limit_s`."""
    end = time.monotonic() + limit_s
    while not happened():
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: nothing after {limit_s:.0f} s")
        time.sleep(0.1)


def ended(programs: list[subprocess.Popen[bytes]], limit_s: float, what: str) -> None:
    """Wait for programs to end."""
    wait_until(lambda: all(p.poll() is not None for p in programs), limit_s, what)
