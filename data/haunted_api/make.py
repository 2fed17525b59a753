#!/usr/bin/env python3
"""Make the haunted API again: two deployments, a real database, dead rows, and a healthy twin.

A site runs two deployments side by side, grizzly-cloud and havana-cloud. Havana's EC2 API looks for the client's token
before it runs an instance, and for that it loads every instance that the project ever had, the deleted ones too, with
all its system metadata (nova/api/ec2/cloud.py, `_resv_id_from_token`). Nobody purges deleted rows, so each request
takes longer than the last, until an operator deletes what has been dead for a year.

What is real:

- Two MariaDB servers (of today) with nova's tables (nova_models.py, after migration 216 of Havana), filled every
  fourteenth day with instances that lived for hours, and with some that stay. `deleted` holds the row's id; the system
  metadata of a deleted instance keeps `deleted = 0`, for `instance_destroy` leaves it alone.
- The requests: worker.py asks through SQLAlchemy what nova asked, in one long-lived process per deployment. Havana's
  does the search for the token, Grizzly's does not know it. Lengths of answers and memory are the worker's.
- row-counts.csv and row-counts.txt hold answers of the servers, the dump is mysqldump's, and purge.txt is a session of
  the server's client at a terminal.

What is arranged:

- Fourteen months pass in minutes. Instants are given to the server (`SET timestamp`) and to mysqldump (libfaketime),
  and nova-api's lines are written by this script, in the layout of the release, from what the requests did.
- A request's `time:` is FACTOR times the processor time that worker and server took for it (this machine's other work
  does not count), plus a wait for scheduler, network and keystone of a steady size. Requests that overlap share their
  process, as green threads do (lines.py, `share`); one day in three has a burst of them.
- The logs hold each fourteenth day alone: a probe, some users, a dashboard.
- In `ps` listings, memory is real and the other columns are this script's. One process serves both APIs.
- The row with id 1 lives, so the purge's first `delete`, with `deleted=1`, finds nothing. Were it dead, the server
  would refuse, for other tables refer to it.
- The tables are nova's in columns and in most indexes; unique constraints are left out. The search for the token
  follows what is known of Havana's code, not a copy of it. A reservation is looked up by equality, not by a pattern.
- FACTOR was chosen for durations of a minute and more; slope and medians scale with it, ranks do not. Between two runs
  the slope differed by a tenth (2830 and 3130 s per 100 000 rows), more than the first one's 95 % interval allows for.
- Both campaigns of the year before the purge leave dead rows; between them lies a time in which few are added, and no
  instance was deleted near the purge's own line, a year back.
- havana-cloud logs in Asia/Taipei, grizzly-cloud in UTC, and the clock of the latter is 3.5 s behind.

The healthy half differs in one word of the clients: they send no ClientToken, so Havana has nothing to search for. Rows
grow and are purged alike. What its latency follows is how many requests there are at once, and how many instances they
ask for or are told of.

Run: `python3 make.py [--half guilty|healthy|both] [--out FOLDER]`, nine minutes for both, as root (mariadbd then runs
as mysql) or not, with the project's extra `db`. Servers and temporary folders end with this process, however it ends.
"""

import json
import random
import shutil
import sys
import tempfile
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `python -P` leaves both out
sys.path.insert(0, str(Path(__file__).resolve().parent))

from _lab import FAKETIME, main, pack
from lines import PS_HEADING, Request, access_line, date_line, ps_line, share, start_lines
from true_facts import told

TITLES = {"guilty": "The EC2 API is slow on one of two clouds", "healthy": "Two clouds under a varying load"}
PACKAGES = {
    "mariadbd": "mariadb-server", "mariadb-install-db": "mariadb-server", "mariadb": "mariadb-client",
    "mysqldump": "mariadb-client", FAKETIME: "libfaketime", "/usr/share/zoneinfo/Asia/Taipei": "tzdata",
}  # fmt: skip
MODULES = {"sqlalchemy": "python3-sqlalchemy", "pymysql": "python3-pymysql"}

