"""The incident on today's release: a node is off for three days, and two days are the margin."""

import hashlib
import heapq
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from _lab import PATH
from lab import BASE, Lab, Node, instant, utc
from old_release import GB, made_up

HERE = Path(__file__).resolve().parent
START, END = utc("2026-11-06 06:00"), utc("2026-11-09 10:20")
HOSTS = {"cc-01": ("UTC", 0.0), "cc-02": ("Europe/Berlin", 0.0), "cc-03": ("Europe/Berlin", 0.0),
         "cc-04": ("America/Edmonton", 5.6)}  # fmt: skip
FIRST_S = {"cc-01": 5 * 60 + 11, "cc-02": 18, "cc-03": 40 * 60 + 27, "cc-04": 15 * 60 + 44}
INTERVAL_S = 7200  # [image_cache] manager_interval
DOWN, LOCKED_UP, BACK = "cc-02", utc("2026-11-06 09:03:20"), utc("2026-11-09 07:12:05")
REBOOTS = utc("2026-11-09 07:20:40")
DEBUG = "cc-03"
ALONE = {"PATH": PATH, "LC_ALL": "C", "PYTHONWARNINGS": "ignore", "OS_NOVA_DISABLE_EVENTLET_PATCHING": "true"}
CONF = """[DEFAULT]
use_syslog = true
use_stderr = false
syslog_log_facility = LOG_LOCAL0
instances_path = /var/lib/nova/instances
state_path = /var/lib/nova
compute_driver = libvirt.LibvirtDriver
transport_url = fake:/
[database]
connection = mysql+pymysql://root@127.0.0.1/nova
[api_database]
connection = mysql+pymysql://root@127.0.0.1/nova_api
[image_cache]
manager_interval = 7200
[notifications]
notification_format = unversioned
[oslo_messaging_notifications]
driver = log
[oslo_concurrency]
lock_path = /var/lib/nova/locks
[glance]
endpoint_override = http://10.20.0.10:9292
"""


class Picture(NamedTuple):
    """An image of glance."""

    name: str
    snapshot_of: str


OPERATOR, SHOP = (made_up(name).replace("-", "") for name in ("operator today", "shop today"))
UBUNTU, DEBIAN, SNAPSHOT, FEDORA = (made_up(f"{name} today") for name in ("ubuntu", "debian", "snapshot", "fedora"))
INSTANCES = (  # name, image, host, project
    ("web-1", UBUNTU, "cc-01", OPERATOR), ("web-2", UBUNTU, "cc-02", OPERATOR), ("web-3", UBUNTU, "cc-03", OPERATOR),
    ("web-4", UBUNTU, "cc-04", OPERATOR), ("shop-1", SNAPSHOT, "cc-02", SHOP), ("old-1", DEBIAN, "cc-03", OPERATOR),
)  # fmt: skip


def base_file(image: str) -> str:
    """Path of an image's base file."""
    return str(BASE / hashlib.sha1(image.encode()).hexdigest())


class Story:
    """One half, told pass by pass."""

    def __init__(self, lab: Lab, half: str, nova: Path) -> None:
        self.lab, self.half, self.nova = lab, half, nova
        self.queue: list[tuple[float, int, Callable[[float], None]]] = []
        self.stops: dict[str, int] = {}
        Path("/run/nova.conf").write_text(CONF)
        Path("/run/nova-compute").symlink_to(HERE / "current.py")  # by its name syslog calls it
        worker = [str(nova / "bin" / "python"), "-P", "/run/nova-compute", DEBUG]
        self.nodes = {name: Node(lab, name, *clock, worker) for name, clock in HOSTS.items()}

    def on(self, moment: float, what: Callable[[float], None]) -> None:
        """Let something happen."""
        heapq.heappush(self.queue, (moment, len(self.queue) * 1000, what))

    def play(self) -> None:
        """From START to END."""
        self.lab.at(START - 1800)
        self.lab.sql("create database nova; create database nova_api", "mysql")
        manage = [str(self.nova / "bin" / "nova-manage"), "--config-file", "/run/nova.conf"]
        manage += ["db", "sync", "--local_cell"]
        done = subprocess.run(manage, env=ALONE, cwd="/", capture_output=True, text=True, check=False)  # by no clock
        if done.returncode:
            raise RuntimeError(f"nova-manage db sync: {done.stderr.strip()[-400:]}")
        for image in (UBUNTU, DEBIAN, SNAPSHOT, FEDORA):
            with open(base_file(image), "wb") as file:
                file.truncate((8 if image == SNAPSHOT else 2) * GB)
            age = START - (19 * 3600 if image == FEDORA else 2400)
            self.lab.run("touch", "-d", instant(age), base_file(image))
        for node in self.nodes.values():
            node.boot()
        for index, (name, *rest) in enumerate(INSTANCES):
            self.on(START - 1500 + 97 * index, lambda _, name=name, rest=rest: self.create(name, *rest))
        for name in HOSTS:
            self.on(START + FIRST_S[name], self.sweep(self.nodes[name]))
        self.on(utc("2026-11-06 06:52:10"), lambda _: self.nodes["cc-03"].do("delete", uuid=made_up("old-1 today")))
        self.on(utc("2026-11-06 08:57:41"), lambda _: self.create("web-5", UBUNTU, "cc-02", OPERATOR))
        if self.half == "guilty":
            self.on(LOCKED_UP, lambda _: self.halt(DOWN))
            self.on(BACK, lambda _: self.back(DOWN))
            for index, name in enumerate(("web-2", "shop-1", "web-5")):
                self.on(REBOOTS + 50 * index, lambda _, name=name: self.reboot(name))
        while self.queue and self.queue[0][0] < END:
            moment, _, what = heapq.heappop(self.queue)
            self.lab.at(moment)
            what(moment)
        self.lab.at(END)

    def create(self, name: str, image: str, host: str, project: str) -> None:
        """A new instance."""
        self.nodes[host].do("create", name=name, uuid=made_up(f"{name} today"), image_ref=image,
                            base_file=base_file(image), user_id=project[::-1], project_id=project,
                            snapshot=UBUNTU if image == SNAPSHOT else "")  # fmt: skip

    def sweep(self, node: Node) -> Callable[[float], None]:
        """A pass; the next is due an interval after its end."""

        def happen(_: float) -> None:
            if node.alive:
                node.do("pass")
                self.on(self.lab.now() + INTERVAL_S + 0.4, happen)

        return happen

    def halt(self, name: str) -> None:
        """The power is gone."""
        self.stops[name] = self.nodes[name].written()
        self.nodes[name].stop()

    def back(self, name: str) -> None:
        """The host is up again, its guests are not."""
        self.nodes[name].boot()
        say = [{"logger": "nova.service", "level": "INFO", "message": "Starting compute node (version 34.0.0)"}]
        self.nodes[name].do("say", say=say)
        self.nodes[name].do("powered_off")
        self.on(self.lab.now() + INTERVAL_S, self.sweep(self.nodes[name]))

    def reboot(self, name: str) -> None:
        """The operator starts what ran there."""
        image = next((image for known, image, *_ in INSTANCES if known == name), UBUNTU)
        self.nodes[DOWN].do("reboot", uuid=made_up(f"{name} today"), base_file=base_file(image))
