"""libvirt's daemons, the log that they keep of each domain, and what qemu writes into it."""

from forensics.loaders._line_format import DIGITS, LineFormat, Sample

_DATE = r"(?P<date>\d{4}-\d\d-\d\d)"
_TIME = r"(?P<time>\d\d:\d\d:\d\d)"

FORMATS = (
    LineFormat(
        name="libvirt",
        leads=DIGITS,
        inside=False,
        reference="libvirt src/util/virlog.c, virLogFormatString(), since 0.9.8: libvirtd.log, virtqemud.log; "
        "src/qemu/qemu_process.c, START_POSTFIX and SHUTDOWN_POSTFIX: qemu/DOMAIN.log; the stamp is UTC",
        pattern=rf"^{_DATE}\x20{_TIME}\.(?P<fraction>\d{{3}})(?P<zone>\+0000):\x20"
        r"(?:(?P<pid>\d{1,10}):\x20(?P<severity>error|warning|info|debug)\x20:\x20)?(?P<message>(?s:.*))$",
        samples=(
            Sample(
                "2013-02-15 08:40:18.123+0000: 2345: error : virNetSocketReadWire:1184 : End of file while reading "
                "data: Input/output error",
                {
                    "ts": "2013-02-15 08:40:18.123+00:00",
                    "pid": 2345,
                    "severity": "ERROR",
                    "message": "virNetSocketReadWire:1184 : End of file while reading data: Input/output error",
                    "zone_basis": "stated",
                },
            ),
            Sample(
                "2013-02-15 08:40:18.123+0000: 2345: info : libvirt version: 1.0.2",
                {"severity": "INFO", "message": "libvirt version: 1.0.2"},
            ),
            Sample(
                "2013-02-15 08:40:18.123+0000: starting up\nLC_ALL=C /usr/bin/kvm -name instance-00000e05\n"
                "qemu-kvm: -drive file=/x/disk,if=none: could not open disk image /x/disk: No such file or directory",
                {
                    "severity": None,
                    "pid": None,
                    "message": "starting up\nLC_ALL=C /usr/bin/kvm -name instance-00000e05\nqemu-kvm: -drive "
                    "file=/x/disk,if=none: could not open disk image /x/disk: No such file or directory",
                },
            ),
            Sample("2013-02-15 08:40:19.123+0000: shutting down", {"message": "shutting down"}),
        ),
    ),
    LineFormat(
        name="libvirt-syslog",
        leads=DIGITS,
        inner_only=True,
        reference="libvirt src/util/virlog.c, virLogOutputToSyslog(), to 1.0: the thread in place of a pid in the tag",
        pattern=r"^(?P<pid>\d{1,10}):\x20(?P<severity>error|warning|info|debug)\x20:\x20(?P<message>(?s:.*))$",
        samples=(
            Sample(
                "Feb 15 01:40:18 cc12 libvirtd: 2345: error : virNetSocketReadWire:1184 : End of file",
                {
                    "program": "libvirtd",
                    "pid": 2345,
                    "severity": "ERROR",
                    "message": "virNetSocketReadWire:1184 : End of file",
                },
                year=2013,
            ),
        ),
    ),
    LineFormat(
        name="qemu",
        leads=DIGITS,
        inside=False,
        rank=-1,  # else the colon behind its name would make it a host of RFC 3339 syslog
        reference="qemu util/error-report.c with -msg timestamp=on, since 1.5",
        pattern=rf"^{_DATE}T{_TIME}\.(?P<fraction>\d{{6}})(?P<zone>Z)\x20"
        r"(?P<program>qemu-kvm|qemu-system-[a-z0-9_]+|qemu|kvm):\x20(?P<message>(?s:.*))$",
        samples=(
            Sample(
                "2019-01-01T10:00:00.123456Z qemu-system-x86_64: terminating on signal 15 from pid 2345",
                {
                    "ts": "2019-01-01 10:00:00.123456+00:00",
                    "program": "qemu-system-x86_64",
                    "message": "terminating on signal 15 from pid 2345",
                },
            ),
        ),
    ),
)
