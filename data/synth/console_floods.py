"""Console logs asked for, by a seed: a huge one floods the broker, or only one of the three things happens.

Up to Folsom nova read the whole console.log and sent it as one answer over the broker; from Grizzly on it sends the
last 100 KiB (MAX_CONSOLE_BYTES). So guilty cases are of Essex and Folsom. `carried_bytes` adds up what the API's access
lines of those requests say; `requests` counts them once, however many programs speak of them.
"""

from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from data.synth import _services as services
from data.synth._services import Evidence, Table, Truth, Who, instant, is_from, utc

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

CAP_BYTES = 102_400
HEADERS_BYTES = 188
TITLES = {"guilty": "Instances start slowly, or not at all", "healthy": "A look at the message broker"}
INNOCENT = ("small", "alarms-alone", "never-asked", "capped", "large-lists")


def guilty(seed: int, folder: Path) -> Truth:
    """A user asks for a huge console log, time and again, and the broker runs out of memory."""
    return _Story(seed, folder, "guilty").truth()


def healthy(seed: int, folder: Path) -> Truth:
    """Small consoles, alarms, huge files: never all of them in one request."""
    return _Story(seed, folder, "healthy").truth()


def cases() -> "SearchStrategy[services.Made]":
    """Both halves, any seed."""
    return services.strategy(guilty, healthy)


