"""Which inputs of a run were replaced by others under the same names, found by their hashes.

Times of files say nothing where clocks differ or a copy keeps the time of its original. A record
holds what identifies each input cheaply; only an input for which this changed is read and hashed.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lds_path.errors import RemoteError, StageInputError
from lds_path.provenance.fingerprint import InputFiles, describe_input, note_input
from lds_path.provenance.manifest import read_manifest, write_json
from lds_path.remote.address import RemotePath
from lds_path.remote.identity import read_state

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lds_path.remote.address import SlidePath

ASKING_THREADS = 16
"""Slides on servers that are asked for at a time: each answer takes its time, and no work."""


@dataclass(frozen=True)
class WatchedInput:
    """An input of a run: its files, and the stages that read it."""

    path: SlidePath
    files: tuple[SlidePath, ...]
    """A slide and its companions, or the files of a model."""
    read_by: tuple[tuple[Path, str], ...] = ()
    """Folder of a stage, and the name of the input in its manifest, which has the hash of what was
    read. If there is none, the input is hashed when it is first seen."""


def find_replacements(record: Path, inputs: Mapping[str, WatchedInput]) -> dict[str, str]:
    """Return name -> hash by which an input replaced another one; empty for what was there first.

    The inputs of the record are returned, too; the entry of a missing one stays as it is.

    Parameters
    ----------
    record
        JSON file with the known inputs; written if something changed.
    inputs
        Name, such as the path in the sheet -> input.
    """
    known = _read(record)
    current = dict(known)
    with ThreadPoolExecutor(ASKING_THREADS) as pool:
        remote = [name for name, item in inputs.items() if isinstance(item.path, RemotePath)]
        stated = pool.map(_find_statement, [inputs[name].path for name in remote])
        current |= {name: entry for name, entry in zip(remote, stated, strict=True) if entry}
    for name, watched in inputs.items():
        if isinstance(watched.path, RemotePath):
            continue
        noted = note_input(watched.path, watched.files)
        identity = _identity(noted)
        if identity is not None and (name not in known or known[name]["identity"] != identity):
            current[name] = _describe(noted, identity, known.get(name), watched.read_by)
    if current != known:
        write_json(record, current)
    return {name: entry["replacement"] for name, entry in current.items()}


def _find_statement(path: SlidePath) -> dict[str, Any]:
    """Return the entry of a slide on a server, which counts as a replacement; none if it is unknown.

    Snakemake sees no file there, so it is by this that it notices one that comes or changes.
    """
    try:
        state = read_state(path) if isinstance(path, RemotePath) else None
    except RemoteError:  # what is done stays done without a network; what is not fails by itself
        return {}
    if state is None:  # as for a missing file, what is done stays done
        return {}
    return {"identity": state.identity, "sha256": state.sha256, "replacement": state.sha256}


def _identity(noted: InputFiles) -> object:
    """Return what identifies an input cheaply, as JSON; None if a file is missing or no file."""
    if not noted.exists:
        return None
    if len(noted.files) == 1:
        return noted.identities[0]
    return [
        [str(file), *item] for file, item in zip(noted.files, noted.identities, strict=True) if item
    ]


def _describe(
    noted: InputFiles,
    identity: object,
    before: Mapping[str, Any] | None,
    read_by: tuple[tuple[Path, str], ...],
) -> dict[str, Any]:
    """Return the entry of an input that is new or changed."""
    replacement = before["replacement"] if before else ""
    old = (before["sha256"] or _hash_read_by(read_by)) if before else ""
    if read_by and not old:  # no result depends on it yet, or only one that will be made again
        return {"identity": identity, "sha256": "", "replacement": replacement}
    current = describe_input(noted)["sha256"]
    if old and current != old:
        replacement = current
    return {"identity": identity, "sha256": current, "replacement": replacement}


def _hash_read_by(read_by: tuple[tuple[Path, str], ...]) -> str:
    """Return the hash of an input that a stage read; empty where there is none."""
    for folder, name in read_by:
        try:
            described = read_manifest(folder).inputs.get(name, {})
        except StageInputError:
            continue
        if "sha256" in described:
            return str(described["sha256"])
    return ""


def _read(record: Path) -> dict[str, Any]:
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # the first run, or a disk that was full
        return {}
    return content if isinstance(content, dict) else {}
