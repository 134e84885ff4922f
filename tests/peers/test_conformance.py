"""docs/conformance.org says what passes; and its comparison with a run notices what does not."""

from __future__ import annotations

import pytest

from tests.peers import conformance
from tests.peers.conformance import BEGIN, DOCUMENT, END, Cell, differences, read_table, text
from tests.peers.conftest import COLLECTED, OPTION, RECORD, RUN

pytestmark = pytest.mark.peers

ALL = dict.fromkeys(conformance.cells(), True)
SAMPLE = f"Before.\n{BEGIN}\n{text(ALL)}\n{END}\nAfter.\n"
BITS = Cell("pylogix", "1756-L83E", "bits")


@pytest.mark.conformance
def test_document_says_what_passed(request: pytest.FixtureRequest) -> None:
    """The table says of what was tested in this run whether it passed; after a whole run it has nothing else."""
    stash, recorded = request.config.stash, request.config.stash[RECORD]
    whole = set(recorded) == set(ALL) and stash[COLLECTED] == stash[RUN]
    if request.config.getoption(OPTION, False):
        assert whole, "it is written after a whole run only: `make conformance`, where node and npm are installed"
        conformance.write(DOCUMENT, recorded)
    document = DOCUMENT.read_text(encoding="utf-8")
    assert read_table(document) <= set(ALL)
    found = differences(document, recorded, whole)
    assert found == [], "\n".join([*found, "`make conformance` writes the table anew"])


def test_table_can_be_read() -> None:
    """What is read from the text of a table is what it was made of."""
    some = set(list(ALL)[::3])
    assert read_table(f"{BEGIN}\n{text(some)}\n{END}") == some
    assert differences(SAMPLE, ALL, whole=True) == []


@pytest.mark.parametrize("whole", [False, True])
def test_changes_are_noticed(whole: bool) -> None:
    """What passes no more, and what passes now, is named."""
    (lost,) = differences(SAMPLE, {**ALL, BITS: False}, whole)
    assert lost == "pylogix, 1756-L83E, bits: fails, but the table says that it passes"
    less = SAMPLE.replace(text(ALL), text(set(ALL) - {BITS}))
    (won,) = differences(less, ALL, whole)
    assert won == "pylogix, 1756-L83E, bits: passes, but the table says that it does not"


def test_what_was_not_tested_is_noticed_after_a_whole_run() -> None:
    """A cell without a test, and text that others wrote, are noticed if all tests were run; else nobody can tell."""
    rest = {cell: passed for cell, passed in ALL.items() if cell != BITS}
    (idle,) = differences(SAMPLE, rest, whole=True)
    assert idle == "pylogix, 1756-L83E, bits: the table has it, but there is no test of it"
    assert differences(SAMPLE, rest, whole=False) == []
    edited = SAMPLE.replace("and why:", "or:")
    assert differences(edited, ALL, whole=True) == ["the text around the table is not what the tests write"]
    assert differences(edited, ALL, whole=False) == []
