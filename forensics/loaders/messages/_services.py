"""Which service wrote an access line: by its logger, else by the program, else by the file that it lies in."""

from __future__ import annotations

import re
from functools import lru_cache

import polars as pl

_PROJECTS = frozenset(
    {
        *("adjutant", "aodh", "barbican", "blazar", "ceilometer", "cinder", "cloudkitty", "congress", "cyborg"),
        *("designate", "ec2api", "freezer", "glance", "gnocchi", "heat", "horizon", "ironic", "karbor", "keystone"),
        *("magnum", "manila", "masakari", "mistral", "murano", "neutron", "nova", "octavia", "panko", "placement"),
        *("quantum", "sahara", "senlin", "skyline", "solum", "swift", "tacker", "trove", "venus", "vitrage"),
        *("watcher", "zaqar", "zun"),
    }
)
_DEVSTACK = {
    "n-api": "nova", "n-api-meta": "nova-metadata", "c-api": "cinder", "g-api": "glance", "g-reg": "glance-registry",
    "q-svc": "neutron", "q-meta": "neutron-metadata-agent", "key": "keystone", "h-api": "heat",
    "h-api-cfn": "heat-cfn", "h-api-cw": "heat-cloudwatch", "o-api": "octavia", "ir-api": "ironic",
    "m-api": "manila", "tr-api": "trove", "sah-api": "sahara", "ceilometer-api": "ceilometer",
}  # fmt: skip
_SERVED = {"os-compute": "osapi_compute", "os-volume": "osapi_volume"}
_RENAMED = {"quantum": "neutron"}
_PARTS = frozenset({"registry", "metadata-agent", "ns-metadata-proxy"})
"""Files that are named for a part of the project whose folder they lie in, such as ``glance/registry.log``."""
_SERVER = re.compile(
    r"(?:[-_](?:api|server|wsgi|uwsgi|apache2?|httpd|nginx|access|log|ssl|public|admin|internal|main|all|error|vhost))+(?=$|[-_])"
)
_NAMED = re.compile(r"^(?:devstack@|screen-|openstack-|\d+-)*(?P<name>[A-Za-z][\w-]*)")


def _said(name: str) -> str | None:
    """The service that a program's or a file's name speaks of."""
    found = _NAMED.match(name)
    if found is None:
        return None
    bare = found["name"].lower()
    if bare in _DEVSTACK:
        return _DEVSTACK[bare]
    project, rest = re.match(r"([a-z0-9]*)(.*)", bare, re.DOTALL).groups()  # type: ignore[union-attr]  # empty at least
    if project not in _PROJECTS:
        return None
    part = _SERVER.sub("", rest).strip("-_")
    project = _RENAMED.get(project, project)
    return f"{project}-{_SERVED.get(part, part)}" if part else project


@lru_cache(maxsize=4096)
def _service(logger: str, program: str, source: str, server: str) -> str:
    if found := re.match(r"nova\.(\w+)\.wsgi\.server$", logger):
        return f"nova-{found[1]}"
    if logger.endswith("requestlog"):
        return "placement" if "placement" in logger else "nova-osapi_compute"
    *folders, file = source.split("/")
    first = logger.split(".")[0]
    named = [said for name in (program.rsplit("/", 1)[-1], file) if (said := _said(name))]
    folder = next((name.lower() for name in reversed(folders) if name.lower() in _PROJECTS), None)
    folder, part = _RENAMED.get(folder or "", folder), file.split(".")[0]
    if folder and not named and part in _PARTS:
        named.append(f"{folder}-{part}")
    if first in _PROJECTS:
        project = _RENAMED.get(first, first)
        return next((said for said in named if said.startswith(project)), project)
    return named[0] if named else folder or server


_API_OF_NOVA = (
    (r"^/+services/", "nova-ec2"),
    (r"^/+(?:latest|openstack|\d{4}-\d\d-\d\d|1\.0)(?:/|$|\?)", "nova-metadata"),
    (r"^/+v(?:1\.0|1\.1|2|2\.1|3)(?:/|$|\?)", "nova-osapi_compute"),
)
_BEHIND_A_PROXY = (
    (r"^/+identity(?:_admin)?(?:/|$)", "keystone"),
    (r"^/+compute(?:/|$)", "nova-osapi_compute"),
    (r"^/+image(?:/|$)", "glance"),
    (r"^/+volume(?:/|$)", "cinder"),
    (r"^/+networking(?:/|$)", "neutron"),
    (r"^/+placement(?:/|$)", "placement"),
    (r"^/+orchestration(?:/|$)", "heat"),
    (r"^/+load-balancer(?:/|$)", "octavia"),
    (r"^/+services/Cloud", "nova-ec2"),
)
"""Where devstack's Apache has the APIs (openstack/devstack lib/apache, lib/keystone …, from Pike on)."""


def services(rows: pl.DataFrame, server: str) -> pl.DataFrame:
    """Rows with ``service``.

    Args:
        rows: Columns of `LogRecord`, and ``path``.
        server: What it is called where neither logger, program, file nor path tells.
    """
    names = rows.select("logger", "program", "source").unique()
    said = [_service(logger or "", program or "", source or "", server) for logger, program, source in names.rows()]
    found = names.with_columns(service=pl.Series(said, dtype=pl.String))
    keys = rows.select("logger", "program", "source")
    told = keys.join(found, on=["logger", "program", "source"], how="left", nulls_equal=True, maintain_order="left")
    rows = rows.with_columns(told["service"])
    service, path = pl.col("service"), pl.col("path").fill_null("")
    by_path = pl.lit(None, dtype=pl.String)
    for pattern, name in reversed(_API_OF_NOVA):
        by_path = pl.when((service == "nova") & path.str.contains(pattern)).then(pl.lit(name)).otherwise(by_path)
    for pattern, name in reversed(_BEHIND_A_PROXY):
        by_path = pl.when((service == server) & path.str.contains(pattern)).then(pl.lit(name)).otherwise(by_path)
    return rows.with_columns(service=pl.coalesce(by_path, service))
