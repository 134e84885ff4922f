"""Machines from regular expressions: of text, and of octets.

Owns `regex` and `regex_bytes`.  Rule: what a pattern means is told by its table
(see regex); here it only becomes the inside of a machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from cpppo.automata.inputs import state_input
from cpppo.automata.machine import dfa
from cpppo.automata.state import state
from cpppo.automata.symbols import OCTET_TYPECODE, OCTETS, TEXT_TYPECODE, type_str_encoder, type_unicode_encoder
from cpppo.errors import GrammarError

__all__ = ["regex", "regex_bytes"]


#: The alphabet and typecode of what an encoder makes.
SYMBOLS: dict[Callable[[str], Any], tuple[Any, str]] = {
    type_str_encoder: (str, TEXT_TYPECODE),
    type_unicode_encoder: (OCTETS, OCTET_TYPECODE),
}


class regex(dfa):
    """A machine that takes sentences of a regular expression, over text; each symbol is a character.

    It runs on until its input ends, or a symbol comes that cannot continue any sentence; with
    ``greedy=False``, until the expression is first satisfied.  It fails (NonTerminal) if it then has no
    whole sentence: always the whole pattern matches, as with Python's ``re.fullmatch``.

    :param name: by default the repr of the expression.
    :param initial: the expression, text or octets (then over octets, see `regex_bytes`); or greenery's
        ``Pattern`` or ``Fsm``.
    :param regex_states: class of the states inside: `state_input` to collect, `state_drop` to forget.
    :param regex_alphabet: their alphabet; by default str.
    :param regex_encoder: makes of each character that the expression names the symbol(s) of the source.
    :param regex_typecode: of the array in which they collect.
    :param regex_context: their context, below that of this machine.

    All others as for `dfa`.

    :raises PatternError: for an expression that is none, telling where and what to write instead.
    """

    octets: ClassVar[bool] = False

    def __init__(
        self,
        name: str | None = None,
        initial: Any = None,
        regex_states: type[state] = state_input,
        regex_alphabet: Any = None,
        regex_encoder: Callable[[str], Any] | None = None,
        regex_typecode: str | None = None,
        regex_context: str | None = None,
        **kwds: Any,
    ) -> None:
        if initial is None:
            raise GrammarError(f"Machine {name or type(self).__name__!r} needs a regular expression as its initial")
        given: object = regex_states
        if not (isinstance(given, type) and issubclass(given, state)):
            raise GrammarError(f"regex_states is {regex_states!r}; give a class of states, such as state_drop")
        if not (regex_encoder is None or callable(regex_encoder)):
            raise GrammarError(f"regex_encoder is {regex_encoder!r}; give what makes symbols of a character")
        octets = self.octets or isinstance(initial, bytes)
        encoder = regex_encoder or (type_unicode_encoder if octets else type_str_encoder)
        self.over_octets = encoder is type_unicode_encoder
        alphabet, typecode = SYMBOLS.get(encoder, (None, None))
        self.pattern, self.lego, self.fsm, first = regex_states.from_regex(
            initial,
            encoder=encoder,
            alphabet=alphabet if regex_alphabet is None else regex_alphabet,
            typecode=typecode if regex_typecode is None else regex_typecode,
            context=regex_context,
        )
        self._collects = f"{regex_context and '.' + regex_context or ''}{regex_states.extension_default}"
        super().__init__(repr(self.pattern) if name is None else name, initial=first, **kwds)

    def strange(self, symbol: Any) -> str:
        """What to say of a symbol that is not of the kind it takes."""
        if self.over_octets and isinstance(symbol, str):
            return f", a character, but {self.own_name} is over octets: encode it, or use regex"
        if not self.over_octets and type(symbol) is int and symbol in OCTETS:
            return f", an octet, but {self.own_name} is over text: decode it, or use regex_bytes"
        return ""

    def collected(self, path: str | None) -> str:
        """Where its states collect; ``path`` is that of the machine around it."""
        return (self.context(path) + self._collects).lstrip(".")


class regex_bytes(regex):
    """A machine that takes sentences of a regular expression, over octets; each symbol is an int of 0 to 255.

    An expression of text means its characters in UTF-8; an octet that belongs to no character counts as
    a character of its own, which ``.`` and ``[^...]`` take.  One of octets, b'...', means these octets.
    Otherwise as `regex`.
    """

    octets = True
