"""Syslog around oslo.log: the inner stamp decides the year; a traceback travels in one escaped record."""

import sys
from pathlib import Path

LINES = (
    "Mar  3 08:10:59 cc03 2013-03-03 08:10:59 INFO nova.virt.libvirt.imagecache [-] Removing base file: /b/4b8e_10\n"
    "Mar  3 08:11:02 cc03 2013-03-03 08:11:01.204 4711 ERROR nova.compute.manager "
    "[req-11111111-2222-3333-4444-555555555555 9f1c 77aa] [instance: 0b1f5f6e-9f35-4b4e-8f6b-0c8a9d1e2f30] "
    'Cannot reboot#012Traceback (most recent call last):#012  File "manager.py", line 9, in reboot#012IOError: gone\n'
    "Mar  3 08:11:05 cc03 kernel: [1234.567890] br100: port 2(vnet0) entered disabled state\n"
    "this line has no stamp and continues the one above\n"
)
(Path(sys.argv[1]) / "input.log").write_text(LINES)
