"""enip_client against the simulator: every form of tag, address and value that is promised, and the lines it prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from io import StringIO

import pytest

from cpppo.server.enip import Simulator
from cpppo.server.enip.client.cli import main
from cpppo.server.enip.wire.strings import KINDS

TAGS = (
    "Tag=DINT[10]",
    "SCADA=INT[1000]",
    "Level=REAL=12.5",
    "Name=STRING",
    "Names=STRING[3]",
    "Short=SSTRING",
    "Pump=BOOL",
    "Word=DINT",
    "Words=INT[4]",
    "Grid=DINT[2,3]",
    "Placed@0x1FF/01/0x1A=INT[100]",
)

Run = Callable[..., int]


@pytest.fixture
def run(plc_simulator_factory: Callable[..., Simulator]) -> Run:
    """Runs a command line against a simulator."""
    host, port = plc_simulator_factory(*TAGS).address
    return lambda *arguments: main(["-a", f"{host}:{port}", *arguments])


def line(tag: str, index: str, rest: str) -> str:
    """A line in columns: a tag, its first and last index if any, what comes after them."""
    first, _, last = index.partition("-")
    return f"{tag:>20}" + (f"[{first:>5}-{last:<5}]" if index else " " * 13) + f" {rest}"


@pytest.mark.parametrize(
    ("operations", "lines"),
    [
        (["SCADA[1]=99", "SCADA[0-10]"], [
            line("SCADA", "1-1", "<= [99]: 'OK'"),
            line("SCADA", "0-10", "== [0, 99, 0, 0, 0, 0, 0, 0, 0, 0, 0]: 'OK'"),
        ]),
        (["SCADA[0-3]=1,2,3,4", "SCADA", "SCADA[1-3]", "SCADA[0-3]+2", "SCADA[2]"], [
            line("SCADA", "0-3", "<= [1, 2, 3, 4]: 'OK'"),
            line("SCADA", "", "== [1]: 'OK'"),
            line("SCADA", "1-3", "== [2, 3, 4]: 'OK'"),
            line("SCADA", "1-3", "== [2, 3, 4]: 'OK'"),
            line("SCADA", "2-2", "== [3]: 'OK'"),
        ]),
        (["SCADA[0-3]=[0,1,2,3]", "SCADA[0-3]"], [
            line("SCADA", "0-3", "<= [0, 1, 2, 3]: 'OK'"),
            line("SCADA", "0-3", "== [0, 1, 2, 3]: 'OK'"),
        ]),
        (["Tag[0-9]+16=(DINT)4,5,6,7,8,9", "@0x2/1/1", "Tag[3-5]"], [
            line("Tag", "4-9", "<= [4, 5, 6, 7, 8, 9]: 'OK'"),
            line("@0x0002/1/1", "", "== [0]: 'OK'"),
            line("Tag", "3-5", "== [0, 4, 5]: 'OK'"),
        ]),
        (["@0x1FF/01/0x1A", "@511/01/26=1", "@511/01/26[99]=7", "@0x1FF/1/26/98[99]"], [
            line("@0x01FF/1/26", "", "== [0]: 'OK'"),
            line("@0x01FF/1/26", "", "<= [1]: 'OK'"),
            line("@0x01FF/1/26[99]", "99-99", "<= [7]: 'OK'"),
            line("@0x01FF/1/26[99]", "99-99", "== [7]: 'OK'"),
        ]),
        (["@2/1/1[0-2]", "@0b10/0o1/1/1", "@02/01/02[4-5]=8,9", "@2/1/2/5"], [
            line("@0x0002/1/1[0]", "0-2", "== [0, 0, 0]: 'OK'"),
            line("@0x0002/1/1[1]", "1-1", "== [0]: 'OK'"),
            line("@0x0002/1/2[4]", "4-5", "<= [8, 9]: 'OK'"),
            line("@0x0002/1/2[5]", "5-5", "== [9]: 'OK'"),
        ]),
        (["@4/5/{'connection':100}", '@0x04/5/{"connection":100}', '@{"class":4}/5/{"connection":100}'], [
            line('@0x0004/5/{"connection":100}', "", "== None: 'Status 5 '"),
        ] * 3),
        (["NOPE", "NOPE=1", "SCADA[1000]", "SCADA[0]=(DINT)70000", "@0x66/1/1"], [
            line("NOPE", "", "== None: 'Status 4 [0]'"),
            line("NOPE", "", "<= [1]: 'Status 4 [0]'"),
            line("SCADA", "1000-1000", "== None: 'Status 255 [8453]'"),
            line("SCADA", "0-0", "<= [70000]: 'Status 255 [8455]'"),
            line("@0x0066/1/1", "", "== None: 'Status 5 '"),
        ]),
        (["Level", "Level=9.9", "Level", "Level=(REAL)7", "Level"], [
            line("Level", "", "== [12.5]: 'OK'"),
            line("Level", "", "<= [9.899999618530273]: 'OK'"),
            line("Level", "", "== [9.899999618530273]: 'OK'"),
            line("Level", "", "<= [7.0]: 'OK'"),
            line("Level", "", "== [7.0]: 'OK'"),
        ]),
        (["Name='a, b'", "Name", 'Name=(STRING)"it\'s"', "Name", "Names[1-2]='a, b','c=[1]'", "Names[0-2]"], [
            line("Name", "", "<= ['a, b']: 'OK'"),
            line("Name", "", "== ['a, b']: 'OK'"),
            line("Name", "", "<= [\"it's\"]: 'OK'"),
            line("Name", "", "== [\"it's\"]: 'OK'"),
            line("Names", "1-2", "<= ['a, b', 'c=[1]']: 'OK'"),
            line("Names", "0-2", "== ['', 'a, b', 'c=[1]']: 'OK'"),
        ]),
        (["Short=(SSTRING)'x'", "Short", "Pump=(BOOL)true", "Pump"], [
            line("Short", "", "<= ['x']: 'OK'"),
            line("Short", "", "== ['x']: 'OK'"),
            line("Pump", "", "<= [True]: 'OK'"),
            line("Pump", "", "== [True]: 'OK'"),
        ]),
        (["Word.3=1", "Word.3", "Word", "Words[2].4=true", "Words[2].4", "Words[1-2]", "Word.3=0", "Word", "Word.32"], [
            line("Word.3", "", "<= [True]: 'OK'"),
            line("Word.3", "", "== [True]: 'OK'"),
            line("Word", "", "== [8]: 'OK'"),
            line("Words[2].4", "", "<= [True]: 'OK'"),
            line("Words[2].4", "", "== [True]: 'OK'"),
            line("Words", "1-2", "== [0, 16]: 'OK'"),
            line("Word.3", "", "<= [False]: 'OK'"),
            line("Word", "", "== [0]: 'OK'"),
            line("Word.32", "", "== None: 'Status 4 [0]'"),
        ]),
        (["Grid[1,2]=(DINT)5", "Grid[1,2]", "Grid[1,0-2]", "Grid[2,0]"], [
            line("Grid[1]", "2-2", "<= [5]: 'OK'"),
            line("Grid[1]", "2-2", "== [5]: 'OK'"),
            line("Grid[1]", "0-2", "== [0, 0, 5]: 'OK'"),
            line("Grid[2]", "0-0", "== None: 'Status 255 [8453]'"),
        ]),
    ],
    ids=lambda value: value[0].strip() if isinstance(value, list) else "",
)  # fmt: skip
@pytest.mark.parametrize("options", [[], ["-m"], ["-d", "0"], ["-d", "20"]], ids=" ".join)
def test_lines(
    operations: list[str], lines: list[str], options: list[str], run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """What each form of operation prints with -p, done in any way; and 1 if any of them failed, else 0."""
    assert run("-p", *options, *operations) == any("Status" in one for one in lines)
    assert capsys.readouterr().out.splitlines() == lines


def test_plain_services(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the Fragmented services all is the same but their label, and what has an offset needs them anyway."""
    assert run("-n", "SCADA[0-1]=7,8", "SCADA[0-1]+2", "SCADA[0]") == 0
    lines = [text.partition(" ")[2].partition(" ")[2] for text in capsys.readouterr().out.splitlines()]
    assert lines[:3] == [
        line("SCADA", "0-1", "<= [7, 8]: 'OK'"),
        line("SCADA", "1-1", "== [8]: 'OK'"),
        line("SCADA", "0-0", "== [7]: 'OK'"),
    ]
    for options, tag, label in (
        ("-n", "SCADA", "ReadTag "),
        ("-f", "SCADA", "ReadFrg."),
        ("-n", "SCADA=1", "WriteTag"),
        ("-f", "SCADA=1", "WriteFrg."),
    ):
        assert run(options, tag) == 0
        assert f" Client {label} Average " in capsys.readouterr().out


