"""The dialect of regular expressions: what it refuses is what would lie or fail, and every refusal teaches.

greenery says what a pattern means to a machine, Python's ``re`` what its author meant.
"""

from __future__ import annotations

import itertools
import pickle
import re
import string
import warnings

import pytest
from greenery import parse
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cpppo.automata.dialect import PatternError, check, explain
from cpppo.automata.spelling import NAMED
from cpppo.errors import GrammarError

META = "ab01(){}[]*+?|^$-,.\\/xudé\n"
SENTENCES = ["".join(symbols) for size in range(4) for symbols in itertools.product("ab-]", repeat=size)]
SENTENCES += [*"^$*+?{}|()1\\/\x00\x08\x07.\né", "aaaa", "a$", "^a", "a{}", "a{", "{}", "{b}", "[a", "[]", "*a", "a^"]

# pattern, position, what it is about, and what to write instead as the message says it
BAD = [
    ("[+-]", 2, "hyphen", r"'[+\-]'"),
    ("[a-]", 2, "hyphen", r"'[a\-]'"),
    ("[-a]", 1, "hyphen", r"'[\-a]'"),
    ("[^-a]", 2, "hyphen", r"'[^\-a]'"),
    (r"[\w-]", 3, "hyphen", r"'[\w\-]'"),
    (r"[\w-a]", 3, "hyphen", r"'[\w\-a]'"),
    (r"[a-\d]", 2, "hyphen", r"'[a\-\d]'"),
    ("x[.-]", 3, "hyphen", r"'[.\-]'"),
    ("[a-b-c]", 4, "hyphen", r"'[a-b\-c]'"),
    ("[--a]", 1, "hyphen", r"'[\--a]'"),
    ("[-[^]", 1, "hyphen", r"'[\-\[\^]'"),
    ("[]a]", 1, "']'", r"'[\]a]'"),
    ("[^]a]", 2, "']'", r"'[^\]a]'"),
    ("[[a]", 1, "'['", r"'[\[a]'"),
    ("[a^]", 2, "caret", r"'[a\^]'"),
    ("a[]", 1, "empty", "'[ ]'"),
    ("[^]", 0, "empty", "'.'"),
    ("[b-a]", 1, "backwards", "'[a-b]'"),
    ("a[abc", 1, "never closed", r"'\['"),
    (r"[\.]", 1, "needless", "'[.]'"),
    (r"[\b]", 1, "no escape", r"'[\x08]'"),
    (r"[\1]", 1, "octal", r"'[\x01]'"),
    (r"a\/b", 1, "needless", "'/'"),
    (r"\"", 0, "needless", "'\"'"),
    (r"\-", 0, "needless", "'-'"),
    (r"a\$", 1, "needless", "'[$]'"),
    (r"\^a", 0, "needless", r"'\x5e'"),
    (r"\u00e9", 0, "no escape", "'é'"),
    (r"\u005b", 0, "no escape", r"'\['"),
    (r"\u2028", 0, "no escape", "not raw"),
    (r"\U0001f600", 0, "no escape", "'😀'"),
    (r"\u12", 0, "no escape", "itself"),
    (r"\N{DIGIT ONE}", 0, "names", "itself"),
    ("[[:]", 1, "'['", r"'[\[:]'"),
    (r"\0", 0, "octal", r"'\x00'"),
    (r"\101", 0, "octal", r"'\x41'"),
    (r"\777", 0, "octal", "itself"),
    (r"\a", 0, "no escape", r"'\x07'"),
    (r"\q", 0, "is none", "'q'"),
    (r"a\b", 1, "place", "symbols"),
    (r"\Ba", 0, "place", "symbols"),
    (r"\Aa", 0, "anchor", "leave it out"),
    (r"a\Z", 1, "anchor", "leave it out"),
    ("^a", 0, "anchor", r"'\x5e'"),
    ("a|^b", 2, "anchor", "leave it out"),
    ("a$", 1, "anchor", "'[$]'"),
    ("a$|b", 1, "anchor", "leave it out"),
    ("a(b$)", 3, "anchor", "leave it out"),
    ("(?i)a", 0, "flags", "'[aA]'"),
    ("(?=a)", 0, "looking", "machine before or after"),
    ("(?!a)", 0, "looking", "machine before or after"),
    ("(?<=a)b", 0, "looking", "machine before or after"),
    ("(?<!a)b", 0, "looking", "machine before or after"),
    ("(?>a)", 0, "atomic", "'(?:'"),
    ("a(?#b)c", 1, "comments", "leave it out"),
    ("(?<a>b)", 0, "no such group", "'(?:'"),
    ("(?P<1>a)", 0, "is no name", "'(?:'"),
    ("(?P<n>a)(?P<n>b)", 8, "another group", "'(?:'"),
    ("(?P<n", 0, "does not end", "'(?:'"),
    (r"(a)\1", 3, "not regular", "compare"),
    ("(?P<n>a)(?P=n)", 8, "not regular", "compare"),
    ("a*+", 2, "possessive", "leave out the '+'"),
    ("a**", 2, "already", "'(?:a*)*'"),
    ("(ab)+{2}", 5, "already", "'(?:(ab)+){2}'"),
    ("a*?", 2, "lazy", "greedy=False"),
    ("a+?", 2, "lazy", "greedy=False"),
    ("a??", 2, "lazy", "greedy=False"),
    ("a{1,2}?", 6, "lazy", "greedy=False"),
    ("a{,3}", 1, "minimum", "'{0,3}'"),
    ("a{,}", 1, "minimum", "'{0,}'"),
    ("a{01}", 1, "zeros", "'{1}'"),
    ("a{3,1}", 1, "larger", "'{1,3}'"),
    ("a{", 1, "'{'", r"'\{'"),
    ("a{}", 1, "'{'", r"'\{'"),
    ("{b}", 0, "'{'", r"'\{'"),
    ("a}", 1, "'}'", r"'\}'"),
    ("a]", 1, "']'", r"'\]'"),
    ("a)", 1, "')'", r"'\)'"),
    ("(a(b)", 0, "never closed", "')'"),
    ("*a", 0, "nothing to repeat", r"'\*'"),
    ("a|+", 2, "nothing to repeat", r"'\+'"),
    ("({2})", 1, "nothing to repeat", r"'\{2\}'"),
    (r"\x4", 0, "two hexadecimal", r"'\x04'"),
    (r"\xg", 0, "two hexadecimal", r"'\x0a'"),
    ("a\\", 1, "backslash", r"'\\'"),
]

