"""dotdict and apidict: paths, levels, lists, index expressions, errors, copies, and hand-over between threads."""

from __future__ import annotations

import array
import copy
import json
import keyword
import pickle
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpppo.dotdict import apidict, dotdict
from cpppo.errors import Error
from cpppo.indexing import (
    MAXIMUM_NESTING,
    MAXIMUM_PATH,
    DataAttributeError,
    DataError,
    DataIndexError,
    DataKeyError,
    DataNameError,
    DataSyntaxError,
    DataTypeError,
    DataValueError,
    find,
    leaves,
    resolve,
)

WAIT_S = 10.0  # far beyond what any hand-over takes; reached only by a failure


@dataclass
class Record:
    """Data with attributes, as parsers make it: a level by its ``_level_`` alone."""

    service: int
    path: Any

    def _level_(self) -> Iterator[tuple[str, Any]]:
        yield "service", self.service
        yield "path", self.path


class Frozen(Record):
    """A record whose service may not change."""

    service = property(lambda self: 1)

    def __init__(self) -> None:
        self.path = None


def sample() -> dotdict:
    return dotdict({"a.b": 1, "n": [1, 2, 3], "l": [dotdict(v=5), dotdict(v=6)], "e": {}})


# -- paths and levels


def test_a_path_makes_and_reaches_levels() -> None:
    """d['a.b'] = 1, d.a.b and d['a']['b'] are one place."""
    d = dotdict()
    d["a.b"] = 1
    assert d.a.b == d["a.b"] == d["a"]["b"] == 1
    d.a.c = 2
    assert d["a.c"] == 2
    assert isinstance(d.a, dotdict)


@pytest.mark.parametrize("path", [".a.b", "a.x..b", "a.x.y...b", "...a.b", "z..a.b", "a.l[0]..b", "q...a.b"])
def test_extra_dots_back_up_without_looking(path: str) -> None:
    """A leading '.' is ignored, each extra one drops the name before it, known or not, past the root too."""
    d = dotdict({"a.b": 1})
    assert d[path] == 1
    d[path] = 2
    assert d == {"a": {"b": 2}}


@pytest.mark.parametrize("path", ["", ".", "a.", "a.b..", "[0].", "..."])
def test_a_path_must_end_with_a_name(path: str) -> None:
    """A path that names nothing is a KeyError, read or written, and not in the data."""
    d = dotdict({"a.b": 1})
    with pytest.raises(DataKeyError, match="names nothing"):
        d[path]
    with pytest.raises(DataKeyError, match="names nothing"):
        d[path] = 1
    assert path not in d


def test_plain_dicts_become_levels_lists_do_not_change() -> None:
    """Assigned dicts convert recursively, with their dotted keys; other things are kept as they are."""
    ordered = OrderedDict(x=1)
    inside = {"in": {"a": 1}}
    d = dotdict({"a": {"b": {"c.d": 1}}, "l": [inside], "o": ordered})
    assert d.a.b.c.d == 1
    assert d["l"][0] is inside
    assert type(inside["in"]) is dict
    assert d.o is ordered
    assert d["o.x"] == 1
    d["l[0]"] = {"p.q": 2}
    assert d["l[0].p.q"] == 2


def test_construction_and_update_take_mappings_pairs_and_keywords() -> None:
    """All forms of dict's arguments work, keys being paths; another dotdict's levels are taken whole."""
    assert dotdict([("a.b", 1)], c=2) == {"a": {"b": 1}, "c": 2}
    assert dotdict(MappingProxyType({"a.b": 1})) == {"a": {"b": 1}}
    assert dotdict(other=1, self=2) == {"other": 1, "self": 2}
    assert dotdict(sample()) == sample()
    d = dotdict({"a.b": 1})
    d.update({"a.c": 2}, **{"a.d": 3})
    assert d.a == {"b": 1, "c": 2, "d": 3}
    d |= {"a.e": {"f": 4}}
    assert d["a.e.f"] == 4
    joined = d | {"g.h": 5}
    assert isinstance(joined, dotdict)
    assert joined["g.h"] == 5
    assert "g" not in d


