"""The cloud on top: nova's database, in a real MariaDB, and nova's own words, which make.py writes."""

import json
import subprocess
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from _lab import FAKETIME, wait_until
from hosts import Host

SERVER = "10.0.0.1"
IMAGES = {"ubuntu": "cedef40a-ed67-4d10-800e-17455edce175", "centos": "155d900f-4e14-4e4c-a73d-069cbf4541e6"}
USERS = {
    "sender": ("0c6e7dba03c24c6a9bce299747499e8a", "7052bd6714e7460caeb16242e68124f9"),
    "other": ("ebbd729575cb404081a45c9ada0849b7", "8175953c209044358ab5e0ec19d52c37"),
    "third": ("5a93d8a1a30c4eae8d5a4be9e0a1fb1c", "2f1b3a0d9c5f4f7aa3f8a2d6c9a7e410"),
}
DOWN_S = 60  # nova's service_down_time
SPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")


def known(*parts: object) -> str:
    """An id that is the same in every run."""
    return str(uuid.uuid5(SPACE, "/".join(map(str, parts))))


@dataclass
class Server:
    """A row of nova.instances, and its network card."""

    number: int
    name: str
    host: str
    tap: str
    mac: str
    ip: str
    user: str = "other"
    image: str = "ubuntu"

    @property
    def uuid(self) -> str:
        """Its id."""
        return known("instance", self.number)


STANDING = (
    Server(3561, "web-1", "cc35", "vnet35", "fa:16:3e:1d:9a:40", "10.0.0.61"),
    Server(3562, "db-2", "cc35", "vnet36", "fa:16:3e:6e:02:b7", "10.0.0.62", "third"),
    Server(3564, "web-4", "cc36", "vnet41", "fa:16:3e:33:c8:15", "10.0.0.64"),
    Server(3565, "batch-5", "cc37", "vnet51", "fa:16:3e:47:e1:0c", "10.0.0.65", "third"),
)
GONE = Server(3563, "web-3", "cc36", "vnet40", "fa:16:3e:02:71:99", "10.0.0.63")
LAUNCHED = (
    Server(3589, "centos-test", "cc35", "vnet37", "fa:16:3e:24:e7:22", "10.0.0.89", "sender", "centos"),
    Server(3590, "centos-test", "cc36", "vnet42", "fa:16:3e:5b:03:91", "10.0.0.90", "sender", "centos"),
)

SCHEMA = """CREATE DATABASE nova CHARACTER SET utf8mb3; USE nova;
CREATE TABLE instances (created_at datetime, updated_at datetime, deleted_at datetime,
  id int NOT NULL AUTO_INCREMENT PRIMARY KEY, user_id varchar(255), project_id varchar(255), image_ref varchar(255),
  power_state int, vm_state varchar(255), memory_mb int, vcpus int, hostname varchar(255), host varchar(255),
  instance_type_id int, scheduled_at datetime, launched_at datetime, terminated_at datetime, display_name varchar(255),
  availability_zone varchar(255), uuid varchar(36), root_gb int, ephemeral_gb int, task_state varchar(255),
  node varchar(255), deleted int);
CREATE TABLE virtual_interfaces (created_at datetime, updated_at datetime, deleted_at datetime,
  id int NOT NULL AUTO_INCREMENT PRIMARY KEY, address varchar(255) UNIQUE, network_id int, uuid varchar(36),
  instance_uuid varchar(36), deleted int);
CREATE TABLE fixed_ips (created_at datetime, updated_at datetime, deleted_at datetime,
  id int NOT NULL AUTO_INCREMENT PRIMARY KEY, address varchar(39), network_id int, allocated tinyint(1),
  leased tinyint(1), reserved tinyint(1), virtual_interface_id int, host varchar(255), instance_uuid varchar(36),
  deleted int);
CREATE TABLE services (created_at datetime, updated_at datetime, deleted_at datetime,
  id int NOT NULL AUTO_INCREMENT PRIMARY KEY, host varchar(255), `binary` varchar(255), topic varchar(255),
  report_count int NOT NULL, disabled tinyint(1), disabled_reason varchar(255), deleted int);
"""


