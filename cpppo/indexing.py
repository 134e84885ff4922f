"""Paths such as ``CIP.item[1].data`` and ``l[l[0].v-4].v``: their text, and finding what they name.

Owns the split of a path into steps, the integer arithmetic allowed between brackets, the errors of both,
and the two walks every hierarchy of data shares: ``resolve`` (path -> value) and ``leaves`` (value -> paths).
Rule: text only ever names keys the data itself holds.  Nothing is evaluated as Python; no attribute
that is not data can be reached.
Must not know what holds the data: a *level* is a mapping, or any object whose class has a method
``_level_()`` returning an iterable of ``(name, value)`` pairs.
"""

from __future__ import annotations

import operator
import re
import reprlib
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

from cpppo.errors import Error

__all__ = [
    "DataAttributeError",
    "DataError",
    "DataIndexError",
    "DataKeyError",
    "DataNameError",
    "DataSyntaxError",
    "DataTypeError",
    "DataValueError",
    "MAXIMUM_NESTING",
    "MAXIMUM_PATH",
    "MISSING",
    "Step",
    "child",
    "enter",
    "find",
    "is_level",
    "leaves",
    "refuse",
    "resolve",
    "steps_of",
    "subscriptable",
]

MAXIMUM_PATH = 4096  # characters of one path
MAXIMUM_NESTING = 32  # brackets, parentheses and signs within one another
_CACHED_PATH = 128  # characters; longer paths are not worth the memory of remembering them


class DataError(Error):
    """A path that cannot be followed in this data."""


class DataKeyError(DataError, KeyError):
    """No such name here, or nothing can be named below what is there."""

    def __str__(self) -> str:  # KeyError would show the repr of its message
        return str(self.args[0])


class DataIndexError(DataError, IndexError):
    """An index outside its list, or one that has no value."""


class DataNameError(DataError, NameError):
    """An index expression uses a name the data does not have."""


class DataSyntaxError(DataError, SyntaxError):
    """A path or an index expression that cannot be read."""


class DataTypeError(DataError, TypeError):
    """A key that is not text, or an index that is not an integer."""


class DataValueError(DataError, ValueError):
    """A setting out of its range."""


class DataAttributeError(DataError, AttributeError):
    """No such name here, asked for as an attribute."""


MISSING: Any = object()  # absence, where None is a value

Index = Callable[[object], "int | slice"]  # the level that the names in the brackets belong to -> index


class Step(NamedTuple):
    """One level of a path: ``l[i][2:4]`` is ``name`` 'l' with two ``indexes``; ``text`` is as written."""

    text: str
    name: str
    indexes: tuple[Index, ...] = ()


# -- the text of a path


def steps_of(path: str) -> tuple[Step, ...]:
    """The steps that ``path`` names, with every extra '.' already having backed up one level.

    Raises DataTypeError (not text), DataKeyError (names nothing), DataSyntaxError (brackets, expressions).
    """
    if not isinstance(path, str):
        raise DataTypeError(f"keys are text such as 'a.b[0]', not {reprlib.repr(path)}")
    if len(path) > MAXIMUM_PATH:
        raise DataSyntaxError(f'path "{path[:20]}..." has {len(path)} characters; at most {MAXIMUM_PATH} are allowed')
    return _remembered(path) if len(path) <= _CACHED_PATH else _steps(path)


def _steps(path: str) -> tuple[Step, ...]:
    kept: list[str] = []
    last = ""
    for last in _split(path):
        if last:
            kept.append(last)
        elif kept:
            kept.pop()  # an extra '.': whatever that name was is never looked up
    if not last:
        raise DataKeyError(f'path "{path}" names nothing; it must end with a name')
    return tuple(map(_step, kept))


_remembered = lru_cache(maxsize=1024)(_steps)


def _split(path: str) -> Iterator[str]:
    """The texts between the dots that are outside all brackets."""
    if "[" not in path and "]" not in path:
        yield from path.split(".")
        return
    depth = start = 0
    for place, symbol in enumerate(path):
        if symbol == "[":
            depth += 1
        elif symbol == "]":
            depth -= 1
            if depth < 0:
                raise DataSyntaxError(f'path "{path}" has a "]" without its "["')
        elif symbol == "." and not depth:
            yield path[start:place]
            start = place + 1
    if depth:
        raise DataSyntaxError(f'path "{path}" has a "[" without its "]"')
    yield path[start:]


def _step(text: str) -> Step:
    name, bracket, _ = text.partition("[")
    if not bracket:
        return Step(text, name)
    if not name:
        raise DataSyntaxError(f'"{text}" indexes nothing; write a name before the "["')
    return Step(text, name, _Reader(text, len(name)).indexes_to_end())


# -- the expression between brackets

