"""Values of what was collected: numbers of octets, text, and whole numbers of digits.

Owns `state_struct`, and the regular expressions that end in a value.  Rule: a value takes the place of
what it was made of.  Must not know what the value is for.
"""

from __future__ import annotations

import struct
from typing import Any

from cpppo.automata.expressions import regex, regex_bytes
from cpppo.automata.state import state
from cpppo.automata.symbols import path_ext_input
from cpppo.errors import GrammarError

__all__ = ["integer", "integer_base", "integer_bytes", "state_struct", "string", "string_base", "string_bytes"]


class state_struct(state):
    """Takes no symbol; unpacks octets that were collected at <context>.input, and puts the value at <context>.

    What is there is appended to if it has ``append``, and else replaced.

    :param format: of one value, as for `struct`; several make a tuple.
    :param offset: octets to pass over.
    :param index: values of this format to pass over, after these.
    :param input_extension: ending of the place of the octets.
    :raises GrammarError: for a format that is none, a negative offset or index; NonTerminal (while
        running) if there are too few octets.
    """

    def __init__(
        self,
        name: str | state,
        *args: Any,
        format: str = "B",
        offset: int = 0,
        index: int = 0,
        input_extension: str = path_ext_input,
        **kwds: Any,
    ) -> None:
        super().__init__(name, *args, **kwds)
        try:
            self._struct = struct.Struct(format)
        except struct.error as exc:
            raise GrammarError(f"{self}: {format!r} is no format of struct: {exc}") from exc
        if offset < 0 or index < 0:
            raise GrammarError(f"{self}: offset {offset} and index {index} must not be negative")
        self._start = offset + index * self._struct.size
        self._input_extension = input_extension

    def terminate(self, exception: BaseException | None, machine: Any, path: str | None, data: Any) -> None:
        """Called after it was processed; unpacks."""
        if exception is not None or data is None:
            return
        where, source = self.context(path), self.context(path, self._input_extension)
        try:
            octets = bytes(data[source]) if source in data else b""
        except TypeError as exc:
            raise ValueError(f"{source!r} has no octets, but {data[source]!r}") from exc
        missing = self._start + self._struct.size - len(octets)
        if missing > 0:
            raise ValueError(f"{source!r} has {len(octets)} octets, {missing} too few for {self._struct.format!r}")
        values = self._struct.unpack_from(octets, self._start)
        value = values[0] if len(values) == 1 else values
        there: Any = data[where] if where in data else None
        if hasattr(there, "append"):
            there.append(value)
        else:
            data[where] = value


class _valued(regex):
    """A regular expression whose sentence becomes a value, at its context in place of what was collected."""

    def value(self, collected: Any) -> Any:
        """The value of what was collected (an array of text or octets), or None if that is nothing."""
        raise NotImplementedError(f"{type(self).__name__} must define value(collected)")

    def initialize(self, machine: Any, path: str | None, data: Any) -> None:
        """Called before it is run; the value of an earlier run makes way."""
        for place in (self.collected(path), self.context(path)):
            if data is not None and place in data:
                del data[place]

    def terminate(self, exception: BaseException | None, machine: Any, path: str | None, data: Any) -> None:
        """Called after it was run; makes the value."""
        if exception is None and data is not None:
            collected = self.collected(path)
            data[self.context(path)] = self.value(data[collected] if collected in data else None)


class string_base(_valued):
    """Text, or octets, that match a regular expression; by default any at all, so give a limit.

    :param context: where its value is put: str, or bytes.
    :param decode: codec by which octets become str.
    :raises NonTerminal: (while running) for octets that ``decode`` does not know.
    """

    def __init__(
        self,
        name: str | None = None,
        initial: Any = ".*",
        context: str = "string",
        greedy: bool = True,
        decode: str | None = None,
        **kwds: Any,
    ) -> None:
        super().__init__(name, initial, context=context, greedy=greedy, **kwds)
        self._decode = decode
        try:
            b"".decode(decode or "ascii")
        except LookupError as exc:
            raise GrammarError(f"{self}: {exc}; name a codec of Python's, such as 'utf-8' or 'iso-8859-1'") from exc

    def value(self, collected: Any) -> str | bytes:
        """The text or octets."""
        if collected is None:
            return b"" if self.octets and self._decode is None else ""
        octets = _octets(collected)
        if octets is None:
            return "".join(collected)
        return octets if self._decode is None else octets.decode(self._decode)


class string(string_base):
    """A `string_base` over text."""


class string_bytes(string_base, regex_bytes):
    """A `string_base` over octets."""


class integer_base(_valued):
    """A whole number, of decimal digits.

    :param context: where its value, an int, is put.
    """

    def __init__(self, name: str | None = None, initial: Any = r"\d+", context: str = "integer", **kwds: Any) -> None:
        super().__init__(name, initial, context=context, **kwds)

    def value(self, collected: Any) -> int:
        """The number."""
        octets = _octets(collected or ())
        return int("".join(collected) if octets is None else octets)


class integer(integer_base):
    """An `integer_base` over text."""


class integer_bytes(integer_base, regex_bytes):
    """An `integer_base` over octets."""


def _octets(collected: Any) -> bytes | None:
    """What was collected as octets; None if it is text."""
    return None if len(collected) and isinstance(collected[0], str) else bytes(collected)
