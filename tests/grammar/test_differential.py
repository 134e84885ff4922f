"""Random grammars, random octets: the stepped and the compiled engine are one; and bugs put in on purpose are found."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.grammar.harness import examine_case
from tests.grammar.planted import BUGS
from tests.strategies import Case, cases
from tests.tools import examples

#: Examples drawn by every run of the tests, the same ones each time; and until a planted bug must be found.
EXAMPLES, PLANTED_EXAMPLES = examples(800), 400

#: Kinds of fields, and kinds that nothing can follow.
FIELDS = (
    *("scalar", "scalar big", "const", "const big", "drop fixed", "drop expression", "octets fixed", "text fixed"),
    *("octets counted", "text counted", "vector counted", "vector of scalars", "vector fixed", "message", "mapped"),
    *("within", "within literal", "memo", "switch", "peek", "nothing", "until", "until text", "const octets"),
)
FILLING = ("octets rest", "text rest", "payload", "rest", "guarded", "offsets")
#: What the two engines treat apart, with the positions where it must have been.
DEMANDED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(FIELDS, ("middle", "last")),
    **dict.fromkeys(FILLING, ("last", "within")),
    "length": ("first", "middle"),
}
FIRST = (
    *("scalar", "scalar big", "const", "const octets", "drop fixed", "octets fixed", "text fixed", "peek", "message"),
    *("nothing", "until", "until text"),
)
DELIMITED = ("until", "until text")
#: Positions inside of other nodes, and what must have been there.
INSIDE: dict[str, tuple[str, ...]] = {
    "vector": ("scalar", "scalar big", "octets fixed", "text fixed", "mapped", "message", "peek", "switch", *DELIMITED),
    "rest": ("scalar", "scalar big", "octets fixed", "text fixed", "message", "peek", *DELIMITED),
    "case": (
        *("scalar", "scalar big", "octets fixed", "text fixed", "message", "peek", "switch", "nothing", "mapped"),
        *DELIMITED,
    ),
    "default": ("scalar", "scalar big", "octets fixed", "message", "until"),
    "within": ("scalar", "octets rest", "rest", "message", "guarded", "offsets", "nothing", *DELIMITED),
    "offsets": ("octets rest", "message", "guarded", "scalar", "until"),
    "guarded": ("scalar", "octets rest", "message", "rest", "offsets", *DELIMITED),
    "mapped": ("scalar", "octets fixed", "message", "switch", "until"),
    "memo": ("scalar", "octets rest", "rest", "message", "until"),
    "peek": ("scalar", "octets fixed", "message", "peek", "nothing", *DELIMITED),
}
ANYWHERE = (
    *("class body", "operator form", "switch with default", "switch without default", "switch with likely"),
    *("switch without likely", "peek with default", "peek without default", "peek at two widths", "peek with likely"),
)
#: Fewer of one of these is no proof of anything.
LEAST = 3

SETTINGS: dict[str, Any] = {
    "derandomize": True,
    "database": None,
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
}


@pytest.fixture(scope="module")
def tally() -> Counter[tuple[str, str]]:
    """Node kinds by position, of all that the harness drew."""
    drawn: Counter[tuple[str, str]] = Counter()
    verdicts = Counter[str]()

    @settings(max_examples=EXAMPLES, **SETTINGS)
    @given(cases(drawn))
    def agree(case: Case) -> None:
        parsed, refused = examine_case(case)
        verdicts.update(parsed=parsed, refused=refused)

    agree()
    assert verdicts["parsed"] > EXAMPLES and verdicts["refused"] > EXAMPLES
    return drawn


def test_both_engines_agree_on_random_grammars(tally: Counter[tuple[str, str]]) -> None:
    """Every grammar drawn gives the same value or refusal, stepped, compiled, produced again and in pieces."""
    assert sum(tally.values()) > EXAMPLES


@pytest.mark.long  # with fewer examples there may be none of a kind
def test_every_kind_of_node_was_drawn_in_every_position(tally: Counter[tuple[str, str]]) -> None:
    """A harness that draws no guard in a table of offsets proves nothing about one."""
    wanted = [(kind, where) for kind, positions in DEMANDED.items() for where in positions]
    wanted += [(kind, "first") for kind in FIRST]
    wanted += [(kind, where) for where, kinds in INSIDE.items() for kind in kinds]
    wanted += [(kind, "any") for kind in ANYWHERE]
    low = {pair: tally[pair] for pair in wanted if tally[pair] < LEAST}
    assert low == {}


@pytest.mark.long  # a test of the harness, which is the same by each interpreter
@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness notices each of these faults of an engine within a bounded number of examples."""
    planted = BUGS[bug](monkeypatch)

    @settings(max_examples=PLANTED_EXAMPLES, phases=[Phase.generate], report_multiple_bugs=False, **SETTINGS)
    @given(cases(Counter()))
    def agree(case: Case) -> None:
        examine_case(case)

    with pytest.raises(Exception) as caught:  # a fault shows as a difference, or as any error at all
        agree()
    assert not isinstance(caught.value, pytest.fail.Exception)
    assert planted(), "the bug was never in the way: it must be planted anew"
