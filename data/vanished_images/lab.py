"""Hosts that share one instances folder: their clocks, their syslogs, their workers, and the database."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from _lab import FAKETIME, PATH, wait_until

INSTANCES = Path("/var/lib/nova/instances")
BASE = INSTANCES / "_base"
TREE = Path("/var/log/rsyslog")
SOCKET = "/run/mysqld/mysqld.sock"
CONTROLLER = "cloud"

# What a half runs in: nothing that it mounts, binds or starts outlives this shell.
INSIDE = """set -e
for folder in /run /var/lib /var/log; do mount -t tmpfs lab $folder; done
mkdir -p /var/lib/nova/instances/_base /var/lib/nova/instances/locks /var/log/rsyslog /run/mysqld /run/clock
ip link set lo up
exec "$@"
"""

# A compute node sees a /dev/log of its own.
NODE = """set -e
folder=$1; shift
mkdir -p $folder/dev; mount -t tmpfs lab $folder/dev; mkdir $folder/dev/shm
for node in null zero random urandom; do touch $folder/dev/$node; mount --bind /dev/$node $folder/dev/$node; done
ln -s $folder/log $folder/dev/log
mount --rbind $folder/dev /dev
exec "$@"
"""

SENDER = """global(localHostname="{name}" workDirectory="{folder}")
module(load="imuxsock" SysSock.Name="{folder}/log" SysSock.UseSysTimeStamp="off" SysSock.IgnoreTimestamp="on"
       SysSock.RateLimit.Interval="0")
local0.* action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" template="{template}")
"""
CENTRE = """global(localHostname="cloud" workDirectory="/run" maxMessageSize="{most}")
module(load="imtcp")
module(load="builtin:omfile" Template="{template}")
template(name="tree" type="string" string="/var/log/rsyslog/%HOSTNAME%/nova.log")
input(type="imtcp" port="{port}")
local0.* action(type="omfile" dynaFile="tree")
"""
FRAMINGS = {  # what is sent, what is written, and the longest message
    "traditional": ("RSYSLOG_TraditionalForwardFormat", "RSYSLOG_TraditionalFileFormat", "2k"),
    "rfc3339": ("RSYSLOG_ForwardFormat", "RSYSLOG_FileFormat", "8k"),
}
PORT = 5514


def utc(text: str) -> float:
    """Seconds since 1970 of `YYYY-MM-DD HH:MM[:SS]` in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def instant(seconds: float) -> str:
    """ISO 8601 in UTC, with the decimals that there are."""
    moment = datetime.fromtimestamp(round(seconds * 1000) / 1000, UTC)
    fraction = f".{moment.microsecond // 1000:03d}" if moment.microsecond else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