# classes of characters by their names, for which there is no spelling of the same meaning
BY_NAME = [
    (r"\p{L}+", 0, "no property of Unicode, such as '\\p{L}'", "write '[A-Za-z]'"),
    (r"\p{Lu}", 0, "property", "write '[A-Z]'"),
    (r"a\pN", 1, r"'\pN'", "write '[0-9]'"),
    (r"\P{L}", 0, "property", "write '[^A-Za-z]'"),
    (r"\p{^L}", 0, "property", "write '[^A-Za-z]'"),
    (r"[a\p{Nd}]", 2, "property", "write '[0-9]'"),
    (r"\p{Greek}", 0, r"'\p{Greek}'", "name its members in a class"),
    (r"\p", 0, "property", "name its members"),
    ("[[:alpha:]]", 1, "no POSIX class, such as '[:alpha:]'", "write '[A-Za-z]'"),
    ("a[_[:digit:]]", 3, "POSIX", "write '[0-9]'"),
    ("[[:^space:]]", 1, "POSIX", r"write '[^\s]'"),
    ("[[:greek:]]", 1, "POSIX", "name its members in a class"),
]


def fault(pattern: str, shown: str | bytes | None = None) -> PatternError | None:
    """What check finds, None if nothing."""
    try:
        check(pattern, shown)
    except PatternError as exc:
        return exc
    return None


def mended(pattern: str) -> str | None:
    """The pattern with one remedy after the other applied; None where one has no spelling."""
    for _ in range(2 * len(pattern) + 1):
        found = fault(pattern)
        if found is None:
            return pattern
        if found.fixed is None:
            return None
        assert isinstance(found.fixed, str)
        pattern = found.fixed
    raise AssertionError(f"remedies never end: {pattern!r}")


def accepted(pattern: str) -> list[str]:
    """The sentences a machine of this pattern accepts."""
    machine = parse(pattern).to_fsm()
    return [sentence for sentence in SENTENCES if machine.accepts(sentence)]


