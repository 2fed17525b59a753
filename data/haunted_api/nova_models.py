"""Nova's tables of Havana that the compute API's requests touch, and classes on them."""

from typing import Any

from sqlalchemy import Boolean, Column, DateTime, Enum, Float, ForeignKey, Index, Integer, String
from sqlalchemy.dialects.mysql import MEDIUMTEXT
from sqlalchemy.orm import declarative_base, relationship

# nova/db/sqlalchemy/migrate_repo/versions/216_havana.py: names, types and order of the columns. A bare name is a
# String(255), `:i` Integer, `:d` DateTime, `:b` Boolean, `:f` Float, `:t` MediumText, `:u` a uuid, `:a` an address,
# `:k` a uuid that refers to instances.uuid by a foreign key. `id`, `deleted` and three dates are everyone's.
TABLES = {
    "instances": """internal_id:i user_id project_id image_ref kernel_id ramdisk_id launch_index:i key_name key_data:t
        power_state:i vm_state memory_mb:i vcpus:i hostname host user_data:t reservation_id scheduled_at:d launched_at:d
        terminated_at:d display_name display_description availability_zone locked:b os_type launched_on:t
        instance_type_id:i vm_mode uuid:u architecture root_device_name access_ip_v4:a access_ip_v6:a config_drive
        task_state default_ephemeral_device default_swap_device progress:i auto_disk_config:b shutdown_terminate:b
        disable_terminate:b root_gb:i ephemeral_gb:i cell_name node DELETED locked_by:e cleaned:i""",
    "instance_metadata": "key value instance_uuid:k",
    "instance_system_metadata": "instance_uuid:k key value",
    "instance_info_caches": "network_info:t instance_uuid:k",
    "instance_faults": "instance_uuid:k code:i message details:t host",
    "instance_actions": "action instance_uuid:k request_id user_id project_id start_time:d finish_time:d message",
    "instance_id_mappings": "uuid:u",
    "s3_images": "uuid:u",
    "instance_types": """name memory_mb:i vcpus:i swap:i vcpu_weight:i flavorid rxtx_factor:f root_gb:i ephemeral_gb:i
        disabled:b is_public:b""",
    "security_groups": "name description user_id project_id",
    "security_group_instance_association": "security_group_id:i instance_uuid:k",
    "block_device_mapping": """device_name delete_on_termination:b snapshot_id:u volume_id:u volume_size:i no_device:b
        connection_info:t instance_uuid:k DELETED source_type destination_type guest_format device_type disk_bus
        boot_index:i image_id:u""",
    "fixed_ips": """address:a network_id:i allocated:b leased:b reserved:b virtual_interface_id:i host
        instance_uuid:k""",
    "virtual_interfaces": "address network_id:i uuid:u instance_uuid:k",
    "quotas": "project_id resource hard_limit:i",
    "quota_usages": "user_id project_id resource in_use:i reserved:i until_refresh:i",
    "reservations": "uuid:u usage_id:i user_id project_id resource delta:i expire:d",
    "services": "host binary topic report_count:i disabled:b disabled_reason",
}  # fmt: skip
INDEXES = {  # the same file, `common_indexes`, on these tables
    "instances": ("reservation_id", "terminated_at launched_at", "task_state updated_at", "host deleted",
                  "uuid deleted", "host node deleted", "host deleted cleaned"),
    "instance_actions": ("instance_uuid", "request_id"),
    "instance_faults": ("host", "instance_uuid deleted created_at"),
    "instance_id_mappings": ("uuid",),
    "reservations": ("project_id", "user_id deleted", "uuid"),
    "quota_usages": ("project_id", "user_id deleted"),
    "fixed_ips": ("host", "network_id host deleted", "address deleted allocated"),
    "block_device_mapping": ("instance_uuid device_name", "instance_uuid volume_id"),
}  # fmt: skip
HAVANA_ONLY = {"instances": ("locked_by", "cleaned"), "services": ("disabled_reason",), "quota_usages": ("user_id",)}
"""Columns that Grizzly's tables do not have."""


def _column(word: str) -> Column[Any]:
    name, _, kind = word.partition(":")
    types = {
        "": String(255), "i": Integer(), "d": DateTime(), "b": Boolean(), "f": Float(), "t": MEDIUMTEXT(),
        "u": String(36), "k": String(36), "a": String(39), "e": Enum("owner", "admin", name="instances0locked_by"),
    }  # fmt: skip
    refers = [ForeignKey("instances.uuid")] if kind == "k" else []
    return Column(name, types[kind], *refers, index=kind == "k")


def tables(release: str) -> dict[str, Any]:
    """Classes by the names of their tables, as "havana" or "grizzly" has them."""
    base: Any = declarative_base()
    return {table: _class(table, base, HAVANA_ONLY.get(table, ()) if release == "grizzly" else ()) for table in TABLES}


def _class(table: str, base: Any, absent: tuple[str, ...]) -> Any:
    words = [word for word in TABLES[table].split() if word.partition(":")[0] not in absent]
    if "DELETED" not in words:
        words.append("DELETED")
    body: dict[str, Any] = {"__tablename__": table}
    for name in ("created_at", "updated_at", "deleted_at"):
        body[name] = Column(name, DateTime())
    body["id"] = Column("id", Integer, primary_key=True)
    for word in words:
        column = Column("deleted", Integer, default=0) if word == "DELETED" else _column(word)
        body[column.name] = column
    indexes = [
        Index(f"{table}_{'_'.join(names.split())}_idx"[:64], *names.split(), mysql_length=_lengths(table, names))
        for names in INDEXES.get(table, ())
        if not {*names.split()} & {*absent}
    ]
    body["__table_args__"] = (*indexes, {"mysql_engine": "InnoDB", "mysql_charset": "utf8"})
    if table == "instances":
        body["info_cache"] = relationship("InstanceInfoCaches", uselist=False, viewonly=True)
        body["security_groups"] = relationship(
            "SecurityGroups", secondary="security_group_instance_association", viewonly=True,
            primaryjoin="and_(Instances.uuid == SecurityGroupInstanceAssociation.instance_uuid,"
            "SecurityGroupInstanceAssociation.deleted == 0)",
            secondaryjoin="and_(foreign(SecurityGroupInstanceAssociation.security_group_id) == SecurityGroups.id,"
            "SecurityGroups.deleted == 0)",
        )  # fmt: skip
    return type("".join(part.title() for part in table.split("_")), (base,), body)


def _lengths(table: str, names: str) -> dict[str, int]:
    """Long texts enter an index with their first octets, as much as InnoDB of that time took."""
    plain = {word.partition(":")[0] for word in TABLES[table].split() if ":" not in word}
    return {name: 100 for name in names.split() if name in plain}
