"""Records: plain data with the read protocol of dotdict, frozen where shared, honest about wrong fields."""

from __future__ import annotations

import copy
import threading
from typing import Any

import pytest

from cpppo import LocalProtocolError, dotdict
from cpppo.grammar import Message, Struct, const, copier, drop, field, octets, vector
from cpppo.server.enip.wire.types import UINT, USINT


class Item(Message):
    """An item."""

    type_id = UINT
    size = USINT
    data = octets(size)


class Items(Message):
    """Items, and things a record does not keep."""

    magic = const(0x55, USINT)
    count = USINT
    pad = drop(1)
    item = vector(Item, count)
    last = USINT


RECORD = Items(item=[Item(type_id=1, data=b"a"), Item(type_id=2, data=b"")], last=9)
OCTETS = bytes.fromhex("55 02 00 0100 01 61 0200 00 09")


def test_fields_are_what_the_octets_say_and_no_more() -> None:
    """Lengths, counts, constants and reserved octets are no fields of a record."""
    assert Items.parse(OCTETS) == RECORD
    assert Items._fields_ == ("item", "last")
    assert Item._fields_ == ("type_id", "data")
    assert RECORD.magic == 0x55


def test_dotted_paths_lead_into_a_record() -> None:
    """As into a dotdict: names and indices, or KeyError."""
    assert RECORD["item[1].type_id"] == 2
    assert RECORD["item[0]"] is RECORD.item[0]
    assert RECORD["last"] == 9 and RECORD["magic"] == 0x55
    for missing in ("nothing", "item[2]", "item[0].nothing", "last.more", "item.data", "count"):
        with pytest.raises((KeyError, IndexError)):
            RECORD[missing]
        assert missing not in RECORD
        assert RECORD.get(missing) is None and RECORD.get(missing, 5) == 5
    assert "item[1].data" in RECORD and RECORD.get("item[1].data") == b""


def test_keys_and_items_are_flat_and_in_wire_order() -> None:
    assert list(RECORD.items()) == [
        ("magic", 0x55),
        ("item[0].type_id", 1),
        ("item[0].data", b"a"),
        ("item[1].type_id", 2),
        ("item[1].data", b""),
        ("last", 9),
    ]
    assert list(RECORD.keys()) == [key for key, _ in RECORD.items()]


def test_as_dict_is_plain() -> None:
    assert RECORD.as_dict() == {
        "magic": 0x55,
        "item": [{"type_id": 1, "data": b"a"}, {"type_id": 2, "data": b""}],
        "last": 9,
    }


def test_a_record_hangs_in_a_dotdict() -> None:
    """Paths go through the dotdict into the record."""
    data = dotdict()
    data["enip.CIP"] = RECORD
    assert data["enip.CIP.item[1].type_id"] == 2
    assert data.enip.CIP.item[0].data == b"a"


def test_equality_is_of_the_same_class_and_values() -> None:
    other = Struct("Item", ["type_id" / UINT, "size" / USINT, "data" / octets(field("size"))])
    assert Item(type_id=1, data=b"a") == RECORD.item[0] != RECORD.item[1]
    assert other(type_id=1, data=b"a") != RECORD.item[0]
    assert RECORD.item[0] != (1, b"a")


def test_repr_makes_the_record_again() -> None:
    assert repr(RECORD.item[0]) == "Item(type_id=1, data=b'a')"
    assert eval(repr(RECORD), {"Item": Item, "Items": Items}) == RECORD


def test_a_record_can_be_changed_and_copied() -> None:
    """It belongs to whoever made it; there are no attributes but its fields."""
    record = Item(type_id=1, data=b"a")
    record.type_id = 7
    assert record == Item(type_id=7, data=b"a")
    assert copy.copy(record) == record and copy.deepcopy(RECORD) == RECORD
    with pytest.raises(AttributeError):
        record.nonsense = 1  # type: ignore[attr-defined]


def test_a_copier_copies_the_records_inside() -> None:
    """All records of a shape by the same function; what is not a record, or frozen, is shared."""

    class Outer(Message):
        """A record in a record."""

        number = USINT
        inner = Item
        other = Item

    Frozen = Struct("Frozen", ["number" / USINT], frozen=True)
    outer = Outer(number=5, inner=Item(type_id=1, data=b"a"), other=Frozen(number=1))
    copy_ = copier(outer)
    made = copy_(outer)
    assert made == outer and made.inner == outer.inner
    assert made is not outer and made.inner is not outer.inner and made.other is outer.other
    made.inner.type_id = 7
    assert outer.inner.type_id == 1
    assert copier(made) is copy_ and copier(Outer(number=5, inner=outer.other, other=None)) is not copy_
    assert copier(RECORD)(RECORD).item is RECORD.item


def test_a_record_that_can_be_changed_has_no_hash() -> None:
    with pytest.raises(TypeError):
        hash(RECORD)


def test_defaults_are_as_empty_as_can_be() -> None:
    """What a constructor is not given: no octets, no items, and zero."""
    assert Item() == Item(type_id=0, data=b"")
    assert list(Items().item) == [] and Items().last == 0
    assert Items(item=[], last=1).produce() == Items(last=1).produce()
    assert Item().produce() == b"\0\0\0"


def test_defaults_are_not_shared() -> None:
    """A default list that one record appends to would be the default of the next."""
    assert not isinstance(Items().item, list) or Items().item is not Items().item


def test_positional_arguments_are_in_wire_order() -> None:
    assert Item(1, b"a") == Item(type_id=1, data=b"a")


def fresh(frozen: bool) -> Any:
    return Struct("Fresh", ["x" / USINT, "y" / USINT], frozen=frozen)


@pytest.mark.parametrize("frozen", [False, True])
def test_a_wrong_field_is_a_type_error_every_time(frozen: bool) -> None:
    """The first construction of a class and all later ones refuse alike, as any Python call does."""
    for good_first in (False, True):
        cls = fresh(frozen)
        if good_first:
            cls(1, 2)
        for _ in range(3):
            with pytest.raises(TypeError):
                cls(z=1)
            with pytest.raises(TypeError):
                cls(1, 2, 3)
            with pytest.raises(TypeError):
                cls(1, x=2)
        assert cls(1, y=2).produce() == b"\1\2"


def test_a_frozen_record_is_a_key_and_cannot_be_changed() -> None:
    """Parsed or made; equal ones are one key."""
    cls = fresh(True)
    record = cls.parse(b"\1\2")
    assert {record: 1}[cls(1, 2)] == 1
    for name in ("x", "y", "z"):
        with pytest.raises(LocalProtocolError, match="cannot be changed"):
            setattr(record, name, 5)
    assert record == cls(1, 2)


def test_records_of_a_new_class_made_by_many_threads() -> None:
    """The constructor is made on first use, by whoever comes first."""
    for _ in range(20):
        cls = fresh(True)
        made: list[Any] = []
        barrier = threading.Barrier(8)

        def make(cls: Any = cls, made: list[Any] = made, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            made.append(cls(1, y=2))

        threads = [threading.Thread(target=make) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert made == [cls(1, 2)] * 8
