"""The incident on Folsom: a node locks up, another one's service stands still, and an hour is the margin."""

import hashlib
import heapq
import json
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from lab import BASE, INSTANCES, Lab, Node, instant, utc

HERE = Path(__file__).resolve().parent
START, END = utc("2013-01-22 15:00"), utc("2013-01-22 20:55")
ZONE = "America/Edmonton"
HOSTS = {"nc01": (ZONE, 7.3), "nc02": (ZONE, 0.0), "nc03": (ZONE, 0.0), "nc04": ("UTC", 0.0)}
FIRST_PASS = {"nc01": 19, "nc02": 10, "nc03": 31, "nc04": 13}  # minutes after START
SECOND = {"nc01": 7, "nc02": 21, "nc03": 38, "nc04": 52}
TICK_S, TICKS = 60.11, 40  # periodic_interval and what a round takes; image_cache_manager_interval
LOCKED_UP, BACK, REBOOTS = utc("2013-01-22 17:04:33"), utc("2013-01-22 18:20:02"), utc("2013-01-22 18:27:10")
STOPPED, STARTED = utc("2013-01-22 18:36:15"), utc("2013-01-22 20:05:41")
DOWN, HUNG = "nc02", "nc04"
GB = 1 << 30
VERSION = "2012.2-LOCALBRANCH:LOCALREVISION"


def made_up(what: str) -> str:
    """A uuid that is the same in every run."""
    return str(uuid.UUID(hashlib.md5(f"vanished_images {what}".encode()).hexdigest(), version=4))


class Picture(NamedTuple):
    """An image of glance."""

    name: str
    public: bool
    size: int
    owner: str


OPERATOR, SHOP, LAB = (made_up(name).replace("-", "") for name in ("operator", "shop", "laboratory"))
IMAGES = {
    made_up("ubuntu"): Picture("ubuntu-12.04-server", True, 232 << 20, OPERATOR),
    made_up("centos"): Picture("centos-6.3", True, 310 << 20, OPERATOR),
    made_up("debian"): Picture("debian-6.0", True, 268 << 20, OPERATOR),
    made_up("fedora"): Picture("fedora-16", True, 251 << 20, OPERATOR),
    made_up("shop snapshot"): Picture("shop before christmas", False, 1210 << 20, SHOP),
    made_up("lab snapshot"): Picture("lab template", False, 934 << 20, LAB),
}
SNAPSHOT, TEMPLATE = made_up("shop snapshot"), made_up("lab snapshot")
INSTANCE_ROWS = (  # id, name, image, host, project
    (3, "web-1", "ubuntu", "nc01", OPERATOR), (4, "web-2", "ubuntu", "nc02", OPERATOR),
    (5, "db-1", "centos", "nc02", OPERATOR), (6, "web-3", "ubuntu", "nc03", OPERATOR),
    (7, "old-1", "debian", "nc03", OPERATOR), (8, "db-2", "centos", "nc04", OPERATOR),
    (9, "shop-1", "shop snapshot", "nc02", SHOP), (11, "lab-1", "lab snapshot", "nc04", LAB),
    (12, "mail-1", "centos", "nc01", OPERATOR), (13, "web-4", "ubuntu", "nc04", OPERATOR),
    (14, "lab-2", "lab snapshot", "nc04", LAB),
)  # fmt: skip

COLUMNS = """created_at datetime, updated_at datetime, deleted_at datetime, deleted tinyint(1), id int auto_increment
 primary key, internal_id int, user_id varchar(255), project_id varchar(255), image_ref varchar(255), kernel_id
 varchar(255), ramdisk_id varchar(255), server_name varchar(255), launch_index int, key_name varchar(255), key_data
 mediumtext, power_state int, vm_state varchar(255), memory_mb int, vcpus int, hostname varchar(255), host varchar(255),
 user_data mediumtext, reservation_id varchar(255), scheduled_at datetime, launched_at datetime, terminated_at datetime,
 display_name varchar(255), display_description varchar(255), availability_zone varchar(255), locked tinyint(1), os_type
 varchar(255), launched_on mediumtext, instance_type_id int, vm_mode varchar(255), uuid varchar(36) unique, architecture
 varchar(255), root_device_name varchar(255), access_ip_v4 varchar(255), access_ip_v6 varchar(255), config_drive
 varchar(255), task_state varchar(255), default_ephemeral_device varchar(255), default_swap_device varchar(255),
 progress int, auto_disk_config tinyint(1), shutdown_terminate tinyint(1), disable_terminate tinyint(1), root_gb int,
 ephemeral_gb int"""
