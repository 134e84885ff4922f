"""``python -m cpppo.server.enip.client``: read and write tags; installed as ``enip_client``."""

import sys

from cpppo.server.enip.client.cli import main

sys.exit(main())