_TOKEN = re.compile(r"\s*(?:(0[xX][0-9a-fA-F]+|[0-9]+)|([^\W\d]\w*)|(//|[-+*%():.\[\]])|$)")
_SUMS = {"+": operator.add, "-": operator.sub}
_PRODUCTS = {"*": operator.mul, "//": operator.floordiv, "%": operator.mod}
_HELP = "integers, names of the data, + - * // % ( ) and slices are allowed"

_Value = Callable[[object], int]


class _Reader:
    """Recursive descent over one step's text, into functions of the level that its names belong to.

    index  := sum | [sum] ':' [sum] [':' [sum]]
    sum    := product (('+' | '-') product)*
    product:= factor (('*' | '//' | '%') factor)*
    factor := ('+' | '-') factor | integer | '(' sum ')' | path
    path   := name ('[' index ']')* ('.' path)?
    """

    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int, int]] = []  # kind, token, its start and end in the text
        self.at = 0
        self.depth = 0
        while start < len(text):
            match = _TOKEN.match(text, start)
            if match is None:
                raise DataSyntaxError(f'cannot read "{text}" from "{text[start:].strip()[:20]}"; {_HELP}')
            start = match.end()
            if match.lastindex:
                kind = ("integer", "name", "symbol")[match.lastindex - 1]
                self.tokens.append((kind, match[match.lastindex], match.start(match.lastindex), start))
        self.tokens.append(("end", "the end", len(text), len(text)))

    def indexes_to_end(self) -> tuple[Index, ...]:
        indexes = self.indexes()
        return indexes if self.tokens[self.at][0] == "end" else self.unexpected()

    def unexpected(self) -> NoReturn:
        _, token, start, _ = self.tokens[self.at]
        raise DataSyntaxError(f'cannot read "{self.text}": unexpected {token!r} at column {start}; {_HELP}')

    def accept(self, *symbols: str) -> str:
        """The next token if it is one of these symbols, else ''."""
        kind, token, _, _ = self.tokens[self.at]
        if kind != "symbol" or token not in symbols:
            return ""
        self.at += 1
        return token

    def expect(self, symbol: str) -> None:
        if not self.accept(symbol):
            self.unexpected()

    def indexes(self) -> tuple[Index, ...]:
        found: list[Index] = []
        while self.accept("["):
            found.append(self.index())
            self.expect("]")
        return tuple(found)

    def index(self) -> Index:
        bounds = [self.bound()]
        while len(bounds) < 3 and self.accept(":"):
            bounds.append(self.bound())
        if len(bounds) == 1:
            return bounds[0] or self.unexpected()
        text = self.text

        def evaluate(level: object) -> slice:
            part = slice(*(None if bound is None else bound(level) for bound in bounds))
            if part.step == 0:
                raise DataIndexError(f'the step of the slice in "{text}" is 0')
            return part

        return evaluate

    def bound(self) -> _Value | None:
        return None if self.tokens[self.at][1] in (":", "]") else self.sum()

    def sum(self) -> _Value:
        return self.chain(self.product, _SUMS)

    def product(self) -> _Value:
        return self.chain(self.factor, _PRODUCTS)

    def chain(self, operand: Callable[[], _Value], operators: Mapping[str, Callable[[int, int], int]]) -> _Value:
        first = operand()
        rest: list[tuple[Callable[[int, int], int], _Value]] = []
        while symbol := self.accept(*operators):
            rest.append((operators[symbol], operand()))
        if not rest:
            return first
        text = self.text

        def evaluate(level: object) -> int:
            total = first(level)
            try:
                for apply, value in rest:
                    total = apply(total, value(level))
            except ZeroDivisionError as exc:
                raise DataIndexError(f'division by zero in "{text}"') from exc
            return total

        return evaluate

    def factor(self) -> _Value:
        kind, token, _, _ = self.tokens[self.at]
        if kind == "integer":
            self.at += 1
            number = int(token, 16 if token[:2] in ("0x", "0X") else 10)
            return lambda level: number
        self.depth += 1  # never undone by an error, as that ends the reading
        if self.depth > MAXIMUM_NESTING:
            raise DataSyntaxError(f'"{self.text[:20]}..." is nested deeper than {MAXIMUM_NESTING}')
        if kind == "name":
            value = self.path()
        elif sign := self.accept("+", "-"):
            operand = self.factor()
            value = operand if sign == "+" else lambda level: -operand(level)
        else:
            self.expect("(")
            value = self.sum()
            self.expect(")")
        self.depth -= 1
        return value

    def path(self) -> _Value:
        begin = self.tokens[self.at][2]
        steps: list[Step] = []
        while not steps or self.accept("."):
            kind, name, start, _ = self.tokens[self.at]
            if kind != "name":
                self.unexpected()
            self.at += 1
            indexes = self.indexes()
            steps.append(Step(self.text[start : self.tokens[self.at - 1][3]], name, indexes))
        path = self.text[begin : self.tokens[self.at - 1][3]]
        text = self.text

        def evaluate(level: object) -> int:
            try:
                value = _follow(level, tuple(steps))
            except DataKeyError as exc:
                raise DataNameError(f'"{path}" is not known in "{text}": {exc}') from exc
            try:
                return operator.index(value)
            except TypeError as exc:
                raise DataTypeError(f'"{path}" in "{text}" is {reprlib.repr(value)}, not an integer') from exc

        return evaluate


