"""What the log of a simulated device says of requests."""

from __future__ import annotations

import pytest

from cpppo.remote.told import changes, exchange_told


@pytest.mark.parametrize(
    ("request_", "reply", "said", "noticed"),
    [
        ("03 0000 0003", "03 06 000000000000", "reads 40001-40003", False),
        ("01 0000 0001", "01 01 00", "reads 1", False),
        ("02 ffff 0001", "02 01 00", "reads 165536", False),
        ("03 0064 0001", "83 02", "reads 40101: exception 2", True),
        ("03 0064 0000", "83 03", "0 holding registers from protocol address 100: exception 3", True),
        ("01 2710 0002", "81 02", "2 coils from protocol address 10000: exception 2", True),
        ("06 0001 0005", "06 0001 0005", "writes 40002", True),
        ("0f 0000 000a 02 0000", "0f 0000 000a", "writes 1-10", True),
        ("10 0000 0002 04 00000000", "", "writes 40001-40002", True),
        ("03 00", "83 03", "function 3, 2 octets: exception 3", True),
        ("11", "11 02 00ff", "function 17, 1 octets", True),
    ],
)
def test_told(request_: str, reply: str, said: str, noticed: bool) -> None:
    """Addresses as people write them, exceptions; reads that are answered are of less interest."""
    asked, answered = bytes.fromhex(request_), bytes.fromhex(reply)
    assert exchange_told(asked, answered).endswith(said)
    assert changes(answered, asked) is noticed
