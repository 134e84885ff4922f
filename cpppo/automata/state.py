"""States: what is done on entering one, and on which symbol one moves to which other.

Owns the declaration of states and their freezing into nodes.  Rule: a state belongs to a definition;
nothing of a run is kept in it, and once frozen its transitions never change.  Must not know how runs
are stepped, nor anything of the symbols but their equality.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, ClassVar

from cpppo.automata.node import (
    ANY_SYMBOL,
    BY_PREDICATE,
    BY_TABLE,
    CHOOSING,
    CUSTOM,
    DECIDING,
    MACHINE,
    PLAIN,
    STOP,
    Node,
)
from cpppo.automata.targets import decide
from cpppo.errors import GrammarError

__all__ = ["TransitionError", "centered", "embrace", "freeze", "state"]

#: Typecode of arrays of text: Python 3.13 has a new one and warns of the old.
TEXT_TYPECODE = "w" if sys.version_info >= (3, 13) else "u"

# Overriding any of these in a subclass makes its states be processed by `process`, by keyword.
HOOKS = frozenset(("accepts", "collector", "context", "initialize", "process", "terminate", "validate"))

# Where a name is centred: what is left of its last dot, and what is right of it.
LEFT_COLUMNS, RIGHT_COLUMNS = 40, 10


class TransitionError(GrammarError, KeyError):
    """A state has no such transition, or cannot have it."""

    __str__ = Exception.__str__  # a KeyError would show its message quoted


class _AnySymbol:
    """Key of the wildcard: True itself would be the same key as the symbol 1."""

    def __repr__(self) -> str:
        return "True"


ANY = _AnySymbol()


class state(dict[Any, Any]):
    """A state that takes no input; a mapping of symbols to the states they lead to.

    ``S[symbol] = T``; ``S[predicate] = T`` for symbols of which predicate(symbol) is true;
    ``S[True] = T`` for any other symbol; ``S[None] = T`` without a symbol, or with one that nothing
    else knows.  T is a state, None (explicitly no transition), a `decide`, or a `choice`.  Several
    decides and at last a state may be assigned to one key, one after the other.

    :param name: shown; another state here makes this one a copy of it, its name followed by ``'``.
    :param terminal: True if a sentence may end here.
    :param alphabet: symbols it can process: a type, a container, a predicate, or None for all.
    :param context: name below the machine's path at which its data is kept.
    :param extension: ending of that name; see `context`.
    :param encoder: makes of a text symbol, as given in S[symbol], the symbol(s) of the source.
    :param typecode: of the array made to collect symbols; by default the first symbol decides.
    :param greedy: False stops here at once, if terminal, even where a transition exists.
    :param limit: symbols its machine may take from here on: an int, the path of one relative to
        its own context, or a callable(source=, machine=, path=, data=).
    :raises GrammarError: for an alphabet or a target that is none (also TypeError, KeyError).
    """

    extension_default: ClassVar[str] = ""
    _kind: ClassVar[int] = PLAIN
    _consumes: ClassVar[bool] = False

    alphabet: Any
    encoder: Callable[[str], Any] | None
    greedy: bool
    limit: Any
    typecode: str | None
    _name: str
    _terminal: bool
    _context: str
    _extension: str | None
    _node: Node | None

    def __init__(
        self,
        name: str | state,
        terminal: bool = False,
        alphabet: Any = None,
        context: str | None = None,
        extension: str | None = None,
        encoder: Callable[[str], Any] | None = None,
        typecode: str | None = None,
        greedy: bool = True,
        limit: Any = None,
    ) -> None:
        super().__init__()
        self._node = None
        if isinstance(name, state):
            origin = name
            name = origin._name + "'"
            terminal = terminal or origin._terminal
            alphabet = origin.alphabet if alphabet is None else alphabet
            context = origin._context if context is None else context
            extension = origin._extension if extension is None else extension
            encoder = encoder or origin.encoder
            typecode = typecode or origin.typecode
            greedy = greedy and origin.greedy
            limit = origin.limit if limit is None else limit
            super().update(dict.items(origin))
        self._name = str(name)
        self._terminal = bool(terminal)
        self._context = context or ""
        self._extension = extension
        self.alphabet = alphabet
        self.encoder = encoder
        self.typecode = TEXT_TYPECODE if typecode == "u" else typecode
        self.greedy = bool(greedy)
        self.limit = limit
        self._belongs = _membership(alphabet, self._name)

    # -- identity: a state is itself, whatever its transitions

    __hash__ = object.__hash__  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return self is other if isinstance(other, dict) else NotImplemented

    def __ne__(self, other: object) -> bool:
        return self is not other if isinstance(other, dict) else NotImplemented

    def __bool__(self) -> bool:
        return True

    # -- what is shown

    @property
    def name(self) -> str:
        return self._name

    @property
    def terminal(self) -> bool:
        return self._terminal

    def __str__(self) -> str:
        return embrace(self.name, self.terminal)

    def __repr__(self) -> str:
        return f"<{self}>"

    def name_centered(self) -> str:
        """Its text in 50 columns, the last dot in the 41st."""
        return centered(str(self))

    # -- a state may be used where a lock was once needed

    def __enter__(self) -> state:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    # -- transitions

    def _key(self, symbol: Any) -> Any:
        """The key under which transitions on ``symbol`` are kept."""
        if symbol is True:
            return ANY
        if self.encoder is not None and isinstance(symbol, str):
            encoded = tuple(self.encoder(symbol))
            return encoded[0] if len(encoded) == 1 else encoded
        return symbol

    def _open(self) -> None:
        if self._node is not None:
            raise GrammarError(f"{self} is frozen since its machine first ran; build its transitions before that")

    def __setitem__(self, symbol: Any, target: Any) -> None:
        self._open()
        if not (target is None or isinstance(target, (state, decide)) or hasattr(target, "choose")):
            raise TransitionError(f"Target must be a state, None, a decide or a choice, not {target!r}, in {self}")
        key = self._key(symbol)
        present = dict.get(self, key, ())
        stack = tuple(present) if isinstance(present, tuple) else (present,)
        if isinstance(target, decide):
            if stack and not isinstance(stack[-1], decide):
                raise TransitionError(f"{target!r} must be given before the state of {symbol!r}, in {self}")
            super().__setitem__(key, (*stack, target))
        else:
            decides = tuple(each for each in stack if isinstance(each, decide))
            super().__setitem__(key, (*decides, target) if decides else target)

    def __delitem__(self, symbol: Any) -> None:
        self._open()
        key = self._key(symbol)
        if not dict.__contains__(self, key):
            raise TransitionError(f"{self} has no transition on {symbol!r}")
        super().__delitem__(key)

    def __contains__(self, symbol: object) -> bool:
        return super().__contains__(self._key(symbol))

    def update(self, *args: Any, **kwds: Any) -> None:
        for symbol, targets in dict(*args, **kwds).items():
            for target in targets if isinstance(targets, tuple) else (targets,):
                self[symbol] = target

    def setdefault(self, symbol: Any, target: Any = None) -> Any:
        if symbol not in self:
            self[symbol] = target
        return super().__getitem__(self._key(symbol))

    def _refuse(self, *args: Any) -> Any:
        raise GrammarError(f"{self}: transitions are assigned or deleted one by one")

    pop = popitem = clear = __ior__ = _refuse

    def __getitem__(self, symbol: Any) -> Any:
        """The target(s) of ``symbol``: as given, else by predicate, else of any symbol, else without one."""
        key = self._key(symbol)
        if dict.__contains__(self, key):
            return super().__getitem__(key)
        if symbol is not None and symbol is not True:
            for predicate in self:
                if callable(predicate) and predicate(symbol):
                    return super().__getitem__(predicate)
            if dict.__contains__(self, ANY):
                return super().__getitem__(ANY)
        if dict.__contains__(self, None):
            return super().__getitem__(None)
        raise TransitionError(f"{self} has no transition on {symbol!r}")

    def get(self, symbol: Any, default: Any = None) -> Any:
        try:
            return self[symbol]
        except TransitionError:
            return default

    # -- what subclasses may override

    def validate(self, symbol: Any) -> bool:
        """True if ``symbol`` is one it can process; None stands for no symbol."""
        return symbol is None or self._belongs(symbol)

    def accepts(self, source: Any, machine: Any, path: str | None, data: Any) -> bool:
        """True if it can be processed now; if not, the run waits for another symbol once, then fails."""
        return True

    def initialize(self, machine: Any, path: str | None, data: Any) -> None:
        """Called before it is processed."""

    def process(self, source: Any, machine: Any, path: str | None, data: Any) -> None:
        """What it does on being entered: here, nothing."""

    def terminate(self, exception: BaseException | None, machine: Any, path: str | None, data: Any) -> None:
        """Called after it was processed, or could not be because of ``exception``."""

    def context(self, path: str | None = None, extension: str | None = None) -> str:
        """Where its data is kept: path, '.', its own context, and the extension (by default its own)."""
        if extension is None:
            extension = self.extension_default if self._extension is None else self._extension
        return ".".join(part for part in (path, self._context) if part) + extension

    # -- freezing

    def _children(self) -> Iterator[state]:
        """The states that can be reached from it in one step."""
        for targets in self.values():
            for target in targets if isinstance(targets, tuple) else (targets,):
                if isinstance(target, state):
                    yield target
                elif isinstance(target, decide):
                    if target.state is not None:
                        yield target.state
                elif target is not None:
                    yield from getattr(target, "targets", ())

    def _fill(self, node: Node, nodes: dict[state, Node]) -> None:
        """Fill its own ``node``; ``nodes`` has the node of every child."""
        node.terminal = self._terminal
        node.consumes = self._consumes
        node.limit = self.limit
        node.other = node.epsilon = STOP
        if self._terminal and not self.greedy and node.kind != MACHINE:
            return  # satisfied: moves nowhere
        targets = {key: _target(given, nodes) for key, given in self.items()}
        node.epsilon = targets.pop(None, STOP)
        node.other = targets.pop(ANY, node.epsilon)
        node.predicates = tuple((key, targets.pop(key)) for key in list(targets) if callable(key))
        node.get = targets.get
        if node.predicates:
            node.moves = BY_PREDICATE
        elif targets:
            node.moves = BY_TABLE
        elif ANY in self:
            node.moves = ANY_SYMBOL

    def _node_kind(self) -> int:
        """The kind of its node: its class', unless a subclass overrides a hook or it needs the long way."""
        if self.limit is not None or (self._consumes and self.alphabet is not None):
            return CUSTOM
        for base in type(self).__mro__:
            if "_kind" in vars(base):
                return self._kind
            if not HOOKS.isdisjoint(vars(base)):
                return CUSTOM
        return CUSTOM


