"""TOML text: its values and the lines of its keys, what is there twice, and what is said of text that is no TOML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpppo.errors import UsageError
from cpppo.server.enip import toml
from cpppo.server.enip.toml import Keys, Repeated, dotted, key_lines, line_of, parse_toml, read_octets, shown


def lines_of(text: str) -> dict[str, int]:
    """The line of every key, by keys with dots between them."""
    parse_toml(text.encode(), "a.toml")
    return {".".join(keys): line for keys, line in key_lines(text).items()}


# -- lines


def test_lines_of_keys_and_tables() -> None:
    """Every key has its line, tables and those around them too; what is between them counts."""
    text = """\
# a plant

[controller]   # [tags]
name = "x"

[ programs . "Main" . tags ]
'Speed' = "REAL"
  [types.Motor]
a.b."c d" = "INT"
"""
    assert lines_of(text) == {
        "controller": 3,
        "controller.name": 4,
        "programs": 6,
        "programs.Main": 6,
        "programs.Main.tags": 6,
        "programs.Main.tags.Speed": 7,
        "types": 8,
        "types.Motor": 8,
        "types.Motor.a": 9,
        "types.Motor.a.b": 9,
        "types.Motor.a.b.c d": 9,
    }


def test_a_table_that_is_opened_in_parts() -> None:
    """A table has the line that first leads to it, be that as a part of another's head."""
    found = lines_of("[tags.A]\ntype = 'INT'\n[tags]\nB = 'INT'\n[types]\n")
    assert found == {"tags": 1, "tags.A": 1, "tags.A.type": 2, "tags.B": 4, "types": 5}


@pytest.mark.parametrize(
    "value",
    [
        "[\n1,\n2,\n]",
        "[ # ]\n [1, 2], # [[[\n [3, 4]\n]",
        '["]", "#",\n"\\"[", \'"[\'\n]',
        '"""\n[tags]\nB = 1\n"""',
        "'''\nB = \"1\"\n# '\n'''",
        '"""a""""',
        '"""""" # """',
        "''''a'''''",
        '"""\\"""\n\\\\"""',
        '{ a = 1, b = { "c" = "}" } }',
        "{ a = [\n1,\n2] }",
        '"x" # y = "[',
        '"\\u005b"',
        "2020-01-01T00:00:00",
    ],
)
def test_values_of_several_lines(value: str) -> None:
    """Whatever a value has in it, brackets, quotes and comments too, the key after it has its own line."""
    text = f"[t]\nA = {value}\nB = 2\n"
    found = lines_of(text)
    assert (found["t.A"], found["t.B"]) == (2, 3 + value.count("\n"))
    assert line_of(key_lines(text), ("t", "B")) == text.split("\n").index("B = 2", 3 + value.count("\n") - 1) + 1


def test_keys_behind_a_list_of_several_lines() -> None:
    """In a table that has a list of several lines, keys have the line they stand in."""
    text = '[t]\nA = { a = "x", value = [\n1, # b = 5\n2], "b" = 3, c = [\n{ a = 1 }] }\nB = 1\n'
    found = lines_of(text)
    assert [found[f"t.A.{one}"] for one in ("a", "value", "b", "c")] == [2, 2, 4, 4] and found["t.B"] == 6
    assert "t.A.c.a" not in found


def test_line_of_the_nearest() -> None:
    """Keys that are not there have the line of those around them, or the first."""
    lines = key_lines("\n[a]\nb = 1\n")
    assert [line_of(lines, keys) for keys in (("a", "b", "c"), ("a", "x"), ("y", "x"), ())] == [3, 2, 1, 1]


#: Keys as people write them, and odd ones.
KEYS = st.one_of(
    st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True),
    st.text(st.characters(exclude_categories=("C",)), max_size=5),
)
SCALARS = st.one_of(
    st.booleans(),
    st.integers(-1000, 1000),
    st.sampled_from(["", "[", "]]", "}", "#", "=", "a = 1", '"', "'", '"""', "\\", "[x]"]),
)


