"""The tag list of a controller kept in a file, so that the next program need not browse.

Owns: the file: JSON, written whole or not at all.  Rule: what cannot be read or is not right is no list, and is
written anew; it never stops anybody from working.  Must not know whether a list is still true: its stamps tell.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import struct
from contextlib import suppress
from typing import Any

from cpppo.errors import Error
from cpppo.server.enip.client.catalog import Catalog, Definition, Facts, Kept, Symbol

__all__ = ["Cache", "load", "save"]

log = logging.getLogger("enip.cli")

#: What a file must say it is.
_FORMAT = "cpppo tag list 1"

#: What a file that is no tag list may lead to: numbers may be infinite, or sizes that none can have.
_NO_LIST = (Error, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError, struct.error)


class Cache:
    """The file of a controller's tag list, or (None) no file; ``kept``: what is in it."""

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._path = path
        self.kept = None if path is None else load(path)

    def lacks(self, kept: Kept | None) -> bool:
        """Whether this ought to be written to the file."""
        return self._path is not None and kept is not None and kept is not self.kept

    def keep(self, kept: Kept | None) -> None:
        """Write this to the file, unless it is there."""
        if self._path is not None and kept is not None and kept is not self.kept:
            self.kept = kept
            save(self._path, kept)


def load(path: str | os.PathLike[str]) -> Kept | None:
    """What a file keeps; None, and a warning if there is a file, if it keeps nothing that can be used."""
    try:
        with open(path, encoding="utf-8") as file:
            return _from_plain(json.load(file))
    except FileNotFoundError:
        return None
    except OSError as exc:
        reason: object = exc.strerror
    except _NO_LIST as exc:
        reason = f"it is no tag list ({exc})"
    log.warning("the tag list in %s is not used, and will be written anew: %s", os.fspath(path), reason)
    return None


def _from_plain(plain: Any) -> Kept:
    if plain["format"] != _FORMAT:
        raise ValueError(f"format {plain['format']!r}")
    symbols = []
    for name, instance, word, sizes, access in plain["symbols"]:
        one, two, three = map(int, sizes)
        symbols.append(Symbol(str(name), int(instance), int(word), (one, two, three), int(access)))
    definitions = {
        int(number): Definition(bytes.fromhex(octets), int(members), int(size), int(handle))
        for number, (octets, members, size, handle) in plain["definitions"].items()
    }
    facts = Facts(symbols, definitions, [str(one) for one in plain["programs"]])
    return Kept(bytes.fromhex(plain["stamps"]), Catalog(facts))


def save(path: str | os.PathLike[str], kept: Kept) -> None:
    """Keep a catalog in a file; a warning if that cannot be."""
    facts = kept.catalog.facts
    plain = {
        "format": _FORMAT,
        "stamps": kept.stamps.hex(),
        "symbols": facts.symbols,
        "programs": facts.programs,
        "definitions": {number: (one.octets.hex(), *one[1:]) for number, one in facts.definitions.items()},
    }
    target = os.path.realpath(path)  # of a link, what it leads to
    made = f"{target}.{os.urandom(8).hex()}"
    try:
        with open(made, "x", encoding="utf-8") as file:  # others may read it, as any file made here
            try:
                json.dump(plain, file, separators=(",", ":"))
                file.close()
                with suppress(FileNotFoundError):
                    shutil.copymode(target, made)
                os.replace(made, target)
            except BaseException:
                os.unlink(made)
                raise
    except OSError as exc:
        log.warning("the tag list cannot be kept in %s: %s", os.fspath(path), exc.strerror)
