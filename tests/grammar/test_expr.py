"""Expressions over earlier fields: in source, as a value, and solved for the field; one meaning."""

from __future__ import annotations

from typing import Any

import pytest

from cpppo.errors import GrammarError
from cpppo.grammar import attr, field
from cpppo.grammar.expr import Expr, as_expr

N = field("n")

#: Expression, its value for n = 0, 1, 2, 7, 255.
VALUES: list[tuple[Any, list[int]]] = [
    (N, [0, 1, 2, 7, 255]),
    (N * 2, [0, 2, 4, 14, 510]),
    (N + 3, [3, 4, 5, 10, 258]),
    (N - 1, [-1, 0, 1, 6, 254]),
    (N % 2, [0, 1, 0, 1, 1]),
    (N // 2, [0, 0, 1, 3, 127]),
    ((N + 1) * 2 - 4, [-2, 0, 2, 12, 508]),
    (N * 3 % 4, [0, 3, 2, 1, 1]),
    (N + N, [0, 2, 4, 14, 510]),
    (as_expr(5), [5, 5, 5, 5, 5]),
]


@pytest.mark.parametrize(("expression", "wanted"), VALUES, ids=[repr(row[0]) for row in VALUES])
def test_source_and_value_mean_the_same(expression: Expr, wanted: list[int]) -> None:
    for number, value in zip((0, 1, 2, 7, 255), wanted, strict=True):
        assert expression.value({"n": number}) == value
        assert eval(expression.code(lambda name: f"scope_{name}"), {"scope_n": number}) == value


@pytest.mark.parametrize(
    ("expression", "solved"),
    [(N, (1, 0)), (N * 2, (2, 0)), (N + 3, (1, 3)), (N - 1, (1, -1)), ((N + 1) * 2 - 4, (2, -2)), (N * 2 * 3, (6, 0))],
    ids=repr,
)
def test_a_linear_expression_is_solved(expression: Expr, solved: tuple[int, int]) -> None:
    """As factor and constant, which give the same value."""
    assert expression.solve() == ("n", *solved)
    assert all(expression.value({"n": n}) == n * solved[0] + solved[1] for n in range(9))


@pytest.mark.parametrize("expression", [N % 2, N // 2, N * 0, N * N, N + N, as_expr(5), attr(N, "x")], ids=repr)
def test_what_cannot_be_solved_says_so(expression: Expr) -> None:
    with pytest.raises(GrammarError, match="cannot be solved"):
        expression.solve()


def test_what_may_be_negative_is_known() -> None:
    """Only by subtraction."""
    assert (N - 1).negative and ((N - 1) * 2).negative and (N * 2 - 1).negative
    assert not (N * 2 + 1).negative and not N.negative and not as_expr(5).negative


def test_an_attribute_is_read_from_the_artifact() -> None:
    """In source and as a value."""
    expression = attr(field("path"), "class_id")

    class Path:
        class_id = 6

    assert expression.value({"path": Path}) == 6
    assert expression.code(lambda name: f"the_{name}") == "the_path.class_id"
    assert repr(expression) == "path.class_id"


@pytest.mark.parametrize("wrong", ["n", 1.5, None, b"1", object], ids=repr)
def test_what_is_no_expression_is_refused(wrong: Any) -> None:
    with pytest.raises(GrammarError, match="neither an integer nor a field"):
        as_expr(wrong)
    with pytest.raises(GrammarError):
        N + wrong