def test_iteration_flattens_to_leaves() -> None:
    """keys, values, items and iteration give leaf paths; lists of levels are opened, empty levels are leaves."""
    d = sample()
    d["mixed"] = [dotdict(v=1), 2]
    d["none"] = []
    expected = {
        "a.b": 1,
        "n": [1, 2, 3],
        "l[0].v": 5,
        "l[1].v": 6,
        "e": {},
        "mixed": [{"v": 1}, 2],
        "none": [],
    }
    assert dict(d.items()) == expected
    assert list(d) == list(expected) == list(d.keys())
    assert list(d.values()) == list(expected.values())
    assert next(d.keys()) == "a.b"
    assert len(d) == 6
    assert list(dotdict()) == []


def test_names_added_while_iterating_do_not_break_it() -> None:
    """Each level is iterated as it was when reached."""
    d = sample()
    for path in d:
        d[f"new.{path.replace('[', '_').replace(']', '_')}"] = 1
    assert list(d.new.copy()) == ["a", "n", "l_0_", "l_1_", "e"]


def test_repr_is_that_of_nested_dicts_and_json_has_flat_keys() -> None:
    """repr shows plain dicts; json.dumps the leaves."""
    d = dotdict({"a.b": 1, "l": [dotdict(v=2)]})
    assert repr(d) == "{'a': {'b': 1}, 'l': [{'v': 2}]}"
    assert json.loads(json.dumps(d)) == {"a.b": 1, "l[0].v": 2}


def test_dir_lists_dunders_and_top_level_names() -> None:
    """dir() is for completion: own keys, no methods of dict."""
    names = dir(dotdict({"a.b": 1, "c": 2}))
    assert {"a", "c", "__len__"} <= set(names)
    assert all(name in ("a", "c") or name.startswith("__") for name in names)


def test_keys_named_like_methods_are_reached_by_index() -> None:
    """Any plain name may be a key; dict's methods stay methods."""
    d = dotdict(items=1)
    setattr(d, "keys", 2)  # noqa: B010 - as a script would, out of sight of the type checker
    assert d["items"] == 1
    assert d["keys"] == 2
    assert callable(d.items)


# -- get, in, setdefault, del, pop


def test_in_and_get_see_levels_leaves_and_indexes() -> None:
    """Whatever d[path] would give is in d; get answers its default for everything else."""
    d = sample()
    d["none"] = None
    for path in ("a", "a.b", "l", "l[1].v", "n[-1]", "n[0:2]", "e", "none"):
        assert path in d
        assert d.get(path, 99) == d[path]
    for path in ("b", "a.c", "a.b.c", "l[2]", "l[2].v", "n[zz]", "a[0]", "b[0]", "n[1//0]"):
        assert path not in d
        assert d.get(path) is None
        assert d.get(path, 99) == 99


def test_get_and_in_refuse_what_cannot_be_read() -> None:
    """Absent is an answer; a malformed key is an error."""
    d = sample()
    with pytest.raises(SyntaxError):
        d.get("n[")
    with pytest.raises(SyntaxError):
        assert "n[1 2]" in d
    with pytest.raises(TypeError):
        d.get(1)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        assert None in d


def test_setdefault_stores_only_what_is_missing() -> None:
    """setdefault(k, default) gives what is there, stores (converted) what is not; the default is mandatory."""
    d = dotdict({"a.b": 1})
    assert d.setdefault("a.b", 2) == 1
    assert d.setdefault("c.d", {"e": 3}) is d.c.d
    assert d["c.d.e"] == 3
    with pytest.raises(TypeError):
        d.setdefault("x")  # type: ignore[call-arg]


