"""Which files of a sheet were replaced by others under the same names, found by their hashes.

Times of files say nothing where clocks differ or a copy keeps the time of its original. A record
holds what identifies each file cheaply; only a file for which this changed is read and hashed.
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
"""Files up to this size are hashed when first seen; the hash of a slide is in a manifest."""


def find_replacements(record: Path, files: Mapping[str, Path | None]) -> dict[str, str]:
    """Return file -> hash by which it replaced another one; empty for what was there at first.

    The files of the record are returned, too; the entry of a missing file stays as it is.

    Parameters
    ----------
    record
        JSON file with the known files; written if something changed.
    files
        File of the sheet -> folder of the stage whose manifest has the hash of what it read;
        None where there is no such stage.
    """
    known = _read(record)
    current = dict(known)
    for name, folder in files.items():
        identity = _identify(Path(name))
        if identity is not None and (name not in known or known[name]["identity"] != identity):
            current[name] = _describe(Path(name), identity, known.get(name), folder)
    if current != known:
        write_json(record, current)
    return {name: entry["replacement"] for name, entry in current.items()}


def _describe(
    path: Path, identity: list[int], before: Mapping[str, Any] | None, folder: Path | None
) -> dict[str, Any]:
    """Return the entry of a file that is new or changed."""
    replacement = before["replacement"] if before else ""
    old = (before["sha256"] or _hash_read_by(folder)) if before else ""
    if not old and identity[0] > SMALL_BYTES:
        return {"identity": identity, "sha256": "", "replacement": replacement}
    current = sha256(path)
    if old and current != old:
        replacement = current
    return {"identity": identity, "sha256": current, "replacement": replacement}


def _identify(path: Path) -> list[int] | None:
    """Return size, times and inode of a file; they change when it is written or replaced.

    None for what is not a file: a pipe would wait for a writer forever.
    """
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _hash_read_by(folder: Path | None) -> str:
    """Return the hash of the slide that a stage read; empty where there is none."""
    try:
        inputs = read_manifest(folder).inputs if folder else {}
    except StageInputError:
        return ""
    return inputs.get("slide", {}).get("sha256", "")


def _read(record: Path) -> dict[str, Any]:
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # the first run, or a disk that was full
        return {}
    return content if isinstance(content, dict) else {}
