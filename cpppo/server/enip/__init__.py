"""EtherNet/IP CIP: a Logix controller simulator, and a client."""

from cpppo.server.enip.control import LATENCY_S as latency
from cpppo.server.enip.main import main
from cpppo.server.enip.options import ADDRESS as address
from cpppo.server.enip.options import TIMEOUT_S as timeout
from cpppo.server.enip.simulator import Simulator, simulator

__all__ = ["Simulator", "address", "latency", "main", "simulator", "timeout"]
