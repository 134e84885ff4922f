"""States: what is done on entering one, and on which symbol one moves to which other.

Owns the declaration of states and their freezing into nodes.  Rule: a state belongs to a definition;
nothing of a run is kept in it, and once frozen its transitions never change.  Must not know how runs
are stepped, nor anything of the symbols but their equality.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, ClassVar

from cpppo.automata.freezing import freeze, target
from cpppo.automata.naming import centered, edge_order, embrace
from cpppo.automata.node import (
    ANY_SYMBOL,
    BY_PREDICATE,
    BY_TABLE,
    CUSTOM,
    DROP,
    HOOKED,
    MACHINE,
    PLAIN,
    STOP,
    TAKE,
    Node,
)
from cpppo.automata.regex import graph
from cpppo.automata.run import alone, moving
from cpppo.automata.settings import amount, called, encoded, membership, place, typecode_known
from cpppo.automata.steps import source_of
from cpppo.automata.symbols import CharacterClass
from cpppo.automata.targets import decides
from cpppo.errors import GrammarError

__all__ = ["TransitionError", "state"]

# Overriding any of these in a subclass makes its states be processed by `process`, by keyword.
HOOKS = frozenset(("accepts", "collector", "context", "delegate", "initialize", "process", "terminate", "validate"))

# What cannot be set once it is frozen.
SETTINGS = frozenset(
    "alphabet encoder exact greedy initial limit repeat typecode _context _extension _name _terminal".split()
)

# Members of a character class that become exact symbols, for speed.
EXPANDED = 1024


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
        self._context = place(context, "context", self._name)
        self._extension = None if extension is None else place(extension, "extension", self._name)
        self.alphabet = alphabet
        self.encoder = called(encoder, "encoder", self._name)
        self.typecode = typecode_known(typecode, self._name)
        self.greedy = bool(greedy)
        self.limit = amount(limit, "limit", self._name)
        self._belongs = membership(alphabet, self._name)

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

    def __setattr__(self, name: str, value: Any) -> None:
        if name in SETTINGS and self.__dict__.get("_node") is not None:
            raise GrammarError(f"{self} is frozen since its machine first ran; set {name} before that")
        super().__setattr__(name, value)

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise GrammarError(f"{self} is a definition, to be shared; make a copy of a state by {type(self).__name__}(it)")

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
            symbols = encoded(self.encoder, symbol)
            return symbols[0] if len(symbols) == 1 else symbols
        return symbol

    def _open(self) -> None:
        if self._node is not None:
            raise GrammarError(f"{self} is frozen since its machine first ran; build its transitions before that")

    def __setitem__(self, symbol: Any, target: Any) -> None:
        self._open()
        given = target.state if decides(target) else target
        if not (given is None or isinstance(given, state) or hasattr(given, "choose")):
            raise TransitionError(f"Target must be a state, None, a decide or a choice, not {given!r}, in {self}")
        self.lead(self._key(symbol), target)

    def lead(self, key: Any, target: Any) -> None:
        """Assign a target to a symbol of the source, past the encoder."""
        present = dict.get(self, key, ())
        stack = tuple(present) if isinstance(present, tuple) else (present,)
        if decides(target):
            if stack and not decides(stack[-1]):
                raise TransitionError(f"{target!r} must be given before the state of {key!r}, in {self}")
            super().__setitem__(key, (*stack, target))
        else:
            before = tuple(each for each in stack if decides(each))
            super().__setitem__(key, (*before, target) if before else target)

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
            for each in targets if isinstance(targets, tuple) else (targets,):
                self[symbol] = each

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

    def delegate(
        self, source: Any, machine: Any, path: str | None, data: Any, ending: int | None
    ) -> Iterator[tuple[Any, Any]]:
        """Steps of its own, after it was processed: yields what the run is to yield, before moving on."""
        return iter(())

    def transition(
        self, source: Any, machine: Any, path: str | None, data: Any, ending: int | None
    ) -> Iterator[tuple[Any, Any]]:
        """Where it moves: yields (machine, None) while it needs a symbol, at last (machine, the state), if any."""
        return moving(self._node or freeze(self), source, machine, path or "", data, ending)

    # -- running it alone, and looking at what it leads to

    def run(
        self, source: Any, machine: Any = None, path: str | None = None, data: Any = None, ending: int | None = None
    ) -> Iterator[tuple[Any, Any]]:
        """Process it, then yield (machine, the state it moves to), without entering that; as `dfa.run` otherwise."""
        return alone(self._node or freeze(self), source_of(source, self), machine, path or "", data, ending)

    def nodes(self) -> Iterator[state]:
        """All states that transitions lead to from here, itself first; of machines, not what is inside them."""
        seen: dict[state, None] = {self: None}
        waiting: list[state] = [self]
        while waiting:
            for each in state._children(waiting.pop(0)):
                if each not in seen:
                    seen[each] = None
                    waiting.append(each)
        return iter(seen)

    def edges(self) -> Iterator[tuple[Any, Any]]:
        """Its transitions as (symbol, target): predicates first, then symbols in natural order, then True and None."""
        return iter(sorted(self._pairs(), key=edge_order))

    @classmethod
    def from_regex(
        cls, machine: Any, encoder: Callable[[str], Any] | None = None, **kwds: Any
    ) -> tuple[Any, Any, Any, state]:
        """The states of a regular expression: (its text, greenery's Pattern, greenery's Fsm, the initial state).

        :param machine: a pattern, of text or octets; or greenery's ``Pattern`` or ``Fsm``.
        :param encoder: see `regex`.

        All others go to each state made.  The initial one takes no symbol, so that nothing is done
        before the first symbol matches.
        """

        def made(name: str, terminal: bool) -> state:
            return cls(name, terminal=terminal, encoder=encoder, **kwds)

        text, lego, fsm, first = graph(machine, made, encoder)
        return text, lego, fsm, state(first)

    def _pairs(self) -> Iterator[tuple[Any, Any]]:
        for key, targets in self.items():
            for each in targets if isinstance(targets, tuple) else (targets,):
                yield (True if key is ANY else key), each

    # -- freezing

    def _children(self) -> Iterator[state]:
        """The states that can be reached from it in one step."""
        for _, each in self._pairs():
            if isinstance(each, state):
                yield each
            elif decides(each):
                yield from (each.state,) if isinstance(each.state, state) else getattr(each.state, "targets", ())
            else:
                yield from getattr(each, "targets", ())

    def _fill(self, node: Node, nodes: dict[state, Node]) -> None:
        """Fill its own ``node``; ``nodes`` has the node of every child."""
        node.terminal = self._terminal
        node.consumes = self._consumes
        node.limit = self.limit
        node.delegate = self.delegate if type(self).delegate is not state.delegate else None
        node.other = node.epsilon = STOP
        if self._terminal and not self.greedy and node.kind != MACHINE:
            return  # satisfied: moves nowhere
        if type(self).transition is not state.transition:
            node.epsilon = Node(self, HOOKED)
            node.epsilon.targets = tuple(nodes[each] for each in self._children())
            plain = node.epsilon.initial = Node(self, PLAIN)  # for the `transition` of this class, if that is called
            plain.other = plain.epsilon = STOP
            node = plain
        targets = {key: target(given, nodes) for key, given in self.items()}
        node.epsilon = targets.pop(None, STOP)
        node.other = targets.pop(ANY, node.epsilon)
        predicates = [(key, targets.pop(key)) for key in list(targets) if callable(key)]
        while predicates and isinstance(predicates[0][0], CharacterClass) and len(predicates[0][0]) <= EXPANDED:
            members, there = predicates.pop(0)
            for symbol in members:
                targets.setdefault(symbol, there)
        node.predicates = tuple(predicates)
        node.table = targets
        node.get = targets.get
        if node.predicates:
            node.moves = BY_PREDICATE
        elif targets:
            node.moves = BY_TABLE
        elif ANY in self:
            node.moves = ANY_SYMBOL

    def _node_kind(self) -> int:
        """The kind of its node: its class', unless a subclass overrides a hook or it needs the long way."""
        if self.limit is not None or (self.alphabet is not None and self._kind in (TAKE, DROP)):
            return CUSTOM
        return self._kind if self.as_declared() else CUSTOM

    def as_declared(self) -> bool:
        """True if no subclass of the engine's own classes overrides what is done on entering it."""
        for base in type(self).__mro__:
            if "_kind" in vars(base):
                return True
            if not HOOKS.isdisjoint(vars(base)):
                return False
        return False
