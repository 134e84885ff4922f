"""``python -m cpppo.server.enip.io``: a sample of the client, to run and to read; see ``client/io.py``."""

import sys

from cpppo.server.enip.client.io import main

if __name__ == "__main__":
    sys.exit(main())
