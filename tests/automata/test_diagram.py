"""Pictures of machines: what is drawn as text and in DOT, what graphviz makes of that, and its errors."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cpppo.automata import CharacterClass, choice, decide, dfa, regex, regex_bytes, state, state_drop, state_input
from cpppo.automata.picture import PictureError, svg
from cpppo.errors import UsageError
from cpppo.server.tnet import tnet_machine
from tests.automata.examples import basic, csv
from tests.tools import need


def drawn(dot: str) -> str:
    """SVG by graphviz, which must have nothing to say against the text."""
    run = subprocess.run([need("dot"), "-Tsvg"], input=dot.encode(), capture_output=True, timeout=60)
    assert (run.returncode, run.stderr.decode()) == (0, "")
    return run.stdout.decode()


def lines(machine: Any, style: str = "text") -> list[str]:
    return [line.strip() for line in machine.diagram(style).splitlines()]


def one(*edges: tuple[Any, Any], **settings: Any) -> dfa:
    """A machine of a state S with these transitions, by default to a state T."""
    first = state("S", **settings)
    for symbol, target in edges:
        first[symbol] = target
    return dfa("M", initial=first)


# ------------------------------------------------------------------ text
def test_flat_machine() -> None:
    """A state is a line: the initial one marked, terminal ones in two parentheses, transitions in columns."""
    assert basic().diagram() == (
        "( ab+ )\n  > ( E )  'a'  -> ( A )\n    ( A )  'b'  -> ((B))\n    ((B))  'b'  -> ((B))"
    )


def test_nested_machine() -> None:
    """What is inside a machine stands below its line, indented; a transition on None is always or otherwise."""
    assert csv().diagram() == (
        "( CSV )\n"
        "  > ((ab+))  ','        -> ( SEP )\n"
        "      > ( E )  'a'  -> ( A )\n"
        "        ( A )  'b'  -> ((B))\n"
        "        ((B))  'b'  -> ((B))\n"
        "    ( SEP )  ' '        -> ( SEP )\n"
        "             otherwise  -> ((ab+))"
    )


def test_regular_expression() -> None:
    """A regular expression's machine has its pattern as its name; initial and terminal states are marked."""
    text = regex(None, "(ab+)((,[ ]*)(ab+))*", terminal=True).diagram()
    assert text.splitlines()[0] == "(('(ab+)((,[ ]*)(ab+))*'))"
    assert text.splitlines()[1].startswith("  > ( 0' )  'a'  -> ")
    assert len(re.findall(r"^    ", text, re.MULTILINE)) == 5
    assert text.count(">") == 7


def test_breadth_first() -> None:
    """States stand in the order of their distance from the initial one."""
    first, far = state("S"), state_input("far")
    for name in "ab":
        first[name] = near = state_input(name)
        near["x"] = far
    assert [line.split("  ")[0] for line in lines(dfa("M", initial=first))[1:]] == [
        "> ( S )",
        "'b'",
        "( a )",
        "( b )",
        "( far )",
    ]


def test_neighbours_are_merged() -> None:
    """Symbols that lead to the same state are one range where they touch, in order otherwise."""
    there = state_input("T")
    assert lines(one(*((symbol, there) for symbol in "9_0123568xyab")))[1:3] == [
        "> ( S )  '0'-'3', '5', '6', '8', '9', '_', 'a', 'b',",
        f"'x', 'y'{' ' * 37}-> ( T )",
    ]
    assert lines(one(("c", there), (CharacterClass([(97, 98), (100, 102)]), there)))[1] == "> ( S )  'a'-'f'  -> ( T )"
    assert lines(one(("a", there), ("b", state("U"))))[1:3] == ["> ( S )  'a'  -> ( T )", "'b'  -> ( U )"]


def test_octets() -> None:
    """Octets are shown by number, with their characters in ASCII; other numbers as they are."""
    there = state_input("T")

    def shown(*symbols: int) -> str:
        return lines(one(*((symbol, there) for symbol in symbols)))[1]

    assert shown(0x30, 0x31, 0x32, 0xD0, 10) == "> ( S )  0x0a, 0x30-0x32 '0'-'2', 0xd0  -> ( T )"
    assert shown(5, 6, 7) == "> ( S )  0x05-0x07  -> ( T )"
    assert shown(1000, 254, 255, 256, -1) == "> ( S )  -1, 254 to 256, 1000  -> ( T )"
    assert "0xa0-0xbf" in regex_bytes(None, "[à-ÿ]").diagram()


