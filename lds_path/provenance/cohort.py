"""The results of all stages for each slide of a cohort, finished or not."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lds_path.errors import StageInputError
from lds_path.provenance.fingerprint import sha256
from lds_path.provenance.manifest import FILE_NAME
from lds_path.provenance.stage_folder import StageFolder, open_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lds_path.provenance.manifest import Manifest
    from lds_path.provenance.stage_folder import ManifestPart, Part

Status = Literal["done", "quarantined", "not finished"]

STAGES = ("tile", "screen", "detect", "plan", "segment", "stitch", "export", "assess", "evaluate")
"""Stages of a slide, in order."""
SMALL, SMALL_SIZE = "small", (320, 240)
"""Name and largest size of a slide's picture in a table."""
OPTIONAL = ("screen", "evaluate")
"""Stages that a slide may lack and still be done."""
READ_BY = {
    "tile": ("detect", "segment"), "detect": ("plan",), "plan": ("segment",), "segment": ("stitch",),
    "stitch": ("export", "assess", "evaluate"),
}  # fmt: skip
"""Stage, in order -> those whose results are false once it has run again."""


@dataclass(frozen=True)
class StageRecord:
    """The results of one stage for one slide: one manifest, or one of each shard."""

    stage: str
    folder: Path
    folders: tuple[StageFolder, ...] = ()
    """Folder of each manifest; empty if the stage did not finish."""
    problem: str = ""
    """Why a finished stage counts as not finished: its manifest cannot be used."""

    @property
    def manifests(self) -> list[Manifest]:
        """The manifests of all shards."""
        return [folder.manifest for folder in self.folders]

    @property
    def status(self) -> Status:
        """How the stage ended."""
        if not self.folders:
            return "not finished"
        return "quarantined" if any(manifest.quarantined for manifest in self.manifests) else "done"

    @property
    def seconds(self) -> float:
        """Time of all shards together."""
        return sum(manifest.seconds for manifest in self.manifests)

    @property
    def peak_memory_mib(self) -> float:
        """Largest memory of any shard."""
        return max((manifest.peak_memory_mib for manifest in self.manifests), default=0.0)


@dataclass(frozen=True)
class SlideRecord:
    """The results of all stages for one slide."""

    slide: str
    stages: Mapping[str, StageRecord]
    metrics: Mapping[str, Mapping[str, Any]]
    """Metrics by name: value, unit, definition and source; empty where assess did not finish."""
    batch: str = ""
    own: Mapping[str, str] = field(default_factory=dict)
    """Column of the user's own in the sheet -> cell."""

    def read(self, part: type[Part]) -> Part | None:
        """Return a part of a stage's manifest, of its first shard; None unless it is done."""
        record = self.stages[part.stage]
        return record.folders[0].read(part) if record.status == "done" else None

    @property
    def quarantine(self) -> Manifest | None:
        """The first manifest with the status quarantined."""
        manifests = (item for stage in self.stages.values() for item in stage.manifests)
        return next((item for item in manifests if item.quarantined), None)

    @property
    def status(self) -> Status:
        """Whether the slide is done, quarantined or not finished."""
        if self.quarantine is not None:
            return "quarantined"
        needed = [stage for name, stage in self.stages.items() if name not in OPTIONAL]
        return "done" if all(stage.status == "done" for stage in needed) else "not finished"

    @property
    def reason(self) -> str:
        """Why the slide is not done; empty when it is."""
        if self.quarantine is not None:
            return self.quarantine.reason
        if self.status == "done":
            return ""
        problem = self.stages[self._missing].problem
        return problem or f"{self._missing} is not done yet; if it failed, its log says why"

    @property
    def stopped_by(self) -> str:
        """The stage that quarantined the slide or did not finish; empty when it is done."""
        if self.quarantine is not None:
            return self.quarantine.quarantined_by
        return "" if self.status == "done" else self._missing

    @property
    def _missing(self) -> str:
        """The first stage that the slide needs and that is not done."""
        return next(
            name
            for name, stage in self.stages.items()
            if stage.status != "done" and name not in OPTIONAL
        )

    @property
    def seconds(self) -> float:
        """Time of all stages together."""
        return sum(stage.seconds for stage in self.stages.values())

    @property
    def peak_memory_mib(self) -> float:
        """Largest memory of any stage."""
        return max(stage.peak_memory_mib for stage in self.stages.values())