def test_del_removes_leaves_and_empty_levels_only() -> None:
    """A level that holds something is a partial key."""
    d = sample()
    with pytest.raises(KeyError) as caught:
        del d["a"]
    assert str(caught.value) == 'cannot del "a" (partial key)'
    del d["a.b"]
    assert d.a == {}
    del d["a"]
    del d["e"]
    del d["n[0]"]
    assert d["n"] == [2, 3]
    with pytest.raises(KeyError, match="partial key"):
        del d["l[0]"]
    del d["l[0].v"]
    del d["l[0]"]
    assert d == {"n": [2, 3], "l": [{"v": 6}]}
    for missing in ("a", "a.b", "n.x"):
        with pytest.raises(KeyError):
            del d[missing]
    with pytest.raises(IndexError):
        del d["n[5]"]


def test_pop_removes_leaves_and_whole_levels() -> None:
    """pop gives what it removed, or its default."""
    d = sample()
    assert d.pop("a") == {"b": 1}
    assert d.pop("n[1:]") == [2, 3]
    assert d.pop("l[0].v") == 5
    assert d.pop("l[0]") == {}
    assert d.pop("zz", None) is None
    assert d == {"n": [1], "l": [{"v": 6}], "e": {}}
    with pytest.raises(DataKeyError, match='cannot pop "zz"; no such name'):
        d.pop("zz")


def test_attributes_cannot_be_deleted() -> None:
    """There is no deletion by attribute."""
    d = dotdict(a=1)
    with pytest.raises(AttributeError):
        del d.a
    assert d.a == 1


# -- errors


def message(call: Callable[[], object], kind: type[Exception]) -> str:
    with pytest.raises(kind) as caught:
        call()
    assert isinstance(caught.value, DataError)
    assert isinstance(caught.value, Error)
    return str(caught.value)


def test_missing_names_are_key_and_attribute_errors() -> None:
    """By index KeyError, by attribute AttributeError, both of the project's tree and both saying where."""
    d = dotdict({"a.b": 1})
    assert message(lambda: d["c"], KeyError) == 'cannot get "c"; no such name'
    assert message(lambda: d["a.c"], KeyError) == 'cannot get "c" in "a"; no such name'
    assert message(lambda: d.c, AttributeError) == 'cannot get "c"; no such name'
    assert not hasattr(d, "c")
    with pytest.raises(DataAttributeError) as caught:
        d.a.zz  # noqa: B018 - reading is the test
    assert caught.value.name == "zz"


def test_names_below_scalars_are_refused() -> None:
    """Neither reading nor writing goes through what is not a level, and a refused write changes nothing."""
    d = dotdict({"a.b": 1, "n": [1]})
    before = copy.deepcopy(d)
    assert message(lambda: d["a.b.c"], KeyError) == 'cannot get "c" in "b" (1); not subscriptable'
    assert message(lambda: d.__setitem__("a.b.z", 2), KeyError) == 'cannot set "z" in "b" (1)'
    assert message(lambda: d["a.b[0]"], KeyError) == 'cannot get "[0]" in "b" (1); not subscriptable'
    assert message(lambda: d.__setitem__("a.b[0]", 2), KeyError) == 'cannot set "[0]" in "b" (1)'
    assert message(lambda: d["n.real"], KeyError) == 'cannot get "real" in "n" ([1]); not subscriptable'
    assert message(lambda: d.__setitem__("new.l[0].x.y", 2), KeyError) == 'cannot set "l[0]"; no such name'
    assert message(lambda: d["a[0]"], KeyError).startswith('cannot get "[0]" in "a"')
    assert d == before


@pytest.mark.parametrize("key", [1, None, b"a", ("a",), 1.5])
def test_keys_are_text(key: Any) -> None:
    """A key that is not str is a TypeError, however it is used."""
    d = dotdict(a=1)
    assert "keys are text" in message(lambda: d[key], TypeError)
    message(lambda: d.__setitem__(key, 1), TypeError)
    message(lambda: d.__delitem__(key), TypeError)
    message(lambda: d.update({key: 1}), TypeError)


