"""A deployment: its database, filled step by step, its one nova-api process, and what both were seen to do."""

import json
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from nova_models import tables
from server import Server
from sqlalchemy import create_engine, insert, text, update
from sqlalchemy.pool import StaticPool

FLAVORS = {"m1.tiny": (512, 1, 1), "m1.small": (2048, 1, 20), "m1.medium": (4096, 2, 40), "m1.large": (8192, 4, 80),
           "m1.xlarge": (16384, 8, 160)}  # fmt: skip
PROJECTS = {"grid": 0.95, "web": 0.05}
Rows = dict[str, list[dict[str, Any]]]
WORKER = Path(__file__).resolve().parent / "worker.py"


class Cloud:
    """One deployment of one release; the same `seed` gives the same rows."""

    def __init__(self, name: str, release: str, folder: Path, seed: str) -> None:
        self.name, self.release, self.rng = name, release, random.Random(f"{seed} {name}")
        self.server = Server(folder)
        self.worker: subprocess.Popen[str] | None = None
        try:
            self.server.ask("create database nova character set utf8", database="")
            address = f"mysql+pymysql://root@localhost/nova?unix_socket={self.server.socket}&charset=utf8"
            self.engine = create_engine(address, poolclass=StaticPool)
            self.tables = tables(release)
            next(iter(self.tables.values())).metadata.create_all(self.engine)
            self.projects = {name: self.hex() for name in PROJECTS}
            self.users = {name: self.hex() for name in PROJECTS}
            self.images = [self.uuid() for _ in range(7)]
            self.hosts = [f"cn{n:02d}.{name}" for n in range(1, 13)]
            self.live: dict[str, list[str]] = {name: [] for name in PROJECTS}
            self.furnish(datetime(2013, 1, 7, 2, tzinfo=UTC))
        except BaseException:
            self.server.close()
            raise

    def hex(self) -> str:
        """An id as keystone makes them."""
        return f"{self.rng.getrandbits(128):032x}"

    def uuid(self) -> str:
        """An id of version 4."""
        return str(UUID(int=self.rng.getrandbits(128), version=4))

    def add(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Insert rows."""
        with self.engine.begin() as connection:
            for at in range(0, len(rows), 2000):
                connection.execute(insert(self.tables[table]), rows[at : at + 2000])

    def furnish(self, at: datetime) -> None:
        """What a deployment has before its first instance."""
        born = {"created_at": at, "deleted": 0}
        self.add("instance_types", [
            born | {"name": name, "memory_mb": memory, "vcpus": vcpus, "root_gb": disk, "ephemeral_gb": 0, "swap": 0,
                    "flavorid": str(number), "rxtx_factor": 1.0, "disabled": False, "is_public": True}
            for number, (name, (memory, vcpus, disk)) in enumerate(FLAVORS.items(), 1)
        ])  # fmt: skip
        self.add("s3_images", [born | {"uuid": image} for image in self.images])
        for name, project in self.projects.items():
            owned = born | {"project_id": project}
            self.add("security_groups", [owned | {"name": "default", "user_id": self.users[name]}])
            resources = ("instances", "cores", "ram")
            self.add("quotas", [owned | {"resource": r, "hard_limit": 10**6} for r in resources])
            self.add("quota_usages", [owned | {"resource": r, "in_use": 0, "reserved": 0} for r in resources])
        self.add("fixed_ips", [
            born | {"address": f"10.40.{n // 250}.{n % 250 + 2}", "network_id": 1, "allocated": False, "leased": False,
                    "reserved": False} for n in range(500)
        ])  # fmt: skip
        services = [("nova-compute", "compute", host) for host in self.hosts]
        services += [(f"nova-{topic}", topic, self.name) for topic in ("conductor", "network", "scheduler", "cert")]
        self.add("services", [
            born | {"host": host, "binary": binary, "topic": topic, "report_count": 0, "disabled": False}
            for binary, topic, host in services
        ])  # fmt: skip

    def raise_instances(self, name: str, count: int, first: datetime, last: datetime, dead: bool) -> None:
        """Instances that were started between two instants; the dead ones were terminated there too."""
        rows: Rows = {}
        for _ in range(count):
            span = (last - first) / timedelta(seconds=1)
            start = first + timedelta(seconds=int(self.rng.uniform(0, span * 0.6)))
            end = start + timedelta(seconds=int(self.rng.uniform(600, span * 0.4))) if dead else None
            uuid = self.uuid()
            self._rows(rows, name, uuid, start, end)
            if not dead:
                self.live[name].append(uuid)
        for table, some in rows.items():
            self.add(table, some)
        with self.engine.begin() as connection:  # a deleted row's `deleted` is its id
            for table in ("instances", "instance_info_caches", "security_group_instance_association"):
                connection.execute(text(f"UPDATE {table} SET deleted = id WHERE deleted = -1"))

    def _rows(self, rows: Rows, name: str, uuid: str, start: datetime, end: datetime | None) -> None:
        flavor = self.rng.choice(list(FLAVORS))
        memory, vcpus, disk = FLAVORS[flavor]
        number, image = list(FLAVORS).index(flavor) + 1, self.rng.choice(self.images)
        host, failed = self.rng.choice(self.hosts), end is None and self.rng.random() < 0.05
        # The instance_system_metadata of a deleted instance stays as it is: instance_destroy leaves it alone.
        kept = {"created_at": start, "deleted": 0, "instance_uuid": uuid}
        gone = kept | {"deleted_at": end, "deleted": -1 if end else 0}
        rows.setdefault("instances", []).append({
            "created_at": start, "updated_at": end or start, "deleted_at": end, "deleted": -1 if end else 0,
            "uuid": uuid,
            "user_id": self.users[name], "project_id": self.projects[name], "image_ref": image, "launch_index": 0,
            "power_state": 0 if end or failed else 1, "vm_state": "deleted" if end else "error" if failed else "active",
            "memory_mb": memory, "vcpus": vcpus, "root_gb": disk, "ephemeral_gb": 0, "instance_type_id": number,
            "hostname": f"server-{uuid}", "display_name": f"Server {uuid}", "host": host, "node": host,
            "reservation_id": f"r-{self.rng.getrandbits(40):08x}"[:10], "scheduled_at": start + timedelta(seconds=2),
            "launched_at": start + timedelta(seconds=25), "terminated_at": end, "availability_zone": "nova",
            "locked": False, "progress": 0, "root_device_name": "/dev/vda", "shutdown_terminate": True,
            "disable_terminate": False,
        })  # fmt: skip
        system = {"id": number, "name": flavor, "memory_mb": memory, "vcpus": vcpus, "root_gb": disk, "ephemeral_gb": 0,
                  "flavorid": number, "swap": 0, "rxtx_factor": 1.0, "vcpu_weight": None}  # fmt: skip
        of_image = {"base_image_ref": image, "min_ram": 0, "min_disk": 20, "disk_format": "qcow2",
                    "container_format": "bare"}  # fmt: skip
        pairs = {f"instance_type_{key}": value for key, value in system.items()}
        pairs |= {f"image_{key}": value for key, value in of_image.items()}
        rows.setdefault("instance_system_metadata", []).extend(
            kept | {"key": key, "value": None if value is None else str(value)} for key, value in pairs.items()
        )
        address = f"10.40.{self.rng.randrange(2)}.{self.rng.randrange(2, 250)}"
        card = f"fa:16:3e:{self.rng.randrange(256):02x}:{self.rng.randrange(256):02x}:{self.rng.randrange(256):02x}"
        network = [{"ovs_interfaceid": None, "network": {"bridge": "br100", "label": "public", "subnets": [
            {"ips": [{"address": address, "type": "fixed", "floating_ips": []}], "cidr": "10.40.0.0/16"}]},
            "devname": None, "address": card, "id": uuid}]  # fmt: skip
        rows.setdefault("instance_info_caches", []).append(gone | {"network_info": json.dumps(network)})
        rows.setdefault("security_group_instance_association", []).append(
            gone | {"security_group_id": list(PROJECTS).index(name) + 1}
        )
        rows.setdefault("instance_actions", []).append(kept | {"action": "create", "start_time": start})
        rows.setdefault("instance_id_mappings", []).append({"created_at": start, "deleted": 0, "uuid": uuid})
        if failed:
            rows.setdefault("instance_faults", []).append(
                kept | {"code": 500, "message": "NoValidHost", "details": "No valid host was found.", "host": self.name}
            )

    def settle(self, name: str, uuids: list[str], at: datetime) -> None:
        """What conductor, scheduler, network and compute write of instances that were asked for."""
        instances = self.tables["instances"]
        with self.engine.begin() as connection:
            for uuid in uuids:
                host = self.rng.choice(self.hosts)
                connection.execute(
                    update(instances).where(instances.uuid == uuid)
                    .values(vm_state="active", power_state=1, task_state=None, host=host, node=host, launched_at=at,
                            updated_at=at, availability_zone="nova", root_device_name="/dev/vda")
                )  # fmt: skip
        self.live[name] += uuids

    def bury(self, name: str, keep: int, first: datetime, last: datetime) -> None:
        """Terminate the oldest so that `keep` are left: `instance_destroy`, which leaves system metadata alone."""
        cut = max(0, len(self.live[name]) - keep)
        dying, self.live[name] = self.live[name][:cut], self.live[name][cut:]
        with self.engine.begin() as connection:
            for uuid in dying:
                at = first + timedelta(seconds=int(self.rng.uniform(0, (last - first) / timedelta(seconds=1))))
                values = {"at": at, "uuid": uuid}
                connection.execute(text(
                    "UPDATE instances SET deleted = id, deleted_at = :at, updated_at = :at, terminated_at = :at, "
                    "vm_state = 'deleted', power_state = 0 WHERE uuid = :uuid"), values)  # fmt: skip
                for table in ("instance_info_caches", "security_group_instance_association"):
                    statement = f"UPDATE {table} SET deleted = id, deleted_at = :at WHERE instance_uuid = :uuid"
                    connection.execute(text(statement), values)

    def start(self) -> int:
        """Start nova-api (anew); returns its process id."""
        self.stop()
        command = [sys.executable, str(WORKER), str(self.server.socket), str(self.server.process.pid), self.release]
        self.worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.worker.stdout is not None
        line = self.worker.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name}: worker.py does not start (see above)")
        return int(json.loads(line)["pid"])

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Let nova-api do a request."""
        assert self.worker is not None
        assert self.worker.stdin is not None
        assert self.worker.stdout is not None
        self.worker.stdin.write(json.dumps(request) + "\n")
        self.worker.stdin.flush()
        line = self.worker.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name}: worker.py ended (see above)")
        return dict(json.loads(line))

    def rows(self, table: str) -> int:
        """How many there are now."""
        return int(self.server.ask(f"select count(*) from {table}", "-N"))

    def stop(self) -> None:
        """End nova-api."""
        if self.worker is not None:
            assert self.worker.stdin is not None
            self.worker.stdin.close()
            self.worker.wait(30)
            self.worker = None

    def close(self) -> None:
        """End all of it."""
        if self.worker is not None:
            self.worker.kill()
            self.worker.wait()
        self.engine.dispose()
        self.server.close()
