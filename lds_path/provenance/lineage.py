"""The folders of stages below a results folder, and the files that their manifests list."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lds_path.errors import UsageError
from lds_path.provenance.complete_file import MARKER
from lds_path.provenance.manifest import FILE_NAME
from lds_path.provenance.stage_folder import StageResults
from lds_path.provenance.typed_json import from_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lds_path.provenance.manifest import Manifest


@dataclass(frozen=True, kw_only=True)
class ReportResults(StageResults):
    """The outcome of each slide of a cohort, and the manifests that were read."""

    stage = "report"

    slides: Mapping[str, str] = field(default_factory=dict)
    """Slide -> its verdict, or why it has none."""
    manifests: Mapping[str, object] = field(default_factory=dict)
    """Path of each manifest that was read -> sha256, which `verify` compares."""


def find_folders(results: Path) -> list[Path]:
    """Return the folders of all stages below a folder, finished or not, sorted.

    Raises
    ------
    UsageError
        If there is none.
    """
    folders = sorted(_walk(results))
    if not folders:
        raise UsageError(
            f"{results} holds no folder that a stage wrote; name the folder with the results of a"
            " run, such as results"
        )
    return folders


def find_folder_of(path: Path) -> Path:
    """Return the folder of the stage that wrote a file or folder.

    Raises
    ------
    UsageError
        If the path does not exist, or no stage wrote it.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist; name a file below the results of a run")
    for folder in (path, *path.absolute().parents):
        if (folder / FILE_NAME).is_file():
            return folder
    raise UsageError(
        f"{path} lies in no folder with a {FILE_NAME}, so no stage wrote it; name a file below the"
        " results of a run"
    )


def locate(path: str, folder: Path) -> Path | None:
    """Return where a path in a manifest leads to now, None if it does not exist.

    A relative path starts at the folder in which the stage was run: a parent of its own.

    Parameters
    ----------
    path
        As the manifest has it.
    folder
        Of the manifest.
    """
    try:
        candidates = (base / path for base in folder.absolute().parents)
        return next((candidate for candidate in candidates if candidate.exists()), None)
    except ValueError:  # not a valid file name
        return None


def inputs_of(manifest: Manifest) -> dict[str, Mapping[str, Any]]:
    """Return name -> path and hash of a stage's inputs; for the report, also of the manifests."""
    manifests = {
        path: {"path": path, "sha256": digest}
        for path, digest in _reported_manifests(manifest).items()
    }
    return {**manifest.inputs, **manifests}


def _reported_manifests(manifest: Manifest) -> Mapping[str, object]:
    """Return the manifests that a report read, none if they are not listed."""
    try:
        return (
            from_json(ReportResults, manifest.results).manifests
            if manifest.stage == "report"
            else {}
        )
    except ValueError:
        return {}


def _walk(top: Path) -> Iterator[Path]:
    seen = set()  # a link may lead to a folder above it
    for name, folders, files in os.walk(top, followlinks=True):
        real_path = os.path.realpath(name)
        if FILE_NAME in files or MARKER in files:
            yield Path(name)
        if FILE_NAME in files or MARKER in files or real_path in seen:
            folders.clear()
        folders[:] = [folder for folder in folders if not folder.startswith(".")]
        seen.add(real_path)
