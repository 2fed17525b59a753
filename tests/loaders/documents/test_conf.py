"""Configuration files (formats.md 11.2, 11.3, appendix A11)."""

import pytest

from forensics.loaders.documents._oslo_config import masked
from forensics.records import ConfigOption
from tests.loaders.documents._said import likeness, said

NOVA = """\
# Nova's configuration; see nova = what it is for
[DEFAULT]
#
# Options defined in nova.netconf
#
#my_ip=10.0.0.1
# state_path = /var/lib/nova
my-ip = 192.0.2.12
instances_path = $state_path/instances
metadata_url=http://${my_ip}:8775/
; another kind of comment
sql_connection = mysql://nova:pa@ss,word@db1/nova?charset=utf8
transport_url = rabbit://a:b1@r1:5672,c:d1@r2:5672//
scheduler_default_filters = RetryFilter,
    AvailabilityZoneFilter,
\tRamFilter
osapi_compute_extension = one
osapi_compute_extension = two
admin_password = "hunter2"
quoted = ' blanks '
this line says nothing

[keystone_authtoken]
auth_host: $my_ip
from_other = ${DEFAULT.my_ip}/$libvirt.kind/$nowhere/$$x
password = $DEFAULT.admin_password
[libvirt]
kind = kvm
"""


def test_nova_conf_with_all_that_its_grammar_has() -> None:  # formats.md 11.2
    found = said("openstack_conf", NOVA, "cc12/etc/nova/nova.conf", host="cc12")
    assert found.format == "openstack-config"
    assert found.rejects == ["this line says nothing"]
    rows = {(row["section"], row["key"], row["is_commented"]): row for row in found.rows[ConfigOption].to_dicts()}
    assert {(row["file"], row["service"], row["host"]) for row in rows.values()} == {
        ("/etc/nova/nova.conf", "nova", "cc12")
    }
    told = {key: (row["value"], row["effective"]) for (_, key, commented), row in rows.items() if not commented}
    assert told["my_ip"] == ("192.0.2.12", None)
    assert told["instances_path"] == ("$state_path/instances", "/var/lib/nova/instances")
    assert told["metadata_url"] == ("http://${my_ip}:8775/", "http://192.0.2.12:8775/")
    assert told["scheduler_default_filters"][0] == "RetryFilter,\nAvailabilityZoneFilter,\nRamFilter"
    assert told["auth_host"] == ("$my_ip", "192.0.2.12")
    assert told["from_other"][1] == "192.0.2.12/kvm/$nowhere/$x"
    assert told["quoted"][0] == " blanks "
    assert told["sql_connection"][0] == "mysql://nova:•••@db1/nova?charset=utf8"
    assert told["transport_url"][0] == "rabbit://a:•••@r1:5672,c:•••@r2:5672//"
    assert told["admin_password"][0] == "•••"
    assert told["password"] == ("$DEFAULT.admin_password", "•••")
    assert rows["DEFAULT", "my_ip", True]["value"] == "10.0.0.1"
    assert rows["DEFAULT", "state_path", True]["value"] == "/var/lib/nova"
    assert rows["DEFAULT", "scheduler_default_filters", False]["length_bytes"] == len(
        "scheduler_default_filters = RetryFilter,\n    AvailabilityZoneFilter,\n\tRamFilter\n"
    )
    repeated = found.rows[ConfigOption].filter(key="osapi_compute_extension")
    assert repeated["value"].to_list() == ["one", "two"]
    assert not any("hunter2" in str(row) or "pa@ss" in str(row) for row in rows.values())


def test_flag_files_of_diablo() -> None:  # formats.md 11.2, 11.3
    text = (
        "--vlan_interface=vlan20\n--nouse_ipv6\n--daemonize\n--flagfile=/etc/x.conf\n--notify_on_any_change\n# --a=b\n"
    )
    found = said("openstack_conf", text, "cc12/etc/nova/nova.conf")
    assert found.of(ConfigOption, "section", "key", "value") == [
        ("DEFAULT", "vlan_interface", "vlan20"),
        ("DEFAULT", "use_ipv6", "False"),
        ("DEFAULT", "daemonize", "True"),
        ("DEFAULT", "flagfile", "/etc/x.conf"),
        ("DEFAULT", "notify_on_any_change", "True"),
    ]
    assert (found.rejects, found.format) == ([], "openstack-config")


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("grep vlan_interface /etc/nova/nova.conf", "vlan_interface=vlan20\n"),  # appendix A11
        ("grep -n vlan /etc/nova/nova.conf", "12:vlan_interface=vlan20\n"),
        ("grep -H vlan nova.conf", "nova.conf:vlan_interface=vlan20\n"),
        ("grep -rn vlan .", "./nova.conf:12:vlan_interface=vlan20\n"),
        ("grep -r vlan /etc/nova/", "/etc/nova/nova.conf:vlan_interface=vlan20\n"),
        ("egrep -v '^(#|$)' /etc/nova/nova.conf", "[DEFAULT]\nvlan_interface = vlan20\n"),
        ("cat /etc/nova/nova.conf | grep vlan_interface", "vlan_interface=vlan20\n"),
        ("sudo cat nova.conf", "[DEFAULT]\nvlan_interface=vlan20\n"),
        ("crudini --get /etc/nova/nova.conf DEFAULT vlan_interface", "vlan20\n"),
        ("openstack-config --get /etc/nova/nova.conf DEFAULT vlan-interface", "vlan20\n"),
    ],
)
def test_options_as_a_terminal_shows_them(command: str, text: str) -> None:  # formats.md 11.3
    found = said("openstack_conf", text, "notes.txt", command=command, directory="/etc/nova")
    assert found.of(ConfigOption, "file", "service", "section", "key", "value") == [
        ("/etc/nova/nova.conf", "nova", "DEFAULT", "vlan_interface", "vlan20")
    ]
    assert (found.rejects, found.format) == ([], "openstack-config")


