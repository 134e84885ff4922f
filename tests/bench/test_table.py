"""The benchmarks' table says what was measured, and goes where it belongs."""

from __future__ import annotations

import pytest

from bench.__main__ import DOCUMENT, main, replaced, table
from bench.measure import Row, best_of, geometric_mean


def test_verdicts() -> None:
    """A goal is met at its very value, missed beyond it, and nothing is said where there is none."""
    rows = [Row("a", "1 µs", "1 µs", 1.0, 1.0), Row("b", "", "", 1.01, 1.0), Row("c", "", "", 9.0, None)]
    assert [row.cells()[-1] for row in rows] == ["met", "missed", ""]
    lines = table(rows).splitlines()
    assert lines[0].startswith("| what |") and set(lines[1]) == {"|", "-", "+"}
    assert len({len(line) for line in lines}) == 1


def test_only_the_figures_are_replaced() -> None:
    """What stands before and after the marks stays, and writing twice is writing once."""
    document = "one\n# figures: begin\nold\n# figures: end\ntwo\n"
    once = replaced(document, "new")
    assert once == "one\n# figures: begin\nnew\n# figures: end\ntwo\n"
    assert replaced(once, "new") == once
    with pytest.raises(ValueError, match="no lines"):
        replaced("one\n", "new")


@pytest.mark.checkout
def test_document_has_a_place() -> None:
    """The document has the marks."""
    assert "new figures" in replaced(DOCUMENT.read_text(encoding="utf-8"), "new figures")


@pytest.mark.parametrize(
    ("argv", "instead"), [(["nonsense"], "one of automata, wire, server"), (["--write", "wire"], "name no")]
)
def test_wrong_usage(argv: list[str], instead: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown suite, or keeping only a part of the table, is refused with what to do instead."""
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2
    assert instead in capsys.readouterr().err


def test_geometric_mean() -> None:
    """Twice as slow and twice as fast are, taken together, the same."""
    assert geometric_mean([2.0, 0.5]) == pytest.approx(1.0)


def test_best_of_takes_turns() -> None:
    """Functions alternate, each with all the arguments, after what is to be done before."""
    calls: list[object] = []
    best_of([lambda one: calls.append(one), lambda one: calls.append(-one)], [1, 2], lambda: calls.append("-"), 2)
    assert calls == ["-", 1, 2, "-", -1, -2] * 2
