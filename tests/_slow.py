"""Whether all is asked for, and not a sample of it: ``FORENSICS_SLOW=1 make test``."""

import os
from typing import Final

SLOW: Final = os.environ.get("FORENSICS_SLOW") == "1"
