"""The tnetstring server: its machine and its answers in memory, cut up in every way; then by TCP; then as a command."""

from __future__ import annotations

import json
import logging
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cpppo
from cpppo.errors import GrammarError, NonTerminal
from cpppo.logs import NORMAL
from cpppo.server import tnet
from cpppo.server.tnet import MAXIMUM_SIZE, Tnets, data_parser, tnet_machine
from cpppo.server.tnetstrings import MAXIMUM_SIZE_DIGITS, TYPES, MalformedTnetstring, dump
from tests.server.test_echo import chunkings, say, serving
from tests.tools import Server as Process
from tests.tools import run_module

TIMEOUT_S = 10.0
COMMAND = (sys.executable, "-u", "-m", "cpppo.server.tnet")

ANSWERS = [
    (b"5:hello,", b'"hello"\n\n'),
    (b"5:hello$", b'"hello"\n\n'),
    (b"3:123#", b"123\n\n"),
    (b"4:-1.5^", b"-1.5\n\n"),
    (b"4:true!", b"true\n\n"),
    (b"1:f?", b"false\n\n"),
    (b"0:~", b"null\n\n"),
    (b"0:,", b'""\n\n'),
    (b"0:]", b"[]\n\n"),
    (b"0:}", b"{}\n\n"),
    (b"11:1:1#1:a,0:~]", b'[1, "a", null]\n\n'),
    (b"13:3:a.b,4:true!}", b'{"a.b": true}\n\n'),
    (b"5:1:,]\n,", b'"1:,]\\n"\n\n'),
    (b"4:p\xc3\xb4t$", b'"p\\u00f4t"\n\n'),
]


def error(answer: bytes) -> str:
    """The text of an answer that says what is wrong."""
    assert answer.endswith(b"\n\n")
    told = json.loads(answer)
    assert list(told) == ["error"]
    return str(told["error"])


# ------------------------------------------------------------------ the machine
@pytest.mark.parametrize("context", ["tnet", "other", ""])
def test_machine(context: str) -> None:
    """The machine takes one tnetstring and no more; its value is at <context>.type.input."""
    data = cpppo.dotdict()
    source = cpppo.peekable(b"5:hello,3:123#")
    machine = tnet_machine(context=context)
    for _ in machine.run(source=source, data=data):
        pass
    level = data[context] if context else data
    assert level.type.input == b"hello"
    assert (level.size, level.data) == (5, b"hello")
    assert source.sent == 8


def test_machine_below_a_path() -> None:
    """Run below a path, the machine keeps its data there; a name may be given."""
    data = cpppo.dotdict()
    machine = tnet_machine("mine")
    assert "mine" in str(machine) and "tnet" in str(tnet_machine())
    for _ in machine.run(source=b"15:1:a$1:1#1:b,0:}}", path="deep", data=data):
        pass
    assert data["deep.tnet.type.input"] == {"a": 1, b"b": {}}


def test_machine_octet_by_octet() -> None:
    """The machine waits for each octet, and goes on when there is one; only after the last it is satisfied."""
    octets = b"8:1:~,1:$,]"
    source = cpppo.chainable()
    data = cpppo.dotdict()
    run = tnet_machine().run(source=source, data=data)
    for at, octet in enumerate(octets):
        while next(run)[1] is not None:
            pass
        assert source.sent == at and "tnet.type" not in data
        source.chain(bytes((octet,)))
    assert list(run)[-1][1] is not None
    assert data.tnet.type.input == [b"~", b"$"]


def test_machine_refuses() -> None:
    """A payload that is not of its type is a MalformedTnetstring; what is no tnetstring, a NonTerminal."""
    with pytest.raises(MalformedTnetstring, match="integer"):
        list(tnet_machine().run(source=b"2:1x#", data=cpppo.dotdict()))
    with pytest.raises(NonTerminal, match="offset 1"):
        list(tnet_machine().run(source=b"2,", data=cpppo.dotdict()))


def test_machine_without_data() -> None:
    """The machine needs data, for the size to be the limit of the payload, and says so."""
    with pytest.raises(GrammarError, match="data"):
        list(tnet_machine().run(source=b"0:~"))


def test_data_parser() -> None:
    """The machine of the payload takes as many octets as the size beside it says, or the limit given."""
    data = cpppo.dotdict({"tnet.size": 4})
    source = cpppo.peekable(b"\xff\n\0\xc3(")
    list(data_parser().run(source=source, path="tnet", data=data))
    assert data.tnet.data == b"\xff\n\0\xc3" and source.sent == 4
    source = cpppo.peekable(b"abcd")
    list(data_parser(context="text", limit=2).run(source=source, path="tnet", data=data))
    assert data.tnet.text == b"ab" and source.sent == 2


