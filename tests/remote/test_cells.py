"""Tables of which only what is configured exists, their signals, and changes from other threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from cpppo.errors import UsageError
from cpppo.remote.answering import answer
from cpppo.remote.cells import Cells, Device, Refused, SparseBlock
from cpppo.remote.pdu import request_read


def test_only_what_is_defined_is_there() -> None:
    """Addresses between those that are defined are refused, for reads and for writes."""
    cells = Cells({0: 5, 100: 6})
    assert (len(cells), cells.base, 100 in cells, 50 in cells) == (2, 0, True, False)
    assert cells.read(100) == [6]
    for refused in (lambda: cells.read(0, 2), lambda: cells.write(99, [1, 2]), lambda: cells.read(1)):
        with pytest.raises(Refused) as caught:
            refused()
        assert caught.value.code == 2
    assert cells.items() == [(0, 5), (100, 6)]


@pytest.mark.parametrize(
    ("values", "bits", "told"),
    [
        ({65536: 0}, False, "65536 is not 0 to 65535"),
        ({-1: 0}, False, "-1 is not"),
        ({0: 65536}, False, "65536 is not 0 to 65535"),
        ({0: 2}, True, "2 is not 0 or 1"),
    ],
)
def test_what_cannot_be_held(values: dict[int, int], bits: bool, told: str) -> None:
    """Addresses and values that do not fit are refused, and nothing of them is kept."""
    cells = Cells(bits=bits)
    with pytest.raises(UsageError, match=told):
        cells.define({1: 1, **values})
    assert not len(cells)


def test_the_base_is_the_lowest() -> None:
    """Whatever comes first, the base address is the lowest one; of an empty table it is 0."""
    assert Cells({7: 0, 3: 0}).base == 3
    assert Cells().base == 0


def test_validate_takes_time_by_its_number_alone() -> None:
    """Two of 60000 registers are found as fast as two of two (a scan of all would take a thousand times as long)."""

    def fastest(cells: Cells) -> float:
        times = []
        for _ in range(200):
            begun = time.perf_counter()
            assert cells.validate(0, 2) and not cells.validate(1, 2)
            times.append(time.perf_counter() - begun)
        return min(times)

    large = Cells({at: 0 for at in range(60000) if at != 2})
    assert fastest(large) < 20 * fastest(Cells({0: 0, 1: 0}))
    assert not large.validate(0, 0)


def test_signals_are_read_at_the_time() -> None:
    """A signal's value is that of the moment, until something is written there."""
    now = [0.0]
    cells = Cells({0: 1, 1: lambda seconds: int(seconds), 2: 3}, now=lambda: now[0])
    assert cells.read(0, 3) == [1, 0, 3]
    now[0] = 9.7
    assert cells.read(0, 3) == [1, 9, 3]
    assert cells.items() == [(0, 1), (1, 9), (2, 3)]
    cells.write(1, [5])
    now[0] = 20.0
    assert cells.read(1) == [5]


def test_a_device_by_the_addresses_that_people_write() -> None:
    """Registers and ranges are read and set by their addresses; 5 and 6 digits name the same ones."""
    device = Device()
    device.define(40001, [1, 2, 3])
    device.define(1, [1])
    assert device[40001] == 1 and device[400002] == 2 and device[40001:40004] == [1, 2, 3]
    device[40002] = 9
    device[40002:40004] = (8, 7)
    assert device[40001:40004] == [1, 8, 7] and device[1] == 1


def test_a_signal_of_a_device_begins_when_it_is_made() -> None:
    """The seconds that a signal is given are those since the device was made."""
    device = Device()
    device.define(40001, [lambda seconds: int(seconds)])
    assert device[40001] == 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d[40004], "40004 is not there"),
        (lambda d: d[40002:40009], "40004 is not there"),
        (lambda d: d["40001"], "40001"),
        (lambda d: d[40001:40003:2], "write device"),
        (lambda d: d[20001], "20001 is no Modbus address"),
        (lambda d: d.__setitem__(slice(40001, 40003), [1]), "2 elements were named, and 1 values given"),
        (lambda d: d.__setitem__(40001, 70000), "70000 is not"),
        (lambda d: d.define(49999, [1] * 60000), "go beyond 99999"),
    ],
)
def test_what_a_device_has_not(change: object, told: str) -> None:
    """A wrong address or value is told, with what to do."""
    device = Device()
    device.define(40001, [1, 2, 3])
    with pytest.raises(UsageError, match=told):
        change(device)  # type: ignore[operator]


def test_several_values_change_together() -> None:
    """A reader never sees half of a write, whichever thread it is of."""
    cells, over = Cells({at: 0 for at in range(100)}), threading.Event()

    def write() -> None:
        for number in range(2000):
            cells.write(0, [number] * 100)
        over.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not over.is_set():
        assert len(set(cells.read(0, 100))) == 1
    thread.join()


def test_a_block() -> None:
    """A block knows its base, what is there, and its runs of neighbours."""
    block = SparseBlock({10: 1, 11: 2, 3: 0})
    assert block.address == 3 and block.values == {3: 0, 10: 1, 11: 2}
    assert block.runs() == [(3, [0]), (10, [1, 2])]
    block.setValues(10, [5, 6])
    block.setValues(3, 9)
    block.setValues(0, {20: 4})
    assert block.getValues(10, 2) == [5, 6] and block.values[20] == 4
    assert block.validate(10, 2) and not block.validate(10, 3)
    assert SparseBlock([7, 8]).values == {0: 7, 1: 8}


def test_a_block_that_is_not_mutable() -> None:
    """Values of such a block change; what is not there cannot be added."""
    block = SparseBlock({10: 1}, mutable=False)
    block.setValues(10, 2)
    with pytest.raises(Refused, match="not mutable"):
        block.setValues(11, 2)
    assert block.values == {10: 2}


@pytest.mark.parametrize("signal", [lambda now: 70000, lambda now: -1, lambda now: 1.5, lambda now: 1 // 0])
def test_signals_that_fail(signal: Callable[[float], int], caplog: pytest.LogCaptureFixture) -> None:
    """What a register cannot hold, and what is raised, is a failure of the device, and logged; others go on."""
    device = Device()
    device.define(40001, [5, signal])
    assert answer(request_read(3, 1, 1), device) == b"\x83\4"
    assert "the signal at protocol address 1 failed" in caplog.text
    assert answer(request_read(3, 0, 1), device) == b"\3\2\0\5"
