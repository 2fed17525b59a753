"""Options of nova.conf and its kin, whole or as `grep` showed them, and of other files of sections under etc/."""

from __future__ import annotations

import re

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._oslo_config import (
    COMMENTED,
    FLAG,
    OPTION,
    SECTION,
    Option,
    References,
    masked,
    options,
)
from forensics.loaders.documents._places import LEFT_OUT, absolute, typed
from forensics.loaders.documents._templates import words_of
from forensics.records import ConfigOption

_SERVICES = (
    "aodh|barbican|ceilometer|cinder|cloudkitty|cyborg|designate|glance|gnocchi|heat|horizon|ironic|keystone|magnum|manila"
    "|masakari|mistral|murano|neutron|nova|octavia|panko|placement|quantum|sahara|senlin|swift|tacker|trove|watcher|zaqar"
    "|zun"
)
_SERVICE = re.compile(rf"(?:^|[/_.-])(?P<service>{_SERVICES})(?=$|[/_.-])")
_AGENTS = re.compile(
    r"(?:^|/)(?:ml2_conf\w*|ml2|(?:dhcp|l3|metadata|metering|lbaas|openvswitch|linuxbridge|sriov|bgp_dragent|ovn)_agent"
    r"|plugin|ovs_neutron_plugin|linuxbridge_conf|neutron_lbaas|vpn_agent|fwaas_driver)\.ini$"
)
_MYSQL = re.compile(r"(?:^|/)(?:my|galera|server|mysqld?|mariadb|client)\.cnf$|(?:mysql|mariadb)[\w./-]*\.cnf$")
_FILE = re.compile(r"\.(?:conf|ini|cnf|cfg|flags)(?:\.\w{1,12})?$")
_FOREIGN = re.compile(
    r"\.(?:toml|service|socket|timer|mount|target|slice|desktop|repo|network|netdev|link|json|ya?ml)$"
)
_SYSTEMD = re.compile(r"(?:^|/)systemd/")
_ON_HOST = re.compile(r"(?:^|/)(?P<file>(?:etc|var/lib|usr|opt|openstack)/.+)$")
_GREPPED = re.compile(
    r"^(?P<file>[^\s:=]{1,255}?\.(?:conf|ini|cnf|cfg|flags))[:-](?:(?P<number>\d+)[:-])?(?P<rest>.*)$"
)
_NUMBERED = re.compile(r"^(?P<number>\d{1,7})[:-](?P<rest>.*)$")
_SHOWN = ("grep", "egrep", "fgrep", "zgrep", "cat", "less", "more", "head", "tail", "sed", "zcat")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SECTIONS = _words("""
    keystone_authtoken oslo_messaging_rabbit oslo_concurrency oslo_messaging_notifications oslo_policy oslo_middleware
    conductor vnc libvirt neutron placement api_database filter_scheduler spice ml2 ml2_type_vlan securitygroup ovs
    agent linux_bridge vxlan glance_store paste_deploy upgrade_levels cell0 workarounds nova
    pipeline:main composite:osapi_compute
""")
_KEYS = _words("""
    vlan_interface network_manager flat_interface public_interface sql_connection rabbit_host rabbit_hosts transport_url
    auth_strategy compute_driver instances_path state_path enabled_apis core_plugin service_plugins my_ip
    remove_unused_base_images remove_unused_original_minimum_age_seconds image_cache_manager_interval
    service_down_time report_interval force_dhcp_release dhcp_lease_time dhcp_lease_duration dhcpbridge
    dhcpbridge_flagfile
    libvirt_type connection_type rpc_backend qpid_hostname notification_driver glance_api_servers novncproxy_base_url
    tenant_network_types network_vlan_ranges interface_driver dhcp_driver api_paste_config sqlite_db logdir lock_path
    volume_driver root_helper rootwrap_config network_size fixed_range multi_host ec2_dmz_host s3_host firewall_driver
    scheduler_driver use_ipv6 iscsi_helper allow_admin_api cc_host verbose
""")


def _looks(line: str) -> bool:
    """Whether a line may stand in such a file."""
    text = line.strip()
    known = OPTION.match(text[:512]) or SECTION.match(text[:512]) or FLAG.match(text[:512])
    return not text or text[0] in "#;!" or bool(LEFT_OUT.match(text)) or line[0] in " \t" or bool(known)


def _recognise(head: Head) -> float:
    asked = _asked(head.command)
    lines = [line for line in head.lines if line.strip()][:400]
    if not lines:
        return 0.0
    if asked is not None:
        return 0.97 if len(lines) == 1 else 0.0
    grepped = sum(1 for line in lines if (found := _GREPPED.match(line[:1024])) and _option(found["rest"]))
    if grepped >= 0.8 * len(lines):
        return 0.95
    shown = typed(head.command, *_SHOWN)
    if head.command and shown is not None:
        if not any(_FILE.search(word) or "/etc/" in word for word in _named_files(head.command)):
            return 0.0
        own = sum(
            1 for line in lines if _looks(line) or (_NUMBERED.match(line[:64]) and _option(line.partition(":")[2]))
        )
        return 0.93 if own >= 0.9 * len(lines) else 0.0
    if head.command:
        return 0.0
    return _of_file(head, lines)