# ------------------------------------------------------------------ answers, in memory
@pytest.mark.parametrize(("octets", "answer"), ANSWERS, ids=[repr(octets) for octets, _ in ANSWERS])
def test_answers(octets: bytes, answer: bytes) -> None:
    """A tnetstring of each type is answered by one JSON text and an empty line, octet by octet and at once."""
    tnets = Tnets()
    assert b"".join(tnets.receive(bytes((octet,))) for octet in octets[:-1]) == b""
    assert tnets.receive(octets[-1:]) == answer
    assert tnets.receive(octets * 3) == answer * 3
    assert not tnets.closed and dict(tnets._data) == {}


@pytest.mark.parametrize(
    ("octets", "answers"),
    [
        (b"2:ab,0:~1:1#", b'"ab"\n\nnull\n\n1\n\n'),
        (b"\n0:]\r\n\n1:a$\n", b'[]\n\n"a"\n\n'),
        (b"4:1:1#]1:", b"[1]\n\n"),
    ],
)
def test_every_chunking(octets: bytes, answers: bytes) -> None:
    """However the octets are cut up, with line ends between tnetstrings or not, the answers are the same."""
    for chunks in chunkings(octets):
        tnets = Tnets()
        assert b"".join(map(tnets.receive, chunks)) == answers
        assert not tnets.closed


def test_every_chunking_of_what_is_none() -> None:
    """However the octets are cut up, what is wrong is found at the same place, and told once."""
    octets = b"1:1#2:ab;1:1#"
    whole = Tnets().receive(octets)
    assert whole.startswith(b"1\n\n") and "offset 8" in error(whole[3:])
    for chunks in chunkings(octets):
        tnets = Tnets()
        assert b"".join(map(tnets.receive, chunks)) == whole
        assert tnets.closed


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=9,
)


@given(st.lists(JSON, max_size=4), st.lists(st.integers(0, 200), max_size=6))
def test_any_values(values: list[Any], cuts: list[int]) -> None:
    """Any values that JSON knows arrive as they were sent, cut up in any way."""
    octets = b"".join(map(dump, values))
    ends = [*sorted(min(cut, len(octets)) for cut in cuts), len(octets)]
    tnets, got, at = Tnets(), b"", 0
    for end in ends:
        got += tnets.receive(octets[at:end])
        at = end
    texts = got.split(b"\n\n")
    assert texts.pop() == b""
    assert [repr(json.loads(text)) for text in texts] == [repr(value) for value in values]


@given(st.binary(max_size=20) | st.lists(st.sampled_from(list(b"0123:~!#^,$]}?\n")), max_size=20).map(bytes))
def test_any_octets(octets: bytes) -> None:
    """Any octets are answered: with JSON, and at the first that is wrong with an error, once, and then with nothing."""
    tnets = Tnets()
    *texts, last = tnets.receive(octets).split(b"\n\n")
    assert last == b""
    told = [json.loads(text) for text in texts]
    assert tnets.closed == (bool(told) and type(told[-1]) is dict and list(told[-1]) == ["error"])
    if tnets.closed:
        assert tnets.receive(b"1:1#") == b""


WRONG = [
    (b"x", "begins with its size, 1 to 9 decimal digits; not so at offset 0"),
    (b":", "begins with its size"),
    (b"-1:a,", "begins with its size"),
    (b"1:1# 1:1#", "begins with its size, 1 to 9 decimal digits; not so at offset 4"),
    (b"5x", "after the size comes a ':'; not so at offset 1"),
    (b"1234567890:", "a size has 9 digits at most; not so at offset 9"),
    (b"0000000001:", "a size has 9 digits at most; not so at offset 9"),
    (b"99999x", "the size 99999 is more than 65536, which is the most here; not so at offset 5"),
    (b"13:0000000001:a,]", "A size of 10 digits, of which 9 are the most"),
    (b"4:true?", "which is t or f; write type '!' for that: b'true'"),
    (b"1:t!", "which is true or false; write type '?' for that: b't'"),
    (b"1\n", "after the size comes a ':'"),
    (b"2:ab;", "after 2 octets comes the type, one of ~!#^,$]}?; not so at offset 4"),
    (b"0:\n", "after 0 octets comes the type"),
    (b"3:12x#", "in a payload of 3 octets: Not an integer"),
    (b"1:x~", "in a payload of 1 octets: Payload must be 0 length for null."),
    (b"4:1:a;]", "offset 3"),
    (b"6:1:a$1:]", "No payload type"),
    (b"3:nan^", "JSON cannot tell"),
    (b"4:-inf^", "JSON cannot tell"),
    (b"1:\xff,", "JSON cannot tell"),
    (b"14:1:a,0:~1:a$0:~}", "the same text"),
]


@pytest.mark.parametrize(("octets", "message"), WRONG, ids=[repr(octets) for octets, _ in WRONG])
def test_wrong(octets: bytes, message: str, caplog: pytest.LogCaptureFixture) -> None:
    """What is wrong is told, and logged with the peer; the connection is closed, and the next one is served."""
    tnets = Tnets("10.0.0.1:2")
    told = error(tnets.receive(octets).rpartition(b"1\n\n")[2])
    assert message in told
    assert tnets.closed and tnets.receive(b"1:1#") == b""
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "10.0.0.1:2" in record.getMessage() and told in record.getMessage()
    assert Tnets().receive(b"1:1#") == b"1\n\n"


