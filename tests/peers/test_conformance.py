"""docs/conformance.org says what passes; and its comparison with a run notices what does not."""

from __future__ import annotations

import pytest

from tests.peers.conformance import CLIENTS, DOCUMENT, TABLES, Cell, Table
from tests.peers.conftest import COLLECTED, OPTION, RECORD, RUN

pytestmark = pytest.mark.peers

ALL = dict.fromkeys(CLIENTS.cells(), True)
BEGIN, END = CLIENTS.begin, CLIENTS.end
SAMPLE = f"Before.\n{BEGIN}\n{CLIENTS.text(ALL)}\n{END}\nAfter.\n"
BITS = Cell("pylogix", "1756-L83E", "bits")


@pytest.mark.conformance
@pytest.mark.parametrize("table", TABLES, ids=["clients", "servers"])
def test_document_says_what_passed(request: pytest.FixtureRequest, table: Table) -> None:
    """A table says of what was tested in this run whether it passed; after a whole run it has nothing else."""
    stash, cells = request.config.stash, set(table.cells())
    recorded = {cell: passed for cell, passed in stash[RECORD].items() if cell in cells}
    tests = {test for test, cell in stash[COLLECTED].items() if cell in cells}
    whole = set(recorded) == cells and tests <= stash[RUN]
    if request.config.getoption(OPTION, False):
        assert whole, "it is written after a whole run only: `make conformance`, where node and npm are installed"
        table.write(DOCUMENT, recorded)
    document = DOCUMENT.read_text(encoding="utf-8")
    assert table.read(document) <= cells
    found = table.differences(document, recorded, whole)
    assert found == [], "\n".join([*found, "`make conformance` writes the table anew"])


def test_every_test_is_of_a_table(request: pytest.FixtureRequest) -> None:
    """No test records what no table has."""
    assert set(request.config.stash[COLLECTED].values()) <= {cell for table in TABLES for cell in table.cells()}


@pytest.mark.parametrize("table", TABLES, ids=["clients", "servers"])
def test_table_can_be_read(table: Table) -> None:
    """What is read from the text of a table is what it was made of, whatever other tables the document has."""
    cells = list(table.cells())
    some = set(cells[::3])
    document = "\n".join(f"{one.begin}\n{one.text(some)}\n{one.end}" for one in TABLES)
    assert table.read(document) == some
    document = table.replaced(document, dict.fromkeys(cells, True))
    assert table.differences(document, dict.fromkeys(cells, True), whole=True) == []
    (other,) = set(TABLES) - {table}
    assert other.read(document) == set()


@pytest.mark.parametrize("whole", [False, True])
def test_changes_are_noticed(whole: bool) -> None:
    """What passes no more, and what passes now, is named."""
    (lost,) = CLIENTS.differences(SAMPLE, {**ALL, BITS: False}, whole)
    assert lost == "pylogix, 1756-L83E, bits: fails, but the table says that it passes"
    less = SAMPLE.replace(CLIENTS.text(ALL), CLIENTS.text(set(ALL) - {BITS}))
    (won,) = CLIENTS.differences(less, ALL, whole)
    assert won == "pylogix, 1756-L83E, bits: passes, but the table says that it does not"


def test_what_was_not_tested_is_noticed_after_a_whole_run() -> None:
    """A cell without a test, and text that others wrote, are noticed if all tests were run; else nobody can tell."""
    rest = {cell: passed for cell, passed in ALL.items() if cell != BITS}
    (idle,) = CLIENTS.differences(SAMPLE, rest, whole=True)
    assert idle == "pylogix, 1756-L83E, bits: the table has it, but there is no test of it"
    assert CLIENTS.differences(SAMPLE, rest, whole=False) == []
    edited = SAMPLE.replace("and why:", "or:")
    assert CLIENTS.differences(edited, ALL, whole=True) == ["the text around the table is not what the tests write"]
    assert CLIENTS.differences(edited, ALL, whole=False) == []
