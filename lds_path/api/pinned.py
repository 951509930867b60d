"""Folders of stages as they were when a result was opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lds_path.errors import ChangedInputError, StageInputError
from lds_path.provenance.fingerprint import sha256
from lds_path.provenance.lineage import locate
from lds_path.provenance.manifest import FILE_NAME
from lds_path.provenance.stage_folder import open_folder

if TYPE_CHECKING:
    from pathlib import Path

    from lds_path.provenance.stage_folder import StageFolder


@dataclass(frozen=True)
class PinnedFolder:
    """A stage's folder and the hash of its manifest, which lists the hashes of everything in it."""

    path: Path
    manifest_sha256: str

    def open(self) -> StageFolder:
        """Return the folder.

        Raises
        ------
        ChangedInputError
            If the stage was run again in the meantime.
        """
        folder = open_folder(self.path)
        if sha256(self.path / FILE_NAME) != self.manifest_sha256:
            raise ChangedInputError(
                f"{self.path} has changed since it was opened; call open_result again"
            )
        return folder


def pin(path: Path) -> PinnedFolder:
    """Return the folder of a stage that finished.

    Raises
    ------
    StageInputError
        If no stage finished there.
    """
    folder = open_folder(path)
    return PinnedFolder(folder.path, sha256(path / FILE_NAME))


def pin_inputs(folder: StageFolder, results: Path) -> dict[str, PinnedFolder]:
    """Return name -> folder of the stages that a stage read, in the same results folder.

    Raises
    ------
    StageInputError
        If one is missing, or has been written again since.
    """
    found = {}
    for name, entry in folder.manifest.inputs.items():
        if name == "slide":  # no stage wrote it
            continue
        place = locate(str(entry["path"]), folder.path, results)
        remedy = f"run {folder.manifest.stage} again for this slide"
        if place is None or results not in place.parents:
            raise StageInputError(
                f"{entry['path']} is missing, from which {folder.path} was made; {remedy}"
            )
        found[name] = pin(place)
        if found[name].manifest_sha256 != entry["sha256"]:
            raise StageInputError(
                f"{place} was written again after {folder.path} was made from it; {remedy}"
            )
    return found
