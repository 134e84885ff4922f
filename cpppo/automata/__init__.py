"""The automata engine: sources of symbols, states, machines, regular expressions, and their runs.

Rule: knows symbols, never their meaning.
"""

from cpppo.automata.compiled import Match, Matcher, Matching
from cpppo.automata.dialect import PatternError
from cpppo.automata.expressions import regex, regex_bytes
from cpppo.automata.inputs import state_act, state_drop, state_input, state_take
from cpppo.automata.machine import dfa, dfa_base, dfa_drop, dfa_input, dfa_post, view
from cpppo.automata.source import (
    Misremembered,
    chainable,
    chaining,
    peekable,
    peeking,
    rememberable,
    remembering,
)
from cpppo.automata.state import TransitionError, state
from cpppo.automata.steps import Leftover, LimitExceeded, Unacceptable
from cpppo.automata.symbols import (
    CharacterClass,
    path_ext_input,
    type_bytes_array_symbol,
    type_bytes_iter,
    type_str_array_symbol,
    type_str_base,
    type_str_encoder,
    type_str_iter,
    type_unicode_array_symbol,
    type_unicode_encoder,
)
from cpppo.automata.targets import choice, decide
from cpppo.automata.values import (
    integer,
    integer_base,
    integer_bytes,
    regex_bytes_promote,
    state_struct,
    string,
    string_base,
    string_bytes,
)

__all__ = [
    "CharacterClass",
    "Leftover",
    "LimitExceeded",
    "Match",
    "Matcher",
    "Matching",
    "Misremembered",
    "PatternError",
    "TransitionError",
    "Unacceptable",
    "chainable",
    "chaining",
    "choice",
    "decide",
    "dfa",
    "dfa_base",
    "dfa_drop",
    "dfa_input",
    "dfa_post",
    "integer",
    "integer_base",
    "integer_bytes",
    "path_ext_input",
    "peekable",
    "peeking",
    "regex",
    "regex_bytes",
    "regex_bytes_promote",
    "rememberable",
    "remembering",
    "state",
    "state_act",
    "state_drop",
    "state_input",
    "state_struct",
    "state_take",
    "string",
    "string_base",
    "string_bytes",
    "type_bytes_array_symbol",
    "type_bytes_iter",
    "type_str_array_symbol",
    "type_str_base",
    "type_str_encoder",
    "type_str_iter",
    "type_unicode_array_symbol",
    "type_unicode_encoder",
    "view",
]
