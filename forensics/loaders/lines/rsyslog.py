"""What rsyslog, syslogd and journalctl write to files: RFC 3164 stamps and RFC 3339 stamps before a host and a tag."""

from forensics.loaders._line_format import LineFormat, Sample

_STAMP = r"(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\x20(?P<day>[\x20\d]\d)"
_HOST = r"(?P<host>[^\x20]*[^\x20:])\x20(?P<tagged>(?s:[^\x20].*))$"

FORMATS = (
    LineFormat(
        name="syslog-traditional",
        reference="rsyslog runtime/rsconf.c, RSYSLOG_TraditionalFileFormat; RFC 3164 section 4.1",
        pattern=rf"^{_STAMP}\x20(?P<time>\d\d:\d\d:\d\d)\x20{_HOST}",
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
        ),
    ),
    LineFormat(
        name="syslog-precise",
        reference="systemd src/shared/logs-show.c, journalctl -o short-precise; rsyslog date-subseconds",
        pattern=rf"^{_STAMP}\x20(?P<time>\d\d:\d\d:\d\d)\.(?P<fraction>\d{{6}})\x20{_HOST}",
        samples=(
            Sample(
                "Oct 11 07:49:20.347281 controller-1 test: ms 1",
                {"host": "controller-1", "program": "test", "message": "ms 1"},
            ),
        ),
    ),
)
