"""The automata engine: sources of symbols, states, machines, and their runs.

Rule: knows symbols, never their meaning.
"""

from cpppo.automata.inputs import state_act, state_drop, state_input, state_take
from cpppo.automata.machine import dfa, view
from cpppo.automata.run import Leftover, LimitExceeded, Unacceptable
from cpppo.automata.source import chainable, chaining, peekable, peeking
from cpppo.automata.state import TransitionError, state
from cpppo.automata.targets import choice, decide

__all__ = [
    "Leftover",
    "LimitExceeded",
    "TransitionError",
    "Unacceptable",
    "chainable",
    "chaining",
    "choice",
    "decide",
    "dfa",
    "peekable",
    "peeking",
    "state",
    "state_act",
    "state_drop",
    "state_input",
    "state_take",
    "view",
]
