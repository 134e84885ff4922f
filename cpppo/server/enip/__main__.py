"""``python -m cpppo.server.enip``: the simulator; installed as ``enip_server``."""

import sys

from cpppo.server.enip.main import main

sys.exit(main())