COMMON = "created_at datetime, updated_at datetime, deleted_at datetime, deleted tinyint(1)"
SCHEMA = f"""create table instances ({COLUMNS}) default charset utf8;
create table services ({COMMON}, id int auto_increment primary key, host varchar(255), `binary` varchar(255),
 topic varchar(255), report_count int not null, disabled tinyint(1), availability_zone varchar(255))
 default charset utf8;
create table instance_faults ({COMMON}, id int auto_increment primary key, instance_uuid varchar(36), code int not null,
 message varchar(255), details mediumtext) default charset utf8;
create database glance; create table glance.images (id varchar(36) primary key, name varchar(255), size bigint, status
 varchar(30) not null, is_public tinyint(1) not null, location text, created_at datetime not null, updated_at datetime,
 deleted_at datetime, deleted tinyint(1) not null, disk_format varchar(20), container_format varchar(20), checksum
 varchar(32), owner varchar(255), min_disk int not null, min_ram int not null) default charset utf8"""


class Story:
    """One half, told minute by minute."""

    def __init__(self, lab: Lab, half: str) -> None:
        self.lab, self.half, self.random = lab, half, Random(half)
        self.queue: list[tuple[float, int, Callable[[float], None]]] = []
        self.notes: list[str] = []
        self.ticks = dict.fromkeys(HOSTS, 0)
        self.epochs = dict.fromkeys(HOSTS, 0)
        self.stops: dict[str, int] = {}
        worker = [sys.executable, "-P", str(HERE / "folsom.py")]
        self.nodes = {name: Node(lab, name, *clock, worker) for name, clock in HOSTS.items()}

    def on(self, moment: float, what: Callable[[float], None]) -> None:
        """Let something happen."""
        heapq.heappush(self.queue, (moment, len(self.queue) * 1000 + len(self.notes), what))

    def play(self) -> None:
        """From START to END."""
        self.lab.at(START - 60)
        self.furnish()
        for node in self.nodes.values():
            node.boot()
            start = START + FIRST_PASS[node.name] * 60 + SECOND[node.name] - 20 * TICK_S
            first = start - TICK_S * int((start - START) / TICK_S)
            self.ticks[node.name] = TICKS - 20 - round((start - first) / TICK_S)
            self.on(first, self.tick(node, 0))
        self.on(utc("2013-01-22 15:25:44"), lambda _: self.delete("old-1"))
        self.on(utc("2013-01-22 15:44:03"), lambda _: self.image_gone(SNAPSHOT))
        self.on(utc("2013-01-22 16:48:30"), lambda _: self.create(15, "web-5", "ubuntu", "nc01", OPERATOR))
        self.on(utc("2013-01-22 16:58:30"), lambda _: self.create(16, "web-6", "ubuntu", "nc02", OPERATOR))
        self.on(utc("2013-01-22 18:31:07"), lambda _: self.create(17, "db-3", "centos", "nc04", OPERATOR))
        self.on(utc("2013-01-22 20:30:12"), lambda _: self.create(18, "db-4", "centos", "nc03", OPERATOR))
        if self.half == "guilty":
            self.on(LOCKED_UP, lambda _: self.halt(DOWN, True))
            self.on(BACK, lambda _: self.back(DOWN, True))
            for index, name in enumerate(("web-2", "db-1", "shop-1", "web-6")):
                self.on(REBOOTS + 41 * index, lambda _, name=name: self.reboot(name))
            self.on(STOPPED, lambda _: self.halt(HUNG, False))
            self.on(STARTED, lambda _: self.back(HUNG, False))
        while self.queue and self.queue[0][0] < END:
            moment, _, what = heapq.heappop(self.queue)
            self.lab.at(moment)
            what(moment)
        self.lab.at(END)
        self.lab.sql("update services set updated_at = utc_timestamp(), report_count = report_count + 2130")

    def furnish(self) -> None:
        """What was there before: files with their ages, disks, rows."""
        self.lab.sql("create database nova default charset utf8", "mysql")
        self.lab.sql(SCHEMA)
        for image, kept in IMAGES.items():
            name = BASE / hashlib.sha1(image.encode()).hexdigest()
            age = START - (23 * 3600 + 1500 if kept.name == "fedora-16" else 540)  # removed after a day
            sizes = {"": 2 * GB if kept.public else 8 * GB} | ({} if kept.name == "fedora-16" else {"_10": 10 * GB})
            for suffix, size in sizes.items():
                path = Path(f"{name}{suffix}")
                with path.open("wb") as file:
                    file.truncate(size)
                self.lab.run("touch", "-d", instant(age), str(path))
            self.lab.sql(
                f"insert into glance.images values ('{image}', '{kept.name}', {kept.size}, 'active', {kept.public:d}, "
                f"'file:///var/lib/glance/images/{image}', '2012-12-20 18:04:11', '2012-12-20 18:04:52', null, 0, "
                f"'qcow2', 'bare', '{hashlib.md5(image.encode()).hexdigest()}', '{kept.owner}', 0, 0)"
            )
        for name in HOSTS:
            self.lab.sql("insert into services values ('2012-12-17 21:40:09', utc_timestamp(), null, 0, null, "
                         f"'{name}', 'nova-compute', 'compute', 311402, 0, 'nova')")  # fmt: skip
        for row in INSTANCE_ROWS:
            self.row(*row, "2013-01-14 20:11:05")

    def row(self, number: int, name: str, image: str, host: str, project: str, created: str) -> None:
        """An instance of the database, and its disk."""
        values = {
            "created_at": created, "updated_at": created, "deleted": 0, "id": number, "user_id": project[::-1],
            "project_id": project, "image_ref": made_up(image), "kernel_id": "", "ramdisk_id": "", "launch_index": 0,
            "power_state": 1, "vm_state": "active", "memory_mb": 2048, "vcpus": 1, "hostname": name, "host": host,
            "reservation_id": f"r-{made_up(name)[:8]}", "launched_at": created, "display_name": name,
            "display_description": name, "locked": 0, "launched_on": host, "instance_type_id": 5,
            "uuid": made_up(name), "root_device_name": "/dev/vda", "progress": 0, "shutdown_terminate": 0,
            "disable_terminate": 0, "root_gb": 10, "ephemeral_gb": 0,
        }  # fmt: skip
        self.lab.sql(f"insert into instances ({', '.join(values)}) values ({', '.join(map(repr, values.values()))})")
        folder = INSTANCES / f"instance-{number:08x}"
        folder.mkdir(exist_ok=True)
        base = f"{BASE / hashlib.sha1(made_up(image).encode()).hexdigest()}_10"
        self.lab.run("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", str(folder / "disk"))

    def rows(self) -> list[dict[str, str]]:
        """Instances that are not deleted, as the pass asks for them."""
        told = self.lab.sql("select concat('instance-', lpad(hex(id), 8, '0')), image_ref, host, uuid, display_name "
                            "from instances where deleted = 0 order by id")  # fmt: skip
        rows = [dict(zip(("name", "image_ref", "host", "uuid", "display_name"), row, strict=True)) for row in told]
        return [row | {"name": row["name"].lower()} for row in rows]

    def tick(self, node: Node, epoch: int) -> Callable[[float], None]:
        """A round of periodic tasks; each 40th looks after the image cache."""

        def happen(moment: float) -> None:
            if epoch != self.epochs[node.name]:
                return
            self.ticks[node.name] += 1
            if self.ticks[node.name] % TICKS == 0:
                node.do("pass", instances=self.rows())
            used = 3 + len(node.name)
            tracker = "nova.compute.resource_tracker"
            told = (("Free ram (MB)", 96648 - 2048 * used), ("Free disk (GB)", 3721), ("Free VCPUS", 24 - used))
            say = [{"logger": tracker, "message": f"{what}: {n}", "level": "AUDIT"} for what, n in told]
            say.append({"logger": tracker, "message": f"Compute_service record updated for {node.name} "})
            node.do("say", say=say)
            self.on(moment + TICK_S + self.random.uniform(0, 0.05), happen)

        return happen

    def halt(self, name: str, power: bool) -> None:
        """The host locks up, or its nova-compute alone is stopped."""
        self.stops[name] = self.nodes[name].written()
        self.epochs[name] += 1
        self.nodes[name].stop(syslog=power)

    def back(self, name: str, power: bool) -> None:
        """It is up again; its first pass comes after 40 rounds."""
        node = self.nodes[name]
        node.boot(syslog=power)
        self.ticks[name] = 0
        say = [{"logger": "nova.service", "message": f"Starting compute node (version {VERSION})", "level": "AUDIT"}]
        node.do("say", say=say)
        self.on(self.lab.now() + 17.4, self.tick(node, self.epochs[name]))
        if power:
            guests = [row for row in self.rows() if row["host"] == name]
            uuids = ", ".join(repr(row["uuid"]) for row in guests)
            self.lab.sql(f"update instances set power_state = 4, updated_at = utc_timestamp() where uuid in ({uuids})")

    def note(self, name: str, event: str, priority: str = "INFO", **more: Any) -> None:
        """A notification, as Folsom's nova published it; its time is the publisher's."""
        what = ("uuid", "project_id", "user_id", "image_ref", "host", "vm_state", "created_at", "launched_at")
        what += ("task_state",)
        (row,) = self.lab.sql(f"select {', '.join(what)} from instances where display_name = '{name}'")
        it = dict(zip(what, row, strict=True))
        moment = datetime.fromtimestamp(self.lab.now() + HOSTS[it["host"]][1], UTC)
        image = IMAGES[it["image_ref"]]
        payload = {
            "instance_id": it["uuid"], "tenant_id": it["project_id"], "user_id": it["user_id"], "display_name": name,
            "reservation_id": f"r-{made_up(name)[:8]}", "host": it["host"], "instance_type": "m1.small",
            "instance_type_id": 5, "memory_mb": 2048, "disk_gb": 10, "root_gb": 10, "ephemeral_gb": 0, "vcpus": 1,
            "state": it["vm_state"], "state_description": "" if it["task_state"] == "NULL" else it["task_state"],
            "image_ref_url": f"http://10.1.0.10:9292/images/{it['image_ref']}",
            "image_meta": {} if image.public else {"image_type": "snapshot", "base_image_ref": made_up("ubuntu")},
            "created_at": it["created_at"], "launched_at": it["launched_at"], "deleted_at": "", "os_type": None,
            "access_ip_v4": None, "access_ip_v6": None, "availability_zone": None, "architecture": None,
        }  # fmt: skip
        self.notes.append(json.dumps({
            "_context_request_id": f"req-{uuid.UUID(int=self.random.getrandbits(128), version=4)}",
            "_context_user_id": it["user_id"], "_context_project_id": it["project_id"], "_context_is_admin": False,
            "event_type": f"compute.instance.{event}", "message_id": made_up(f"{event} {name} {moment}"),
            "payload": payload | more, "priority": priority, "publisher_id": f"compute.{it['host']}",
            "timestamp": f"{moment:%Y-%m-%d %H:%M:%S.%f}",
        }))  # fmt: skip

    def say(self, name: str, *lines: tuple[str, str]) -> None:
        """What the compute manager says of an instance, within its request."""
        asked = f"select host, user_id, project_id from instances where display_name = '{name}'"
        ((host, user, project),) = self.lab.sql(asked)
        request = json.loads(self.notes[-1])["_context_request_id"]
        context = f"{request} {user} {project}"
        told = [{"logger": "nova.compute.manager", "message": m, "level": level, "context": context,
                 "instance": made_up(name)} for level, m in lines]  # fmt: skip
        self.nodes[host].do("say", say=told)

    def create(self, number: int, name: str, image: str, host: str, project: str) -> None:
        """A new instance."""
        self.row(number, name, image, host, project, f"{datetime.fromtimestamp(self.lab.now(), UTC):%Y-%m-%d %H:%M:%S}")
        self.note(name, "create.start")
        self.say(name, ("AUDIT", "Starting instance..."))
        self.note(name, "create.end", message="Success")

    def delete(self, name: str) -> None:
        """An instance is gone, and the only use of its image."""
        self.note(name, "delete.start")
        self.say(name, ("AUDIT", "Terminating instance"))
        ((number,),) = self.lab.sql(f"select id from instances where display_name = '{name}'")
        (INSTANCES / f"instance-{int(number):08x}" / "disk").unlink()
        (INSTANCES / f"instance-{int(number):08x}").rmdir()
        self.note(name, "delete.end")
        self.lab.sql("update instances set deleted = 1, vm_state = 'deleted', power_state = 0, updated_at = "
                     "utc_timestamp(), deleted_at = utc_timestamp(), terminated_at = utc_timestamp() "
                     f"where display_name = '{name}'")  # fmt: skip

    def image_gone(self, image: str) -> None:
        """A user deletes a snapshot that an instance runs on."""
        self.lab.sql("update glance.images set deleted = 1, status = 'deleted', deleted_at = utc_timestamp(), "
                     f"updated_at = utc_timestamp() where id = '{image}'")  # fmt: skip

    def reboot(self, name: str) -> None:
        """The operator's `nova reboot --hard`: it works where qemu can open the disk and what it is backed by."""
        ((number,),) = self.lab.sql(f"select id from instances where display_name = '{name}'")
        disk = f"{INSTANCES}/instance-{int(number):08x}/disk"
        self.note(name, "reboot.start")
        self.say(name, ("AUDIT", "Rebooting instance"))
        told = self.lab.run("qemu-io", "-r", "-c", "read 0 512", disk, ok=False)
        if "Could not open backing file" not in told:
            self.note(name, "reboot.end")
            self.lab.sql("update instances set power_state = 1, updated_at = utc_timestamp() "
                         f"where display_name = '{name}'")  # fmt: skip
            return
        error = (f"internal error process exited while connecting to monitor: qemu-kvm: -drive file={disk},if=none,"
                 f"id=drive-virtio-disk0,format=qcow2,cache=none: could not open disk image {disk}: "
                 "No such file or directory")  # fmt: skip
        self.say(name, ("ERROR", f"Cannot reboot instance: {error}"))
        self.note(name, "reboot.error", "ERROR", message=error)
        self.lab.sql("update instances set vm_state = 'error', task_state = null, updated_at = utc_timestamp() "
                     f"where display_name = '{name}'; insert into instance_faults values (utc_timestamp(), null, "
                     f"null, 0, null, '{made_up(name)}', 500, 'libvirtError', '{error}')")  # fmt: skip
