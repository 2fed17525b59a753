"""Tables as releases made them, and rows that are hard to quote."""

from __future__ import annotations

ODD = [
    "plain",
    "it's",
    'say "so"',
    "back\\slash",
    "\\'",
    "a\nb\r\n\tc",
    "nul\0sub\x1a",
    "),(1,'x'),(",
    "';\nINSERT INTO `instances` VALUES (1);",
    "Zoë 雪 😀",
    "100%_\\%\\_",
    "NULL",
    "\\N",
    "",
    " padded ",
    "-- no comment",
]

GRIZZLY = """
CREATE TABLE instances (
  created_at datetime, updated_at datetime, deleted_at datetime, id int NOT NULL AUTO_INCREMENT PRIMARY KEY,
  internal_id int, user_id varchar(255), project_id varchar(255), image_ref varchar(255), key_name varchar(255),
  key_data mediumtext, user_data mediumtext, admin_pass varchar(255), power_state int, vm_state varchar(255),
  memory_mb int, vcpus int, hostname varchar(255), host varchar(255), node varchar(255), root_gb int, ephemeral_gb int,
  task_state varchar(255), instance_type_id int, uuid varchar(36), display_name varchar(255), scheduled_at datetime,
  launched_at datetime, terminated_at datetime, availability_zone varchar(255), deleted int, blob_column longblob,
  KEY k_uuid (uuid), UNIQUE KEY u (uuid, id)
) DEFAULT CHARSET=utf8mb4;
"""
FOLSOM = """
CREATE TABLE instances (
  id int NOT NULL AUTO_INCREMENT PRIMARY KEY, created_at datetime, deleted_at datetime, deleted tinyint(1),
  image_ref varchar(255), server_name varchar(255), vm_state varchar(255), power_state int, root_gb int,
  uuid varchar(36), host varchar(255), display_name varchar(255), launched_at datetime, terminated_at datetime
) DEFAULT CHARSET=utf8mb4;
"""
METADATA = """
CREATE TABLE instance_system_metadata (created_at datetime, updated_at datetime, deleted_at datetime, id int NOT NULL
  AUTO_INCREMENT PRIMARY KEY, instance_uuid varchar(36), `key` varchar(255), value varchar(255), deleted int);
CREATE TABLE quotas (id int PRIMARY KEY, resource varchar(255), hard_limit int);
"""


def uuid(number: int) -> str:
    """A uuid for a number."""
    return f"{number:08x}-0000-4000-8000-{number:012x}"


def quoted(text: str | None) -> str:
    """A literal, as a client of MySQL writes it."""
    if text is None:
        return "NULL"
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0") + "'"
