"""Hashes of files and folders, by which a replaced file is noticed."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MANIFEST_NAME = "manifest.json"


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def describe_input(path: Path) -> dict[str, str]:
    """Return the path and the hash of a file, or of the manifest of a stage's folder."""
    file = path / MANIFEST_NAME if path.is_dir() else path
    return {"path": str(path), "sha256": sha256(file)}


def describe_outputs(folder: Path, *, threads: int = 1) -> dict[str, Mapping[str, Any]]:
    """Return name -> hash and size of everything that a stage wrote, except its manifest.

    A folder in it, such as a Zarr store, is hashed as the list of its files and their hashes, as
    `sha256sum` prints it, sorted by path. Hidden files beside the manifest, which belong to other
    programs, do not count.

    Parameters
    ----------
    folder
        Folder of the stage.
    threads
        Files to read at a time.
    """
    files = {name: _files_of(folder / name) for name in output_names(folder)}
    paths = [path for group in files.values() for path in group]
    with ThreadPoolExecutor(threads) as pool:
        hashes = dict(zip(paths, pool.map(sha256, paths), strict=True))
    return {name: _describe(folder / name, group, hashes) for name, group in files.items()}


def output_names(folder: Path) -> list[str]:
    """Return the names of the files and folders that a stage wrote, except its manifest."""
    names = sorted(path.name for path in folder.iterdir())
    return [name for name in names if name != MANIFEST_NAME and not name.startswith(".")]


def _files_of(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _describe(path: Path, files: list[Path], hashes: Mapping[Path, str]) -> dict[str, Any]:
    size = sum(file.stat().st_size for file in files)
    if not path.is_dir():
        return {"bytes": size, "sha256": hashes[path]}
    lines = [f"{hashes[file]}  {file.relative_to(path).as_posix()}\n" for file in files]
    digest = hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()
    return {"bytes": size, "files": len(files), "sha256": digest}
