"""``python -m cpppo.server.enip.getattr``: attributes of a controller's objects; see ``client/getattr.py``."""

import sys

from cpppo.server.enip.client.getattr import main

if __name__ == "__main__":
    sys.exit(main())