FACTOR = 60.0  # seconds of `time:` for one second of processor time
CLOUDS = {"grizzly-cloud": ("grizzly", "UTC", -3.5), "havana-cloud": ("havana", "Asia/Taipei", 0.0)}
FIRST = datetime(2013, 1, 8, tzinfo=UTC)
START, DAYS = datetime(2013, 11, 4, 2, tzinfo=UTC), 14
BORN = [420] * 6 + [30] * 10 + [100] * 10 + [40] * 6  # instances that live and die before each step: two campaigns
PURGE = START + timedelta(days=DAYS * (len(BORN) - 1), hours=4)
AFTERWARDS = [PURGE + timedelta(days=2), PURGE + timedelta(days=7)]
ROTATED = datetime(2014, 3, 31, 18, tzinfo=UTC)
COUNTED = ("instances", "instance_system_metadata", "instance_info_caches", "instance_faults", "fixed_ips", "services")
OLD = "select uuid from instances where deleted != 0 and terminated_at < (NOW() - INTERVAL 1 YEAR)"
CHILDREN = ("instance_system_metadata", "instance_info_caches", "security_group_instance_association",
            "instance_actions", "instance_faults")  # fmt: skip
STATEMENTS = [
    "select count(*) from instances where deleted != 0;",
    "delete from nova.instances where deleted=1 and terminated_at < (NOW() - INTERVAL 1 YEAR);",
    "select count(*) from instances where deleted != 0 and terminated_at < (NOW() - INTERVAL 1 YEAR);",
    *(f"delete from {table} where instance_uuid in ({OLD});" for table in CHILDREN),
    "delete from nova.instances where deleted != 0 and terminated_at < (NOW() - INTERVAL 1 YEAR);",
    "select count(*) from instances;",
]


