"""nova-api's worker, as far as the database sees it: one process, asked by lines of JSON, that answers with figures.

Each operation asks what nova's API of the release asked (nova/api/ec2/cloud.py, nova/compute/api.py,
nova/db/sqlalchemy/api.py) through the same library with the same options, holds the results as nova did, and forms an
answer. What a request cost is the processor time that this process and the database server took for it; time that
other programs of the machine took does not count.
"""

import json
import os
import re
import sys
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))  # `python -P` leaves it out

from nova_models import tables
from sqlalchemy import asc, create_engine, desc, select
from sqlalchemy.orm import Session, joinedload
from sqlalchemy.pool import StaticPool

FLAVOR_KEYS = (
    "id",
    "name",
    "memory_mb",
    "vcpus",
    "root_gb",
    "ephemeral_gb",
    "flavorid",
    "swap",
    "rxtx_factor",
    "vcpu_weight",
)  # nova/compute/flavors.py, system_metadata_flavor_props
IMAGE_KEYS = {"image_min_ram": "0", "image_min_disk": "20", "image_disk_format": "qcow2",
              "image_container_format": "bare"}  # fmt: skip


class Api:
    """What a worker of one release does for a request."""

    def __init__(self, socket: str, server_pid: int, release: str) -> None:
        address = f"mysql+pymysql://root@localhost/nova?unix_socket={socket}&charset=utf8"
        self.engine = create_engine(address, poolclass=StaticPool)
        self.release, self.server_clock = release, (~server_pid << 3) | 2  # CPUCLOCK_SCHED of a process
        self.tables = tables(release)

    def serve(self, ask: dict[str, Any]) -> dict[str, Any]:
        """Do one request; what it cost, and how many octets its answer has."""
        ask["now"] = datetime.strptime(ask["at"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        mine, theirs = time.process_time(), time.clock_gettime(self.server_clock)
        with Session(self.engine, autoflush=False) as session:
            body = getattr(self, ask["operation"])(session, ask)
        spent = time.process_time() - mine, time.clock_gettime(self.server_clock) - theirs
        return {"cpu_s": sum(spent), "bytes": len(body.encode())}

    def get_all(self, session: Session, project: str, order: str, **filters: Any) -> list[dict[str, Any]]:
        """`instance_get_all_by_filters`: deleted instances too, unless a filter says otherwise."""
        model = self.tables["instances"]
        query = select(model).options(joinedload(model.info_cache), joinedload(model.security_groups))
        query = query.order_by({"asc": asc, "desc": desc}[order](model.created_at), model.id)
        query = query.where(model.project_id == project).filter_by(**filters)
        if "deleted" in filters:
            query = query.where(model.vm_state != "soft-delete")
        instances = session.execute(query).unique().scalars().all()
        uuids = [instance.uuid for instance in instances]
        meta: dict[str, Any] = defaultdict(list)
        system: dict[str, Any] = defaultdict(list)
        for table, rows in (("instance_metadata", meta), ("instance_system_metadata", system)):
            model = self.tables[table]
            if uuids:
                for row in session.execute(select(model).where(model.instance_uuid.in_(uuids))).scalars():
                    rows[row.instance_uuid].append(row)
        filled = []
        for instance in instances:
            known = {key: value for key, value in instance.__dict__.items() if key != "_sa_instance_state"}
            known["system_metadata"], known["metadata"] = system[instance.uuid], meta[instance.uuid]
            filled.append(known)
        return filled

    def reservation_of_token(self, session: Session, project: str, token: str) -> str | None:
        """`_resv_id_from_token` of Havana: all instances of the project, and a search in Python."""
        found = []
        wanted: list[dict[str, list[str]]] = [{"key": ["EC2_client_token"]}, {"value": [token]}]
        for instance in self.get_all(session, project, "desc"):
            metadata = {row.key: row.value for row in instance["system_metadata"]}
            for one in wanted:
                metadata = {
                    key: value for key, value in metadata.items()
                    if not ("key" in one and not any(re.match(pattern, key) for pattern in one["key"]))
                    and not ("value" in one and not any(re.match(pattern, value or "") for pattern in one["value"]))
                }  # fmt: skip
            found += [instance for value in metadata.values() if value == token]
        return found[0]["reservation_id"] if found else None

    def RunInstances(self, session: Session, ask: dict[str, Any]) -> str:  # noqa: N802 (EC2's own name)
        """`run_instances`: the token first, then quotas, rows for each instance, and the reservation's description."""
        project, user, now, tables = ask["project"], ask["user"], ask["now"], self.tables
        if self.release == "havana" and ask["token"]:
            known = self.reservation_of_token(session, project, ask["token"])
            if known is not None:
                raise RuntimeError(f"the token {ask['token']} was used before")
        flavor = session.execute(select(tables["instance_types"]).filter_by(name=ask["flavor"], deleted=0)).scalar_one()
        image = session.execute(select(tables["s3_images"]).filter_by(id=ask["image"])).scalar_one()
        group = session.execute(select(tables["security_groups"]).filter_by(project_id=project, deleted=0)).scalar_one()
        session.execute(select(tables["quotas"]).filter_by(project_id=project, deleted=0)).scalars().all()
        usages = tables["quota_usages"]
        held = select(usages).filter_by(project_id=project, deleted=0)
        for usage in session.execute(held.with_for_update()).scalars():
            usage.in_use += ask["count"]
        session.commit()
        for index, uuid in enumerate(ask["uuids"]):
            instance = tables["instances"](
                created_at=now, uuid=uuid, user_id=user, project_id=project, image_ref=image.uuid, launch_index=index,
                power_state=0, vm_state="building", task_state="scheduling", memory_mb=flavor.memory_mb, progress=0,
                vcpus=flavor.vcpus, root_gb=flavor.root_gb, ephemeral_gb=flavor.ephemeral_gb, hostname=f"server-{uuid}",
                display_name=f"Server {uuid}", reservation_id=ask["reservation"], instance_type_id=flavor.id,
                shutdown_terminate=True, disable_terminate=False, locked=False, key_name=ask["key"], deleted=0,
            )  # fmt: skip
            session.add(instance)
            session.flush()
            rows = {f"instance_type_{key}": str(getattr(flavor, key)) for key in FLAVOR_KEYS} | IMAGE_KEYS
            rows |= {"image_base_image_ref": image.uuid}
            if self.release == "havana" and ask["token"]:
                rows["EC2_client_token"] = ask["token"]
            born = {"created_at": now, "deleted": 0, "instance_uuid": uuid}
            metadata = tables["instance_system_metadata"]
            session.add_all(metadata(key=key, value=value, **born) for key, value in rows.items())
            others = {"instance_info_caches": {"network_info": "[]"}, "instance_actions": {"action": "create"},
                      "security_group_instance_association": {"security_group_id": group.id}}  # fmt: skip
            session.add_all(tables[table](**born, **values) for table, values in others.items())
            session.add(tables["instance_id_mappings"](created_at=now, uuid=uuid, deleted=0))
            session.commit()
        new = self.get_all(session, project, "asc", deleted=0, reservation_id=ask["reservation"])
        return self.reservations(session, new, "RunInstancesResponse")

    def DescribeInstances(self, session: Session, ask: dict[str, Any]) -> str:  # noqa: N802
        """`describe_instances`: the live ones, each with its EC2 name."""
        return self.reservations(session, self.get_all(session, ask["project"], "asc", deleted=0), ask["operation"])

    def reservations(self, session: Session, instances: list[dict[str, Any]], name: str) -> str:
        """The answer in EC2's XML."""
        mapping, items = self.tables["instance_id_mappings"], []
        for one in instances:
            number = session.execute(select(mapping.id).filter_by(uuid=one["uuid"])).scalar_one()
            groups = "".join(f"<item><groupId>{group.name}</groupId></item>" for group in one["security_groups"])
            address = re.findall(r'"address": "(10[\d.]+)"', one["info_cache"].network_info or "")
            items.append(
                f"<item><reservationId>{one['reservation_id']}</reservationId><ownerId>{one['project_id']}</ownerId>"
                f"<groupSet>{groups}</groupSet><instancesSet><item><instanceId>i-{number:08x}</instanceId>"
                f"<instanceState><name>{one['vm_state']}</name></instanceState><imageId>ami-00000001</imageId>"
                f"<privateIpAddress>{''.join(address[:1])}</privateIpAddress><launchTime>{one['created_at']}</launchTime>"
                f"<placement><availabilityZone>nova</availabilityZone></placement></item></instancesSet></item>"
            )
        return f"<{name}><reservationSet>{''.join(items)}</reservationSet></{name}>"

    def servers(self, session: Session, ask: dict[str, Any]) -> str:
        """`GET servers/detail`: the live ones, newest first."""
        servers = []
        for one in self.get_all(session, ask["project"], "desc", deleted=0):
            flavor = {row.key: row.value for row in one["system_metadata"]}.get("instance_type_flavorid")
            servers.append({
                "id": one["uuid"], "name": one["display_name"], "status": one["vm_state"].upper(),
                "tenant_id": one["project_id"], "user_id": one["user_id"], "created": str(one["created_at"]),
                "flavor": {"id": flavor},
                "image": {"id": one["image_ref"]}, "addresses": json.loads(one["info_cache"].network_info or "[]"),
                "metadata": {row.key: row.value for row in one["metadata"]}, "OS-EXT-STS:task_state": one["task_state"],
            })  # fmt: skip
        return json.dumps({"servers": servers})

    def flavors(self, session: Session, ask: dict[str, Any]) -> str:
        """`GET flavors`."""
        query = select(self.tables["instance_types"]).filter_by(deleted=0, disabled=False)
        found = session.execute(query.order_by(self.tables["instance_types"].flavorid)).scalars()
        link = f"http://10.0.0.1:8774/v2/{ask['project']}/flavors/"
        return json.dumps(
            {"flavors": [{"id": f.flavorid, "name": f.name, "links": [link + f.flavorid]} for f in found]}
        )


def memory_kib() -> dict[str, int]:
    """What the kernel says of this process, as ps shows it."""
    status = Path("/proc/self/status").read_text()
    names = {"vsz": "VmSize", "rss": "VmRSS"}
    return {key: int(re.findall(rf"{name}:\s+(\d+) kB", status)[0]) for key, name in names.items()}


def main() -> None:
    """Answer each line of standard input with one of standard output."""
    api = Api(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    print(json.dumps({"pid": os.getpid()}), flush=True)
    for line in sys.stdin:
        print(json.dumps(api.serve(json.loads(line)) | memory_kib()), flush=True)


if __name__ == "__main__":
    main()
