#!/usr/bin/env python3
"""The command modbus_poll, run from the sources."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cpppo.remote.modbus_poll import main  # noqa: E402

sys.exit(main())