def embrace(name: str, terminal: bool) -> str:
    """``name`` as a state's text: in two pairs of parentheses if terminal."""
    return f"(({name}))" if terminal else f"( {name} )"


def centered(text: str) -> str:
    left, dot, right = text.rpartition(".")
    return left.rjust(LEFT_COLUMNS) + (dot + right).ljust(RIGHT_COLUMNS)


def freeze(first: state) -> Node:
    """The node of ``first``, after freezing all states that can be reached from it.

    Nothing is frozen if any cannot be.  Several threads may do so at once: whole nodes only are
    shown, and any two of one state give the same answers.
    """
    nodes: dict[state, Node] = {}
    fresh: list[state] = []
    waiting = [first]
    while waiting:
        each = waiting.pop()
        if each in nodes:
            continue
        if each._node is not None:
            nodes[each] = each._node
            continue
        nodes[each] = Node(each, each._node_kind())
        fresh.append(each)
        waiting.extend(each._children())
    for each in fresh:
        each._fill(nodes[each], nodes)
    for each in fresh:
        each._node = nodes[each]
    return nodes[first]


def _membership(alphabet: Any, name: str) -> Callable[[Any], bool]:
    """What tells whether a symbol is of ``alphabet``."""
    if alphabet is None:
        return lambda symbol: True
    if isinstance(alphabet, type):
        return lambda symbol: isinstance(symbol, alphabet)
    if hasattr(alphabet, "__contains__"):
        members = frozenset(alphabet) if isinstance(alphabet, (str, bytes, bytearray)) else alphabet
        if hasattr(members, "__len__") and not len(members):
            raise GrammarError(f"Empty alphabet of state {name!r}: give the symbols it can process, or None for all")
        return lambda symbol: symbol in members
    if callable(alphabet):
        return lambda symbol: bool(alphabet(symbol))
    raise GrammarError(f"Unknown alphabet {alphabet!r} of state {name!r}: give a type, a container or a predicate")


def _target(given: Any, nodes: dict[state, Node]) -> Node:
    """The node of what was assigned to one key."""
    if given is None:
        return STOP
    if isinstance(given, state):
        return nodes[given]
    if isinstance(given, tuple):
        node = Node(None, DECIDING)
        node.options = tuple(
            (each.predicate, _target(each.state, nodes)) if isinstance(each, decide) else (None, _target(each, nodes))
            for each in given
        )
        return node
    node = Node(None, CHOOSING)
    node.choose = given.choose
    return node
