"""Plans: which requests, what is learned from refusals, when it is tried again; and cadences."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cpppo.remote.schedule import RETRY_FIRST, RETRY_MOST, Cadence, Plan


def planned(*addresses: int, reach: int = 100) -> Plan:
    plan = Plan(reach)
    plan.want((address, 1) for address in addresses)
    return plan


def poll(plan: Plan, now: float, device: set[int], most: int = 125) -> tuple[set[int], int]:
    """Poll a device that has these addresses and gives `most` at a time: what was read, and the requests it took."""
    todo = plan.requests(now)
    read: set[int] = set()
    count = 0
    while todo:
        request = todo.pop(0)
        count += 1
        covered = set(range(request[0], sum(request)))
        if covered <= device and len(covered) <= most:
            plan.accepted(request)
            read |= covered
        else:
            todo += plan.refuse(request, now)
    return read, count


def test_requests_join_neighbours() -> None:
    """Neighbours within reach are one request; another list of what is wanted counts at once."""
    plan = planned(40001, 40005, 40300)
    assert plan.requests(0) == [(40001, 5), (40300, 1)]
    plan.want([(40001, 1)])
    assert plan.requests(0) == [(40001, 1)]
    assert plan.of([(40001, 1), (40003, 2)]) == [(40001, 4)]


def test_a_gap_that_is_refused() -> None:
    """A device that does not have what is between two addresses is asked for each alone, until the cut is due."""
    plan, device = planned(40001, 40010), {40001, 40010}
    assert poll(plan, 0, device) == ({40001, 40010}, 3)
    assert poll(plan, 1, device) == ({40001, 40010}, 2)
    assert plan.requests(RETRY_FIRST - 0.1) == [(40001, 1), (40010, 1)]
    assert plan.requests(RETRY_FIRST) == [(40001, 10)]


def test_the_widest_gap_is_cut_first() -> None:
    """What is refused is more likely to lie in a wide gap than in a narrow one."""
    plan = planned(40001, 40003, 40040, 40042)
    assert plan.refuse((40001, 42), 0) == [(40001, 3), (40040, 3)]
    assert plan.refuse((40001, 3), 0) == [(40001, 1), (40003, 1)]


def test_without_gaps_it_is_cut_in_the_middle() -> None:
    """Nothing tells where; halves are found out fastest."""
    assert planned(*range(40001, 40009)).refuse((40001, 8), 0) == [(40001, 4), (40005, 4)]


def test_an_address_that_is_refused() -> None:
    """It is told, left out of polls, and tried again alone, each time after twice as long."""
    plan, device = planned(40001, 40002, 40003), {40001, 40003}
    assert poll(plan, 0, device)[0] == device
    assert plan.refused == [(40002, 1)]
    assert poll(plan, 1, device) == ({40001, 40003}, 2)
    assert (40002, 1) in plan.requests(RETRY_FIRST)
    poll(plan, RETRY_FIRST, device)
    assert (40002, 1) not in plan.requests(2 * RETRY_FIRST)
    assert (40002, 1) in plan.requests(3 * RETRY_FIRST)


def test_retries_grow_rare_and_never_end() -> None:
    """However often it is refused, it is tried again within the hour."""
    plan, now = planned(40001), 0.0
    for _ in range(12):
        assert plan.requests(now) == [(40001, 1)]
        plan.refuse((40001, 1), now)
        assert plan.requests(now + 0.1) == []
        now += RETRY_MOST
    plan.refuse((40001, 1), now)
    assert plan.requests(now + RETRY_MOST - 1) == []


def test_what_comes_back_is_joined_again() -> None:
    """A device that has it all after a while is polled by one request again."""
    plan = planned(*range(40001, 40011))
    whole = set(range(40001, 40011))
    poll(plan, 0, whole - {40004, 40005, 40006})
    assert plan.refused == [(40004, 1), (40005, 1), (40006, 1)]
    assert poll(plan, RETRY_FIRST, whole)[0] == whole
    assert plan.refused == []
    assert plan.requests(RETRY_FIRST) == [(40001, 10)]


def test_a_device_that_gives_fewer_at_a_time() -> None:
    """One that takes 50 registers at a time is asked for no more, and loses none."""
    plan = planned(*range(40001, 40126))
    device = set(range(40001, 40126))
    assert poll(plan, 0, device, most=50)[0] == device
    assert poll(plan, 1, device, most=50) == (device, 4)
    assert plan.refused == []


def test_values_that_belong_together_are_not_parted() -> None:
    """A range that is wanted as one is asked for as one, or not at all."""
    plan = Plan()
    plan.want([(40001, 1), (40002, 2)])
    assert plan.refuse((40001, 3), 0) == [(40001, 1), (40002, 2)]
    assert plan.refuse((40002, 2), 0) == []
    assert plan.refused == [(40002, 2)]


def test_a_refusal_of_what_is_not_wanted_any_more() -> None:
    """The plan may have changed while the request was under way."""
    plan = planned(40001)
    assert plan.refuse((40100, 5), 0) == []
    assert plan.requests(0) == [(40001, 1)]


@given(
    st.sets(st.integers(40001, 40150), min_size=1),
    st.sets(st.integers(40001, 40150)),
    st.integers(1, 60),
    st.integers(1, 125),
)
def test_all_that_a_device_has_is_found(wanted: set[int], has: set[int], reach: int, most: int) -> None:
    """One poll with all its cuts finds what is there; soon polls meet no refusal, until it is tried again."""
    plan = planned(*wanted, reach=reach)
    now = 0.0
    for _ in range(4):
        for _ in range(8):  # what was cut may be joined to others next time, which may be refused in its turn
            read, count = poll(plan, now, has, most)
            assert wanted & has <= read <= has
            assert {address for address, _ in plan.refused} == wanted - has
            now += 1
            if count == len(plan.requests(now)):
                break
        else:
            raise AssertionError("refused again and again")
        now += RETRY_MOST


def test_cadence() -> None:
    """Beats come at even times, however long the polls between them take."""
    cadence = Cadence(0.5, 10.0)
    missed = [(cadence.next(now), cadence.due) for now in (10.1, 10.5, 11.0, 12.3, 12.5)]
    assert missed == [(0, 10.5), (0, 11.0), (0, 11.5), (1, 12.5), (0, 13.0)]


def test_a_beat_missed_for_long() -> None:
    """As many beats as do not fit are missed, and no more."""
    cadence = Cadence(1.0, 0.0)
    assert (cadence.next(7.3), cadence.due) == (7, 8.0)
    assert math.isclose(cadence.due, 8)


def test_a_faster_cadence() -> None:
    """A shorter rate counts from now, and brings the next beat forward; the same rate changes nothing."""
    cadence = Cadence(60.0, 60.0)
    cadence.hasten(60.0, 1.0)
    assert cadence.due == 60
    cadence.hasten(0.5, 1.0)
    assert (cadence.due, cadence.rate) == (1.5, 0.5)


def test_a_refusal_before_it_is_due() -> None:
    """Asking too early moves no retry."""
    plan = planned(40001)
    plan.refuse((40001, 1), 0.0)
    for _ in range(10):
        plan.refuse((40001, 1), 1.0)
    assert plan.requests(RETRY_FIRST - 1) == []
    assert plan.requests(RETRY_FIRST) == [(40001, 1)]


def test_what_a_request_reads_is_found_without_looking_at_all_that_is_wanted() -> None:
    """All addresses of a table, of which a device has none, are found out with work by their number, not its square."""
    looks = 0

    class Seen(tuple[int, int]):
        def __getitem__(self, place: Any) -> Any:
            nonlocal looks
            looks += 1
            return super().__getitem__(place)

    plan = Plan()
    plan.want(Seen((address, 1)) for address in range(400001, 404001))
    first = plan.requests(0)
    looks = 0
    for request in first:
        assert len(plan.refuse(request, 0)) == 2
        plan.accepted(request)
    assert 0 < looks < 20 * 4000
