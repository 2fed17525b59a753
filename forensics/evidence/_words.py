"""Words of paths that are no names of machines or capture points, and some that are."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SAYS_NOTHING = _words("""
    . .. ~ cap caps capture captures collected data dump dumps evidence files home incident input log logs
    mnt opt packet packets pcap pcapng pcaps raw root srv tcpdump tcpdumps tmp trace traces usr var
""") | {""}
"""Folders that a capture point is named without; so is the empty name that stands before a leading slash."""

PRODUCTS = _words("""
    aodh apache apache2 barbican bind ceilometer ceph chrony cinder cloudkitty collectd corosync cron cyborg
    designate devstack dhclient dhcp dmesg dnsmasq docker etcd fluentd galera glance gnocchi haproxy heat
    horizon httpd ironic journald juju keepalived kernel keystone kolla kubernetes libvirt libvirtd lxc lxd
    magnum manila mariadb masakari memcached mistral mongodb murano mysql mysqld neutron nginx nova
    novncproxy ntp ntpd octavia openstack openvswitch ovn ovs pacemaker percona placement postgresql
    proxysql puppet qemu quantum rabbitmq redis rsyslog sahara samba senlin stacktach supervisor swift
    syslog sysstat systemd tempest trove upstart watcher zaqar zookeeper zun
""")
"""Services and other software."""

KINDS = _words("""
    api archive audit backup clients config console containers database db default etc events host hosts
    installer instances journal k8s lib messages network networks new node nodes notifications old pods
    remote screen server servers snapshots sql storage switch switches vm
""")
"""Folders named for what is in them."""

DAEMONS = _words("""
    agent api backup bgp cells central cert cleaner collector compute conductor console consoleauth dhcp
    engine evaluator l2 l3 lbaas linuxbridge listener metadata metering network notification notifier
    novncproxy objectstore openvswitch osapi ovs plugin polling proxy registry rpc sasl scheduler server
    service sriov uwsgi vnc volume worker wsgi xvpvncproxy
""")
"""What follows a project in the name of one of its services: ``nova-compute``, ``neutron-dhcp-agent``."""

WORDS = _words("""
    a access addr address all api auth aux auxf auxww auxwww bonding bridge capture chrony cmd conf
    config cron daemon debug df dmesg du dump ef err error fdb find free host ifconfig info ip iptables
    kern link list lldp log logs ls mac mail meminfo messages neigh netstat output pidstat postmortem ps
    r route sadf sar show sosreport stat stats status sys syslog table tables top trace uptime user
    vmstat wc
""")
"""Commands and kinds of files that stand beside a machine in the name of a file."""

HOST_FOLDERS = _words("""
    clients hosts network networks nodes remote rsyslog servers switches
""")
"""Folders that hold one folder for each machine."""

ROLES = _words("""
    bastion cmp compute control controller ctl ctrl deploy gateway gw host hv hypervisor leaf mon monitor
    net network node osd overcloud router seed server spine storage sw switch tor undercloud vm worker
""")
"""What machines of a cloud are named for."""

CONTAINERS = _words("""
    galera horizon log memcached os rabbit rabbit_mq repo rsyslog unbound utility
""")
"""Containers of OpenStack-Ansible that are not named for a service of OpenStack."""

COUNTED = _words("""
    attempt az batch bug case cloud cluster cve day deployment dot env example icmp icmpv incident ip ipv iso
    issue l night part phase python region release rfc round run sa sample sar scenario set site sll
    stage step stp test ticket try utf v version vid vlan week zone
""")
"""What is numbered and is no machine."""
