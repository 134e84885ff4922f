"""``dotdict``, a dict of dicts addressed by path or attribute, and ``apidict``, one that hands values between threads.

Owns writing and removing by path; reading, and the text of paths, is ``indexing``.
Rule: what is stored has plain names only (no '.', no brackets) and no plain dict as a value, so that an exact
dict lookup is always right and always tried first.
Must not know what is stored: anything but a plain dict is kept as it is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any

from cpppo.indexing import (
    MISSING,
    DataAttributeError,
    DataIndexError,
    DataKeyError,
    DataTypeError,
    DataValueError,
    Step,
    child,
    enter,
    find,
    is_level,
    leaves,
    refuse,
    resolve,
    steps_of,
    subscriptable,
)

__all__ = ["apidict", "dotdict"]


class dotdict(dict[str, Any]):
    """A dict whose levels are reached as ``d['a.b']`` or ``d.a.b``; see ``indexing.resolve`` for paths.

    Takes what ``dict`` takes (a mapping, pairs, keywords), with paths as keys.  A plain dict assigned anywhere
    becomes a dotdict, recursively; lists are kept.  Iteration, ``keys``, ``values`` and ``items`` are iterators
    over the leaves by full path, each level as it was when they came to it; ``len`` and ``repr`` are those of the
    nested dicts.  A key that is also the name of a method of dict is reached by ``d['items']`` only.

    Errors: a missing name is a KeyError by index and an AttributeError as attribute; see ``resolve`` for others.
    """

    __slots__ = ()

    def __init__(self, other: Any = (), /, **kwds: Any) -> None:
        super().__init__()
        self.update(other, **kwds)

    # -- reading: dict's own lookup first, __missing__ where that finds nothing

    def __missing__(self, key: str) -> Any:
        return resolve(self, key)

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except (DataKeyError, DataIndexError) as exc:
            raise DataAttributeError(str(exc), name=name, obj=self) from exc

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or find(self, key, MISSING) is not MISSING  # type: ignore[arg-type]

    def get(self, key: str, default: Any = None) -> Any:
        """The value at ``key``, a path; ``default`` where it leads nowhere."""
        value = super().get(key, MISSING)
        return find(self, key, default) if value is MISSING else value

    def _level_(self) -> list[tuple[str, Any]]:
        return list(super().items())  # a snapshot: other threads may add names

    def __iter__(self) -> Iterator[str]:
        return (path for path, _ in leaves(self))

    def keys(self) -> Iterator[str]:  # type: ignore[override]
        """The path of every leaf."""
        return iter(self)

    def values(self) -> Iterator[Any]:  # type: ignore[override]
        """Every leaf."""
        return (value for _, value in leaves(self))

    def items(self) -> Iterator[tuple[str, Any]]:  # type: ignore[override]
        """Every ``(path, leaf)``."""
        return leaves(self)

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name.startswith("__")] + list(super().keys())

    # -- writing

    def __setitem__(self, key: Any, value: Any) -> None:
        value = _adopt(value)
        if isinstance(key, str) and key and "." not in key and "[" not in key and "]" not in key:
            super().__setitem__(key, value)
            return
        *through, last = steps_of(key)
        level: Any = self
        where = ""
        for position, step in enumerate(through):
            if not step.indexes and is_level(level) and child(level, step.name) is MISSING:
                # Nothing is there yet: build all that is missing first, so that a refusal leaves no trace.
                _put(level, step, _nest((*through, last)[position + 1 :], value), where)
                return
            level = enter(level, step, where, "set")
            where = step.text
        _put(level, last, value, where)

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def update(self, other: Any = (), /, **kwds: Any) -> None:
        """Assign every item of a mapping or of an iterable of pairs, then the keywords; keys are paths."""
        if isinstance(other, dotdict):
            other = other._level_()
        elif isinstance(other, Mapping) or hasattr(other, "keys"):
            other = [(key, other[key]) for key in other.keys()]  # iterating need not give keys
        for key, value in other:
            self[key] = value
        for key, value in kwds.items():
            self[key] = value

    def setdefault(self, key: str, default: Any) -> Any:  # type: ignore[override]
        """The value at ``key``, after storing ``default`` there if there was none."""
        if key not in self:
            self[key] = default
        return self[key]

    # -- removing

    def __delitem__(self, key: str) -> None:
        level, step, where = self._holder(key)
        value = enter(level, step, where, "del")
        if is_level(value) and (len(value) if isinstance(value, Mapping) else any(True for _ in value._level_())):
            raise DataKeyError(f'cannot del "{key}" (partial key)')
        _remove(level, step, where)

    def pop(self, key: str, default: Any = MISSING, /) -> Any:
        """Remove and return what is at ``key``, a whole level too; ``default``, if given, where there is nothing."""
        if default is not MISSING and key not in self:
            return default
        level, step, where = self._holder(key)
        value = enter(level, step, where, "pop")
        _remove(level, step, where)
        return value

    def _holder(self, key: str) -> tuple[Any, Step, str]:
        """The level that holds the last step of ``key``, that step, and the level's own name."""
        *through, last = steps_of(key)
        level: Any = self
        where = ""
        for step in through:
            level = enter(level, step, where)
            where = step.text
        return level, last, where

    # -- copies: dict's own would see the flattened paths

    def copy(self) -> dict[str, Any]:
        """A plain dict of the top level's names; its values are shared."""
        return dict(self._level_())

    def __or__(self, other: Any) -> dotdict:  # type: ignore[override]
        joined = dotdict(self)
        joined.update(other)
        return joined

    def __ior__(self, other: Any) -> dotdict:  # type: ignore[override]
        self.update(other)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (), None, None, iter(self._level_())


