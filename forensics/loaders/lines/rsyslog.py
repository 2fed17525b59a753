"""What rsyslog, syslogd and journalctl write: RFC 3164 and RFC 3339 stamps before a host and a tag."""

from forensics.loaders._line_format import DIGITS, MONTHS, LineFormat, Sample

_MONTH = r"(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_STAMP = rf"{_MONTH}\x20(?P<day>[\x20\d]\d)"
_LOOSE = (
    rf"(?:(?P<year>\d{{4}})\x20)?{_MONTH}\x20{{1,2}}(?P<day>\d{{1,2}})\x20(?:\d{{4}}\x20)?"
    r"(?P<time>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}))?"
)
_TIME = r"(?P<time>\d\d:\d\d:\d\d)"
_PRI = r"<(?P<pri>\d{1,3})>"
_HOST = r"(?P<host>[^\x20\[%][^\x20]*[^\x20:]|[^\x20\[%:])\x20(?P<tagged>(?s:[^\x20].*))$"
_ISO = (
    r"(?P<date>\d{4}-\d\d-\d\d)T(?P<time>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}))?(?P<zone>Z|[+-]\d\d:?\d\d)\x20+"
    r"(?P<host>[^\x20\[]\S*)\x20(?P<tagged>(?s:.*))$"
)
_BASE = "/var/lib/nova/instances/_base/7b4783508212f5d242cbf9ff56fb8d33b4ce6166_10"