def utc(nanoseconds: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A stamp as nova's database has it."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=nanoseconds // 1000)).strftime(form)


class Cloud:
    """nova's database on the controller, its services' heartbeats, its notifications and its log lines."""

    def __init__(self, controller: Host, computes: Iterable[Host]) -> None:
        self.controller, self.computes = controller, {host.name: host for host in computes}
        self.notifications: list[str] = []
        self.cut_off: set[str] = set()
        data, self.socket = controller.folder / "mysql", "/run/mysqld.sock"
        data.mkdir()
        controller.spawn(
            "mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={self.socket}", "--user=root",
            "--skip-grant-tables", f"--bind-address={SERVER}", "--port=3306", "--skip-name-resolve",
            "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M", f"--pid-file={data}/pid",
        )  # fmt: skip
        wait_until(lambda: not self.client("SELECT 1").returncode, 60, "mariadbd")

    def client(self, statement: str, host: Host | None = None) -> subprocess.CompletedProcess[str]:
        """Run a statement: on the controller, or from a compute host over the network."""
        way = ["--host", SERVER, "--connect-timeout=3"] if host else ["--socket", self.socket]
        return (host or self.controller).tried("mariadb", "--no-defaults", *way, "-N", "-B", "-e", statement)

    def sql(self, statement: str) -> list[list[str]]:
        """Run a statement that must not fail."""
        done = self.client(statement)
        if done.returncode:
            raise RuntimeError(f"mariadb: {done.stderr.strip()}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def fill(self) -> None:
        """The rows of an ordinary morning."""
        self.sql(SCHEMA)
        days = 86400 * 10**9
        now = self.controller.clock.ns()
        rows = [("nova-conductor", "controller"), *(("nova-compute", name) for name in self.computes)]
        for binary, host in rows:
            self.sql(f"INSERT INTO nova.services VALUES ('{utc(now - 90 * days)}', '{utc(now)}', NULL, NULL, '{host}',"
                     f" '{binary}', '{binary[5:]}', 777600, 0, NULL, 0)")  # fmt: skip
        for age, server in enumerate((*STANDING, GONE), 3):
            self.insert(server, now - age * days)
        self.delete(GONE, now - 2 * days)

    def insert(self, server: Server, at: int) -> None:
        """An instance as nova has it once it is active."""
        user, project = USERS[server.user]
        when = utc(at)
        self.sql(
            f"INSERT INTO nova.instances VALUES ('{when}', '{when}', NULL, {server.number}, '{user}', '{project}',"
            f" '{IMAGES[server.image]}', 1, 'active', 2048, 1, '{server.name}', '{server.host}', 5, '{when}', '{when}',"
            f" NULL, '{server.name}', 'nova', '{server.uuid}', 20, 0, NULL, '{server.host}', 0);"
            f"INSERT INTO nova.virtual_interfaces VALUES ('{when}', NULL, NULL, NULL, '{server.mac}', 1,"
            f" '{known('vif', server.mac)}', '{server.uuid}', 0);"
            f"INSERT INTO nova.fixed_ips VALUES ('{when}', NULL, NULL, NULL, '{server.ip}', 1, 1, 1, 0,"
            f" LAST_INSERT_ID(), '{server.host}', '{server.uuid}', 0)"
        )

    def delete(self, server: Server, at: int) -> None:
        """What `nova delete` leaves: since Grizzly `deleted` holds the row's id."""
        when = f"'{utc(at)}'"
        self.sql(
            f"UPDATE nova.instances SET deleted = id, deleted_at = {when}, terminated_at = {when}, updated_at = {when},"
            f" vm_state = 'deleted', power_state = 0 WHERE uuid = '{server.uuid}';"
            f"UPDATE nova.virtual_interfaces SET deleted = id, deleted_at = {when} WHERE address = '{server.mac}';"
            f"UPDATE nova.fixed_ips SET allocated = 0, leased = 0, virtual_interface_id = NULL, instance_uuid = NULL,"
            f" updated_at = {when} WHERE address = '{server.ip}'"
        )

    def log(self, host: Host, level: str, logger: str, text: str, context: str = "-") -> None:
        """A line of a Havana nova-compute with use_syslog: its own stamp, in the host's zone, inside syslog's."""
        at = host.now_ns()
        local = datetime.fromtimestamp(at // 10**9, ZoneInfo(host.zone))
        pid = 2400 + int(host.name[2:])
        head = f"{local:%Y-%m-%d %H:%M:%S}.{at // 10**6 % 1000:03d} {pid}"
        first, *rest = text.split("\n")
        trace = "".join(f"\n{head} TRACE {logger} {line}" for line in rest)
        host.say(f"{head} {level} {logger} [{context}] {first}{trace}")

    def report(self) -> None:
        """The heartbeat of every service; a compute host's goes over its bond."""
        self.sql(
            "UPDATE nova.services SET report_count = report_count + 1,"
            f" updated_at = '{utc(self.controller.now_ns())}' WHERE `binary` = 'nova-conductor'"
        )
        for name, host in self.computes.items():
            done = self.client(
                "UPDATE nova.services SET report_count = report_count + 1,"
                f" updated_at = '{utc(host.now_ns())}' WHERE host = '{name}'", host)  # fmt: skip
            logger = "nova.servicegroup.drivers.db"
            if done.returncode and name not in self.cut_off:
                self.cut_off.add(name)
                error = done.stderr.strip().replace("ERROR ", "", 1)
                self.log(host, "ERROR", logger, "model server went away\nTraceback (most recent call last):\n"
                         f"OperationalError: (OperationalError) {error} None None")  # fmt: skip
            elif not done.returncode and name in self.cut_off:
                self.cut_off.discard(name)
                self.log(host, "ERROR", logger, "Recovered model server connection!")

    def notify(self, server: Server, event: str, publisher: str, created: int, **more: str) -> None:
        """A notification, one JSON object a line."""
        user, project = USERS[server.user]
        at = self.controller.clock.ns()
        payload = {
            "instance_id": server.uuid, "tenant_id": project, "user_id": user, "display_name": server.name,
            "hostname": server.name, "host": server.host, "node": server.host, "availability_zone": "nova",
            "instance_type": "m1.small", "instance_type_id": 5, "memory_mb": 2048, "disk_gb": 20, "root_gb": 20,
            "ephemeral_gb": 0, "vcpus": 1, "image_ref_url": f"http://{SERVER}:9292/images/{IMAGES[server.image]}",
            "image_meta": {"base_image_ref": IMAGES[server.image]}, "created_at": utc(created), "launched_at": "",
            "deleted_at": "", "terminated_at": "", **more,
        }  # fmt: skip
        body = {
            "message_id": known("message", len(self.notifications)), "publisher_id": publisher, "event_type": event,
            "priority": "INFO", "timestamp": utc(at, "%Y-%m-%d %H:%M:%S.%f"), "payload": payload,
            "_context_request_id": "req-" + known(event.split(".")[2], server.number), "_context_user_id": user,
            "_context_project_id": project,
        }  # fmt: skip
        self.notifications.append(json.dumps(body))

    def context(self, server: Server, request: str = "create") -> str:
        """The bracket of a nova log line that belongs to a request."""
        return f"req-{known(request, server.number)} {' '.join(USERS[server.user])}"

    def listing(self) -> str:
        """`nova-manage service list` as its `%-16s %-36s %-16s %-10s %-5s %-10s` prints the database's rows."""
        now = self.controller.now_ns()
        text = f"root@controller:~# date -u\n{utc(now, '%a %b %e %H:%M:%S UTC %Y')}\n"
        text += "root@controller:~# nova-manage service list\n"
        form = "%-16s %-36s %-16s %-10s %-5s %-10s"
        text += (form % ("Binary", "Host", "Zone", "Status", "State", "Updated_At")).rstrip() + "\n"
        rows = self.sql("SELECT `binary`, host, updated_at FROM nova.services ORDER BY id")
        for binary, host, seen in rows:
            age_s = now / 1e9 - datetime.fromisoformat(seen).replace(tzinfo=UTC).timestamp()
            zone = "nova" if binary == "nova-compute" else "internal"
            text += form % (binary, host, zone, "enabled", ":-)" if abs(age_s) <= DOWN_S else "XXX", seen) + "\n"
        return text

    def dump(self) -> str:
        """The database as mysqldump writes it, by the controller's clock."""
        fake = ["env", f"LD_PRELOAD={FAKETIME}", f"FAKETIME=+{self.controller.clock.skipped_s}"]
        command = ("mariadb-dump", "--no-defaults", "--socket", self.socket, "--skip-lock-tables", "nova")
        return self.controller.run(*fake, *command)