def written(draw: st.DrawFn, value: Any) -> str:
    """A value as TOML, its lists perhaps in several lines."""
    if isinstance(value, list):
        gap = draw(st.sampled_from(["", " ", "\n", " # ]\n", "\n\n  "]))
        inner = ",".join(gap + written(draw, one) + draw(st.sampled_from(["", gap])) for one in value)
        return f"[{inner}{gap}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{quoted(key)} = {written(draw, one)}' for key, one in value.items())} }}"
    if isinstance(value, str) and draw(st.booleans()):
        return '"""\n' + json.dumps(value)[1:-1] + '"""'
    return json.dumps(value)


def quoted(key: str) -> str:
    return json.dumps(key, ensure_ascii=False)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A document of tables, and its values."""
    inner = st.recursive(
        SCALARS, lambda one: st.lists(one, max_size=3) | st.dictionaries(KEYS, one, max_size=3), max_leaves=5
    )
    tables = draw(st.dictionaries(KEYS, st.dictionaries(KEYS, inner, max_size=4), max_size=4))
    text = draw(st.sampled_from(["", "\n", "# [x]\n\n"]))
    for name, table in tables.items():
        text += f"[{quoted(name)}]{draw(st.sampled_from(['', ' # a = 1']))}\n"
        for key, value in table.items():
            text += f"{quoted(key)} = {written(draw, value)}{draw(st.sampled_from(['', '  # ', '  # [']))}\n"
            text += draw(st.sampled_from(["", "\n", "  # x = [\n"]))
    return text, tables


def keys_within(values: dict[str, Any], around: Keys = ()) -> list[Keys]:
    found: list[Keys] = []
    for key, value in values.items():
        found.append((*around, key))
        if isinstance(value, dict):
            found += keys_within(value, (*around, key))
    return found


@settings(max_examples=40)
@given(documents())
def test_every_key_is_in_its_line(drawn: tuple[str, dict[str, Any]]) -> None:
    """Every key of every document has a line, in which that key stands; those of a table are in order."""
    text, values = drawn
    assert parse_toml(text.encode(), "a.toml").values == values
    found, lines = key_lines(text), text.split("\n")
    assert sorted(found) == sorted(keys_within(values))
    for keys, line in found.items():
        assert quoted(keys[-1]) in lines[line - 1], (keys, line)
    for name, table in values.items():
        at = [found[name,], *(found[name, key] for key in table)]
        assert at == sorted(at) and len(set(at)) == len(at)


@settings(max_examples=40)
@given(documents())
def test_what_is_there_twice_is_found(drawn: tuple[str, dict[str, Any]]) -> None:
    """A document twice over has its tables twice: the first of each counts, the other is told with both lines."""
    text, values = drawn
    document = parse_toml((text + text).encode(), "a.toml")
    assert document.values == values
    found = key_lines(text)
    count = text.count("\n")
    assert list(document.repeated) == [Repeated(found[one,] + count, (one,), found[one,]) for one in values]


# -- what is there twice


@pytest.mark.parametrize(
    ("text", "repeated", "values"),
    [
        ("a = 1\na = 2\n", [(2, ("a",), 1)], {"a": 1}),
        ("a = 1\n'a' = [\n2\n]\nb = 3", [(2, ("a",), 1)], {"a": 1, "b": 3}),
        ("a = 1\na = 2\na = 3", [(2, ("a",), 1), (3, ("a",), 1)], {"a": 1}),
        ("a = {b = 1}\na = {c = 2}", [(2, ("a",), 1)], {"a": {"b": 1}}),
        ("a.b = 1\na.c = 2\na.b = 3", [(3, ("a", "b"), 1)], {"a": {"b": 1, "c": 2}}),
        ("[a]\nx = 1\n[b]\nx = 1\n[a]\ny = 1\nz = 2\n[c]\n", [(5, ("a",), 1)], {"a": {"x": 1}, "b": {"x": 1}, "c": {}}),
        ("[a]\nb = 1\n[a.b]\nc = 1", [(3, ("a", "b"), 2)], {"a": {"b": 1}}),
        ("[a]\nb = 1\n[c]\nb = 2\nb = 3\n", [(5, ("c", "b"), 4)], {"a": {"b": 1}, "c": {"b": 2}}),
    ],
)
def test_repeated(text: str, repeated: list[tuple[int, Keys, int]], values: dict[str, Any]) -> None:
    """A key or table that is there again is left out, and told; the lines of all that follows stay."""
    document = parse_toml(text.encode(), "a.toml")
    assert (list(document.repeated), document.values) == (repeated, values)
    assert document.text.count("\n") == text.count("\n")


def test_nothing_is_repeated() -> None:
    """Where there is nothing twice, the text is as it was, also with the same key in different tables."""
    text = "[a]\nx = 1\n[b]\nx = 1\n[[c]]\nx = 1\n[[c]]\nx = 1\n"
    document = parse_toml(text.encode(), "a.toml")
    assert (document.repeated, document.text) == ((), text)


# -- text that is no TOML


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("A = INT", 1, ['"INT"', "quotes"]),
        ("\n\nA = INT[2,3] # x", 3, ['"INT[2,3]"']),
        ("A = \u201cINT\u201d", 1, ['"INT"']),
        ("[t]\nA = { type = INT }", 2, ['"INT"']),
        ("A = True", 1, ["small letters"]),
        ("A = ", 1, ["a value is missing"]),
        ("A = # 5\nB = 1", 1, ["a value is missing"]),
        ("A = .5", 1, ["0.5"]),
        ("A = 5.", 1, ["5.0"]),
        ("A = 007", 1, ["does not begin with 0"]),
        ("A: 1", 1, ["key = value"]),
        ("a b = 1", 1, ["key = value"]),
        ("A", 1, ["key = value"]),
        ("A = 1, 2", 1, ["one only"]),
        ("A = 1 B = 2", 1, ["one only"]),
        ('A = "INT\nB = 1', 1, ["ends with the quotes", "same line"]),
        ("B = 1\nA = 'INT\n\nC = 1", 2, ["ends with the quotes", "same line"]),
        ('B = 1\nA = """INT\n\nC = 1\n', 2, ["ends with the quotes"]),
        ("B = 1\nA = '''INT\n\nC = 1\n", 2, ["ends with the quotes"]),
        ('A = "c:\\dev"', 1, ["backslash", "single quotes"]),
        ("A = [1, 2\nB = 1", 2, ["ends with ]"]),
        ("A = [1 2]", 1, ["commas"]),
        ("A = { a = 1 b = 2 }", 1, ["commas"]),
        ("[tags\nA = 1", 1, ["[tags]"]),
        ("[]", 1, ["[tags]"]),
        ("A = 1\nA.b = 2", 2, ["another value"]),
        ("A = { a = 1, a = 2 }", 1, ["'a'"]),
        ("A = 1\x00", 1, ["key = value"]),
        ("A = 1\rB = 2", 1, ["key = value"]),
    ],
)
def test_syntax(text: str, line: int, says: list[str]) -> None:
    """Text that is no TOML: the line, what the parser says, and what to write instead, in one line."""
    with pytest.raises(UsageError) as raised:
        parse_toml(text.encode(), "some.toml")
    message = str(raised.value)
    assert message.startswith(f"some.toml:{line}: it is not TOML: ") and "\n" not in message
    assert all(one in message for one in says), message