def read_slide_record(
    results: Path,
    slide: str,
    batch: str = "",
    *,
    own: Mapping[str, str] | None = None,
    parts: Sequence[type[ManifestPart]] = (),
    labelled: bool = True,
) -> SlideRecord:
    """Return the results of all stages for a slide, from `results/<stage>/<slide>`.

    A stage with a missing or unreadable manifest is not finished; that is never an error. Nor is one
    that read what an earlier run of the stage before it wrote.

    Parameters
    ----------
    results
        Folder of all stages.
    slide
        Id of the slide.
    batch
        Of the slide.
    own
        Its cells in columns of the user's own.
    parts
        Parts of manifests that are read later; one that cannot be read is an unreadable manifest.
    labelled
        Whether it has reference labels; scores of a time when it had some do not count.
    """
    stitch = _read_stage("stitch", results / "stitch" / slide, parts)
    chosen = {"segment": _shards_of(stitch)}
    stages = {
        stage: _read_stage(stage, results / stage / slide, parts, chosen.get(stage, ()))
        for stage in STAGES
    } | {"stitch": stitch}
    for source, readers in READ_BY.items():
        for stage in readers:
            stages[stage] = _unless_outdated(stages[stage], stages[source])
    if not labelled:
        stages["evaluate"] = StageRecord("evaluate", results / "evaluate" / slide)
    stages["assess"], metrics = _read_metrics(stages["assess"])
    return SlideRecord(slide, stages, metrics, batch, own or {})


def _read_metrics(assess: StageRecord) -> tuple[StageRecord, Mapping[str, Mapping[str, Any]]]:
    """Return the stage, as not finished if its metrics are damaged, and the metrics."""
    if assess.status != "done":
        return assess, {}
    try:
        content = json.loads(assess.folders[0].file("metrics.json").read_text(encoding="utf-8"))
    except StageInputError as error:
        return StageRecord(assess.stage, assess.folder, problem=str(error)), {}
    except (OSError, ValueError):
        return assess, {}
    return assess, content.get("metrics", {}) if isinstance(content, dict) else {}


def _shards_of(stitch: StageRecord) -> list[str]:
    """Return the folders of segment, by name, that a label image was made from.

    Beside them may lie shards of an earlier run, which had another number of them.
    """
    inputs = [item for manifest in stitch.manifests for item in manifest.inputs.items()]
    return [_name_of(item) for name, item in inputs if name.startswith("segment_")]


def _unless_outdated(record: StageRecord, source: StageRecord) -> StageRecord:
    """Return a stage, as not finished if one that it read has run again since, or is to."""
    read = {
        _name_of(item): item["sha256"]
        for manifest in record.manifests
        for name, item in manifest.inputs.items()
        if name.partition("_")[0] == source.stage
    }
    if not read or (source.folders and not any(_is_other(each, read) for each in source.folders)):
        return record
    problem = f"{record.folder} is of an earlier {source.stage}; run {record.stage} again"
    return StageRecord(record.stage, record.folder, problem=problem)


def _is_other(folder: StageFolder, read: Mapping[str, str]) -> bool:
    """Return whether a folder is not the one of its name that was read."""
    known = read.get(folder.path.name)
    try:
        return known is not None and known != sha256(folder.path / FILE_NAME)
    except FileNotFoundError:  # it is just made again
        return True


def _name_of(described: Mapping[str, Any]) -> str:
    """Return the name of the folder that an input in a manifest was."""
    return Path(str(described.get("path", ""))).name


def _read_stage(
    stage: str, folder: Path, parts: Sequence[type[ManifestPart]], chosen: Sequence[str] = ()
) -> StageRecord:
    """Return a stage; `chosen` are the shards that count, if they are there."""
    shards = [folder]
    if folder.is_dir() and not (folder / FILE_NAME).exists():
        names = sorted(path.name for path in folder.iterdir() if path.is_dir())
        names = [name for name in names if not name.startswith(".")]
        counted = [name for name in names if name in chosen] or names
        shards = [folder / name for name in counted]
    try:
        folders = tuple(open_folder(shard) for shard in shards)
    except StageInputError:
        return StageRecord(stage, folder)
    record = StageRecord(stage, folder, folders)
    try:
        for part in parts if record.status == "done" else ():
            if part.stage == stage:
                for stage_folder in folders:
                    stage_folder.read(part)
    except StageInputError as error:
        return StageRecord(stage, folder, problem=str(error))
    return record