def test_grep_over_several_files_keeps_them_apart() -> None:
    text = "/etc/nova/nova.conf:3:my_ip=192.0.2.1\n/etc/neutron/l3_agent.ini:9:#verbose = False\n--\n"
    found = said("openstack_conf", text, "x", command="grep -rn -e my_ip -e verbose /etc/nova /etc/neutron")
    assert found.of(ConfigOption, "file", "service", "key", "is_commented") == [
        ("/etc/nova/nova.conf", "nova", "my_ip", False),
        ("/etc/neutron/l3_agent.ini", "neutron", "verbose", True),
    ]
    assert said("openstack_conf", text.replace("--\n", "")).format == "openstack-config"  # its shape tells, too


@pytest.mark.parametrize(
    ("source", "file", "service"),
    [
        ("sosreport-cc12-20130215123456-abcd/etc/nova/nova.conf", "/etc/nova/nova.conf", "nova"),
        ("cc12/etc/kolla/neutron-server/neutron.conf", "/etc/kolla/neutron-server/neutron.conf", "neutron"),
        (
            "c0/var/lib/config-data/puppet-generated/nova/etc/nova/nova.conf",
            "/var/lib/config-data/puppet-generated/nova/etc/nova/nova.conf",
            "nova",
        ),
        ("cc12/etc/neutron/plugins/ml2/ml2_conf.ini", "/etc/neutron/plugins/ml2/ml2_conf.ini", "neutron"),
        ("cc12/ml2_conf.ini", "cc12/ml2_conf.ini", "neutron"),
        ("cc12/etc/nova/api-paste.ini", "/etc/nova/api-paste.ini", "nova"),
        ("cc12/nova.conf.rpmsave", "cc12/nova.conf.rpmsave", "nova"),
        ("etc/mysql/my.cnf", "/etc/mysql/my.cnf", "mysql"),
        ("etc/foo/bar.conf", "/etc/foo/bar.conf", None),
    ],
)
def test_file_and_service(source: str, file: str, service: str | None) -> None:
    found = said("openstack_conf", "[DEFAULT]\nverbose = True\n", source)
    assert found.of(ConfigOption, "file", "service") == [(file, service)]
    assert found.format == "openstack-config"


def test_options_of_mysql_need_no_value() -> None:
    text = (
        "[mysqld]\nskip-name-resolve\nmax_connections = 4096\n!includedir /etc/mysql/conf.d/\n[client]\npassword=x1\n"
    )
    found = said("openstack_conf", text, "db1/etc/my.cnf")
    assert found.of(ConfigOption, "section", "key", "value") == [
        ("mysqld", "skip_name_resolve", None),
        ("mysqld", "max_connections", "4096"),
        ("client", "password", "•••"),
    ]


def test_a_loop_of_references_ends() -> None:
    text = "[DEFAULT]\nmy_ip = $a\na = $b$b\nb = $a$a\nc = ${c}x\nauth_strategy = keystone\n"
    found = said("openstack_conf", text, "nova.conf")
    assert max(len(value or "") for value in found.of(ConfigOption, "effective")) <= 4096


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('title = "x"\n[[source]]\nmatch = "a"\n', "case.toml"),
        ('[project]\nname = "x"\n', "pyproject.toml"),
        ("[Unit]\nDescription=nova\n[Service]\nExecStart=/usr/bin/nova-api\n", "etc/systemd/system/nova-api.service"),
        ("[Manager]\nLogLevel=info\n", "etc/systemd/system.conf"),
        ("[a]\nb = c\n", "notes.ini"),
        ("2012-12-19 12:10:59 INFO nova.x [-] vlan_interface=vlan20\n", "nova.conf.log"),
        ("fa:16:3e:24:e7:22,vm1.novalocal,10.0.0.3\n", "var/lib/nova/networks/nova-br100.conf"),
        ("<VirtualHost *:8774>\n  WSGIScriptAlias / /x\n</VirtualHost>\n", "etc/apache2/sites-enabled/nova.conf"),
        ('{"a": 1}\n', "etc/nova/policy.json"),
        ("", "nova.conf"),
        ("$ModLoad imuxsock\n*.* @192.0.2.1:514\n", "etc/rsyslog.d/nova.conf"),
    ],
)
def test_other_files_are_left_alone(text: str, name: str) -> None:
    assert likeness("openstack_conf", text, name) == 0


SECRETS = (
    "admin_password metadata_proxy_shared_secret admin_token rabbit_password auth_encryption_key memcache_secret_key "
    "s3_store_access_key filter.password"
)
NO_SECRETS = (
    "rbd_secret_uuid token_cache_time ssl_key_file inject_password keyring_file password_length revocation_cache_time "
    "key_name token_provider"
)


def test_secrets_are_masked_and_what_only_sounds_so_is_kept() -> None:
    assert {masked(key, "abc123") for key in SECRETS.split()} == {"•••"}
    assert {masked(key, said) for key in SECRETS.split() for said in ("", "<None>")} == {"", "<None>"}
    assert {masked(key, "abc123") for key in NO_SECRETS.split()} == {"abc123"}