def _of_file(head: Head, lines: list[str]) -> float:
    name = head.name.lower()
    if _FOREIGN.search(name) or any(line.startswith("[[") for line in lines):
        return 0.0
    fits = sum(1 for line in lines if _looks(line)) / len(lines)
    if fits < 0.9:
        return 0.0
    sections = {found["section"].lower() for line in lines if (found := SECTION.match(line[:256]))}
    keys = {key for line in lines if (key := _key(line))}
    if not keys:
        return 0.0
    known = len(keys & _KEYS) + len(sections & _SECTIONS)
    ours = bool(_FILE.search(name)) and bool(_SERVICE.search(name) or _AGENTS.search(name) or _MYSQL.search(name))
    told = sum(1 for line in lines if line.strip()[0] not in "#;[" and line[0] not in " \t")
    equals = sum(1 for line in lines if (found := OPTION.match(line[:512])) and found["by"] == "=")
    flags = sum(1 for line in lines if FLAG.match(line[:512]))
    if ours and (sections or 2 * (flags + equals) > told or not told):
        return 0.97
    if known >= 2 and (sections or flags >= 0.8 * told > 0):
        return 0.95
    if known >= 2 and told == known == len(lines):
        return 0.9
    under_etc = bool(re.search(r"(?:^|/)etc/", name)) and bool(_FILE.search(name)) and not _SYSTEMD.search(name)
    return 0.6 if under_etc and sections and fits == 1.0 else 0.0


def _key(line: str) -> str | None:
    found = FLAG.match(line[:512]) or OPTION.match(line[:512]) or COMMENTED.match(line[:512])
    return found["key"].replace("-", "_").lower() if found else None


def _option(text: str) -> bool:
    text = text.strip()[:512]
    found = OPTION.match(text)
    return bool(found and found["by"] == "=") or bool(FLAG.match(text) or COMMENTED.match(text) or SECTION.match(text))


def _asked(command: str | None) -> tuple[str, str, str] | None:
    """File, section and key of ``crudini --get`` or ``openstack-config --get``."""
    words = typed(command, "crudini", "openstack-config")
    rest = [word for word in words or () if not word.startswith("-") or word == "--get"]
    return (rest[1], rest[2], rest[3]) if len(rest) == 4 and rest[0] == "--get" else None


def _named_files(command: str) -> list[str]:
    return [word for word in words_of(command) or command.split() if _FILE.search(word) or word.startswith("/etc/")]


def _read(document: Document) -> None:
    command = document.head.command
    if asked := _asked(command):
        file = absolute(asked[0], document.origin.directory)
        for at, line in enumerate(document.lines):
            if line.strip():
                _add(document, file, [Option(at, 1, asked[1], asked[2].replace("-", "_"), line.strip())])
                return
        return
    parts = _parts(document)
    for file, (numbers, lines) in parts.items():
        bare = bool(_MYSQL.search(file.lower())) or any(line.startswith("[mysqld") for line in lines)
        found, idle = options(lines, bare=bare)
        _add(document, file, found, numbers)
        for at in (*idle, *(at for at, line in enumerate(lines) if LEFT_OUT.match(line))):
            document.skip(numbers[at])


def _parts(document: Document) -> dict[str, tuple[list[int], list[str]]]:
    """Lines of each file, and where they stand: one file, or those that `grep` names before each line."""
    command = document.head.command
    given = _named_files(command) if command else []
    directory = document.origin.directory
    own = absolute(given[0], directory) if given else file_on_host(document.origin.source)
    grep = command is not None and typed(command, "grep", "egrep", "fgrep", "zgrep") is not None
    lines = [line for line in document.lines if line.strip()]
    named = [found for line in lines[:400] if (found := _GREPPED.match(line[:1024])) and _option(found["rest"])]
    if not named and not grep:
        return {own: (list(range(len(document.lines))), document.lines)}
    parts: dict[str, tuple[list[int], list[str]]] = {}
    for at, line in enumerate(document.lines):
        file, text = own, line
        if named and (found := _GREPPED.match(line[:1024])):
            file, text = absolute(found["file"], directory), line[found.start("rest") :]
            file = file if file.startswith("/") else file_on_host(file)
        elif grep and (line.strip() == "--" or LEFT_OUT.match(line)):
            document.skip(at)
            continue
        elif grep and (found := _NUMBERED.match(line[:64])) and _option(line[found.start("rest") :]):
            text = line[found.start("rest") :]
        numbers, texts = parts.setdefault(file, ([], []))
        numbers.append(at)
        texts.append(text)
    return parts


def file_on_host(source: str) -> str:
    """A file's path on the machine that it was collected from, as far as the evidence's own path tells.

    Examples:
        >>> file_on_host("sosreport-cc12-2013/etc/nova/nova.conf"), file_on_host("cc12/nova.conf")
        ('/etc/nova/nova.conf', 'cc12/nova.conf')
    """
    found = _ON_HOST.search(source)
    return f"/{found['file']}" if found else source


def _add(document: Document, file: str, found: list[Option], numbers: list[int] | None = None) -> None:
    references = References([_shown(option) for option in found])
    service = _service(file) or _service(document.origin.source if document.origin.command is None else "")
    for option in found:
        line = numbers[option.line] if numbers else option.line
        shown = _shown(option)
        document.add(
            ConfigOption, line, option.count, file=file, service=service, section=option.section, key=option.key,
            value=shown.value, effective=references.effective(shown), is_commented=option.commented,
        )  # fmt: skip


def _shown(option: Option) -> Option:
    value = masked(option.key, option.value)
    return Option(option.line, option.count, option.section, option.key, value, option.commented)


def _service(path: str) -> str | None:
    folders, _, name = path.lower().rpartition("/")
    if _AGENTS.search(f"/{name}"):
        return "neutron"
    for text in (name, *reversed(folders.split("/")[-4:])):
        if found := _SERVICE.search(text):
            return found["service"]
    if _MYSQL.search(path.lower()):
        return "mysql"
    return None


READERS = (
    DocumentFormat(
        name="openstack-config",
        records=(ConfigOption,),
        reference="oslo.config oslo_config/iniparser.py and cfg.py, 1.0 to 10.0; nova/flags.py @ 2011.3",
        recognise=_recognise,
        read=_read,
    ),
)