# -- following a path


def is_level(value: object) -> bool:
    """Whether names can be looked up below ``value``."""
    return isinstance(value, dict) or hasattr(type(value), "_level_") or isinstance(value, Mapping)


def refuse(verb: str, name: str, where: str, holder: object) -> DataKeyError:
    """The error for ``name`` asked of ``holder``, found at ``where``, which can hold no such thing."""
    reason = "; not subscriptable" if verb == "get" else ""
    return DataKeyError(f'cannot {verb} "{name}" in "{where}" ({reprlib.repr(holder)}){reason}')


def child(level: object, name: str) -> Any:
    """What ``level`` holds under the plain ``name``, or MISSING."""
    if isinstance(level, dict):
        return dict.get(level, name, MISSING)
    if isinstance(level, Mapping):
        return level[name] if name in level else MISSING
    # Not getattr: that would also reach methods.
    return next((value for key, value in level._level_() if key == name), MISSING)  # type: ignore[attr-defined]


def subscriptable(value: object, method: str = "__getitem__") -> bool:
    """Whether ``value`` is list-like: it takes integer indexes by ``method``."""
    return hasattr(type(value), method) and not is_level(value)


def _item(holder: Any, index: int | slice, verb: str, where: str) -> Any:
    """``holder[index]`` of something list-like found at ``where``."""
    if not subscriptable(holder):
        raise refuse(verb, f"[{index}]", where, holder)
    try:
        return holder[index]
    except IndexError as exc:
        raise DataIndexError(f'cannot {verb} index {index} of "{where}": {exc}') from exc


def enter(level: object, step: Step, where: str = "", verb: str = "get") -> Any:
    """What one ``step`` names in ``level``, itself found at ``where``.  ``verb`` words the error."""
    if not is_level(level):
        raise refuse(verb, step.name, where, level)
    value = child(level, step.name)
    if value is MISSING:
        raise DataKeyError(f'cannot {verb} "{step.text}"' + (f' in "{where}"' if where else "") + "; no such name")
    where = step.name
    for index in step.indexes:
        number = index(level)
        value = _item(value, number, verb, where)
        where = f"{where}[{number}]"
    return value


def _follow(root: object, steps: tuple[Step, ...]) -> Any:
    where = ""
    for step in steps:
        root = enter(root, step, where)
        where = step.text
    return root


def resolve(root: object, path: str) -> Any:
    """The value that ``path`` names below ``root``, a level holding any mix of levels and list-like values.

    ``a.b[0].c`` goes down, a leading '.' is ignored, and each extra '.' backs up one level without looking up
    the name it skips (``a.x..b`` is ``a.b``).  Brackets hold integer arithmetic and slices; names in them
    belong to the level that holds the list.

    Raises DataKeyError (a KeyError: no such name, or a name below a scalar), DataIndexError (IndexError),
    DataNameError (NameError: unknown name in an index), DataSyntaxError (SyntaxError: cannot be read),
    DataTypeError (TypeError: path not text, index not an integer).
    """
    return _follow(root, steps_of(path))


def find(root: object, path: str, default: Any = None) -> Any:
    """As ``resolve``, but ``default`` where the path leads nowhere; what cannot be read still raises."""
    try:
        return resolve(root, path)
    except (DataKeyError, DataIndexError, DataNameError):
        return default


def leaves(value: object, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every ``(path, leaf)`` below ``value``, each path beginning with ``prefix``.

    Levels are opened, and lists or tuples of nothing but levels (``l[0].v``).  Whatever else there is, and an
    empty level, is a leaf; a root without prefix has none of its own.
    """
    if hasattr(type(value), "_level_"):
        opened = [(f"{prefix}.{name}" if prefix else name, inner) for name, inner in value._level_()]  # type: ignore[attr-defined]
        if not opened and prefix:
            yield prefix, value
    elif isinstance(value, (list, tuple)) and value and all(hasattr(type(inner), "_level_") for inner in value):
        opened = [(f"{prefix}[{index}]", inner) for index, inner in enumerate(value)]
    else:
        yield prefix, value
        return
    for path, inner in opened:
        yield from leaves(inner, path)