@pytest.mark.parametrize("text", ['A = { type = "INT",\n      value = 5 }', 'A = { type = "INT", }'])
def test_inline_tables_of_several_lines(text: str) -> None:
    """A table in { } of several lines, or with a comma at its end, is understood, or it is told how to write it."""
    try:
        assert parse_toml(text.encode(), "a.toml").values["A"]["type"] == "INT"  # as the newest parsers do
    except UsageError as exc:
        assert "a.toml:1: it is not TOML: " in str(exc) and "in one line" in str(exc) and "below it" in str(exc)


@pytest.mark.parametrize("text", ["\na = " + "9" * 5000, "\na = " + "[" * 5000, "\na = " + "[" * 5000 + "]" * 5000])
def test_without_end(text: str) -> None:
    """Numbers and brackets without end are refused like any other mistake, with their line."""
    with pytest.raises(UsageError, match=r"^a.toml:2: .* without end$"):
        parse_toml((text + "\n").encode(), "a.toml")


def test_syntax_before_what_is_repeated() -> None:
    """Where text is no TOML, nothing else is told of it."""
    with pytest.raises(UsageError, match=r"^a.toml:4: it is not TOML"):
        parse_toml(b"a = 1\na = 2\n\nb = INT\na = 3", "a.toml")


@pytest.mark.parametrize(
    ("octets", "line"),
    [
        (b"\xff\xfea\0", 1),
        (b'a = "x"\r\nb = "\xe4"\r\n', 2),
        (b'\n\n# \xfcber\na = "x"', 3),
        (b'a = "\xed\xa0\x80"', 1),
    ],
)
def test_not_utf8(octets: bytes, line: int) -> None:
    """What is not UTF-8 is told with its line, and what to do."""
    with pytest.raises(UsageError, match=rf"^a.toml:{line}: it is not UTF-8: .*; save it as UTF-8$"):
        parse_toml(octets, "a.toml")


