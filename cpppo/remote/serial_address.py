"""What names a serial line, and why one cannot be opened.

Owns: telling a serial device from a host, and pyserial's reasons as people can use them.  Rule: pure; opens nothing.
Must not know: pyserial, options.
"""

from __future__ import annotations

import errno
import re

from cpppo.errors import UsageError

__all__ = ["serial_address", "serial_trouble"]

#: Kinds of addresses that pyserial opens; those of the first two are host:port.
_NETWORK = ("socket", "rfc2217")
_KINDS = (*_NETWORK, "hwgrep", "spy", "alt", "loop", "cp2110")

#: What to make of the reasons there are most often.
_NO_DEVICE = "it is no serial device"
_REASONS = {
    errno.ENOENT: "No such file or directory; is it plugged in? python -m serial.tools.list_ports names those that are",
    errno.EACCES: "permission denied; the group of the device (ls -l), often dialout, has it",
    errno.EAGAIN: "another program has it open",
    errno.EBUSY: "another program has it open",
    errno.EISDIR: _NO_DEVICE,
    errno.ENOTTY: _NO_DEVICE,
}


def serial_address(text: str, urls: bool = True) -> bool:
    """Whether an address names a serial line: /dev/ttyS0, COM1, or (urls) socket://host:port.

    UsageError: it seems to be meant as one, and is none.
    """
    if re.match(r"/|COM\d", text):
        return True
    url = re.match(r"(\w+)://(.*)", text)
    if url is None:
        if re.match(r"tty\w+$|[^\[:]+/", text):
            name = f"/dev/{text}" if text.startswith("tty") else f"/{text}"
            raise UsageError(f"address {text!r}: a serial device is named by its whole path, eg. {name}")
        return False
    if not urls or url[1] not in _KINDS:
        instead = "; RTU over TCP is socket://host:port" if urls else ""
        raise UsageError(f"address {text!r}: {url[1]}:// is not known here; Modbus/TCP is host:port{instead}")
    if url[1] in _NETWORK and not re.match(r"(\[[^\]]+\]|[^:/\[\]]+):\d+($|[/?])", url[2]):
        raise UsageError(f"address {text!r} is not {url[1]}://host:port; eg. {url[1]}://10.0.111.123:4001")
    return True


def serial_trouble(exc: Exception) -> str:
    """Why a serial line cannot be opened."""
    code = getattr(exc, "errno", None)
    told = re.match(r"Could not configure port: \((\d+),", str(exc))  # pyserial keeps no number there
    if told:
        code = int(told[1])
    return _REASONS.get(code) or str(exc) if code else str(exc)
