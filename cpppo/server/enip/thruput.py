"""``python -m cpppo.server.enip.thruput``: how fast operations go; see ``client/thruput.py``."""

import sys

from cpppo.server.enip.client.thruput import main

if __name__ == "__main__":
    sys.exit(main())
