"""cpppo: communications protocol parsers from state machines, and a Logix controller simulator and client on them."""

import reprlib

from cpppo.automata import (
    chainable,
    chaining,
    decide,
    dfa,
    peekable,
    peeking,
    state,
    state_drop,
    state_input,
)
from cpppo.dotdict import apidict, dotdict
from cpppo.errors import (
    Error,
    LocalProtocolError,
    NonTerminal,
    ProtocolError,
    RemoteProtocolError,
    StatusError,
    Timeout,
)
from cpppo.timing import timer
from cpppo.version import __version__, __version_info__

__all__ = [
    "Error",
    "LocalProtocolError",
    "NonTerminal",
    "ProtocolError",
    "RemoteProtocolError",
    "StatusError",
    "Timeout",
    "__version__",
    "__version_info__",
    "apidict",
    "chainable",
    "chaining",
    "decide",
    "dfa",
    "dotdict",
    "peekable",
    "peeking",
    "reprlib",
    "state",
    "state_drop",
    "state_input",
    "timer",
]
