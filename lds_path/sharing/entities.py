"""The entities of an RO-Crate: JSON-LD objects with an identifier each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Entity = dict[str, Any]

FORMATS = {
    ".csv": "text/csv",
    ".gz": "application/gzip",
    ".geojson": "application/geo+json",
    ".groovy": "text/x-groovy",
    ".html": "text/html",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".npz": "application/zip",
    ".parquet": "application/vnd.apache.parquet",
    ".png": "image/png",
    ".tif": "image/tiff",
    ".tsv": "text/tab-separated-values",
    ".txt": "text/plain",
}
"""Suffix of an output -> media type."""
RUN_FILES = {
    "config.yaml": ("application/yaml", "the configuration of the run"),
    "slides.tsv": ("text/tab-separated-values", "the slides of the run"),
    "run.log": ("text/plain", "the log of the run"),
}
"""What `lds-path run` writes into the folder, with its kind and what it is."""


class Entities:
    """Entities by identifier, each once, in the order in which they were added."""

    def __init__(self) -> None:
        self._by_id: dict[str, Entity] = {}

    def add(self, entity: Entity) -> str:
        """Add an entity unless it is there, and return its identifier."""
        name: str = entity["@id"]
        self._by_id.setdefault(name, entity)
        return name

    def __contains__(self, name: str) -> bool:
        return name in self._by_id

    def __iter__(self) -> Iterator[Entity]:
        return iter(self._by_id.values())


def refer(name: str) -> dict[str, str]:
    """Return a reference to an entity."""
    return {"@id": name}


def file_entity(
    name: str,
    *,
    kind: str = "",
    description: str = "",
    path: Path | None = None,
    recorded: Mapping[str, Any] | None = None,
) -> Entity:
    """Return a file or folder in the crate.

    Parameters
    ----------
    name
        Its path in the crate.
    kind
        Its media type; by its suffix when empty.
    description
        What it is.
    path
        Where it is, for its size.
    recorded
        What a manifest says of it: bytes, hash and, for a folder, number of files.
    """
    recorded = recorded or {}
    is_folder = "files" in recorded
    size = path.stat().st_size if path else recorded.get("bytes")
    found = {
        "@id": quote(name) + "/" * is_folder,
        "@type": "Dataset" if is_folder else "File",
        "name": name.rpartition("/")[2],
        "description": description,
        "encodingFormat": "" if is_folder else kind or FORMATS.get("." + name.rpartition(".")[2]),
        "contentSize": None if size is None else str(size),
        "sha256": recorded.get("sha256"),
    }
    return {key: value for key, value in found.items() if value}


def property_entity(stage: str, name: str, value: object) -> Entity:
    """Return a parameter of a stage; equal ones have the same identifier."""
    text = value if isinstance(value, str) else json.dumps(value)
    return {
        "@id": f"#{stage}-{name}={quote(text, safe='')}",
        "@type": "PropertyValue",
        "name": f"{stage}: {name}",
        "value": text,
    }