FORMATS = (
    LineFormat(
        name="syslog-traditional",
        leads=MONTHS,
        inside=False,
        reference="rsyslog runtime/rsconf.c, RSYSLOG_TraditionalFileFormat; RFC 3164 section 4.1",
        pattern=rf"^{_STAMP}\x20{_TIME}\x20{_HOST}",
        samples=(
            Sample(
                "Feb 27 22:01:36 mynode dnsmasq-dhcp[2438]: DHCPDISCOVER(br100) fa:16:3e:56:0b:6f",
                {
                    "host": "mynode",
                    "program": "dnsmasq-dhcp",
                    "pid": 2438,
                    "message": "DHCPDISCOVER(br100) fa:16:3e:56:0b:6f",
                },
            ),
            Sample(
                "Dec 19 12:11:02 c03 2012-12-19 12:10:59 INFO nova.virt.libvirt.imagecache [-] "
                f"Removing base file: {_BASE}",
                {
                    "ts": "2012-12-19 12:10:59+00:00",
                    "outer_at": "2012-12-19 12:11:02+00:00",
                    "host": "c03",
                    "program": None,
                    "pid": None,
                    "severity": "INFO",
                    "logger": "nova.virt.libvirt.imagecache",
                    "message": f"Removing base file: {_BASE}",
                    "framing": "syslog-traditional+oslo-essex",
                    "year_basis": "inner",
                },
            ),
            Sample(
                "Feb 11 08:51:49 localhost dhclient[2899]: DHCPREQUEST on eth0 to 10.0.2.2 port 67 (xid=0x5ae19b1a)",
                {"program": "dhclient", "pid": 2899, "ts": "2013-02-11 08:51:49+00:00", "year_basis": "declared"},
                2013,
            ),
            Sample(
                "Mar 30 13:07:02 termsvr2 nbd_server[27584]: message repeated 2 times: [ Spawned a child process]",
                {"program": "nbd_server", "pid": 27584, "repeats": 2},
            ),
            Sample("Jun 14 15:16:01 combo last message repeated 3 times", {"program": None, "repeats": 3}),
            Sample(
                "Jan 10 09:11:45 ctl1 nova-api: 2014-01-10 09:11:45.072 129745 TRACE nova.api.ec2 Traceback (most "
                'recent call last):#0122014-01-10 09:11:45.072 129745 TRACE nova.api.ec2   File "x.py", line 1',
                {
                    "program": "nova-api",
                    "pid": 129745,
                    "severity": "TRACE",
                    "logger": "nova.api.ec2",
                    "message": 'Traceback (most recent call last):\n  File "x.py", line 1',
                    "n_lines": 1,
                },
            ),
            Sample(
                "Jan 10 09:11:45 ctl1 nova-compute 2014-01-10 09:11:45.072 1297 INFO nova.compute [-] up",
                {"program": "nova-compute", "pid": 1297, "message": "up"},
            ),
            Sample(
                "Jun 14 15:16:01 combo syslogd 1.4.1: restart.",
                {"program": "syslogd", "message": "restart."},
            ),
            Sample(
                "Nov  3 09:23:38 veridian lookup for opt failed",
                {"program": None, "message": "lookup for opt failed", "host": "veridian"},
            ),
            Sample(
                "Jun  9 16:00:00 node1 kernel: [12345.678901] br100: port 3(vnet2) entering forwarding state",
                {"program": "kernel", "message": "[12345.678901] br100: port 3(vnet2) entering forwarding state"},
            ),
            Sample(
                "Aug 16 00:32:15 air syslogd[314]: Configuration Notice:\n\tASL Module claims selected messages.",
                {"n_lines": 2, "message": "Configuration Notice:\n\tASL Module claims selected messages."},
            ),
            Sample(
                "Jun 14 15:16:01 node1 libvirtd: 2345: error : virNetSocketReadWire:1184 : End of file",
                {"program": "libvirtd", "pid": 2345, "message": "virNetSocketReadWire:1184 : End of file"},
            ),
        ),
    ),
    LineFormat(
        name="syslog-precise",
        leads=MONTHS,
        inside=False,
        reference="systemd src/shared/logs-show.c, journalctl -o short-precise; rsyslog date-subseconds",
        pattern=rf"^{_STAMP}\x20{_TIME}\.(?P<fraction>\d{{6}})\x20{_HOST}",
        samples=(
            Sample(
                "Oct 11 07:49:20.347281 controller-1 test: ms 1",
                {
                    "host": "controller-1",
                    "program": "test",
                    "message": "ms 1",
                    "ts": "2018-10-11 07:49:20.347281+00:00",
                },
                2018,
            ),
            Sample(
                "Mar 28 12:20:43.570064 cloud1 cinder-api[8526]: WARNING oslo_reports.report [-] Guru meditation",
                {
                    "program": "cinder-api",
                    "pid": 8526,
                    "severity": "WARNING",
                    "logger": "oslo_reports.report",
                    "message": "Guru meditation",
                    "framing": "syslog-precise+oslo-journal",
                },
            ),
        ),
    ),
    LineFormat(
        name="syslog-rfc3164",
        leads="<",
        inside=False,
        reference="RFC 3164 section 4.1, with priority, as sent; rsyslog RSYSLOG_TraditionalForwardFormat",
        pattern=rf"^{_PRI}{_LOOSE}\x20+(?P<host>[^\x20%][^\x20]*[^\x20:]|[^\x20%:])\x20+(?P<tagged>(?s:[^\x20].*))$",
        samples=(
            Sample(
                "<165>Feb  6 09:42:36 veos01 Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet28, "
                "changed state to down",
                {"host": "veos01", "program": "Ebra", "severity": "NOTICE"},
            ),
            Sample(
                "<28>Jul 20 21:45:59  vmx01 mib2d[2424]: SNMP_TRAP_LINK_UP: ifIndex 502",
                {"host": "vmx01", "program": "mib2d", "pid": 2424, "severity": "WARNING"},
            ),
            Sample(
                "<190>2018 Oct 31 08:12:52 sw01.test last message repeated 3 times",
                {"host": "sw01.test", "ts": "2018-10-31 08:12:52+00:00", "severity": "INFO"},
            ),
        ),
    ),
    LineFormat(
        name="syslog-forward",
        leads="<",
        inside=False,
        reference="rsyslog runtime/rsconf.c, RSYSLOG_ForwardFormat",
        pattern=rf"^{_PRI}{_ISO}",
        samples=(
            Sample(
                "<13>2020-03-31T08:41:59+00:00 some-switch Bgp: %BGP-5-ADJCHANGE: peer 192.0.2.2 old state x",
                {"program": "Bgp", "severity": "NOTICE", "zone_basis": "stated", "ts": "2020-03-31 08:41:59+00:00"},
            ),
        ),
    ),
    LineFormat(
        name="syslog-rfc3339",
        leads=DIGITS,
        inside=False,
        reference="rsyslog runtime/rsconf.c, RSYSLOG_FileFormat; journalctl -o short-iso-precise",
        rank=4,
        pattern=rf"^{_ISO}",
        samples=(
            Sample(
                "2020-11-20T18:14:19.159524+01:00 host kernel: [65818.378287] bond0: link status definitely down for "
                "interface eth0, disabling it",
                {
                    "ts": "2020-11-20 17:14:19.159524+00:00",
                    "program": "kernel",
                    "message": "[65818.378287] bond0: link status definitely down for interface eth0, disabling it",
                    "zone_basis": "stated",
                },
            ),
            Sample(
                "2020-05-31T00:00:45.698463+00:00 localhost rsyslogd:  message repeated 76 times: [-- MARK --]",
                {"program": "rsyslogd", "repeats": 76},
            ),
            Sample(
                "2013-02-15T01:40:20.5-07:00 c1 2013-02-15 01:40:18 INFO nova.compute [-] zone of the inner stamp",
                {
                    "ts": "2013-02-15 08:40:18+00:00",
                    "outer_at": "2013-02-15 08:40:20.500+00:00",
                    "zone_basis": "inner",
                    "framing": "syslog-rfc3339+oslo-essex",
                },
            ),
        ),
    ),
    LineFormat(
        name="syslog-rfc5424",
        leads="<",
        inside=False,
        reference="RFC 5424 section 6; rsyslog RSYSLOG_SyslogProtocol23Format",
        pattern=r"""^<(?P<pri>\d{1,3})>1\x20(?:-|(?P<date>\d{4}-\d\d-\d\d)T(?P<time>\d\d:\d\d:\d\d)
            (?:\.(?P<fraction>\d{1,9}))?(?P<zone>Z|[+-]\d\d:?\d\d))\x20(?P<host>\S+)\x20(?P<program>\S+)\x20
            (?:(?P<pid>\d{1,10})|\S+)\x20\S+\x20(?:-|(?:\[(?:[^"\]]|"(?:\\.|[^"\\])*")*\])+)
            (?:\x20(?:\u{FEFF})?(?P<rest>(?s:.*)))?$""",
        samples=(
            Sample(
                "<134>1 2013-01-25T13:38:45.123456+08:00 c01 nova-api - - - 2013-01-25 13:38:45 INFO nova.api [-] hi",
                {
                    "host": "c01",
                    "program": "nova-api",
                    "ts": "2013-01-25 05:38:45+00:00",
                    "outer_at": "2013-01-25 05:38:45.123456+00:00",
                    "zone_basis": "inner",
                    "severity": "INFO",
                    "message": "hi",
                    "framing": "syslog-rfc5424+oslo-essex",
                },
            ),
            Sample(
                '<166>1 2019-02-20T15:10:50.505646+00:00 ss12.00.lab bgpd 83 - [a@1 b="]\\""] %ADJCHANGE: neighbor Up',
                {"program": "bgpd", "pid": 83, "severity": "INFO", "message": "%ADJCHANGE: neighbor Up"},
            ),
            Sample("<34>1 - - - - - -", {"ts": None, "host": None, "program": None, "severity": "CRIT", "message": ""}),
        ),
    ),
    LineFormat(
        name="syslog-hostless",
        leads=MONTHS,
        inside=False,
        reference="syslogd and journalctl without a host name; local lines of boot loaders and of consoles",
        rank=1,
        pattern=rf"^{_STAMP}\x20{_TIME}(?:\.(?P<fraction>\d{{1,9}}))?(?:\x20|:\x20)(?P<tagged>[^\x20:\[]+"
        rf"(?:\[\d+\])?:(?:\x20(?s:.*))?|---\x20(?s:.*))$",
        samples=(
            Sample(
                "Nov 18 08:30:20 kernel: [997.390602] sda2: rw=0, want=65, limit=2",
                {"host": None, "program": "kernel", "message": "[997.390602] sda2: rw=0, want=65, limit=2"},
            ),
            Sample(
                "Nov 18 01:15:43: --- last message repeated 5 times ---",
                {"host": None, "program": None, "repeats": 5},
            ),
        ),
    ),
    LineFormat(
        name="syslog-loose",
        leads=MONTHS + DIGITS,
        inside=False,
        reference="RFC 3164 stamps with other blanks, a year, other fractions, or nothing behind the host",
        rank=2,
        pattern=rf"^{_LOOSE}\x20+(?P<host>[^\x20\[%][^\x20]*)(?:\x20+(?P<tagged>(?s:.*)))?$",
        samples=(
            Sample(
                "Mar 23 23:01:18.123 myhost.com exe[19]: a fraction",
                {"host": "myhost.com", "program": "exe", "pid": 19, "message": "a fraction"},
            ),
            Sample(
                "Feb 5 01:40:18 SW-1 Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet35",
                {"host": "SW-1", "program": "Ebra"},
            ),
            Sample("Jun 21 14:03:12 vmx01", {"host": "vmx01", "message": ""}),
        ),
    ),
)
