"""The folders of stages below a results folder, and the files that their manifests list."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lds_path.errors import StageInputError, UsageError
from lds_path.provenance.cohort import STAGES
from lds_path.provenance.complete_file import MARKER
from lds_path.provenance.fingerprint import folder_of
from lds_path.provenance.manifest import FILE_NAME, read_manifest
from lds_path.provenance.stage_folder import StageResults
from lds_path.provenance.typed_json import from_json
from lds_path.remote.address import is_address, parse_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lds_path.provenance.manifest import Manifest
    from lds_path.remote.address import SlidePath

DEPTHS = {"segment": (2, 1), "train": (0,), "report": (0,)}
"""Stage -> how far its folders may lie below `<results>/<stage>`; 1 for the others."""
FOLDERS = (*STAGES, "demo", "train", "report")
"""Names of the folders in a results folder."""


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


def find_root(folder: Path, stage: str, *, default: Path) -> Path:
    """Return the results folder that holds the folder of a stage; `default` if it lies elsewhere.

    The folders of a run are `<results>/<stage>/<slide>`, for shards one below that, and
    `<results>/<stage>` for train and report.
    """
    depth = find_depth(folder, stage)
    return default if depth is None else _with_parents(folder)[depth + 1]


def find_depth(folder: Path, stage: str) -> int | None:
    """Return how far the folder of a stage lies below `<results>/<stage>`; None if elsewhere."""
    places = _with_parents(folder)
    for depth in DEPTHS.get(stage, (1,)):
        if depth + 1 < len(places) and places[depth].name == stage:
            return depth
    return None


def locate(path: str, folder: Path, root: Path) -> Path | None:
    """Return where a path in a manifest leads to now, None if it does not exist.

    What another stage wrote is looked for in the same results folder: in a copy without it, the
    original does not count. Other relative paths start at the folder in which the stage was run: a
    parent of its own.

    Parameters
    ----------
    path
        As the manifest has it.
    folder
        Of the manifest.
    root
        The results folder.
    """
    parts = Path(path).parts
    below = (root / Path(*parts[at:]) for at, part in enumerate(parts) if part in FOLDERS)
    around = (base / path for base in folder.absolute().parents)
    is_absolute = Path(path).is_absolute()
    try:
        for candidate in below:  # a model's folder may have the name of a stage
            if candidate.exists() and (folder_of(candidate) / FILE_NAME).is_file():
                return candidate
        for candidate in around:
            if candidate.exists() and (is_absolute or _belongs(candidate, path, root)):
                return candidate
    except (OSError, ValueError):  # not a valid file name
        return None
    return None


def locate_slide(path: str, folder: Path, root: Path) -> SlidePath | None:
    """Return where the slide of a manifest is now: an address, or as `locate` finds it.

    Whether there is something at the address is not asked.
    """
    if not path:
        return None
    return parse_address(path) if is_address(path) else locate(path, folder, root)


def _belongs(candidate: Path, path: str, root: Path) -> bool:
    """Return whether no stage wrote a file or folder, or one that belongs to this results folder."""
    written = candidate if candidate.is_dir() else candidate.parent
    try:
        stage = read_manifest(written).stage
    except StageInputError:
        return True
    start = candidate.parents[len(Path(path).parts) - 1]
    place = find_root(written, stage, default=root)
    return _is_within(start, root.parent) and _is_within(place, root)


def _is_within(place: Path, folder: Path) -> bool:
    return place == folder or folder in place.parents


def _with_parents(folder: Path) -> tuple[Path, ...]:
    return folder.absolute(), *folder.absolute().parents


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
