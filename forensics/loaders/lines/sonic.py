"""Syslog of SONiC: a level before the tag, and the container in front of the program."""

from forensics.loaders._line_format import LineFormat, Sample

FORMATS = (
    LineFormat(
        name="sonic",
        leads="EACWNID",
        inside=False,
        inner_only=True,
        behind_host=True,
        reference="sonic-buildimage files/image_config/rsyslog, template SONiCFileFormat",
        pattern=r"^(?P<severity>EMERG|ALERT|CRIT|ERR|WARNING|NOTICE|INFO|DEBUG)\x20"
        r"(?P<program>[A-Za-z][\w.+@/-]*(?:\#[\w.+@/-]+)?)(?:\[(?P<pid>\d+)\])?:\x20?(?P<message>(?s:.*))$",
        samples=(
            Sample(
                "Feb 21 16:46:14.931186 ss12 NOTICE swss#orchagent: :- setHostIntfsOperStatus: Set operation status UP",
                {
                    "host": "ss12",
                    "program": "swss#orchagent",
                    "severity": "NOTICE",
                    "message": ":- setHostIntfsOperStatus: Set operation status UP",
                    "framing": "syslog-precise+sonic",
                },
            ),
            Sample(
                "2024 Jan 12 12:00:00.123456 ss12 INFO kernel: [   12.345678] Ethernet28: link becomes ready",
                {"program": "kernel", "severity": "INFO", "framing": "syslog-loose+sonic", "year_basis": "stated"},
            ),
            Sample(
                "Feb 21 16:46:14 ss12 WARNING bgp#bgpd[83]: %ADJCHANGE: neighbor 100.67.0.142 Down",
                {"program": "bgp#bgpd", "pid": 83, "framing": "syslog-traditional+sonic"},
            ),
        ),
    ),
)
