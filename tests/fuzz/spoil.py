"""Changes of bytes, of JSON and of tables that no writer makes, drawn from a generator."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

VALUES = (
    None, True, False, 0, 1, -1, 2, 255, 65536, 2**31, 2**63, -(2**63), 1e9, 1e308, 0.5, -0.0,
    float("nan"), float("inf"), "", "a", "{a}", "../x", "\x00", "é" * 9, "9" * 400, [], [0], [[]],
    {}, {"a": 1},
)  # fmt: skip
CELLS = (
    "", "1", "-1", "0", "2.5", "nan", "inf", "slide", "train", "test", "..", '"', "1e999", "a b",
    "=1+1", "{x}", "é", "a" * 300, "\x00", "/", "0x10", "1,5", "\u202e",
)  # fmt: skip


def spoil_bytes(content: bytes, random: Random, start: int = 0, end: int | None = None) -> bytes:
    """Return bytes that are flipped, cut, doubled, blanked or overwritten, within a range."""
    changed = bytearray(content)
    end = len(changed) if end is None else end
    place = random.randrange(start, max(end, start + 1))
    length = min(random.choice((1, 2, 4, 8, 64, 500)), max(end - place, 1))
    how = random.choice(("flip", "flips", "cut", "double", "drop", "blank", "fill", "noise"))
    if how in ("flip", "flips"):
        for _ in range(1 if how == "flip" else random.randrange(2, 12)):
            changed[random.randrange(start, end)] ^= 1 << random.randrange(8)
    elif how == "cut":
        del changed[place:]
    elif how == "double":
        changed[place:place] = changed[place : place + length]
    elif how == "drop":
        del changed[place : place + length]
    else:
        filling = {"blank": b"\0", "fill": b"\xff"}.get(how) or random.randbytes(1)
        whole = filling * length if how != "noise" else random.randbytes(length)
        changed[place : place + length] = whole[: len(changed) - place]
    return bytes(changed)


def spoil_json(content: Any, random: Random) -> Any:
    """Return JSON with one or two values replaced, removed, renamed, doubled or exchanged."""
    changed = copy.deepcopy(content)
    for _ in range(random.choice((1, 1, 2))):
        places = list(_places(changed))
        if not places:
            return changed
        parent, key = random.choice(places)
        how = random.choice(("value", "value", "value", "drop", "rename", "exchange", "number"))
        if how == "drop":
            del parent[key]
        elif how == "rename" and isinstance(parent, dict):
            parent[random.choice((f"{key}_", str(key).upper(), "", "\x00"))] = parent.pop(key)
        elif how == "exchange":
            other, name = random.choice(places)
            if not _holds(other[name], parent):
                parent[key] = copy.deepcopy(other[name])
        elif how == "number" and type(parent[key]) in (int, float):
            parent[key] = random.choice((-1, 0, 2, 0.5, 1000, 1e6, 1 + 1e-6)) * parent[key]
        else:
            parent[key] = copy.deepcopy(random.choice(VALUES))
    return changed


def _places(content: Any) -> list[tuple[Any, Any]]:
    """Return all containers in JSON with each of their keys."""
    if isinstance(content, dict):
        keys: list[Any] = list(content)
    elif isinstance(content, list):
        keys = list(range(len(content)))
    else:
        return []
    return [(content, key) for key in keys] + [
        place for key in keys for place in _places(content[key])
    ]


def _holds(content: Any, part: Any) -> bool:
    return content is part or any(parent[key] is part for parent, key in _places(content))
