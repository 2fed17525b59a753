"""Which operation a request asked for: an EC2 action, or a method and its route with the ids folded."""

from __future__ import annotations

import polars as pl

_HEX = "[0-9a-fA-F]"
_UUID = rf"{_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}"
_ID = (
    rf"(?:req-)?{_UUID}|{_HEX}{{32}}|{_HEX}{{40}}|{_HEX}{{64}}|\d+|(?:i|ami|aki|ari|vol|snap|eipalloc)-{_HEX}{{8,17}}"
    rf"|{_HEX}{{2}}(?::{_HEX}{{2}}){{5}}|\d+(?:\.\d+){{3}}|[^/]{{65,}}|[^/]*[%@|:;,=&<>\"'\x20][^/]*"
)
"""A segment that is data wherever it stands; so is what no route is spelt with, and what is longer than any."""

_NAMED = (
    # nova: flavors and keys, hosts and tenants by name; labels, tags and keys of metadata
    *("flavors", "os-keypairs", "os-hosts", "os-hypervisors", "os-services", "os-cells", "os-aggregates", "ips"),
    *("os-quota-sets", "os-quota-class-sets", "os-simple-tenant-usage", "os-floating-ip-dns", "os-agents"),
    *("os-instance-usage-audit-log", "os-console-auth-tokens", "os-extra_specs", "os-certificates", "entries"),
    *("os-baremetal-nodes", "os-fixed-ips", "os-floating-ips-bulk", "metadata", "extensions", "tags", "servers"),
    *("os-virtual_interfaces", "os-migrations", "os-cloudpipe", "volumes", "snapshots", "types", "extra_specs"),
    # cinder, glance, keystone, placement, heat, ironic
    *("encryption", "capabilities", "qos-specs", "backups", "images", "members", "namespaces", "objects", "properties"),
    *("cached_images", "queued_images", "shared-images", "tokens", "domains", "regions", "identity_providers"),
    *("protocols", "mappings", "service_providers", "config", "resource_classes", "traits", "inventories", "stacks"),
    *("resources", "resource_types", "template_versions", "nodes", "drivers", "quotas", "tenants", "projects", "users"),
    *("roles", "groups", "networks", "subnets", "ports", "routers", "floatingips", "security-groups", "agents"),
)
"""Collections whose members may be named by words."""
_WORDS = (
    *("detail", "action", "search", "statistics", "enable", "disable", "disable-log-reason"),
    *("force-down", "freeze", "thaw", "failover_host", "failover", "capacities", "info", "sync_instances", "set-log"),
    *("get-log", "tenant", "project", "revoked", "OS-PKI", "OS-KSADM", "refs", "preview", "summary", "validate"),
    *("import_record", "manage", "config"),
)
"""Words that follow a collection and are no member of it."""
_COLLECTIONS = (
    r"servers|flavors|images|extensions|limits|volumes|snapshots|types|backups|stacks|consistencygroups|attachments|"
    r"groups|group_types|group_snapshots|messages|clusters|workers|scheduler-stats|capabilities|qos-specs|cgsnapshots|"
    r"software_configs|software_deployments|resource_types|template_versions|build_info|validate|services|actions|events|"
    r"instances|shares|os-[a-z_-]+"
)
_FIRST = (
    r"schemas|metadefs|cache|stores|tasks|lbaas|images|servers|flavors|extensions|limits|projects|users|domains|groups|"
    r"roles"
)
_VERSIONED = r"^(?P<root>(?:/[a-z][a-z_-]*/)?/v\d+(?:\.\d+)?/)"
_KEPT = "\x01"
_NO_LIMIT_BYTES = 2_048
"""Longer paths are cut before they are folded: no route is that long."""

_UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_CODES = [code for c in _UNRESERVED + "[]" for code in (f"%{ord(c):02X}", f"%{ord(c):02x}")]
_PLAIN = [c for c in _UNRESERVED + "[]" for _ in range(2)]