# -- index expressions


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("l[l[0].v-4].v", 6),
        ("n[1]", 2),
        ("n[-1]", 3),
        ("n[ a.b + 1 ]", 3),
        ("n[(1 + 1) * 2 // 2 % 3]", 3),
        ("n[2 - 1 - 1]", 1),
        ("n[-(-1)]", 2),
        ("n[+0x1]", 2),
        ("n[n[n[0]]]", 3),
        ("n[0:2]", [1, 2]),
        ("n[a.b:]", [2, 3]),
        ("n[::-1]", [3, 2, 1]),
        ("n[:]", [1, 2, 3]),
        ("m[1][0]", 30),
        ("n[m[0][0] // 10]", 2),
        ("s[1]", "b"),
        ("deep.n[k]", 8),
    ],
)
def test_indexes_are_integer_arithmetic_over_own_keys(path: str, value: object) -> None:
    """Brackets hold integers, arithmetic, slices, and names of the level that holds the list."""
    d = sample()
    d.update({"m": [[10, 20], [30]], "s": "abc", "deep.n": [7, 8], "deep.k": 1, "k": 0})
    assert d[path] == value


def test_assigning_through_indexes() -> None:
    """An element, an element's name, and a slice can be assigned; arrays too."""
    d = sample()
    d["n[1]"] = 9
    d["n[2:]"] = [7, 8]
    d["l[l[0].v-4].v"] = 60
    d["l[0].w.x"] = 1
    d["m"] = [[1], [2]]
    d["m[1][0]"] = 3
    d["t"] = array.array("B", b"abc")
    d["t[0]"] = 122
    assert d["n"] == [1, 9, 7, 8]
    assert d["l"] == [{"v": 5, "w": {"x": 1}}, {"v": 60}]
    assert d["m"] == [[1], [3]]
    assert d["t"].tobytes() == b"zbc"
    assert "[0]" in message(lambda: dotdict(t=(1,)).__setitem__("t[0]", 2), KeyError)


@pytest.mark.parametrize(
    ("path", "kind", "said"),
    [
        ("n[3]", DataIndexError, 'cannot get index 3 of "n"'),
        ("m[0][5]", DataIndexError, 'index 5 of "m[0]"'),
        ("n[9999999999999999999999]", DataIndexError, "index"),
        ("n[1//0]", DataIndexError, "division by zero"),
        ("n[::0]", DataIndexError, "step"),
        ("n[zz]", DataNameError, '"zz" is not known'),
        ("n[a.zz]", DataNameError, '"a.zz" is not known'),
        ("n[__import__]", DataNameError, "not known"),
        ("n[a.b.real]", DataNameError, "not known"),
        ("n[n]", DataTypeError, "not an integer"),
        ("n[f]", DataTypeError, "not an integer"),
        ("n[a.__class__]", DataNameError, "not known"),
        ("n[]", DataSyntaxError, "unexpected"),
        ("n[1", DataSyntaxError, "without"),
        ("n]", DataSyntaxError, "without"),
        ("n[1]x", DataSyntaxError, "unexpected 'x' at column 4"),
        ("n[1]]", DataSyntaxError, "without"),
        ("[1]", DataSyntaxError, "indexes nothing"),
        ("n[1+]", DataSyntaxError, "unexpected ']'"),
        ("n[1 2]", DataSyntaxError, "unexpected '2'"),
        ("n[(1]", DataSyntaxError, "unexpected"),
        ("n[2**9]", DataSyntaxError, "unexpected"),
        ("n[1/1]", DataSyntaxError, "cannot read"),
        ("n[1.0]", DataSyntaxError, "unexpected"),
        ("n['a']", DataSyntaxError, "cannot read"),
        ("n[exit()]", DataSyntaxError, "unexpected '('"),
        ("n[a.]", DataSyntaxError, "unexpected"),
        ("n[0:1:1:1]", DataSyntaxError, "unexpected"),
        ("n[0 if 1 else 2]", DataSyntaxError, "unexpected"),
    ],
)
def test_bad_indexes_say_what_is_wrong(path: str, kind: type[DataError], said: str) -> None:
    """Each kind of mistake has its error, derived from Python's own, and nothing is ever evaluated."""
    d = sample()
    d.f = 1.0
    d.m = [[1]]
    assert said in message(lambda: d[path], kind)
    far = "x." * 70 + "." * 70 + path  # the same place, by a path too long to be remembered
    assert said in message(lambda: d[far], kind)


