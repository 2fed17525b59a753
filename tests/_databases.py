"""Statements that fill a database like nova's and StackTach's, for the tests that start a server."""

NASTY = "O'Neil \\ \"x\"\n\ttab ünï 😀 ') , ("
"""A name that a careless reader of SQL falls over."""
UUIDS = [f"871e24ab-fc79-4dc9-8071-7b5dc1b5{n:04x}" for n in range(300)]

_SCHEMA = """
CREATE TABLE instances (created_at timestamp NULL, updated_at timestamp NULL, deleted_at timestamp NULL,
  id int PRIMARY KEY, uuid varchar(36), display_name varchar(255), host varchar(255), user_id varchar(64),
  project_id varchar(64), image_ref varchar(255), vm_state varchar(32), power_state int, root_gb int, memory_mb int,
  vcpus int, launched_at timestamp NULL, terminated_at timestamp NULL, user_data text, key_data text, deleted int);
CREATE TABLE virtual_interfaces (created_at timestamp NULL, id int PRIMARY KEY, address varchar(255), uuid varchar(36),
  instance_uuid varchar(36), network_id int, deleted int);
CREATE TABLE services (created_at timestamp NULL, updated_at timestamp NULL, id int PRIMARY KEY, host varchar(255),
  {q}binary{q} varchar(255), topic varchar(255), report_count int, disabled {flag}, deleted int);
CREATE TABLE instance_system_metadata (id int PRIMARY KEY, instance_uuid varchar(36), value varchar(255), deleted int);
CREATE TABLE alembic_version (version_num varchar(32));
"""

STACKTACH = """
CREATE DATABASE stacktach; USE stacktach;
CREATE TABLE stacktach_rawdata (id int PRIMARY KEY, deployment_id int, tenant varchar(50), json longtext,
  routing_key varchar(50), state varchar(20), old_state varchar(20), old_task varchar(30), task varchar(30),
  image_type int, `when` decimal(20,6), publisher varchar(100), event varchar(50), service varchar(50),
  host varchar(100), instance varchar(50), request_id varchar(50));
INSERT INTO stacktach_rawdata VALUES (7,1,'p1','["monitor.info", {"event_type": "compute.instance.create.end",
  "message_id": "m-1", "publisher_id": "compute.cc3", "priority": "INFO", "timestamp": "2013-02-15 08:00:00.000001",
  "payload": {"instance_id": "871e24ab-fc79-4dc9-8071-7b5dc1b50001", "state": "active", "admin_pass": "hunter2"}}]',
  'monitor.info','active','','','',1,1360915200.000001,'compute.cc3','compute.instance.create.end','compute','cc3',
  '871e24ab-fc79-4dc9-8071-7b5dc1b50001','req-1');
"""


def filled(*, postgres: bool) -> str:
    """Statements for a schema like nova's, with 300 instances of which each third is deleted."""

    def literal(value: object) -> str:
        if value is None or isinstance(value, int):
            return "NULL" if value is None else str(value)
        text = str(value).replace("'", "''")
        return f"'{text}'" if postgres else "'" + text.replace("\\", "\\\\") + "'"

    def row(table: str, *values: object) -> str:
        return f"INSERT INTO {table} VALUES ({','.join(map(literal, values))});"

    out = [_SCHEMA.format(q='"' if postgres else "`", flag="boolean" if postgres else "tinyint(1)")]
    start, ended = "2012-01-01 00:00:00", "2013-01-01 00:00:00"
    image = "0673dd71-34c5-4fbb-86c4-40623fbe45b4"
    for n, uuid in enumerate(UUIDS):
        dead = n % 3 == 0
        name, gone = "name" if n else NASTY, ended if dead else None
        state = "deleted" if dead else "active"
        out.append(
            row("instances", start, None, gone, n + 1, uuid, name, f"cc{n % 7}", "u1", "p1", image, state, 1, 10, 2048,
                1, "2012-01-01 00:01:00", gone, "c2VjcmV0", "ssh-rsa AAAA", n + 1 if dead else 0)
        )  # fmt: skip
    out.append(row("virtual_interfaces", start, 1, "fa:16:3e:24:e7:22", "p", UUIDS[1], 1, 0))
    no = "false" if postgres else 0
    out.append(row("services", start, "2013-02-15 08:40:00", 1, "cc12", "nova-compute", "compute", 5, no, 0))
    out += [row("instance_system_metadata", n, UUIDS[n % 300], "x", n % 2 * n) for n in range(1, 1001)]
    return "\n".join(out)
