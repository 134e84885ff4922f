"""Remote PLC I/O: pollers of devices, a Modbus simulator, repairs of pymodbus.

`plc_poller` is the poller metaphor without a protocol; `cpppo.remote.plc_modbus` polls Modbus devices.  Importing this
imports no optional dependency.
"""

from cpppo.remote.plc import PlcOffline, poller_simulator
from cpppo.remote.plc import poller as plc_poller

__all__ = ["PlcOffline", "plc_poller", "poller_simulator"]