def test_errors_derive_from_those_of_python() -> None:
    """Scripts that catch Python's errors catch ours."""
    pairs = {
        DataAttributeError: AttributeError,
        DataIndexError: IndexError,
        DataKeyError: KeyError,
        DataNameError: NameError,
        DataSyntaxError: SyntaxError,
        DataTypeError: TypeError,
        DataValueError: ValueError,
    }
    for ours, theirs in pairs.items():
        assert issubclass(ours, theirs)
        assert issubclass(ours, Error)


def test_assigning_beyond_the_end_is_an_index_error() -> None:
    """Lists do not grow by assignment."""
    d = sample()
    assert 'cannot set index 3 of "n"' in message(lambda: d.__setitem__("n[3]", 1), IndexError)
    message(lambda: d.__setitem__("l[2].v", 1), IndexError)


def test_nesting_of_an_index_is_bounded() -> None:
    """MAXIMUM_NESTING deep is read; one more is refused, as is any depth, without exhausting the stack."""
    d = dotdict(n=[0, 1])

    def nested(depth: int) -> str:
        return f"n[{'(' * depth}1{')' * depth}]"

    assert d[nested(MAXIMUM_NESTING)] == 1
    for deep in (nested(MAXIMUM_NESTING + 1), nested(1000), f"n[{'-' * 2000}1]", "n[" * 1000 + "1" + "]" * 1000):
        assert "nested deeper" in message(lambda deep=deep: d[deep], SyntaxError)  # type: ignore[misc]
    assert d["n[" + "1-" * 2000 + "-1999]"] == 1


