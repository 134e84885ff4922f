"""Records: what parsing a message yields, and what producing one takes.

Owns: slotted artifacts with the read protocol of dotdict (``record['CIP.item[1].type']``, get, in, keys, items),
equality, repr, and a constructor generated at first use.  Rule: plain data, no behaviour.
Must not know octets or how a record was made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, ClassVar

from cpppo.grammar.code import Code
from cpppo.indexing import leaves, resolve

__all__ = ["Record", "copier"]

_MISSING = object()


class Record:
    """Base of all artifacts.  ``_fields_``: attribute names in wire order; ``_defaults_``: of a constructor."""

    __slots__ = ()
    _fields_: ClassVar[tuple[str, ...]] = ()
    _constants_: ClassVar[tuple[str, ...]] = ()
    _defaults_: ClassVar[dict[str, Any]] = {}

    def __init__(self, *args: Any, **kwds: Any) -> None:
        cls = type(self)
        # The first instance of a class generates its constructor; those after go straight to it.
        code = Code(f"init_{cls.__name__}", ", ".join(["self", *(f"{name}=_{name}" for name in cls._fields_)]))
        code.namespace.update({f"_{name}": cls._defaults_.get(name) for name in cls._fields_})
        code.namespace.update({f"set_{name}": getattr(cls, name).__set__ for name in cls._fields_})
        for name in cls._fields_:
            code.line(f"set_{name}(self, {name})" if cls._frozen_ else f"self.{name} = {name}")
        if not cls._fields_:
            code.line("pass")
        cls.__init__ = code.compile()  # type: ignore[method-assign]
        cls.__init__(self, *args, **kwds)

    _frozen_: ClassVar[bool] = False

    def _level_(self) -> Iterator[tuple[str, Any]]:
        for name in (*self._constants_, *self._fields_):
            yield name.rstrip("_"), getattr(self, name, None)

    def __getitem__(self, path: str) -> Any:
        return resolve(self, path)

    def get(self, path: str, default: Any = None) -> Any:
        """The value at a dotted path, eg. ``item[1].data.service``, or the default."""
        try:
            return resolve(self, path)
        except (KeyError, IndexError):
            return default

    def __contains__(self, path: str) -> bool:
        return self.get(path, _MISSING) is not _MISSING

    def items(self) -> Iterator[tuple[str, Any]]:
        """Flattened (dotted path, leaf) pairs in wire order."""
        return leaves(self, "")

    def keys(self) -> Iterator[str]:
        """Flattened dotted paths in wire order."""
        return (path for path, _ in self.items())

    def as_dict(self) -> dict[str, Any]:
        """Nested plain dicts and lists."""
        return {name: _plain(value) for name, value in self._level_()}

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self._fields_)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        body = ", ".join(f"{name}={getattr(self, name, None)!r}" for name in self._fields_)
        return f"{type(self).__name__}({body})"


def copier(record: Record) -> Callable[[Any], Any]:
    """``f(record) -> record`` for records of the shape of one: those inside it are copied, all else is shared."""
    return _copier(_shape(record))


#: A class, and the fields that hold records, with the shape of each.
_Shape = tuple[type[Record], tuple[tuple[str, Any], ...]]


def _shape(record: Record) -> _Shape:
    fields = ((name, getattr(record, name)) for name in record._fields_)
    inner = ((name, _shape(value)) for name, value in fields if isinstance(value, Record) and not value._frozen_)
    return type(record), tuple(inner)


@cache
def _copier(shape: _Shape) -> Callable[[Any], Any]:
    code = Code(f"copy_{shape[0].__name__}", "record")
    code.line(f"return {_emit_copy(code, shape, 'record')}")
    return code.compile()


def _emit_copy(code: Code, shape: _Shape, source: str) -> str:
    """Emit what copies a record; the local variable that holds the copy."""
    kind, inner = shape[0], dict(shape[1])
    made = code.var("copy")
    code.line(f"{made} = {code.const(object.__new__, 'new')}({code.const(kind, kind.__name__)})")
    for name in kind._fields_:
        value = f"{source}.{name}"
        if name in inner:
            part = code.var(name)
            code.line(f"{part} = {value}")
            value = _emit_copy(code, inner[name], part)
        code.line(f"{made}.{name} = {value}")
    return made


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.as_dict()
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    as_plain = getattr(value, "as_plain", None)
    return as_plain() if as_plain is not None else value