@pytest.mark.parametrize(
    ("edges", "words"),
    [
        ([(True, "T")], ["any -> T"]),
        ([("a", "U"), (True, "T")], ["'a' -> U", "any other -> T"]),
        ([(None, "T")], ["always -> T"]),
        ([(True, "T"), (None, "U")], ["any -> T", "otherwise -> U"]),
        ([("a", "T"), (True, "T"), (None, "T")], ["'a', any other, otherwise -> T"]),
        ([(1, "T"), (True, "U")], ["0x01 -> T", "any other -> U"]),
        ([(str.isdigit, "T"), ("ab", "T"), (("x", 1), "T")], ["isdigit(), 'ab', ('x', 1) -> T"]),
        ([("a", None), (True, "T")], ["'a' -> no transition", "any other -> T"]),
        ([("\n", "T"), ("'", "T"), ("\ud800", "T")], ["""'\\n', "'", '\\ud800' -> T"""]),
    ],
)
def test_words(edges: list[tuple[Any, str | None]], words: list[str]) -> None:
    """Each kind of key, and each combination of wildcards, has its words."""
    states = {name: state(name) for name in "TU"}
    machine = one(*((key, name and states[name]) for key, name in edges))
    found = [re.sub(r" +", " ", line.removeprefix("> ( S )")).strip() for line in lines(machine)]
    shown = [re.sub(r"-> \( (.) \)", r"-> \1", line) for line in found if "->" in line]
    assert shown == words


def test_decisions() -> None:
    """Conditional targets stand in the order in which they are tried, with the name of their condition."""

    def says(**given: Any) -> bool:
        raise AssertionError("a picture decides nothing")

    first, x, y = state("S"), state("X"), state("Y")
    first["a"] = y
    first["b"] = decide("fits", x, says)
    first["b"] = decide("stops", None, says)
    first["b"] = y
    first[None] = decide("empty", x, says)
    assert [re.sub(" +", " ", line) for line in lines(dfa("M", initial=first))[1:]] == [
        "> ( S ) 'a' -> ( Y )",
        "'b' if fits -> ( X )",
        "'b' if stops -> no transition",
        "'b' -> ( Y )",
        "otherwise if empty -> ( X )",
        "( Y )",
        "( X )",
    ]
    assert lines(one((None, decide("empty", x, says))))[1] == "> ( S )  if empty  -> ( X )"
    assert lines(one((None, decide("surely", x))))[1] == "> ( S )  always  -> ( X )"


def test_choices() -> None:
    """An object that chooses leads to each of its targets; without any listed, to a question mark."""

    class Kinds(choice):
        targets = (state("X"), state("Y"))

    assert [re.sub(" +", " ", line) for line in lines(one(("a", Kinds())))[1:3]] == [
        "> ( S ) 'a' by Kinds -> ( X )",
        "'a' by Kinds -> ( Y )",
    ]
    assert lines(one(("a", choice())))[1] == "> ( S )  'a' by choice  -> ?"


def test_notes() -> None:
    """Limits, repeats and the lack of greed stand beside a name."""
    inner = dfa("N", initial=state_drop("d", terminal=True), limit=".size", repeat=3, greedy=False)
    machine = dfa("M", initial=inner, limit=lambda **given: 65)
    assert lines(machine)[:2] == ["( M ) limit <lambda>", "> ( N ) limit .size, repeat 3, not greedy"]
    assert 'label="( N )\\nlimit .size, repeat 3, not greedy"' in machine.diagram("dot")
    assert lines(one(limit=65))[1] == "> ( S ) limit 65"


def test_same_names() -> None:
    """Two states of one name are told apart."""
    first, other = state("S"), state("S")
    first["a"] = other
    other["b"] = dfa("S", initial=state("S"))
    assert [re.sub(" +", " ", line) for line in lines(dfa("M", initial=first))[1:]] == [
        "> ( S #2 ) 'a' -> ( S #3 )",
        "( S #3 ) 'b' -> ( S )",
        "( S )",
        "> ( S )",
    ]