def test_sizes_are_bounded() -> None:
    """A payload has MAXIMUM_SIZE octets at most; a larger size is refused at its ':', too many digits before that."""
    tnets = Tnets()
    answer = tnets.receive(b"%d:%b," % (MAXIMUM_SIZE, b"a" * MAXIMUM_SIZE))
    assert len(json.loads(answer)) == MAXIMUM_SIZE
    assert tnets.receive(b"%d" % (MAXIMUM_SIZE + 1)) == b""
    assert f"{MAXIMUM_SIZE + 1} is more than {MAXIMUM_SIZE}" in error(tnets.receive(b":"))
    tnets = Tnets()
    assert tnets.receive(b"0" * MAXIMUM_SIZE_DIGITS) == b""
    assert tnets.receive(b"0") != b"" and tnets.closed


def test_nesting_is_bounded() -> None:
    """Lists in lists without end are refused."""
    octets = b""
    for _ in range(5000):
        octets = b"%d:%b]" % (len(octets), octets)
    assert "deep" in error(Tnets().receive(octets))


# ------------------------------------------------------------------ by TCP, and as a command
def test_over_loopback() -> None:
    """Clients are answered as their tnetstrings arrive; what is none is answered, too, and ends the connection."""
    with serving(tnet.serve) as server:
        with socket.create_connection(server.address) as one, socket.create_connection(server.address) as two:
            assert say(one, [b"5:he", b"llo,3:"], 9) == b'"hello"\n\n'
            assert say(two, [b"0:~"], 6) == b"null\n\n"
            assert "size" in error(say(two, [b"hello"], 1000))
            assert say(one, [b"123#"], 5) == b"123\n\n"
            assert f"tnet_{one.getsockname()[1]}" in [each.thread.name for each in server.connections()]


def test_gone_in_mid_sentence(caplog: pytest.LogCaptureFixture) -> None:
    """A client that is gone in the midst of a tnetstring is logged as such; one that is gone after one is not."""
    caplog.set_level(NORMAL, "tnet.srv")
    with serving(tnet.serve) as server:
        for octets in (b"1:1#\n", b"1:1#5:hel", b"1:1#1"):
            with socket.create_connection(server.address) as sock:
                assert say(sock, [octets], 3) == b"1\n\n"
    assert sorted(record.getMessage().partition(": ")[2].partition(" (")[0] for record in caplog.records) == sorted(
        ["connected"] * 3 + ["gone"] + ["gone in mid-sentence, which is not answered"] * 2
    )
    assert {record.levelno for record in caplog.records} == {NORMAL}


def test_command() -> None:
    """`python -m cpppo.server.tnet` says where it listens and how to try it, which works; Ctrl-C ends it with 0."""
    with Process("--address", "localhost:0", command=COMMAND) as server:
        client = server.wait_for(r'^ *python -c "(.*)"$')[1]
        tried = subprocess.run([sys.executable, "-c", client], capture_output=True, text=True, timeout=TIMEOUT_S)
        assert (tried.stdout, tried.stderr) == ("b'\"hello\"\\n\\n'\n", "")
        assert server.stop() == 0


def test_address_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    """An address that is taken: exit status 2, and a message that names it."""
    with serving(tnet.serve) as server:
        assert tnet.main(["--address", f"127.0.0.1:{server.address[1]}"]) == 2
        assert f"127.0.0.1:{server.address[1]}" in capsys.readouterr().err


def examples() -> Iterator[tuple[bytes, list[Any]]]:
    """What --help shows: tnetstrings, and their values."""
    for line in tnet._DESCRIPTION.splitlines():
        fields = re.split(r" {2,}", line.strip())
        strings = [field for field in fields if re.match(r"\d+:", field)]
        if strings:
            yield "".join(strings).encode(), [json.loads(text) for text in fields[len(strings) + 1 :]]


def test_help() -> None:
    """--help tells the default address, and what it answers, in examples that are true."""
    helped = run_module("cpppo.server.tnet", "--help")
    assert helped.returncode == 0 and helped.stderr == ""
    for words in ("exit status: 0 ", "; 2 wrong usage", f"payload {MAXIMUM_SIZE} octets", *map(chr, TYPES)):
        assert words in helped.stdout
    assert "default localhost:8008" in " ".join(helped.stdout.split()) and tnet._DESCRIPTION in helped.stdout
    shown = list(examples())
    assert len(shown) == 6
    for octets, values in shown:
        texts = Tnets().receive(octets).split(b"\n\n")[:-1]
        assert [json.loads(text) for text in texts] == (values * len(texts) if len(values) == 1 else values)