class _Story:
    """One case: instances with consoles, who asks for them, and a broker."""

    def __init__(self, seed: int, folder: Path, half: str) -> None:
        self.random = random = Random(f"console_floods {half} {seed}")
        self.half = half
        self.cause = "" if half == "guilty" else random.choice(INNOCENT)
        releases = list(services.RELEASES)
        early = ["essex", "folsom", "folsom-1"]
        self.release = random.choice(early if half == "guilty" else releases)
        if self.cause == "capped":
            self.release = random.choice([release for release in releases if is_from(release, "grizzly")])
        self.ec2 = not is_from(self.release, "mitaka") and random.random() < 0.3
        self.cloud = services.hosts(random, random.randrange(2, 5))
        self.mq = [f"mq{at + 1}" for at in range(random.choice((1, 1, 2)))]
        self.api = random.choice(("controller", "ctl1", "cloud"))
        self.evidence = Evidence.begin(folder, random, self.release, [self.api, *self.mq, *self.cloud], merge=False)
        self.start = utc(services.RELEASES[self.release], random.choice((2, 3, 7)), random.randrange(2, 20), 15)
        self.start += timedelta(seconds=random.randrange(3 * 3600))
        self.end = self.start + timedelta(minutes=random.randrange(60, 150))
        self.users = [
            (services.hexadecimal(random), services.hexadecimal(random)) for _ in range(random.randrange(2, 6))
        ]
        self.compute_told = self.release == "essex" or random.random() < 0.8
        self.debug = not self.compute_told  # one of them says what the action was
        self.instances = [
            (number, services.uuid(random), random.choice(self.cloud), random.randrange(len(self.users)))
            for number in sorted(random.sample(range(3, 4000), random.randrange(4, 12)))
        ]
        self.loud = random.choice(self.instances)
        self.sizes = {one[1]: random.randrange(2_000, 60_000) for one in self.instances}
        if half == "guilty" or self.cause in ("never-asked", "capped"):
            self.sizes[self.loud[1]] = random.randrange(80_000_000, 6_000_000_000)
        self.lines = {uuid: max(1, size // random.randrange(48, 90)) for uuid, size in self.sizes.items()}
        self.asked: dict[str, list[tuple[str, int]]] = {}
        self.carried_at: list[datetime] = []
        self.alarms: list[dict[str, str]] = []
        self._consoles()
        self._others()
        self._broker()

    def _consoles(self) -> None:
        """Users look at consoles; one of them does not stop."""
        random = self.random
        for one in self.instances:
            often = random.randrange(0, 5)
            if self.cause == "small" and one is self.loud:
                often = random.randrange(40, 90)
            if one is self.loud and (self.half == "guilty" or self.cause == "capped"):
                often = random.randrange(5, 40)
            if one is self.loud and self.cause == "never-asked":
                often = 0
            people = (
                {one[3], *random.sample(range(len(self.users)), random.choice((0, 0, 1)))} if often > 3 else {one[3]}
            )
            for at in sorted(self.start + (self.end - self.start) * random.random() for _ in range(often)):
                self._ask(one, at, random.choice(sorted(people)))

    def _ask(self, one: tuple[int, str, str, int], at: datetime, user: int) -> None:
        """One request, from the API to the compute host and back."""
        number, uuid, host, _ = one
        who = Who.asks(self.random, *self.users[user])
        size = self.sizes[uuid]
        sent = min(size, CAP_BYTES) if is_from(self.release, "grizzly") else size
        body = sent * 4 // 3 + 420 if self.ec2 else sent + 15 + self.lines[uuid] * sent // size  # base64, or JSON's \\n
        failed = sent > 1_000_000 and self.random.random() < 0.15
        length = self.random.randrange(300, 420) if failed else body + HEADERS_BYTES
        seconds = 60.0 if failed else self.random.uniform(0.05, 0.4) + sent / 9e7
        if self.compute_told:
            message = f"Get console output for instance {uuid}" if self.release == "essex" else "Get console output"
            later = at + timedelta(seconds=0.03)
            self.evidence.say(host, "nova-compute", later, "AUDIT", "nova.compute.manager", message, who, uuid)
            if sent < size:
                text = f"Truncated console log returned, {size - sent} bytes ignored"
                driver = "nova.virt.libvirt.driver"
                self.evidence.say(host, "nova-compute", later, "INFO", driver, text, who, uuid)
        if self.debug and not self.ec2:
            text = 'Action: \'action\', body: {"os-getConsoleOutput": {"length": 35}} _process_stack '
            text += "/usr/lib/python2.7/dist-packages/nova/api/openstack/wsgi.py:935"
            self.evidence.say(self.api, "nova-api", at, "DEBUG", "nova.api.openstack.wsgi", text, who)
        if self.ec2:
            url = f"/services/Cloud?AWSAccessKeyId=AK{number}&Action=GetConsoleOutput&InstanceId=i-{number:08x}"
            self._access(at, seconds, "GET", url, 200 if not failed else 500, length, who)
        else:
            self._access(at, seconds, "POST", self._path(uuid, who), 200 if not failed else 500, length, who)
        self.asked.setdefault(uuid, []).append((str(who.user), length))
        if one is self.loud:
            self.carried_at.append(at)

    def _path(self, uuid: str, who: Who) -> str:
        return (
            f"/v2/{who.project}/servers/{uuid}/action"
            if not is_from(self.release, "pike")
            else f"/v2.1/servers/{uuid}/action"
        )

    def _access(self, at: datetime, seconds: float, method: str, url: str, status: int, length: int, who: Who) -> None:
        """The line of eventlet's server, written when the answer is out."""
        done = at + timedelta(seconds=seconds)
        api = "ec2" if url.startswith("/services/") else "osapi_compute"
        logger = f"nova.{api}.wsgi.server"
        if is_from(self.release, "grizzly"):
            text = f'10.0.0.9 "{method} {url} HTTP/1.1" status: {status} len: {length} time: {seconds:.7f}'
        else:
            local = self.evidence.clocks[self.api].local(done)
            text = f'10.0.0.9 - - [{local:%d/%b/%Y %H:%M:%S}] "{method} {url} HTTP/1.1" {status} {length} {seconds:.6f}'
        if self.release == "essex":
            logger = "eventlet.wsgi.server"
        blank = not is_from(self.release, "icehouse")
        self.evidence.say(self.api, "nova-api", done, "INFO", logger, text, who, blank=blank)

    def _others(self) -> None:
        """What else an API and its hosts do: lists, boots, reboots, periodic tasks."""
        random = self.random
        for _ in range(random.randrange(80, 300)):
            at = self.start + (self.end - self.start) * random.random()
            _, uuid, host, user = random.choice(self.instances)
            who = Who.asks(random, *self.users[user])
            version = "/v2.1" if is_from(self.release, "pike") else f"/v2/{who.project}"
            large = self.cause == "large-lists" and random.random() < 0.3
            length = random.randrange(20_000_000, 60_000_000) if large else random.randrange(300, 9000)
            seconds = random.uniform(0.02, 0.8) + length / 5e7
            kind = random.random()
            if kind < 0.7:
                self._access(at, seconds, "GET", f"{version}/servers/detail", 200, length, who)
            elif kind < 0.9:
                self._access(at, seconds, "GET", f"{version}/servers/{uuid}", 200, 1700, who)
            else:  # another action on the same path: a reboot
                if self.debug:
                    text = 'Action: \'action\', body: {"reboot": {"type": "SOFT"}} _process_stack /x/wsgi.py:9'
                    self.evidence.say(self.api, "nova-api", at, "DEBUG", "nova.api.openstack.wsgi", text, who)
                self._access(at, seconds, "POST", self._path(uuid, who), 202, 185, who)
                if self.compute_told:
                    later = at + timedelta(seconds=0.2)
                    manager = "nova.compute.manager"
                    self.evidence.say(host, "nova-compute", later, "AUDIT", manager, "Rebooting instance", who, uuid)

    def _broker(self) -> None:
        """RabbitMQ's log in one of its layouts, with memory alarms where the broker carries too much, or anyway."""
        random, form = self.random, "report"
        if is_from(self.release, "zed"):
            form = "logger"
        elif is_from(self.release, "train"):
            form = "lager"
        modern = form != "report" or is_from(self.release, "grizzly") or random.random() < 0.5
        limit = random.choice((819, 1638, 2510)) * 1_000_003
        alarmed = self.half == "guilty" or self.cause == "alarms-alone"
        for mq in self.mq:
            clock = self.evidence.clocks[mq]
            node = f"rabbit@{mq}"
            said: list[tuple[datetime, str, str]] = []
            word = node if form == "logger" else f"'{node}'"  # quoted up to 3.8
            for _ in range(random.randrange(5, 25)):
                at = self.start + (self.end - self.start) * random.random()
                port = random.randrange(32768, 60999)
                peer = f"10.0.0.{random.randrange(10, 30)}:{port} -> 10.0.0.3:5672"
                said.append((at, "INFO", f"accepting AMQP connection <0.{random.randrange(300, 9000)}.0> ({peer})"))
            for at in self._alarmed_at(random.randrange(1, 5)) if alarmed else ():
                used = limit + random.randrange(1, 10**8)
                said.append((at, "INFO", f"vm_memory_high_watermark set. Memory used:{used} allowed:{limit}"))
                if modern:
                    stars = "*" * 58
                    block = f"\n\n{stars}\n*** Publishers will be blocked until this alarm clears ***\n{stars}"
                    said.append((at, "WARNING", f"memory resource limit alarm set on node {word}.{block}"))
                self.alarms.append({"at": instant(at), "node": node, "kind": "memory"})
                until = at + timedelta(seconds=random.randrange(20, 100))
                used = limit - random.randrange(1, 10**7)
                said.append((until, "INFO", f"vm_memory_high_watermark clear. Memory used:{used} allowed:{limit}"))
                if modern:
                    said.append((until, "WARNING", f"memory resource limit alarm cleared on node {word}"))
                    said += [(until, "WARNING", "memory resource limit alarm cleared across the cluster")] * (
                        form == "logger"
                    )
            said.sort(key=lambda one: one[0])
            text = "".join(_broker_record(form, clock.local(at), level, message) for at, level, message in said)
            name = f"{mq}/rabbit@{mq}.log" if random.random() < 0.6 else f"{mq}/var/log/rabbitmq/rabbit@{mq}.log"
            self.evidence.put(name, text, clock, said[-1][0])
            if form == "logger":
                self.evidence.told[name]["zone"] = clock.zone
        self.alarms.sort(key=lambda alarm: (alarm["at"], alarm["node"]))

    def _alarmed_at(self, often: int) -> list[datetime]:
        """When alarms are raised: while answers are carried where those are the cause, else whenever."""
        random = self.random
        span = self.end - self.start
        whenever = [self.start + span * random.uniform(0.1, 0.9) for _ in range(often)]
        carried = [at + timedelta(seconds=random.uniform(1, 40)) for at in self.carried_at] or whenever
        chosen = sorted(random.sample(carried, min(often, len(carried))) if self.half == "guilty" else whenever)
        told = [chosen[0].replace(microsecond=0)]
        for at in chosen[1:]:
            if at - told[-1] > timedelta(seconds=120):
                told.append(at.replace(microsecond=0))
        return told

    def truth(self) -> Truth:
        """Listings and a dump are written last; what is true of it all."""
        random = self.random
        uuid, size = self.loud[1], self.sizes[self.loud[1]]
        exact = True
        if size > 10**6:
            exact = self._listing(size, self.lines[uuid])
        if self.ec2 or random.random() < 0.5:
            rows = [
                (self.start, self.end, None, 0, number, *self.users[user], services.uuid(random), f"vm-{number}", host,
                 "active", None, 1, 2048, 1, 10, 0, self.start, None, f"vm-{number}", one)
                for number, one, host, user in self.instances
            ]  # fmt: skip
            common = {
                name: services.INSTANCES[name]
                for name in ("created_at", "updated_at", "deleted_at", "deleted", "id", "uuid")
            }
            ids = [(self.start, None, None, 0, number, one) for number, one, _, _ in self.instances]
            tables = [Table("instances", services.INSTANCES, rows), Table("instance_id_mappings", common, ids)]
            self.evidence.put(
                "controller-db/nova.sql", services.dump({"nova": tables}, self.end), services.Clock(), self.end
            )
        asked = self.asked.get(uuid, [])
        facts: dict[str, Any] = {
            "instance": uuid, "console_bytes": size if exact else float(size), "console_lines": self.lines[uuid],
            "requests": len(asked), "carried_bytes": sum(length for _, length in asked),
            "requested_by": sorted({user for user, _ in asked}),
            "broker_alarms": self.alarms,
        }  # fmt: skip
        alarms = [
            {
                "kind": "broker-alarm",
                "facts": {"node": node, "kind": "memory", "alarms": [a["node"] for a in self.alarms].count(node)},
            }
            for node in sorted({alarm["node"] for alarm in self.alarms})
        ]
        flood = [{"kind": "console-log-flood", "facts": facts}]
        return {
            "findings": flood + alarms if self.half == "guilty" else [],
            "around": alarms,
            "clocks": self.evidence.finish(TITLES[self.half]),
            "in_the_api_log": {
                one: {"requests": len(asked), "reply_bytes": sum(length for _, length in asked)}
                for one, asked in sorted(self.asked.items())
            },
            "in_fact": {
                "release": self.release, "layout": self.evidence.layout, "cause": self.cause, "ec2": self.ec2,
                "console_bytes_are_exact": exact, "sources": ["nova-compute"] if self.compute_told else [],
                "console": facts,
            },
        }  # fmt: skip

    def _listing(self, size: int, lines: int) -> bool:
        """What the operator typed on the host, or `find` found there; whether it tells the size to the octet."""
        random = self.random
        number, uuid, host, _ = self.loud
        early = not is_from(self.release, "grizzly")
        folder = f"/var/lib/nova/instances/{f'instance-{number:08x}' if early else uuid}"
        prompt = f"adm@{host.split('.')[0]}:{folder}#"
        local = self.evidence.clocks[host].local(self.end)
        kind = random.choice(("session", "rounded", "long", "find"))
        said = f"{prompt} wc -l console.log\n{lines} console.log\n"
        if kind == "rounded":
            tenths = -(-size * 10 // 1024**3) if size > 1024**3 else 0
            shown = f"{tenths // 10}.{tenths % 10}G" if tenths else f"{-(-size // 1024**2)}M"
            self.evidence.put(
                f"{host}/session.txt", f"{said}{prompt} ls -sh console.log\n{shown} console.log\n", None, self.end
            )
        elif kind == "session":
            shown = f"{said}{prompt} stat -c '%n %s' console.log\nconsole.log {size}\n"
            self.evidence.put(
                f"{host}/session.txt", f"{shown}{prompt} du -b console.log\n{size}\tconsole.log\n", None, self.end
            )
        elif kind == "long":
            shown = f"-rw-rw---- 1 libvirt-qemu kvm {size} {local:%Y-%m-%d %H:%M:%S}.000000000 {local:%z} console.log"
            self.evidence.put(
                f"{host}/session.txt",
                f"{said}{prompt} ls -l --time-style=full-iso console.log\n{shown}\n",
                None,
                self.end,
            )
        else:
            text = f"{prompt} find {folder} -name console.log -printf '%s %p\\n'\n{size} {folder}/console.log\n{said}"
            self.evidence.put(f"{host}/session.txt", text, None, self.end)
        return kind != "rounded"


def _broker_record(form: str, local: datetime, level: str, message: str) -> str:
    """A record of RabbitMQ to 3.6, of 3.7 and 3.8, or of 3.9 and later."""
    if form == "report":
        stamp = f"{local.day}-{local:%b-%Y}::{local:%H:%M:%S}"
        return f"\n={level} REPORT==== {stamp} ===\n{message}\n"
    if form == "lager":
        return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d} [{level.lower()}] <0.334.0> {message}\n"
    off = f"{local:%z}"
    head = f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond:06d}{off[:3]}:{off[3:]} [{level.lower()}] <0.334.0>"
    return "".join(f"{head} {line}".rstrip() + "\n" for line in message.split("\n"))
