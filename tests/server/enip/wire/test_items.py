"""The bounds of the common packet format."""

from __future__ import annotations

import pytest

from cpppo.errors import LocalProtocolError, RemoteProtocolError
from cpppo.server.enip.wire.items import MAXIMUM_ITEMS, RequestItem, RequestItems
from tests.helpers import REFUSED, compiled, stepped


def items(count: int) -> bytes:
    """A payload with so many null items."""
    return bytes(6) + count.to_bytes(2, "little") + bytes(4 * count)


def test_as_many_items_as_are_allowed_are_parsed_and_produced() -> None:
    record = RequestItems.parse(items(MAXIMUM_ITEMS))
    assert len(record.item) == MAXIMUM_ITEMS
    assert record.produce() == items(MAXIMUM_ITEMS)


def test_one_item_more_is_refused_by_both_engines_and_cannot_be_produced() -> None:
    """The bound is crossed in either direction."""
    assert compiled(RequestItems, items(MAXIMUM_ITEMS + 1)) is REFUSED
    assert stepped(RequestItems, items(MAXIMUM_ITEMS + 1)) is REFUSED
    with pytest.raises(RemoteProtocolError, match=f"{MAXIMUM_ITEMS} are allowed"):
        RequestItems.parse(items(MAXIMUM_ITEMS + 1))
    with pytest.raises(LocalProtocolError, match="at most"):
        RequestItems(0, 0, [RequestItem(0, None)] * (MAXIMUM_ITEMS + 1)).produce()
