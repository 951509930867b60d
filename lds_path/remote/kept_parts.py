"""Parts of files that were read lately, within a bound: neighbouring rectangles share tiles."""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

KEPT_BYTES = 32 * 2**20
"""Bytes that stay in memory, as they are stored, of all files of a process."""


class KeptParts:
    """The parts that were asked for last; any thread may call."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit, self._size = limit_bytes, 0
        self._parts: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, parts: Iterable[Hashable]) -> dict[Hashable, bytes]:
        """Return those of some parts that are kept."""
        with self._lock:
            found = {part: self._parts[part] for part in parts if part in self._parts}
            for part in found:
                self._parts.move_to_end(part)
            return found

    def keep(self, parts: Mapping[Hashable, bytes]) -> None:
        """Keep parts, and drop those that were asked for longest ago."""
        with self._lock:
            for part, content in parts.items():
                self._size += len(content) - len(self._parts.pop(part, b""))
                self._parts[part] = content
            while self._size > self._limit:
                _, dropped = self._parts.popitem(last=False)
                self._size -= len(dropped)


@cache
def shared_parts() -> KeptParts:
    """Return those of this process: a training has the slides of a cohort open."""
    return KeptParts(KEPT_BYTES)
