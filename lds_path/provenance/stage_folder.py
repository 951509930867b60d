"""The folder of a stage that finished, and the parts of its manifest as typed values.

A part is a frozen dataclass: the results of a stage (`StageResults`), or the parameters of a stage
that others depend on (`StageParameters`). Its fields are the keys in the manifest, in their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypeVar

from lds_path.errors import StageInputError
from lds_path.provenance.fingerprint import count_files, sha256
from lds_path.provenance.manifest import FILE_NAME, name_other_version, read_manifest
from lds_path.provenance.typed_json import from_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lds_path.provenance.manifest import Manifest

Part = TypeVar("Part", bound="ManifestPart")


class ManifestPart:
    """A section of a manifest as a dataclass."""

    stage: ClassVar[str]
    """The stage that writes the manifest."""
    section: ClassVar[Literal["results", "parameters"]]


class StageResults(ManifestPart):
    """Results of a stage, for later stages and the report."""

    section = "results"


class StageParameters(ManifestPart):
    """The parameters of a stage that are needed to read its results."""

    section = "parameters"


@dataclass(frozen=True)
class StageFolder:
    """A folder in which a stage finished."""

    path: Path
    manifest: Manifest

    @property
    def slide(self) -> str:
        """Id of the slide."""
        return self.manifest.slide

    def file(self, name: str) -> Path:
        """Return the path of a small file of the stage, whose bytes are those that it wrote.

        Raises
        ------
        StageInputError
            If it is missing or has changed since.
        """
        path, recorded = self.path / name, self.manifest.outputs.get(name)
        stage = self.manifest.stage
        if not path.is_file():
            raise StageInputError(f"{path} is missing; run {stage} again for this slide")
        if recorded is not None and sha256(path) != recorded["sha256"]:
            raise StageInputError(
                f"{path} is damaged (its sha256 is not that in {FILE_NAME}); run {stage} again for"
                " this slide"
            )
        return path

    def store(self, name: str) -> Path:
        """Return the path of a folder of the stage, such as a Zarr store, that is complete.

        A chunk that is not there is no error for readers of Zarr, so the files are counted. Their
        bytes have checksums of their own.

        Raises
        ------
        StageInputError
            If it holds fewer files than the stage wrote.
        """
        path, stage = self.path / name, self.manifest.stage
        written = int(self.manifest.outputs.get(name, {}).get("files", 0))
        if (found := count_files(path)) < written:
            raise StageInputError(
                f"{path} is damaged ({written - found} of its {written} files are missing); run"
                f" {stage} again for this slide"
            )
        return path

    def read(self, part: type[Part]) -> Part:
        """Return a part of the manifest.

        Raises
        ------
        StageInputError
            If another stage wrote the folder, the slide is quarantined, or the part lacks a key
            or has a value of another type.
        """
        manifest = self.manifest
        if manifest.stage != part.stage:
            raise StageInputError(
                f"{self.path} was written by the stage {manifest.stage}; name the folder of the"
                f" {part.stage} stage of this slide"
            )
        if manifest.quarantined:
            raise StageInputError(
                f"{self.path} holds nothing: its slide is quarantined ({manifest.reason}); leave it"
                " out, or repair the slide"
            )
        try:
            return from_json(part, getattr(manifest, part.section))
        except ValueError as error:
            raise StageInputError(
                f"{self.path / FILE_NAME}, {part.section}: {error}; run {part.stage} again"
                + name_other_version(manifest.versions)
            ) from None


@dataclass(frozen=True)
class StageInputs:
    """The inputs of a stage, by name, as `run_stage` read them."""

    slide: str
    """Id of the slide."""
    paths: Mapping[str, Path]
    """Those that are on a disk."""
    folders: Mapping[str, StageFolder]
    """The paths that are folders of stages."""

    def __getitem__(self, name: str) -> StageFolder:
        """Return the folder of a stage.

        Raises
        ------
        StageInputError
            If no stage finished there.
        """
        return self.folders[name] if name in self.folders else open_folder(self.paths[name])

    def shards(self, stage: str) -> list[StageFolder]:
        """Return the folders that `name_shards` named, in their order."""
        return [self[name] for name in self.paths if name.startswith(f"{stage}_")]


def open_folder(path: Path) -> StageFolder:
    """Return the folder of a stage.

    Raises
    ------
    StageInputError
        If no stage finished there.
    """
    return StageFolder(path, read_manifest(path))


def read_results(path: Path, part: type[Part]) -> Part:
    """Return a part of the manifest in a folder, see `StageFolder.read`."""
    return open_folder(path).read(part)


def name_shards(stage: str, folders: Sequence[Path]) -> dict[str, Path]:
    """Return name -> folder of the shards of a stage, as inputs of `run_stage`."""
    return {f"{stage}_{number}": path for number, path in enumerate(folders, start=1)}
