"""By what a slide on a server is known without reading it: an object, or the metadata of an OME-Zarr.

The chunks of an OME-Zarr may be a hundred thousand objects, and a web server does not list them. So
it is known by the documents that say what it holds: the ETag of each, and when it was written, which
tells a slide that was converted again even where its metadata have the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from lds_path.remote.objects import ObjectState, read_object, read_object_state

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lds_path.remote.address import RemotePath

GROUPS = {"zarr.json": "zarr.json", ".zattrs": ".zarray"}
"""Document of a group -> that of an array in it, in formats 3 and 2."""
MAX_DOCUMENT_BYTES = 2**24
MAX_IMAGES = 1000
ASKING_THREADS = 8
"""Documents that are asked for at a time."""


def read_state(path: RemotePath) -> ObjectState | None:
    """Return what a server says of a slide, None if there is none; no pixel of it is read.

    Raises
    ------
    RemoteError
        If the server cannot be reached or refuses to answer.
    UsageError
        If the packages for it are missing.
    """
    return _read_store_state(path) if path.is_in_store else read_object_state(path)


def find_images(store: RemotePath) -> list[RemotePath]:
    """Return the images in a store that names none: those numbered from 0, as none are listed."""
    numbered = (store / str(number) for number in range(MAX_IMAGES))
    return list(takewhile(lambda folder: _read_group(folder)[1], numbered))


def _read_store_state(path: RemotePath) -> ObjectState | None:
    """Return the state of the documents of a store, its images and their levels, as if of one."""
    root, states = _read_group(path)
    if not states:
        return None
    array = GROUPS[next(iter(states)).name]
    images = {path: root}
    if "multiscales" not in root:
        details, found = _read_group(path / "OME")
        states |= found
        named = [path / name for name in _names(details.get("series"))[:MAX_IMAGES]]
        images = {}
        for folder in named or find_images(path):
            images[folder], found = _read_group(folder)
            states |= found
    levels = [folder / name / array for folder, image in images.items() for name in _levels(image)]
    with ThreadPoolExecutor(ASKING_THREADS) as pool:
        answers = zip(levels, pool.map(read_object_state, levels), strict=True)
        states |= {place: state for place, state in answers if state is not None}
    marks = [(str(place), state.etag, state.modified) for place, state in sorted(states.items())]
    digest = hashlib.sha256(repr(marks).encode()).hexdigest()
    return ObjectState(sum(state.size for state in states.values()), digest, "", len(states))


def _read_group(node: RemotePath) -> tuple[Mapping[str, Any], dict[RemotePath, ObjectState]]:
    """Return what OME-Zarr says of a group, and the state of its document; none if it has none."""
    for name in GROUPS:
        try:
            found = read_object(node / name, MAX_DOCUMENT_BYTES)
            if found is None:
                continue
            content = json.loads(found[0])
            attributes = content.get("attributes", {}) if name == "zarr.json" else content
            own = attributes.get("ome", attributes)
            return (own if isinstance(own, dict) else {}), {node / name: found[1]}
        except (ValueError, AttributeError, RecursionError):  # which its reader tells
            state = read_object_state(node / name)
            return {}, {} if state is None else {node / name: state}
    return {}, {}


def _levels(image: Mapping[str, Any]) -> list[str]:
    """Return the names of the levels of an image."""
    try:
        return _names([level["path"] for level in image["multiscales"][0]["datasets"]])
    except (LookupError, TypeError):  # no image, or a damaged one
        return []


def _names(listed: object) -> list[str]:
    """Return what lies in a folder, by a list of its metadata."""
    names = listed if isinstance(listed, list) else []
    return [name for name in names if isinstance(name, str) and _is_inside(name)]


def _is_inside(name: str) -> bool:
    parts = name.split("/")
    return all(parts) and not {".", ".."} & set(parts)