VALUES = {
    "BOOL": ("1,false", [True, False]),
    "SINT": ("-128,127", [-128, 127]),
    "INT": ("-32768,32767", [-32768, 32767]),
    "DINT": ("-2147483648,0x7FFFFFFF", [-(2**31), 2**31 - 1]),
    "LINT": (f"{-(2**63)},{2**63 - 1}", [-(2**63), 2**63 - 1]),
    "USINT": ("0,255", [0, 255]),
    "UINT": ("0,65535", [0, 65535]),
    "UDINT": (f"0,{2**32 - 1}", [0, 2**32 - 1]),
    "ULINT": (f"0,{2**64 - 1}", [0, 2**64 - 1]),
    "REAL": ("1,-2.5e3", [1.0, -2500.0]),
    "LREAL": ("0.1,1e300", [0.1, 1e300]),
    "BYTE": ("0b1,0o377", [1, 255]),
    "WORD": ("1,0xFFFF", [1, 65535]),
    "DWORD": ("1,0xFFFFFFFF", [1, 2**32 - 1]),
    "LWORD": (f"1,{2**64 - 1}", [1, 2**64 - 1]),
    "STRING": ("'','a, b'", ["", "a, b"]),
    "SSTRING": ("'x','(INT)1'", ["x", "(INT)1"]),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("written", [str.upper, str.lower], ids=["upper", "lower"])
def test_casts(
    kind: str,
    written: Callable[[str], str],
    plc_simulator_factory: Callable[..., Simulator],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """There is a cast for every type, in any case of letters: what is written is what is read back."""
    text, values = VALUES[kind]
    if kind == "BOOL":  # an array of BOOL is one of DWORD
        text, values = "1", [True]
    tag = f"T={kind}[2]" if len(values) > 1 else f"T={kind}"
    index = "[0-1]" if len(values) > 1 else ""
    host, port = plc_simulator_factory(tag, strict=True).address
    assert main(["-a", f"{host}:{port}", "--json", f"T{index}=({written(kind)}){text}", f"T{index}"]) == 0
    found = [json.loads(one) for one in capsys.readouterr().out.splitlines()]
    assert [one["value"] for one in found[:2]] == [values, values]


def test_standard_input(run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where - stands, the lines of standard input are put, with comments of any sort left out."""
    monkeypatch.setattr(sys, "stdin", StringIO("# levels\n\nTag[1]=(DINT)5   # a DINT\nName='a # b'\n  Tag[1]\n"))
    assert run("-p", "Tag[0]", "-", "Name") == 0
    assert capsys.readouterr().out.splitlines() == [
        line("Tag", "0-0", "== [0]: 'OK'"),
        line("Tag", "1-1", "<= [5]: 'OK'"),
        line("Name", "", "<= ['a # b']: 'OK'"),
        line("Tag", "1-1", "== [5]: 'OK'"),
        line("Name", "", "== ['a # b']: 'OK'"),
    ]
