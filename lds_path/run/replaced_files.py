"""Which files of a sheet were replaced by others under the same names, found by their hashes.

Times of files tell nothing where clocks differ or a copy keeps its original's time. A record
keeps what identifies each file cheaply; only a file for which that changed is read and hashed.
"""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lds_path.errors import StageInputError
from lds_path.provenance.fingerprint import sha256
from lds_path.provenance.manifest import read_manifest, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping

SMALL_BYTES = 2**20
"""Files up to this size are hashed when they are first seen; of slides, their stage notes it."""


def find_replacements(record: Path, files: Mapping[str, Path | None]) -> dict[str, str]:
    """Return file -> hash by which it replaced another one; empty for what was there at first.

    The files of the record are returned, too; one that is not there keeps what is known of it.

    Parameters
    ----------
    record
        JSON file that remembers the files; written where something changed.
    files
        File of the sheet -> folder of the stage whose manifest tells the hash of what it read;
        None where there is no such stage.
    """
    known = _read(record)
    now = dict(known)
    for name, folder in files.items():
        identity = _identify(Path(name))
        if identity is not None and (name not in known or known[name]["identity"] != identity):
            now[name] = _describe(Path(name), identity, known.get(name), folder)
    if now != known:
        write_json(record, now)
    return {name: entry["replacement"] for name, entry in now.items()}


def _describe(
    path: Path, identity: list[int], before: Mapping[str, Any] | None, folder: Path | None
) -> dict[str, Any]:
    """Return what to note of a file that is new or changed."""
    replacement = before["replacement"] if before else ""
    old = (before["sha256"] or _hash_read_by(folder)) if before else ""
    if not old and identity[0] > SMALL_BYTES:
        return {"identity": identity, "sha256": "", "replacement": replacement}
    found = sha256(path)
    if old and found != old:
        replacement = found
    return {"identity": identity, "sha256": found, "replacement": replacement}


def _identify(path: Path) -> list[int] | None:
    """Return size, times and place of a file; a file that is written or moved there has others.

    None for what is no file: a pipe would wait for a writer without end.
    """
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _hash_read_by(folder: Path | None) -> str:
    """Return the hash of the slide that a stage read; empty where none is noted."""
    try:
        inputs = read_manifest(folder).inputs if folder else {}
    except StageInputError:
        return ""
    return inputs.get("slide", {}).get("sha256", "")


def _read(record: Path) -> dict[str, Any]:
    try:
        found = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # the first run, or a disk that was full
        return {}
    return found if isinstance(found, dict) else {}
