"""Values of what was collected: numbers of octets, text, and whole numbers of digits.

Owns `state_struct`, and the regular expressions that end in a value.  Rule: a value takes the place of
what it was made of.  Must not know what the value is for.
"""

from __future__ import annotations

import struct
from array import array
from typing import Any

from cpppo.automata.expressions import regex, regex_bytes
from cpppo.automata.state import state
from cpppo.automata.symbols import OCTETS, path_ext_input
from cpppo.errors import GrammarError

__all__ = [
    "integer",
    "integer_base",
    "integer_bytes",
    "regex_bytes_promote",
    "state_struct",
    "string",
    "string_base",
    "string_bytes",
]


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

    format: str
    input_extension: str
    _start: int

    def __init__(
        self,
        name: str | state,
        *args: Any,
        format: str | None = None,
        offset: int | None = None,
        index: int = 0,
        input_extension: str | None = None,
        **kwds: Any,
    ) -> None:
        super().__init__(name, *args, **kwds)
        made = name if isinstance(name, state_struct) else None
        if format is None:
            format = made.format if made else "B"
        if input_extension is None:
            input_extension = made.input_extension if made else path_ext_input
        self.format, self.input_extension = format, input_extension
        try:
            self._struct = struct.Struct(format)
        except (struct.error, TypeError) as exc:
            raise GrammarError(f"{self}: {format!r} is no format of struct: {exc}") from exc
        if made and offset is None and not index:
            self._start = made._start
            return
        offset = 0 if offset is None else offset
        places: dict[str, object] = {"offset": offset, "index": index}
        for what, given in places.items():
            if not isinstance(given, int) or given < 0:
                raise GrammarError(f"{self}: {what} {given!r} is no whole number from 0")
        self._start = offset + index * self._struct.size

    def terminate(self, exception: BaseException | None, machine: Any, path: str | None, data: Any) -> None:
        """Called after it was processed; unpacks."""
        if exception is not None or data is None:
            return
        where, source = self.context(path), self.context(path, self.input_extension)
        given = data[source] if source in data else b""
        octets = _octets(given)
        if octets is None:
            raise ValueError(f"{source!r} has no octets, but {given!r}")
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
        if data is not None and self.context(path):
            for place in (self.collected(path), self.context(path)):
                if place in data:
                    del data[place]

    def terminate(self, exception: BaseException | None, machine: Any, path: str | None, data: Any) -> None:
        """Called after it was run; makes the value."""
        if exception is None and data is not None and self.context(path):
            collected = self.collected(path)
            value = self.value(data[collected] if collected in data else None)
            if value is not None:
                data[self.context(path)] = value


class regex_bytes_promote(_valued, regex_bytes):
    """A `regex_bytes` whose value is the array of what it collected, at its context, if that is anything."""

    def value(self, collected: Any) -> Any:
        """What was collected."""
        return collected


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
            b"\0".decode("ascii" if decode is None else decode)
        except UnicodeError:  # it is a codec, of which this octet is no text
            pass
        except (LookupError, TypeError) as exc:
            raise GrammarError(f"{self}: {exc}; name a codec of Python's, such as 'utf-8' or 'iso-8859-1'") from exc

    def value(self, collected: Any) -> str | bytes:
        """The text or octets."""
        if collected is None:
            return b"" if self.over_octets and self._decode is None else ""
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
        octets = _octets(collected or b"")
        return int("".join(collected) if octets is None else octets)


class integer(integer_base):
    """An `integer_base` over text."""


class integer_bytes(integer_base, regex_bytes):
    """An `integer_base` over octets."""


def _octets(collected: Any) -> bytes | None:
    """What was collected as octets; None if it is something else."""
    if isinstance(collected, array):
        return collected.tobytes() if collected.itemsize == 1 else None
    if isinstance(collected, (bytes, bytearray)):
        return bytes(collected)
    if isinstance(collected, (list, tuple)) and all(isinstance(each, int) and each in OCTETS for each in collected):
        return bytes(collected)
    return None
