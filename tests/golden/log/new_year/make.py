"""A year-less syslog over New Year, as logrotate's dateext names it: only the name tells the years."""

import sys
from pathlib import Path

LINES = """\
Dec 31 23:58:01 cc01 dnsmasq-dhcp[811]: DHCPREQUEST(br100) 10.0.0.5 fa:16:3e:00:00:05
Dec 31 23:58:01 cc01 dnsmasq-dhcp[811]: DHCPACK(br100) 10.0.0.5 fa:16:3e:00:00:05 web-3
Dec 31 23:59:58 cc01 CRON[900]: (root) CMD (run-parts /etc/cron.hourly)
Jan  1 00:00:03 cc01 dnsmasq-dhcp[811]: DHCPREQUEST(br100) 10.0.0.5 fa:16:3e:00:00:05
Jan  1 00:00:03 cc01 dnsmasq-dhcp[811]: DHCPNAK(br100) 10.0.0.5 fa:16:3e:00:00:05 lease not found
Jan  1 00:00:02 cc01 last message repeated 2 times
"""
(Path(sys.argv[1]) / "input.log-20130102").write_text(LINES)