def test_drawn_once() -> None:
    """A machine in two places is drawn in the first, and named in the other."""
    word = dfa("word", initial=state_input("w", terminal=True), terminal=True)
    outer, other = dfa("outer", initial=word), state("S")
    other["o"], other["w"] = outer, word
    text = dfa("M", initial=other).diagram()
    assert text.count("( w )") + text.count("((w))") == 1
    assert text.count("((word)), drawn above") == 1
    dot = dfa("M", initial=other).diagram("dot")
    assert dot.count("subgraph") == 2
    assert dot.count('label="((word))" shape=box peripheries=2') == 1


def circular() -> dfa:
    """A machine inside itself, by a transition of a state of its own."""
    open_, close = state_drop("open"), state_drop("close", terminal=True)
    group = dfa("group", initial=open_)
    open_["("] = group
    group[")"] = close
    open_[")"] = close
    return group


def test_machine_inside_itself() -> None:
    """A picture of a machine that leads back into itself ends, in every style."""
    assert lines(circular())[2:4] == ["')'  -> ((close))", "( group ), drawn above  ')'  -> ((close))"]
    assert 'label="( group )" shape=box]' in circular().diagram("dot")
    assert "<svg" in drawn(circular().diagram("dot"))


def test_deep_nesting() -> None:
    """Machines nested deeper than Python calls functions are drawn."""
    machine: Any = state_input("a", terminal=True)
    for depth in range(sys.getrecursionlimit() + 10):
        machine = dfa(str(depth), initial=machine)
    assert len(lines(machine)) == sys.getrecursionlimit() + 11
    assert machine.diagram("dot").count("{") == machine.diagram("dot").count("}")


def test_wide_and_long_names() -> None:
    """Columns align by what a terminal shows; a name too long for its column has a line of its own."""
    first, wide, long = state("日本"), state("e\u0301"), state("n" * 50)
    first["日"], wide["b"], long["c"] = wide, long, first
    assert dfa("M", initial=first).diagram().splitlines()[1:] == [
        f"  > ( 日本 ){' ' * 24}  '日'  -> ( e\u0301 )",
        f"    ( e\u0301 ){' ' * 27}  'b'   -> ( {'n' * 50} )",
        f"    ( {'n' * 50} )",
        f"{' ' * 36}  'c'   -> ( 日本 )",
    ]


def test_unprintable_names() -> None:
    """A name is one line, whatever it holds."""
    machine = dfa("a\nb", initial=state("\x1b[31m"))
    assert machine.diagram() == "( a\\nb )\n  > ( \\x1b[31m )"


def test_while_it_runs() -> None:
    """A picture is of the definition: no run changes it, and drawing freezes nothing."""
    machine = csv()
    before = machine.diagram(), machine.diagram("dot")
    machine.initial["x"] = None
    del machine.initial["x"]
    run = machine.run("abb,")
    for _ in range(5):
        seen, _ = next(run)
    assert (machine.diagram(), machine.diagram("dot")) == before
    assert seen.diagram() == basic(terminal=True).diagram()


# ------------------------------------------------------------------ DOT
def test_dot() -> None:
    """States are nodes, nested machines clusters; their edges start at the cluster's border, and end at its point."""
    assert csv().diagram("dot") == "\n".join(
        [
            "digraph {",
            '  graph [label="( CSV )" labelloc=t rankdir=LR compound=true]',
            "  node [shape=circle]",
            '  start [shape=point label=""]',
            "  start -> n0",
            "  subgraph cluster_n0 {",
            '    graph [label="((ab+))" penwidth=2]',
            '    n0 [shape=point label=""]',
            '    n1 [label="E"]',
            '    n2 [label="A"]',
            '    n3 [label="B" shape=doublecircle]',
            "  }",
            '  n4 [label="SEP"]',
            "  n0 -> n1",
            "  n0 -> n4 [label=\"','\" ltail=cluster_n0]",
            "  n1 -> n2 [label=\"'a'\"]",
            "  n2 -> n3 [label=\"'b'\"]",
            "  n3 -> n3 [label=\"'b'\"]",
            "  n4 -> n4 [label=\"' '\"]",
            '  n4 -> n0 [label="otherwise"]',
            "}",
        ]
    )


NASTY = ['say "x"', "back\\", "\\N", "two\nlines", "<b>bold</b>", "&amp;", "мир 日本 🙂", "\x00\ud800", "]}; n0", ""]