def test_length_of_a_path_is_bounded() -> None:
    """MAXIMUM_PATH characters are read; one more is refused."""
    path = "a." * (MAXIMUM_PATH // 2 - 1) + "bb"
    assert len(path) == MAXIMUM_PATH
    assert "a" not in dotdict()
    assert path not in dotdict()
    assert "characters" in message(lambda: dotdict().get(path + "b"), SyntaxError)


@given(st.text(alphabet="ab.[]()+-*/%:019 _x'", max_size=40))
def test_any_text_is_answered_or_refused_cleanly(text: str) -> None:
    """Whatever the key, reading gives a value or an error of our own, and writing too."""
    d = dotdict({"a.b": 1, "b": [0, 1, [2, 3]], "x": [dotdict(a=1)]})
    for use in (lambda: d[text], lambda: d.__setitem__(text, 0)):
        try:
            use()
        except DataError as exc:
            assert str(exc)
        except (TypeError, ValueError) as exc:  # a list's own refusal of what is assigned to a slice
            assert ":" in text, exc


# -- any mix of levels


def test_records_hang_in_a_dotdict() -> None:
    """Objects with _level_ and mappings are read, listed and flattened like levels; methods stay out of reach."""
    d = dotdict(
        {"CIP.item": [Record(1, "p"), Record(2, {"x": 3})], "one": Record(4, dotdict(y=[5, 6])), "o": OrderedDict(z=7)}
    )
    assert d["CIP.item[1].service"] == 2
    assert d["CIP.item[1].path.x"] == 3
    assert d["one.path.y[1]"] == 6
    assert d.CIP["item[item[0].service - 1].service"] == 1
    assert dict(d.items()) == {
        "CIP.item[0].service": 1,
        "CIP.item[0].path": "p",
        "CIP.item[1].service": 2,
        "CIP.item[1].path": {"x": 3},
        "one.service": 4,
        "one.path.y": [5, 6],
        "o": {"z": 7},
    }
    for path in ("one._level_", "one.__class__", "one.zz", "o.keys"):
        assert path not in d
    assert resolve(d.one, "path.y[1]") == 6
    assert resolve(Record(1, [5, 6]), "path[service]") == 6
    assert find(d.one, "zz", 9) == 9
    assert list(leaves(Record(1, 2), "r")) == [("r.service", 1), ("r.path", 2)]


def test_fields_of_records_are_assigned_not_added_or_removed() -> None:
    """A path may end in a field of a record that may change; others are refused."""
    d = dotdict(one=Record(1, [2]), ice=Frozen(), o=OrderedDict(z=7))
    d["one.service"] = 5
    d["one.path[0]"] = 6
    d["o.y"] = 8
    del d["o.z"]
    assert (d.one.service, d.one.path) == (5, [6])
    assert d.o == OrderedDict(y=8)
    assert 'cannot set "zz" in "one"' in message(lambda: d.__setitem__("one.zz", 1), KeyError)
    assert 'cannot set "_level_" in "one"' in message(lambda: d.__setitem__("one._level_", 1), KeyError)
    assert 'cannot set "service" in "ice"' in message(lambda: d.__setitem__("ice.service", 1), KeyError)
    assert 'cannot del "service" in "one"' in message(lambda: d.__delitem__("one.service"), KeyError)
    assert "partial key" in message(lambda: d.__delitem__("one"), KeyError)
    assert d.pop("one").service == 5


# -- copies


def test_copies() -> None:
    """d.copy() is a plain dict; copy, deepcopy and pickle keep dotdict, at every level and in lists."""
    d = sample()
    assert type(d.copy()) is dict
    assert d.copy() == d
    for duplicate in (copy.copy(d), copy.deepcopy(d), pickle.loads(pickle.dumps(d))):
        assert type(duplicate) is dotdict
        assert duplicate == d
        assert duplicate["l[1].v"] == 6
    assert copy.copy(d).a is d.a
    deep = copy.deepcopy(d)
    deep["l[0].v"] = 0
    deep.a.b = 0
    assert d == sample()


# -- shapes in general

NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True).filter(
    lambda name: not hasattr(dict, name) and not keyword.iskeyword(name) and name != "_level_"
)
LEAVES = st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=3)
SHAPES = st.recursive(
    st.dictionaries(NAMES, LEAVES, max_size=4),
    lambda inner: st.dictionaries(NAMES, LEAVES | inner | st.lists(inner, min_size=1, max_size=3), max_size=4),
    max_leaves=12,
)


def by_hand(value: Any) -> Any:
    """A nested plain dict as nested dotdicts, those in lists too."""
    if isinstance(value, dict):
        return dotdict({name: by_hand(inner) for name, inner in value.items()})
    return [by_hand(inner) for inner in value] if isinstance(value, list) else value


@given(SHAPES)
def test_every_leaf_is_reached_by_its_path(shape: dict[str, Any]) -> None:
    """items() gives paths that read back the very leaf, and that write it back into the same place."""
    d = by_hand(shape)
    assert d == shape
    written = copy.deepcopy(d)
    for path, leaf in d.items():
        assert d[path] is leaf
        assert path in d
        written[path] = "mark"
        assert written[path] == "mark"
    for path, leaf in d.items():
        written[path] = leaf
    assert written == d


@given(st.recursive(LEAVES, lambda inner: st.dictionaries(NAMES, inner, max_size=4), max_leaves=12))
def test_flattened_and_built_again_is_the_same(shape: Any) -> None:
    """A dotdict made from another's flattened items equals it, in whatever order they come."""
    d = dotdict(root=shape)
    assert dotdict(d.items()) == d
    assert dotdict(reversed(list(d.items()))) == d


