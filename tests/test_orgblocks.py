"""The reader of the documents' examples finds what an Org text holds, and the runner fails where it should."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cpppo.errors import UsageError
from tests.orgblocks import Block, blocks, normalised, registry_installs
from tests.test_examples import SERVING, Runner, console_programs

TEXT = """\
* Demo
Start it:
#+BEGIN_SRC shell
  make simulator
#+END_SRC
and then
#+begin_src sh
enip_client 'SCADA[1]=99' \\
    'SCADA[0-10]'
# a comment
echo done
#+end_src

#+RESULTS:
: 11-23 06:20:55.123 done
: 20.266 TPS

This is not run, because it needs
the network.

#+name: get
#+begin_src shell
pip install .
#+end_src
Not run, because
#+begin_src python
print(1)
#+end_src
#+begin_example
1
#+end_example
#+begin_src console
$ echo a
a
$ echo b
#+end_src
"""


def test_blocks_are_found() -> None:
    """Line, language (either case), unindented text, excuse and shown output of each block are told."""
    found = blocks(TEXT)
    assert [(b.line, b.language) for b in found] == [
        (3, "shell"),
        (7, "sh"),
        (22, "shell"),
        (26, "python"),
        (32, "console"),
    ]
    assert found[0] == Block(3, "shell", "make simulator")
    assert found[1].output == "11-23 06:20:55.123 done\n20.266 TPS"
    assert [b.excuse for b in found] == [None, None, "it needs the network", "", None]
    assert found[3].output == "1"


def test_commands_are_split() -> None:
    """Continued lines are one command, comments none; shown output belongs to the last, or to its own command."""
    found = blocks(TEXT)
    assert list(found[1].commands()) == [
        (8, "enip_client 'SCADA[1]=99' \\\n    'SCADA[0-10]'", None),
        (11, "echo done", "11-23 06:20:55.123 done\n20.266 TPS"),
    ]
    assert list(found[4].commands()) == [(33, "echo a", "a"), (35, "echo b", None)]


def test_block_without_end_is_refused() -> None:
    """A block that runs to the end of the text is a mistake, told by its line."""
    with pytest.raises(ValueError, match="line 2"):
        blocks("text\n#+begin_src python\nprint(1)\n")


def test_normalised_output() -> None:
    """What differs from run to run is made equal; what does not still tells outputs apart."""
    one = "11-23 06:20:55.123  SCADA[1] == [99] \nClient Average  20.266 TPS (  0.049s ea).\non 127.0.0.1:44818\n"
    two = "01-02 03:04:05.678 SCADA[1] == [99]\nClient Average 7.1 TPS ( 0.141s ea).\non 127.0.0.1:40123"
    assert normalised(one) == normalised(two)
    assert normalised(one) != normalised(one.replace("[99]", "[98]"))


def test_registry_installs_are_found() -> None:
    """Installing by name is found, with extras and versions too; by path it is no offence."""
    for command in ("pip install cpppo", "pip3 install -U 'cpppo[all]'", "=python -m pip install cpppo=="):
        assert len(registry_installs(f"Type {command}\n")) == 1
    assert registry_installs("pip install .\npip install dist/cpppo-1.0-py3-none-any.whl\n") == []


@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        (Block(1, "shell", "false"), "ended with 1"),
        (Block(1, "shell", "echo a | false | cat"), "ended with 1"),
        (Block(1, "shell", "echo a", output="b"), "not the one shown"),
        (Block(1, "python", "raise SystemExit(3)"), "ended with 3"),
        (Block(1, "python", "print(1)", output="2"), "not the one shown"),
        (Block(1, "shell", "pip install ."), "say 'not run, because"),
        (Block(1, "shell", "make check"), "say 'not run, because"),
        (Block(1, "shell", "pip install .", excuse=""), "gives no reason"),
    ],
)
def test_runner_fails(block: Block, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing command, an output that differs and a missing excuse fail the document's test."""
    monkeypatch.setattr(Runner, "server_for", lambda self, port: None)
    with Runner(tmp_path) as runner, pytest.raises(AssertionError, match=complaint):
        runner.run(block)


def test_runner_sends_examples_to_its_servers(tmp_path: Path) -> None:
    """A server and a client of the standard port, whatever host they name, meet on a free one."""
    serving = (
        "import socket; s = socket.create_server(('', 44818)); print('up on 127.0.0.1:%d' % s.getsockname()[1]);"
        "c, _ = s.accept(); c.sendall(b'hello'); c.close(); s.close()"
    )
    asking = "import socket; s = socket.create_connection(('some_controller', 44818)); print(s.recv(9)); s.close()"
    with Runner(tmp_path) as runner:
        runner.serve(1, f'python -c "{serving}"')
        assert runner.servers[44818].port not in (0, 44818)
        runner.run(Block(2, "python", asking, output="b'hello'"))


def test_console_programs_are_declared_ones(tmp_path: Path) -> None:
    """Examples find `python` and the declared console scripts, and find them before the machine's own."""
    names = dict(console_programs())
    assert {"python", "enip_server", "enip_client"} <= set(names)
    with Runner(tmp_path) as runner:
        assert shutil.which("python", path=runner.environment()["PATH"]) == str(tmp_path / "bin" / "python")


def test_session() -> None:
    """A block of a session is run after those before it of that session, whose output is not shown again."""
    text = "\n".join(
        f"#+begin_src python{session}\n{body}\n#+end_src\n"
        for session, body in ((" :session a", "x = 1\nprint(x)"), ("", "y = 2"), (" :session a", "print(x + 1)"))
    )
    first, other, last = blocks(text)
    assert (first.before, other.before, last.before) == ("", "", "x = 1\nprint(x)\n")
    done = subprocess.run([sys.executable, "-c", last.program], capture_output=True, text=True, check=True)
    assert done.stdout == "2\n"


def test_plant_files(tmp_path: Path) -> None:
    """A block of TOML must be a plant file that is right; with a name it is that file for the blocks after it."""
    begin = "#+begin_src toml"
    right, wrong = blocks(
        f"{begin} :tangle a.toml\n  [tags]\n  A = 'INT'\n#+end_src\n{begin}\n[tags]\nA = 5\n#+end_src"
    )
    assert (right.file, wrong.file) == ("a.toml", None)
    with Runner(tmp_path) as runner:
        runner.run(right)
        assert runner.finish(9, ["cat", "a.toml"]) == "[tags]\nA = 'INT'\n"
        with pytest.raises(UsageError, match="^line 5:2: tags.A: "):
            runner.run(wrong)


def test_checks_are_no_servers() -> None:
    """What starts a server is told from what only checks a file, or shows its usage."""
    assert SERVING.match("enip_server --config a.toml") and SERVING.match("python -m cpppo.server.enip SCADA")
    assert not any(map(SERVING.match, ["enip_server --check --config a.toml", "enip_server --help", "enip_client A"]))