class apidict(dotdict):
    """A dotdict whose attributes hand values from one thread to another.

    ``a.x = value`` stores, then waits at most ``timeout`` seconds until some other thread gets any attribute of
    it.  ``a['x'] = value`` never waits, nor do levels below it, which are plain dotdicts.

    Raises DataTypeError (TypeError) unless ``timeout`` is a number, DataValueError (ValueError) outside its range.
    """

    __slots__ = ("_gets_", "_seen_", "_timeout_")
    _timeout_: float
    _seen_: threading.Condition  # guards _gets_; told of each attribute get
    _gets_: int

    def __init__(self, timeout: float, *args: Any, **kwds: Any) -> None:
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
            raise DataTypeError(f"the timeout of an apidict is a number of seconds, not {timeout!r}")
        if not 0 <= timeout <= threading.TIMEOUT_MAX:
            raise DataValueError(
                f"the timeout of an apidict is 0 to {threading.TIMEOUT_MAX:.0f} seconds, not {timeout}"
            )
        object.__setattr__(self, "_timeout_", timeout)
        object.__setattr__(self, "_seen_", threading.Condition())
        object.__setattr__(self, "_gets_", 0)
        super().__init__(*args, **kwds)

    def __getattr__(self, name: str) -> Any:
        # Read and count in one: a get counts for every value stored before it, and for none stored after.
        with self._seen_:
            object.__setattr__(self, "_gets_", self._gets_ + 1)
            self._seen_.notify_all()
            return super().__getattr__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        with self._seen_:
            self[name] = value
            before = self._gets_
            self._seen_.wait_for(lambda: self._gets_ != before, self._timeout_)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._timeout_,), None, None, iter(self._level_())


def _adopt(value: Any) -> Any:
    return dotdict(value) if type(value) is dict else value


def _nest(steps: Iterable[Step], value: Any) -> Any:
    """``value`` inside a new level for each step; an index has nothing to point into."""
    for step in reversed(tuple(steps)):
        if step.indexes:
            raise DataKeyError(f'cannot set "{step.text}"; no such name')
        value = dotdict({step.name: value})
    return value


def _put(level: Any, step: Step, value: Any, where: str) -> None:
    """Store ``value`` as what ``step`` names in ``level``, found at ``where``."""
    if step.indexes:
        holder, index = _list_like(level, step, where, "set", "__setitem__")
        try:
            holder[index] = value
        except IndexError as exc:
            raise DataIndexError(f'cannot set index {index} of "{step.name}": {exc}') from exc
    elif isinstance(level, MutableMapping):
        level[step.name] = value
    elif is_level(level) and child(level, step.name) is not MISSING:
        try:
            setattr(level, step.name, value)
        except AttributeError as exc:  # a record that may not change
            raise refuse("set", step.text, where, level) from exc
    else:
        raise refuse("set", step.text, where, level)


def _remove(level: Any, step: Step, where: str) -> None:
    """Remove what ``step`` names in ``level``, known to be there."""
    if step.indexes:
        holder, index = _list_like(level, step, where, "del", "__delitem__")
        del holder[index]
    elif isinstance(level, dotdict):
        dict.__delitem__(level, step.name)
    elif isinstance(level, MutableMapping):
        del level[step.name]
    else:
        raise refuse("del", step.text, where, level)


def _list_like(level: Any, step: Step, where: str, verb: str, method: str) -> tuple[Any, int | slice]:
    """What the last index of ``step`` points into, and that index."""
    *before, last = step.indexes
    holder = enter(level, Step(step.name, step.name, tuple(before)), where, verb)
    index = last(level)
    if not subscriptable(holder, method):
        raise refuse(verb, f"[{index}]", step.name, holder)
    return holder, index
