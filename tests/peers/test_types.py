"""Other makers' clients and tags of every type: what they write is there, what is there they read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers.conftest import Talk
from tests.peers.plants import BITS, BOOLS, LARGE, NUMBERS

pytestmark = pytest.mark.peers

UNSIGNED = ("USINT", "UINT", "UDINT", "ULINT")


def _both_ways(talk: Talk, kinds: Any) -> None:
    """Each value goes from client to controller and back, and what the controller changes is read."""
    for kind in kinds:
        values = NUMBERS[kind]
        one, some = f"One_{kind}", f"Some_{kind}"
        for value in (*values[:2], type(values[0])(0)):
            talk.peer.write(one, value)
            assert (kind, talk.plant[one].value) == (kind, value)
            assert (kind, talk.peer.read(one)) == (kind, value)
        if len(values) > 1:
            talk.peer.write(some, values)
            assert (kind, talk.plant[some][:]) == (kind, values)
            assert (kind, talk.peer.read(some, len(values))) == (kind, values)
            talk.plant[some][1:3] = values[3:5]
            assert (kind, talk.peer.read(f"{some}[1]", 2)) == (kind, values[3:5])
            talk.peer.write(f"{some}[4]", values[0])
            assert (kind, talk.plant[some][:]) == (kind, [values[0], values[3], values[4], values[3], values[0]])


@pytest.mark.capability("numbers")
def test_numbers(talk: Talk) -> None:
    """BOOL, the signed integers and REAL, to their extremes, alone and in arrays."""
    _both_ways(talk, [kind for kind in NUMBERS if kind not in (*UNSIGNED, "LREAL")])


@pytest.mark.capability("unsigned numbers")
def test_unsigned(talk: Talk) -> None:
    """The unsigned integers, to their extremes, alone and in arrays."""
    _both_ways(talk, UNSIGNED)


@pytest.mark.capability("LREAL")
def test_lreal(talk: Talk) -> None:
    """Numbers of 64 bits with a fraction, alone and in arrays."""
    _both_ways(talk, ["LREAL"])


@pytest.mark.capability("arrays")
def test_arrays(talk: Talk) -> None:
    """Elements of one, two and three dimensions by their indices, and runs of them."""
    for name, size, index, number in (("Row", 6, "4", 4), ("Grid", 6, "1,2", 5), ("Cube", 24, "1,2,3", 23)):
        talk.plant[name][:] = range(size)
        assert talk.peer.read(f"{name}[{index}]") == number
        talk.peer.write(f"{name}[{index}]", -1)
        assert talk.plant[name][:] == [*range(number), -1, *range(number + 1, size)]
    assert talk.peer.read("Row[1]", 3) == [1, 2, 3]
    assert talk.peer.read("Cube[0,1,0]", 8) == list(range(4, 12))
    talk.peer.write("Row[1]", [7, 8, 9])
    assert talk.plant["Row"][:] == [0, 7, 8, 9, -1, 5]


@pytest.mark.capability("BOOL arrays")
def test_bool_arrays(talk: Talk) -> None:
    """A whole array of BOOL, and single bits of it beside others that stay."""
    whole = "Flags" if talk.peer.name == "st-ethernet-ip" else "Flags[0]"
    values = [at % 3 == 0 for at in range(BOOLS)]
    words = [sum(bit << at for at, bit in enumerate(values[word : word + 32])) for word in range(0, BOOLS, 32)]
    talk.peer.write(whole, values)
    assert talk.plant["Flags"][:] == words
    assert talk.peer.read(whole, BOOLS) == values
    for at, value in ((0, False), (31, True), (32, True), (35, True), (95, True), (93, False)):
        talk.peer.write(f"Flags[{at}]", value)
        words[at // 32] = words[at // 32] & ~(1 << at % 32) | value << at % 32
        assert talk.plant["Flags"][:] == words
        assert talk.peer.read(f"Flags[{at}]") is value
    assert talk.peer.read("Flags[94]") is False


@pytest.mark.capability("bits")
def test_bits(talk: Talk) -> None:
    """Single bits of integers, the sign too, beside others that stay."""
    for name, bits in BITS.items():
        talk.plant[name].value = 0
        for at in (0, 3, bits - 1):
            talk.peer.write(f"{name}.{at}", True)
            assert talk.peer.read(f"{name}.{at}") is True
        assert talk.plant[name].value == 1 + 8 - (1 << bits - 1)
        talk.peer.write(f"{name}.3", False)
        assert talk.plant[name].value == 1 - (1 << bits - 1)
        assert (talk.peer.read(f"{name}.3"), talk.peer.read(f"{name}.2")) == (False, False)
    talk.plant["Row"][:] = [0] * 6
    talk.peer.write("Row[2].5", True)
    assert talk.plant["Row"][:] == [0, 0, 32, 0, 0, 0]


@pytest.mark.capability("strings")
def test_strings(talk: Talk) -> None:
    """Text of any length that the type has room for, none too, in a tag and in an element of an array."""
    for value in ("unit 8", "", "x" * 82, "y"):
        talk.peer.write("Name", value)
        assert talk.plant["Name"].value == talk.peer.read("Name") == value
    talk.plant["Names"][:] = ["a", "bb", "", "ccc", "d"]
    talk.peer.write("Names[3]", "three")
    assert talk.plant["Names"][:] == ["a", "bb", "", "three", "d"]
    assert [talk.peer.read(f"Names[{at}]") for at in (1, 2, 3)] == ["bb", "", "three"]


@pytest.mark.capability("string arrays")
def test_string_arrays(talk: Talk) -> None:
    """Several elements of an array of text at once."""
    values = ["a", "bb", "", "dddd", "e" * 82]
    talk.peer.write("Names", values)
    assert talk.plant["Names"][:] == values
    assert talk.peer.read("Names", 5) == values
    assert talk.peer.read("Names[1]", 3) == values[1:4]


@pytest.mark.capability("custom strings")
def test_custom_strings(talk: Talk) -> None:
    """Text of a length that the plant defines, alone and in arrays."""
    for value in ("abc", "", "q" * 20):
        talk.peer.write("Short", value)
        assert talk.plant["Short"].value == talk.peer.read("Short") == value
    talk.peer.write("Shorts", ["a", "", "c" * 20])
    talk.peer.write("Shorts[1]", "middle")
    assert talk.plant["Shorts"][:] == talk.peer.read("Shorts", 3) == ["a", "middle", "c" * 20]


@pytest.mark.capability("large arrays")
def test_large_arrays(talk: Talk) -> None:
    """An array that fills several replies is read whole, and from an element within it."""
    talk.plant["Large"][:] = values = [at * 1001 - 99 for at in range(LARGE)]
    assert talk.peer.read("Large", LARGE) == values
    assert talk.peer.read("Large[7]", LARGE - 7) == values[7:]


@pytest.mark.capability("fragmented writes")
def test_fragmented_writes(talk: Talk) -> None:
    """As much is written in parts, each to its place."""
    values = [at * -1003 + 5 for at in range(LARGE)]
    talk.peer.write("Large", values)
    assert talk.plant["Large"][:] == values