def test_byte_order_mark_and_line_ends() -> None:
    """A mark at the start, and lines that end in CR LF, are as good as none and LF."""
    document = parse_toml(b'\xef\xbb\xbfa = 1\r\nb = """\r\nx"""\r\nc = 3\r\n', "a.toml")
    assert document.values == {"a": 1, "b": "x", "c": 3}
    assert key_lines(document.text) == {("a",): 1, ("b",): 2, ("c",): 4}


# -- as TOML again


@pytest.mark.parametrize(
    ("keys", "text"),
    [(("tags", "A-1"), "tags.A-1"), (("a b", ""), '"a b".""'), (("x\n\x1b",), '"x\\n\\u001b"'), (("\xe4",), '"\xe4"')],
)
def test_dotted(keys: Keys, text: str) -> None:
    """Keys are shown as they are written, in quotes where they need them, in one line."""
    assert dotted(keys) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (5, "5"),
        (2.5, "2.5"),
        ('a "b"\n', '"a \\"b\\"\\n"'),
        ([1, [False]], "[1, [false]]"),
        ({"a b": {"c": []}}, '{"a b" = {c = []}}'),
        pytest.param(1 << 20000, "0x1000", id="huge"),
        pytest.param("x" * 10**6, '"xxx', id="long"),
        pytest.param([0] * 10**6, "[0, 0, 0", id="many"),
    ],
)
def test_shown(value: Any, text: str) -> None:
    """A value is shown as it is written, the first 40 characters of it."""
    found = shown(value)
    assert found.startswith(text) and len(found) <= 43
    assert found == text or found.endswith("...")


@settings(max_examples=40)
@given(documents())
def test_shown_is_toml(drawn: tuple[str, dict[str, Any]]) -> None:
    """What is shown whole can be written so."""
    _, values = drawn
    text = shown(values)
    if not text.endswith("...") and "..." not in text:
        assert parse_toml(f"a = {text}".encode(), "a.toml").values == {"a": values}


def test_a_file_that_has_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is larger than any configuration is refused, and not read to its end."""
    monkeypatch.setattr(toml, "LARGEST", 10)
    (tmp_path / "ten.toml").write_bytes(b"a = 123456")
    assert read_octets(tmp_path / "ten.toml") == b"a = 123456"
    (tmp_path / "eleven.toml").write_bytes(b"a = 1234567")
    with pytest.raises(UsageError, match="eleven.toml: it has more than 10 octets; name a TOML file"):
        read_octets(tmp_path / "eleven.toml")