@given(SHAPES)
def test_index_and_attributes_agree(shape: dict[str, Any]) -> None:
    """d['a.b'] is d.a.b, for all levels and leaves."""
    stack: list[tuple[str, Any]] = [("", d := by_hand(shape))]
    while stack:
        path, level = stack.pop()
        for name in level.copy():
            inner = f"{path}.{name}"
            assert d[inner] is getattr(level, name)
            if isinstance(level[name], dotdict):
                stack.append((inner, level[name]))


# -- apidict


def in_thread(work: Callable[[], object]) -> tuple[threading.Thread, threading.Event]:
    """Start ``work``; the event is set when it has returned."""
    done = threading.Event()

    def run() -> None:
        work()
        done.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, done


def store_and_wait(a: apidict, name: str, value: object) -> tuple[threading.Thread, threading.Event]:
    """Start a thread that sets an attribute; return once the value is stored, the setter then waiting."""
    result = in_thread(lambda: setattr(a, name, value))
    while a.get(name) is not value:  # by index: no attribute get
        assert not result[1].is_set()
    return result


@pytest.mark.parametrize("read", ["x", "other", "missing"])
def test_an_attribute_set_waits_for_any_attribute_get(read: str) -> None:
    """The setter goes on when another thread gets an attribute, whichever; not when it indexes."""
    a = apidict(WAIT_S, other=1)
    thread, done = store_and_wait(a, "x", object())
    assert a["other"] == 1
    assert "x" in a
    assert list(a) == ["other", "x"]
    assert not done.is_set()
    getattr(a, read, None)
    assert done.wait(WAIT_S / 2)
    thread.join()


def test_one_get_releases_every_waiting_setter() -> None:
    """Whoever stored before the get goes on."""
    a = apidict(WAIT_S)
    started = [store_and_wait(a, name, object()) for name in "xyz"]
    assert a.x is a["x"]
    for thread, done in started:
        assert done.wait(WAIT_S / 2)
        thread.join()


def test_a_get_before_the_set_does_not_count() -> None:
    """Only a get after the store shows that the value can have been seen."""
    a = apidict(WAIT_S, x=1)
    assert a.x == 1
    thread, done = store_and_wait(a, "x", 2.5)
    assert not done.wait(0.05)
    assert a.x == 2.5
    assert done.wait(WAIT_S / 2)
    thread.join()


def test_a_set_that_nobody_sees_ends_at_its_timeout() -> None:
    """The value is stored, and the setter goes on by itself."""
    a = apidict(0.01)
    a.x = 1
    assert a["x"] == 1


def test_setting_by_index_never_waits() -> None:
    """Nor does construction, update, or a plain level below."""
    a = apidict(threading.TIMEOUT_MAX, {"a.b": 1}, c=2)
    a["x"] = 1
    a["a.y"] = 2
    a.update(z=3)
    level = a["a"]
    level.w = 4
    assert type(level) is dotdict
    assert a == {"a": {"b": 1, "y": 2, "w": 4}, "c": 2, "x": 1, "z": 3}


@pytest.mark.parametrize("timeout", ["1", None, {}, True])
def test_the_timeout_of_an_apidict_is_a_number(timeout: Any) -> None:
    """Anything else, the data given first above all, is a TypeError."""
    with pytest.raises(DataTypeError, match="number of seconds"):
        apidict(timeout)
    with pytest.raises(TypeError):
        apidict()  # type: ignore[call-arg]


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf"), sys.float_info.max])
def test_the_timeout_of_an_apidict_is_bounded(timeout: float) -> None:
    """Negative, not a number, and beyond what can be waited for are a ValueError."""
    with pytest.raises(DataValueError, match="seconds"):
        apidict(timeout=timeout)


def test_copies_of_an_apidict_keep_its_timeout() -> None:
    """copy, deepcopy and pickle give an apidict of its own lock."""
    a = apidict(0.01, {"a.b": 1})
    for duplicate in (copy.copy(a), copy.deepcopy(a), pickle.loads(pickle.dumps(a))):
        assert type(duplicate) is apidict
        assert duplicate == a
        duplicate.x = 1
        assert "x" not in a
