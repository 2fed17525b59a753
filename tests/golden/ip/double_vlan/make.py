"""A compute node of a VlanManager cloud, 2012: its VLANs were put on top of another VLAN; pasted, wrapped, cut."""

import sys
from pathlib import Path

# the first releases of iproute2 end their lines with a blank
BLANK = " "
TEXT = f"""\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 16436 qdisc noqueue state UNKNOWN{BLANK}
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
    inet6 ::1/128 scope host{BLANK}
       valid_lft forever preferred_lft forever
2: eth0: <BROADCAST,MULTICAST,SLAVE,UP,LOWER_UP> mtu 1500 qdisc mq master bond0 state UP
qlen 1000
    link/ether 00:1b:21:aa:bb:cc brd ff:ff:ff:ff:ff:ff
…
5: bond0: <BROADCAST,MULTICAST,MASTER,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP{BLANK}
    link/ether 00:1b:21:aa:bb:cc brd ff:ff:ff:ff:ff:ff
    inet 10.1.0.12/16 brd 10.1.255.255 scope global bond0
6: vlan20@bond0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP{BLANK}
    link/ether 00:1b:21:aa:bb:cc brd ff:ff:ff:ff:ff:ff
    vlan id 20 <REORDER_HDR>{BLANK}
    inet 10.20.0.12/16 brd 10.20.255.255 scope global vlan20
10: vlan100@vlan20: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue master br100 state UP
    link/ether fa:16:3e:4a:00:01 brd ff:ff:ff:ff:ff:ff
11: br100: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP{BLANK}
    link/ether fa:16:3e:4a:00:01 brd ff:ff:ff:ff:ff:ff
    inet 192.168.100.1/24 brd 192.168.100.255 scope global br100
    inet 169.254.169.254/32 scope link br100
12: vnet0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc pfifo_fast master br100 state UNKNOWN qlen 500
    link/ether fe:16:3e:24:e7:22 brd ff:ff:ff:ff:ff:ff
14: tap9@NONE: <BROADCAST,MULTICAST> mtu 1500 state DOWN
(a remark of whoever pasted this)
...
"""
(Path(sys.argv[1]) / "input.txt").write_text(TEXT)