def meant(pattern: str) -> list[str] | None:
    """The sentences ``re`` accepts, where it takes the pattern at all."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what a set may mean one day
        try:
            compiled = re.compile(pattern, re.ASCII | re.DOTALL)
        except re.error:
            return None
    return [sentence for sentence in SENTENCES if compiled.fullmatch(sentence)]


def refusal(pattern: str) -> Exception | None:
    """What greenery makes of a pattern it cannot read."""
    try:
        parse(pattern)
    except Exception as exc:  # it has no base of its own
        return exc
    return None


@pytest.mark.parametrize(("pattern", "position", "what", "instead"), BAD + BY_NAME)
def test_bad_patterns(pattern: str, position: int, what: str, instead: str) -> None:
    """Each construct that is not of the dialect is told with its exact position and its remedy."""
    found = fault(pattern)
    assert found is not None
    assert (found.pattern, found.position) == (pattern, position)
    assert what in found.what and instead in found.instead
    again = explain(pattern, refusal(pattern) or ValueError())
    assert str(again) == str(found)


@pytest.mark.parametrize("pattern", [pattern for pattern, *_ in BAD])
def test_remedies(pattern: str) -> None:
    """A remedy that is a pattern is read by greenery, and means what re meant by the original."""
    remedy = mended(pattern)
    if remedy is not None:
        assert refusal(remedy) is None
        assert meant(pattern) in (None, accepted(remedy))


def test_remedies_are_many() -> None:
    """Most bad patterns have a remedy that can be taken over as it stands."""
    assert sum(mended(pattern) is not None for pattern, *_ in BAD) > len(BAD) * 2 // 3


@pytest.mark.parametrize("pattern", [pattern for pattern, *_ in BY_NAME])
def test_names_have_no_remedy(pattern: str) -> None:
    """A class by its name is not just replaced by its characters of ASCII: that would change the meaning."""
    found = fault(pattern)
    assert found is not None and found.fixed is None


@pytest.mark.parametrize("pattern", ["a(^b)", "(^a)*", "a^", "(a$)*", "$a"])
def test_anchors_inside_have_no_remedy(pattern: str) -> None:
    """An anchor that is not at an end of a sentence is not just dropped: that would change the meaning."""
    found = fault(pattern)
    assert found is not None and found.fixed is None


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "(ab+)((,[ ]*)(ab+))*",
        r"[\w\-]+",
        r"[\^\]\[\\]",
        r"(?:a|)(?P<n>b){2,}",
        r"\x5e[$]",
        r"[^,]*",
        ".",
        r"\t[\n]",
    ],
)
def test_good_patterns(pattern: str) -> None:
    """What both read alike passes, the empty pattern and the empty alternative too."""
    assert fault(pattern) is None
    assert refusal(pattern) is None


@settings(max_examples=150, deadline=None)
@given(st.text(META, max_size=7))
@example("[][]^")
@example("[^]")
@example("a*?")
@example("(?P<a)>b)")
def test_differential(pattern: str) -> None:
    """What passes means to a machine what it means to re; so does whatever a chain of remedies ends in."""
    remedy = mended(pattern)
    if remedy is not None:
        assert refusal(remedy) is None
        assert meant(pattern) in (None, accepted(remedy))
    if remedy == pattern:
        assert meant(pattern) is not None


def test_all_short_patterns() -> None:
    """Of every pattern up to three symbols, that passes which greenery reads, and only that."""
    for size in range(4):
        for symbols in itertools.product("a1(){}[]*?|-,\\x", repeat=size):
            pattern = "".join(symbols)
            found = fault(pattern)
            if found is None:
                assert refusal(pattern) is None, pattern
            elif refusal(pattern) is None:
                assert "lazy" in found.what or "empty" in found.what, pattern


@settings(max_examples=500, deadline=None)
@given(st.text(META, max_size=12), st.booleans())
def test_explains_whatever_is_refused(pattern: str, octets: bool) -> None:
    """For any pattern that greenery refuses there is an explanation, its position in the pattern or at its end."""
    exc = refusal(pattern)
    if exc is not None:
        shown = pattern.encode("latin-1") if octets else None
        found = explain(pattern, exc, shown)
        assert 0 <= found.position <= len(pattern)
        assert found.what and found.instead and "the parser cannot" not in found.what
        assert found.pattern == (pattern if shown is None else shown)


def test_message() -> None:
    """The message names pattern, position, fault and remedy; the error is a GrammarError and a ValueError."""
    found = fault("[+-]")
    assert isinstance(found, GrammarError) and isinstance(found, ValueError)
    assert str(found) == (
        r"bad regular expression '[+-]' at position 2: a hyphen is no member of a class here; write '[+\-]'"
    )
    assert str(pickle.loads(pickle.dumps(found))) == str(found)


@pytest.mark.parametrize(("before", "after"), [(0, 500), (200, 300), (500, 0)])
def test_long_patterns(before: int, after: int) -> None:
    """Of a long pattern the message shows the part around the position."""
    found = fault("x" * before + "[+-]" + "y" * after)
    assert found is not None and found.position == before + 2
    message = str(found)
    assert "[+-]" in message and len(message) < 250
    assert ("'...'" not in message) and (("...'x" in message) == bool(before)) and (("y'..." in message) == bool(after))


def test_octets() -> None:
    """Of a bytes pattern the original is shown, and the remedy is spelled in octets."""
    shown = b"\xff\x00\n[+-]"
    found = fault(shown.decode("latin-1"), shown)
    assert found is not None
    assert (found.pattern, found.position, found.fixed) == (shown, 5, b"\xff\x00\n[+\\-]")
    assert r"b'\xff\x00\n[+-]' at position 5" in str(found)
    found = fault("[\xff+-]", b"[\xff+-]")
    assert found is not None and found.fixed == b"[\xff+\\-]"
    assert str(found).endswith(r"write b'[\xff+\-]'")


@pytest.mark.parametrize("name", sorted(NAMED))
def test_named_classes(name: str) -> None:
    """What is written in place of a POSIX class, or a property of Unicode, is read, and has its members of ASCII."""
    members = {
        "ascii": lambda char: True,
        "blank": lambda char: char in " \t",
        "cc": lambda char: char < " " or char == "\x7f",
        "cntrl": lambda char: char < " " or char == "\x7f",
        "graph": lambda char: " " < char < "\x7f",
        "print": lambda char: " " <= char < "\x7f",
        "punct": lambda char: " " < char < "\x7f" and not char.isalnum(),
        "word": lambda char: char.isalnum() or char == "_",
        "xdigit": lambda char: char in string.hexdigits,
        "space": lambda char: char in string.whitespace,
        "z": lambda char: char in string.whitespace,
        "zs": lambda char: char == " ",
        **dict.fromkeys(["alpha", "l"], str.isalpha),
        **dict.fromkeys(["digit", "n", "nd"], str.isdigit),
        **dict.fromkeys(["lower", "ll"], str.islower),
        **dict.fromkeys(["upper", "lu"], str.isupper),
        "alnum": str.isalnum,
    }[name]
    written = f"[{NAMED[name]}]"
    check(written)
    machine = parse(written).to_fsm()
    ascii_characters = [chr(code) for code in range(128)]
    assert [each for each in ascii_characters if machine.accepts(each)] == [*filter(members, ascii_characters)]


def test_octets_of_a_character() -> None:
    r"""In a bytes pattern \u names no octet: its octets in UTF-8 are told."""
    found = fault(r"\u20ac", rb"\u20ac")
    assert found is not None and found.fixed is None
    assert r"b'\xe2\x82\xac'" in found.instead


def test_nesting() -> None:
    """Groups nested too deep for the parser are told by their depth, at the deepest."""
    pattern = "(a)" + "(" * 2000 + ")" * 2000
    exc = refusal(pattern)
    assert isinstance(exc, RecursionError)
    found = explain(pattern, exc)
    assert (found.position, "2000 groups" in found.what) == (2002, True)


def test_what_remains() -> None:
    """A refusal that has no known cause keeps the parser's own words, and the position it told."""
    found = explain("abc", ValueError("Could not parse 'abc' beyond index 2"))
    assert found.position == 2 and "beyond index 2" in found.what
    assert explain("abc", ValueError("beyond index 9")).position == 3
    assert "IndexError" in explain("abc", IndexError()).what