def test_dot_escapes() -> None:
    """Names and symbols are shown by graphviz as they are, or as in a Python literal: no markup, no escapes."""
    first = here = state("first")
    for name in NASTY:
        here[name] = after = state(name)
        here = after
    picture = drawn(dfa('the "machine" & <more>\\', initial=first).diagram("dot"))
    texts = [
        each.replace("&#160;", " ").replace("&quot;", '"').replace("&#39;", "'").replace("&#45;", "-")
        for each in re.findall("<text[^>]*>(.*?)</text>", picture)
    ]
    texts = [each.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for each in texts]
    assert '( the "machine" & <more>\\ )' in texts
    for name in ['say "x"', "back\\", "\\N", "two\\nlines", "<b>bold</b>", "&amp;", "мир 日本 🙂", "\\x00\\ud800"]:
        assert name in texts
    assert {"']}; n0'", "''", "'back\\\\'", "'\\x00\\ud800'"} <= set(texts)


def repeated() -> dfa:
    """A machine with a transition back to itself."""
    word = dfa("word", initial=state_input("w", terminal=True), terminal=True)
    word[","] = word
    return dfa("words", initial=word)


@pytest.mark.parametrize(
    "machine",
    [
        basic(),
        repeated(),
        tnet_machine(),
        regex(None, "[^a]*(пôт|日)+"),
        regex_bytes(None, '([\\x00-\\xff]|["\\\\])*'),
        one(("a", choice()), (None, decide("d", state("T"), bool)), (True, None)),
        one(("a", None), ("b", dfa("self", initial=state("x")))),
    ],
    ids=["flat", "repeated", "nested", "text", "octets", "conditional", "inner"],
)
def test_dot_is_read_by_graphviz(machine: dfa) -> None:
    """Graphviz reads the DOT of every kind of machine without a warning, and draws each edge."""
    dot = machine.diagram("dot")
    assert drawn(dot).count('class="edge"') == dot.count(" -> n")


def test_dot_without_a_target() -> None:
    """No transition is a cross, an unlisted choice a question mark; conditions are dashed."""
    dot = one(("a", None), ("b", choice())).diagram("dot")
    assert 'n0_0 [shape=none label="×"]' in dot
    assert 'n0_1 [shape=none label="?"]' in dot
    assert "n0 -> n0_1 [label=\"'b' by choice\" style=dashed]" in dot


# ------------------------------------------------------------------ SVG, and what is refused
def test_svg() -> None:
    """SVG is what graphviz makes of the DOT, with a title for each cluster and node."""
    need("dot")
    picture = csv().diagram("svg")
    assert picture.startswith("<?xml")
    assert {"cluster_n0", "n4", "n0&#45;&gt;n4"} <= set(re.findall("<title>(.*?)</title>", picture))
    assert picture.rstrip().endswith("</svg>")


@pytest.mark.parametrize("style", ["png", "", None, ["dot"]])
def test_unknown_style(style: Any) -> None:
    """Another style is refused, and the three are named."""
    with pytest.raises(UsageError, match=r"'text', 'dot' or 'svg'"):
        basic().diagram(style)


def program(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Make this script the only program there is, as dot."""
    path = directory / "dot"
    path.write_text(f"#!{sys.executable}\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(directory))


def test_without_graphviz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without graphviz, the error says how to install it, and what goes without."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PictureError, match=r"apt-get install graphviz.*'text' and 'dot'"):
        basic().diagram("svg")
    assert basic().diagram("dot").startswith("digraph")


def test_graphviz_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What graphviz says against a graph is told, with its status."""
    program(tmp_path, monkeypatch, "import sys; sys.exit('syntax error in line 1')")
    with pytest.raises(PictureError, match="status 1: syntax error in line 1"):
        basic().diagram("svg")


def test_graphviz_refuses() -> None:
    """Graphviz itself refuses what is not DOT."""
    need("dot")
    with pytest.raises(PictureError, match="syntax error"):
        svg("no graph at all")


def test_graphviz_takes_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphviz is not waited for without end."""
    program(tmp_path, monkeypatch, "import threading; threading.Event().wait(60)")
    with pytest.raises(PictureError, match=r"within 0\.2 s"):
        svg("digraph {}", timeout_s=0.2)


def test_graphviz_cannot_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that the system does not run is one error, too."""
    program(tmp_path, monkeypatch, "")
    (tmp_path / "dot").write_bytes(b"#!/nonexistent/interpreter\n")
    with pytest.raises(PictureError, match=r"cannot run .*dot: No such file"):
        svg("digraph {}")