class Lab:
    """One deployment of one half, and what is written down of it."""

    def __init__(self, cloud: Any, half: str) -> None:
        self.cloud, self.half = cloud, half
        self.release, self.zone, self.ahead_s = CLOUDS[cloud.name]
        self.rng = random.Random(f"clients of {cloud.name}")
        self.requests: list[Request] = []
        self.notes: list[tuple[datetime, str]] = []  # other lines of the log
        self.ps: list[tuple[datetime, str]] = []
        self.counts: list[tuple[datetime, dict[str, int]]] = []
        self.boxes: list[str] = []
        self.memory: list[tuple[int, int, int, datetime]] = []  # pid, requests served, resident bytes
        self.served, self.cpu_s, self.pid, self.started = 0, 0.0, 0, START
        self.purge = ""

    def start(self, at: datetime) -> None:
        """(Re)start nova-api."""
        self.pid, self.started, self.served, self.cpu_s = self.cloud.start(), at, 0, 0.0
        self.notes += start_lines(self.pid, at, self.zone, self.ahead_s)

    def count(self, at: datetime) -> None:
        """Ask the server how many rows there are, as a cron job of the site does."""
        each = " union all ".join(f"select '{t}' table_name, count(*) `count` from {t}" for t in COUNTED)
        plain = self.cloud.server.ask(each, "-N")
        self.counts.append((at, {line.split("\t")[0]: int(line.split("\t")[1]) for line in plain.splitlines()}))
        box = self.cloud.server.ask(each, "-t")
        self.boxes.append(f"{date_line(at, self.zone, self.ahead_s)}\n{box}")

    def look(self, at: datetime, memory: dict[str, Any]) -> None:
        """`ps aux`, once more."""
        line = ps_line(self.pid, memory, self.started, at, self.cpu_s * FACTOR, self.zone)
        self.ps.append((at, f"{date_line(at, self.zone, self.ahead_s)}\n{PS_HEADING}\n{line}\n"))
        self.memory.append((self.pid, self.served, memory["rss"] * 1024, at))

    def plan(self, at: datetime, runs: int, burst: bool) -> list[tuple[datetime, str, int]]:
        """What clients ask on one day: instant, operation, number of instances."""
        asked: list[tuple[datetime, str, int]] = []
        for n in range(runs):
            minute = at + timedelta(minutes=20 + 12 * n, seconds=self.rng.uniform(0, 90))
            count = 1 if n == 0 else self.rng.choice([1, 1, 2, 3, 5])  # the probe asks for one
            asked.append((minute, "RunInstances", count))
            near = self.rng.randint(5, 9) if burst and n == 1 else 0
            for _ in range(near):
                other = self.rng.choice(["DescribeInstances", "servers"])
                asked.append((minute + timedelta(seconds=self.rng.uniform(-1, 1)), other, 0))
        for n in range(4):
            start = at + timedelta(minutes=2 + 4 * n)
            asked += [
                (start + timedelta(seconds=self.rng.uniform(0, 150)), operation, 0)
                for operation in ("flavors", "DescribeInstances", "servers")
            ]
        return sorted(asked)

    def day(self, at: datetime, runs: int, burst: bool) -> None:
        """Serve one day's requests."""
        today, looks = [], {}
        for when, operation, count in self.plan(at, runs, burst):
            one, ask = self.request(when, operation, count)
            one.rows = self.cloud.rows("instances")
            done = self.cloud.ask(ask)
            one.cpu_s, one.response_bytes = done["cpu_s"], done["bytes"] + (190 if count else 230)
            self.cpu_s, self.served = self.cpu_s + one.cpu_s, self.served + 1
            today.append(one)
            if count:
                self.cloud.settle("grid", ask["uuids"], when.replace(microsecond=0))
            if len(today) in (1, 7) or operation == "RunInstances":
                looks[len(today) - 1] = (done, self.served, self.cpu_s)
        share(today, FACTOR)
        served, cpu_s = self.served, self.cpu_s
        for number, (done, self.served, self.cpu_s) in looks.items():
            self.look(today[number].ended + timedelta(seconds=1), done)
        self.served, self.cpu_s = served, cpu_s
        self.requests += today

    def request(self, when: datetime, operation: str, count: int) -> tuple[Request, dict[str, Any]]:
        """One request as its client sends it, and what the worker is told of it."""
        cloud, rng = self.cloud, self.rng
        project, user = cloud.projects["grid"], cloud.users["grid"]
        image, flavor = rng.randint(1, 7), rng.choice(["m1.tiny", "m1.small", "m1.large"])
        token = f"{rng.getrandbits(64):016x}"
        if self.half == "healthy":
            token = ""  # the one difference between the halves
        key = "AWSAccessKeyId=[removed]"
        sent = f"&ClientToken={token}" if token else ""
        url = {
            "RunInstances": f"/services/Cloud?{key}&Action=RunInstances{sent}&ImageId=ami-{image:08x}"
            f"&InstanceInitiatedShutdownBehavior=terminate&InstanceType={flavor}&MaxCount={count}&MinCount={count}"
            "&SignatureMethod=HmacSHA256&SignatureVersion=2&Version=2010-08-31&Signature=[removed]",
            "DescribeInstances": f"/services/Cloud?{key}&Action=DescribeInstances&SignatureMethod=HmacSHA256"
            "&SignatureVersion=2&Version=2010-08-31&Signature=[removed]",
            "servers": f"/v2/{project}/servers/detail",
            "flavors": f"/v2/{project}/flavors",
        }[operation]
        waiting = 2.4 + 0.15 * count + rng.gauss(0, 0.12) if count else rng.uniform(0.02, 0.06)
        client = "117.103.103.29" if "services" in url else "10.0.0.9"
        one = Request(operation, when, project, user, client, f"req-{cloud.uuid()}", url, waiting_s=waiting)
        ask = {"operation": operation, "at": f"{when:%Y-%m-%d %H:%M:%S}", "project": project, "user": user,
               "count": count, "image": image, "flavor": flavor, "token": token, "key": "grid-key",
               "uuids": [cloud.uuid() for _ in range(count)],
               "reservation": f"r-{rng.getrandbits(32):08x}"}  # fmt: skip
        one.pid = self.pid
        return one, ask

    def year(self) -> None:
        """Fill the database step by step, and let clients ask at each."""
        live = random.Random("how many live")
        cloud = self.cloud
        cloud.raise_instances("web", 3, FIRST, FIRST + timedelta(days=1), dead=False)  # so the row with id 1 lives
        cloud.raise_instances("web", 40, FIRST, START - timedelta(days=20), dead=True)
        cloud.raise_instances("grid", 2, FIRST, START - timedelta(days=20), dead=False)
        cloud.raise_instances("grid", 600, FIRST, START - timedelta(days=10), dead=True)
        self.start(START - timedelta(minutes=30))
        for step, born in enumerate(BORN):
            at = START + timedelta(days=DAYS * step)
            early, late = at - timedelta(days=4), at - timedelta(days=2)
            cloud.raise_instances("grid", born, early, late, dead=True)
            cloud.raise_instances("web", max(born // 20, 1), early, late, dead=True)
            keep = live.randint(12, 70)
            cloud.bury("grid", keep, early, late)
            cloud.raise_instances("grid", max(keep - len(cloud.live["grid"]), 0), early, late, dead=False)
            self.count(at)
            self.day(at, runs=2 + step % 2, burst=step % 3 == 1)
            self.count(at + timedelta(hours=2))

    def afterwards(self) -> None:
        """Go on after the purge."""
        for step, at in enumerate(AFTERWARDS):
            self.count(at)
            self.day(at, runs=5, burst=step == 1)
            self.count(at + timedelta(hours=2))


def incident(half: str, out: Path) -> dict[str, Any]:
    """Run both deployments of one half and write their evidence; returns what is true of it."""
    from cloud import Cloud  # only here: it needs the modules that main() looks for

    labs: dict[str, Lab] = {}
    facts: dict[str, Any] = {}
    shutil.rmtree(out, ignore_errors=True)
    with ExitStack() as stack:
        for name, (release, zone, _) in CLOUDS.items():
            folder = Path(tempfile.mkdtemp(prefix="haunted_api_"))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            cloud = stack.enter_context(closing(Cloud(name, release, folder, "haunted")))
            lab = labs[name] = Lab(cloud, half)
            (out / name).mkdir(parents=True)
            lab.year()
            if release == "havana":
                wall = PURGE - timedelta(minutes=30) + timedelta(hours=8)
                dump = cloud.server.dump(["instances", "instance_system_metadata", "services"], f"{wall:%F %T}", zone)
                pack(dump, out / name / "nova-20150112.sql.gz")
                facts |= database_facts(lab)
                lab.purge = cloud.server.session(STATEMENTS, int(PURGE.timestamp()))
                facts["rows_after_purge"] = cloud.rows("instances")
                lab.start(PURGE + timedelta(minutes=10))
            lab.afterwards()
            write(lab, out / name)
    (out / "case.toml").write_text(f'title = "{TITLES[half]}"\n')
    return told(half, labs, facts, CLOUDS, FACTOR)


def database_facts(lab: Lab) -> dict[str, Any]:
    """What the server counts before the purge; a year before the newest evidence is a year before the last count."""
    newest = AFTERWARDS[-1] + timedelta(hours=2)
    ask = lab.cloud.server.ask
    counts = {t: lab.cloud.rows(t) for t in COUNTED}
    dead = int(ask("select count(*) from instances where deleted != 0", "-N"))
    cut = f"'{newest:%F %T}' - interval 1 year"
    purgeable = int(ask(f"select count(*) from instances where deleted != 0 and deleted_at < {cut}", "-N"))
    with_them = ask(f"select count(*) from instance_system_metadata where instance_uuid in (select uuid from instances "
                    f"where deleted != 0 and deleted_at < {cut})", "-N")  # fmt: skip
    return {"rows_before_purge": counts, "deleted_instances": dead, "purgeable_instances": purgeable,
            "purgeable_system_metadata": int(with_them)}  # fmt: skip


def write(lab: Lab, folder: Path) -> None:
    """Write the folder that an operator would hand over."""
    from_requests = [(r.ended, access_line(r, lab.release, lab.zone, lab.ahead_s)) for r in lab.requests]
    written = sorted([*lab.notes, *from_requests], key=lambda one: one[0])
    pack("".join(line for at, line in written if at < ROTATED).encode(), folder / "nova-api.log-20140401.gz")
    (folder / "nova-api.log").write_text("".join(line for at, line in written if at >= ROTATED))
    (folder / "ps-nova-api.txt").write_text("".join(text for _, text in sorted(lab.ps)))
    if lab.release == "havana":
        rows = [f"{at:%Y-%m-%dT%H:%M:%SZ},nova,{t},{n}\n" for at, counts in lab.counts for t, n in counts.items()]
        (folder / "row-counts.csv").write_text("captured_at,table_schema,table_name,count\n" + "".join(rows))
        prompt = f"[root@{lab.cloud.name} ~]# "
        shown = date_line(PURGE, lab.zone, lab.ahead_s)
        (folder / "purge.txt").write_text(f"{prompt}date -R\n{shown}\n{prompt}mysql nova\n{lab.purge}")
    else:
        (folder / "row-counts.txt").write_text("".join(lab.boxes))


def make(half: str, out: Path) -> None:
    """Make one half: its evidence, and its truth beside it."""
    true = json.dumps(incident(half, out / half), indent=2)
    (out / f"{half}.truth.json").write_text(true + "\n")
    print(f"{half}: {true}")


if __name__ == "__main__":
    what = "Make the haunted API again (nine minutes)."  # one half after the other: both need a processor
    sys.exit(main(what, tuple(TITLES), make, PACKAGES, at_a_time=1, root_may="", modules=MODULES))
