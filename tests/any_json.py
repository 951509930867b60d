"""Any JSON, and any place in one to put it, for tests that draw them."""

from __future__ import annotations

import copy

from hypothesis import strategies as st

NUMBERS = st.floats() | st.integers() | st.integers(-9, 9)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def places_of(content):
    """Return the paths to all values of nested dictionaries."""
    inner = {name: value for name, value in content.items() if isinstance(value, dict)}
    return [(name,) for name in content] + [
        (name, *rest) for name, value in inner.items() for rest in places_of(value)
    ]


def put(content, place, value):
    """Return a copy with another value at a place."""
    changed = copy.deepcopy(content)
    parent = changed
    for name in place[:-1]:
        parent = parent[name]
    parent[place[-1]] = value
    return changed
