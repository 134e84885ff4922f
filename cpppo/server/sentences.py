"""A conversation led by a machine: each sentence that a peer completes gets an answer.

Owns: the run of the machine, and its errors.
Rule: octets in, octets out, wherever these come from; never waits.
Must not know what is talked about.
"""

from __future__ import annotations

from cpppo.automata import chaining, dfa, state
from cpppo.dotdict import dotdict
from cpppo.errors import NonTerminal, ProtocolError

__all__ = ["Sentences"]


class Sentences:
    """A conversation in which each sentence a machine accepts gets an answer.  Octets in, octets out.

    :param machine: goes on from sentence to sentence, and enters the state ``whole`` at the end of each.
    :param peer: names the other side in the log.

    ``closed`` when what came is no sentence: then nothing is answered any more.
    """

    def __init__(self, machine: dfa, whole: state, peer: str) -> None:
        self.closed = False
        self.peer = peer
        self._whole = whole
        self._source = chaining()
        self._data = dotdict()
        self._run = machine.run(self._source, data=self._data)

    def receive(self, data: bytes) -> bytes:
        """The answers to the sentences that ``data`` completes."""
        if self.closed or not data:  # resuming without more would say that no more comes
            return b""
        self._source.chain(data)
        answers = []
        try:
            for _, entered in self._run:
                if entered is None:  # it goes on here when there is more
                    break
                if entered is self._whole:
                    answers.append(self.answer(self._data))
        except (NonTerminal, ProtocolError) as exc:
            self.closed = True
            answers.append(self.refuse(self._data, exc))
        return b"".join(answers)

    def next_octet(self) -> int | None:
        """The first octet that was not taken; None if there is none."""
        octet: int | None = self._source.peek()
        return octet

    def end(self) -> bool:
        """No more octets come; whether that is in order, and not in the midst of a sentence."""
        self.closed = True
        try:
            for _ in self._run:  # going on without more tells it so
                pass
        except (NonTerminal, ProtocolError):
            return False
        return True

    def answer(self, data: dotdict) -> bytes:
        """The answer to the sentence in ``data``, which it empties for the next; or a ProtocolError raised."""
        raise NotImplementedError(f"{type(self).__name__} must define answer(data)")

    def refuse(self, data: dotdict, exc: NonTerminal | ProtocolError) -> bytes:
        """The last answer, to what is no sentence because of ``exc``; ``data`` has what was understood of it."""
        raise NotImplementedError(f"{type(self).__name__} must define refuse(data, exc)")
