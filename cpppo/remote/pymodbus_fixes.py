"""pymodbus, and repairs of what it gets wrong: clients, servers, framing and data, under names that do not move.

Owns: all that this project uses of pymodbus; nothing else imports it, so that its changes of names and meanings reach
this file alone.  Rule: no logic that could do without pymodbus.  Written for pymodbus 3.16; each class says which
fault it mends and since when pymodbus does not have it, where that is so.
"""

from __future__ import annotations