def _folded(path: pl.Expr) -> pl.Expr:
    """The route of a path without a query; each segment stands between slashes of its own while it is folded."""
    named, words = "|".join(_NAMED), "|".join(_WORDS)
    return (
        path.str.slice(0, _NO_LIMIT_BYTES)
        .str.replace_all(_KEPT, "", literal=True)
        .str.replace_all(r"[{}]", "%")
        .str.replace(r"^(?:[A-Za-z][A-Za-z0-9+.-]*://[^/]*)?/*", "/")
        .str.replace_all(r"/+", "//")
        .str.replace(r"/*$", "/")
        .str.replace(r"^/", "")
        # neutron and early nova take the format as a suffix
        .str.replace(r"^((?:/[a-z][a-z_-]*/)?/v\d.*)\.(?:json|xml)/$", "$1/")
        .str.replace(r"^/(?:\d{4}-\d\d-\d\d|1\.0)/", "/{version}/")
        .str.replace(r"^/openstack//\d{4}-\d\d-\d\d/", "/openstack//{version}/")
        # swift: an account, a container, an object with as many slashes as it likes
        .str.replace(r"^(/v1/)/(?:AUTH|KEY|SERVICE)_[^/]*/(?:/[^/]+/)$", "$1/{account}//{container}/")
        .str.replace(r"^(/v1/)/(?:AUTH|KEY|SERVICE)_[^/]*/(?:/[^/]+/){2,}$", "$1/{account}//{container}//{object}/")
        .str.replace(r"^(/v1/)/(?:AUTH|KEY|SERVICE)_[^/]*/$", "$1/{account}/")
        .str.replace(rf"{_VERSIONED}/(?P<first>{_FIRST})/", rf"${{root}}/{_KEPT}$first/")
        .str.replace(rf"{_VERSIONED}/[^/\x01]+/(?P<rest>/(?:{_COLLECTIONS})/)", "${root}/{project_id}/$rest")
        .str.replace_all(rf"/(?:{_ID})/", "/{id}/")
        .str.replace(rf"{_VERSIONED}/\{{id\}}/", "${root}/{project_id}/")
        .str.replace_all(_KEPT, "", literal=True)
        # a stack goes by name and id, or by one of them
        .str.replace(r"/stacks//[^/{]+//\{id\}/", "/stacks//{id}/")
        .str.replace_all(rf"/({named})//({words})/", rf"/$1//{_KEPT}$2/")
        .str.replace_all("types//default/", f"types//{_KEPT}default/", literal=True)
        .str.replace_all(rf"/({named})//[^/\x01{{][^/]*/", "/$1//{id}/")
        .str.replace_all(_KEPT, "", literal=True)
        .str.replace_all("/servers//{id}/", "/servers//{server_id}/", literal=True)
        .str.replace_all("/images//{id}/", "/images//{image_id}/", literal=True)
        .str.replace_all("//", "/", literal=True)
        .str.replace(r"/$", "")
        .str.replace(r"^$", "/")
        .str.replace(r"^/\*$", "*")
    )


def plain_query(target: pl.Expr) -> pl.Expr:
    """A target in which escapes of characters that need none are undone: what `parameter` reads from."""
    return target.str.replace_many(_CODES, _PLAIN)


def parameter(target: pl.Expr, name: str, value: str = r"[^&;#\s\"]+") -> pl.Expr:
    """The value of a parameter of the query; null where it was redacted, or cut as `…` or `...` says."""
    found = target.str.extract(rf"[?&;](?:amp;)?{name}=({value})")
    cut = found.str.ends_with("...") | found.str.ends_with("…") | found.str.starts_with("[")
    return pl.when(cut.not_()).then(found)


def operations(requests: pl.DataFrame) -> pl.Series:
    r"""What each request asked for, folded so that all requests of one operation read alike.

    Args:
        requests: Columns ``method`` and ``path`` (the target, with its query).

    Returns:
        The EC2 action where the query names one, else the method and the route; null without a path. The version
        of a metadata service is an id (``{version}``), ``latest`` is a word; the query is no part of it.

    Examples:
        >>> told = pl.DataFrame({"method": ["GET"] * 3, "path": [
        ...     "/v2/54fadb412c4e40cdbaed9335e4c35a9e/servers/871e24ab-fc79-4dc9-8071-7b5dc1b50cd0?a=b",
        ...     "/services/Cloud?ImageId=ami-1&Action=RunInstances", "/v2.0/ports/17.json"]})
        >>> operations(told).to_list()
        ['GET /v2/{project_id}/servers/{server_id}', 'RunInstances', 'GET /v2.0/ports/{id}']
    """
    path = pl.col("path")
    action = parameter(plain_query(path), "Action", r"[A-Za-z]\w*(?:[&;#]|$)").str.strip_chars_end("&;#")
    cloud = path.str.contains(r"^(?:[a-z]+://[^/]+)?/*(?:services/\w+/*|v\d/*)?\?")
    named = requests.lazy().select("path").unique().filter(cloud).with_columns(action=action).drop_nulls("action")
    bare = requests.lazy().select("method", "path", route=path.str.extract(r"^([^?#]*)"))
    routes = bare.select("route").unique().with_columns(folded=_folded(pl.col("route")))
    told = bare.join(named, on="path", how="left", maintain_order="left")
    told = told.join(routes, on="route", how="left", maintain_order="left")
    both = pl.concat_str("method", "folded", separator=" ")
    return told.select(operation=pl.coalesce("action", both)).collect().to_series()