class Lab:
    """The cloud: what time it is there, and everything that runs."""

    def __init__(self, framing: str) -> None:
        self.framing = framing
        self.delta_s = 0.0  # the cloud's time less the machine's
        self.nodes: dict[str, Node] = {}

    def at(self, moment: float) -> None:
        """Turn every clock to `moment`; from there they run on by themselves."""
        self.delta_s = moment - time.time()
        self.turn(CONTROLLER, 0.0)
        for node in self.nodes.values():
            self.turn(node.name, node.ahead_s)

    def turn(self, name: str, ahead_s: float) -> None:
        """Set one host's clock."""
        path = Path("/run/clock") / name
        path.with_suffix(".new").write_text(f"{self.delta_s + ahead_s:+.6f}\n")
        path.with_suffix(".new").rename(path)

    def now(self) -> float:
        """The cloud's true time: that of the controller and of the file server."""
        return time.time() + self.delta_s

    def stamp_files(self, since: float) -> None:
        """What was touched since `since` (the machine's time) bears the file server's time, not the machine's."""
        for path in (p for p in INSTANCES.rglob("*") if p.is_file() and not p.is_symlink()):
            touched = path.stat().st_mtime
            if touched >= since - 0.02:
                os.utime(path, (touched + self.delta_s, touched + self.delta_s))

    def env(self, name: str = CONTROLLER, zone: str = "UTC") -> dict[str, str]:
        """The environment of a program that goes by a host's clock."""
        return {
            "PATH": PATH, "LC_ALL": "C", "TZ": zone, "LD_PRELOAD": FAKETIME, "NO_FAKE_STAT": "1",
            "FAKETIME_TIMESTAMP_FILE": f"/run/clock/{name}", "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "PYTHONWARNINGS": "ignore",
            "OS_NOVA_DISABLE_EVENTLET_PATCHING": "true",
        }  # fmt: skip

    def run(self, *command: str, zone: str = "UTC", host: str = CONTROLLER, ok: bool = True) -> str:
        """Run a program by a host's clock; what it printed, its errors too."""
        done = subprocess.run(
            command, env=self.env(host, zone), cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False,
        )  # fmt: skip
        if ok and done.returncode:
            raise RuntimeError(f"{' '.join(command)[:90]}: {done.stdout.strip()}")
        return done.stdout

    def centre(self) -> None:
        """Start the controller's rsyslogd, which keeps the tree."""
        _, written, most = FRAMINGS[self.framing]
        Path("/run/cloud.conf").write_text(CENTRE.format(template=written, port=PORT, most=most))
        self.daemon("rsyslogd", "-n", "-i", "/run/cloud.pid", "-f", "/run/cloud.conf")

    def daemon(self, *command: str, name: str = CONTROLLER, zone: str = "UTC") -> subprocess.Popen[bytes]:
        """Start what runs until the lab ends."""
        return subprocess.Popen(
            command, env=self.env(name, zone), cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def database(self) -> None:
        """Make an empty MariaDB and start it."""
        self.run("mariadb-install-db", "--user=root", "--datadir=/var/lib/mysql", "--skip-test-db",
                 "--auth-root-authentication-method=normal")  # fmt: skip
        self.daemon("mariadbd", "--no-defaults", "--user=root", "--datadir=/var/lib/mysql", f"--socket={SOCKET}",
                    "--bind-address=127.0.0.1", "--innodb-flush-log-at-trx-commit=0", "--innodb-use-native-aio=0",
                    "--lc-messages-dir=/usr/share/mysql/", "--default-time-zone=+00:00")  # fmt: skip
        wait_until(lambda: Path(SOCKET).exists(), 60, "MariaDB")

    def sql(self, statement: str, schema: str = "nova") -> list[list[str]]:
        """Rows of a statement, as mariadb -B prints them."""
        command = ("mariadb", "--no-defaults", "-u", "root", f"--socket={SOCKET}", "-BN", schema, "-e", statement)
        return [line.split("\t") for line in self.run(*command).splitlines()]

    def dump(self, zone: str, schema: str, *tables: str) -> str:
        """What mysqldump prints; `zone` is that of its last line."""
        return self.run("mysqldump", "--no-defaults", "-u", "root", f"--socket={SOCKET}", "--single-transaction",
                        "--default-character-set=utf8mb4", schema, *tables, zone=zone)  # fmt: skip


class Node:
    """A compute node: its own rsyslogd, and a worker that does what nova-compute does there."""

    def __init__(self, lab: Lab, name: str, zone: str, ahead_s: float, worker: list[str]) -> None:
        self.lab, self.name, self.zone, self.ahead_s, self.command = lab, name, zone, ahead_s, worker
        self.folder = Path("/run") / name
        self.folder.mkdir()
        self.log, self.lines, self.alive = TREE / name / "nova.log", 0, False
        lab.nodes[name] = self
        sent = FRAMINGS[lab.framing][0]
        text = SENDER.format(name=name, folder=self.folder, port=PORT, template=sent)
        (self.folder / "rsyslog.conf").write_text(text)
        self.syslogd: subprocess.Popen[bytes] | None = None
        self.worker: subprocess.Popen[str] | None = None

    def boot(self, syslog: bool = True) -> None:
        """Start rsyslogd, unless it runs, and the worker."""
        self.lab.turn(self.name, self.ahead_s)
        if syslog:
            conf, pid = self.folder / "rsyslog.conf", self.folder / "rsyslogd.pid"
            pid.unlink(missing_ok=True)
            self.syslogd = self.lab.daemon(
                "rsyslogd", "-n", "-i", str(pid), "-f", str(conf), name=self.name, zone=self.zone
            )
            wait_until((self.folder / "log").exists, 15, f"{self.name}: rsyslogd")
            time.sleep(0.3)
        command = ["unshare", "--mount", "sh", "-c", NODE, "sh", str(self.folder), *self.command, self.name]
        self.worker = subprocess.Popen(
            command, env=self.lab.env(self.name, self.zone), cwd="/", text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stderr,
        )  # fmt: skip
        self.alive = True

    def stop(self, syslog: bool = True) -> None:
        """The power is gone, or (without `syslog`) the service alone is stopped."""
        for process in (self.worker, self.syslogd if syslog else None):
            if process:
                process.send_signal(signal.SIGKILL)
                process.wait()
        (self.folder / "log").unlink(missing_ok=True) if syslog else None
        self.alive = False

    def do(self, what: str, **how: Any) -> dict[str, Any]:
        """Let the worker do something, and wait until the tree holds every line that it wrote."""
        assert self.worker
        assert self.worker.stdin
        assert self.worker.stdout
        began = time.time()
        self.worker.stdin.write(json.dumps({"do": what} | how) + "\n")
        self.worker.stdin.flush()
        told = self.worker.stdout.readline()
        if not told:
            raise RuntimeError(f"{self.name}: the worker died at {what!r} (see the message above)")
        answer: dict[str, Any] = json.loads(told)
        self.lines += answer["lines"]
        wait_until(lambda: self.written() >= self.lines, 20, f"{self.name}: {what}: its lines in the tree", 0.004)
        self.lab.stamp_files(began)
        return answer

    def written(self) -> int:
        """Lines that the tree holds of this node."""
        return self.log.read_bytes().count(b"\n") if self.log.exists() else 0

    def local(self, line: str) -> float:
        """True time of a line of the tree, from the stamp that the application wrote into it."""
        text = next(word for word in line.split(self.name + " ", 1)[1].split("nova-compute: ")[-1:])
        stamp = " ".join(text.split()[:2])
        return datetime.fromisoformat(stamp).replace(tzinfo=ZoneInfo(self.zone)).timestamp() - self.ahead_s

    def said(self) -> list[str]:
        """The lines of the tree."""
        return self.log.read_text().splitlines()
