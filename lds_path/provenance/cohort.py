"""What the stages left of each slide of a cohort, however far each slide came."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lds_path.errors import StageInputError
from lds_path.provenance.manifest import FILE_NAME, read_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lds_path.provenance.manifest import Manifest

Status = Literal["done", "quarantined", "not finished"]

STAGES = ("tile", "detect", "plan", "segment", "stitch", "export", "assess", "evaluate")
"""Stages of a slide, in order."""
SMALL, SMALL_SIZE = "small", (320, 240)
"""Name and largest size of a slide's picture in a table."""
OPTIONAL = ("evaluate",)
"""Stages that a slide may lack and still be done."""


@dataclass(frozen=True)
class StageRecord:
    """What one stage left of one slide: one manifest, or one of each shard."""

    stage: str
    folder: Path
    manifests: tuple[Manifest, ...]
    """Empty when the stage did not finish."""
    folders: tuple[Path, ...] = ()
    """Where each manifest lies."""

    @property
    def status(self) -> Status:
        """How the stage ended."""
        if not self.manifests:
            return "not finished"
        return "quarantined" if any(each.quarantined for each in self.manifests) else "done"

    @property
    def results(self) -> Mapping[str, Any]:
        """Results of the stage, of its first shard; empty unless it is done."""
        return self.manifests[0].results if self.status == "done" else {}

    @property
    def seconds(self) -> float:
        """Time of all shards together."""
        return sum(each.seconds for each in self.manifests)

    @property
    def peak_memory_mib(self) -> float:
        """Largest memory of any shard."""
        return max((each.peak_memory_mib for each in self.manifests), default=0.0)


@dataclass(frozen=True)
class SlideRecord:
    """What all stages left of one slide."""

    slide: str
    stages: Mapping[str, StageRecord]
    quality: Mapping[str, Any]
    """Content of `metrics.json` of assess; empty where there is none."""
    batch: str = ""

    @property
    def quarantine(self) -> Manifest | None:
        """The first manifest that puts the slide aside."""
        manifests = (each for stage in self.stages.values() for each in stage.manifests)
        return next((each for each in manifests if each.quarantined), None)

    @property
    def status(self) -> Status:
        """How far the slide came."""
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
        missing = next(name for name, stage in self.stages.items() if stage.status != "done")
        return f"{missing} is not done yet; if it failed, its log says why"

    @property
    def stopped_by(self) -> str:
        """The stage that put the slide aside or did not finish; empty when it is done."""
        if self.quarantine is not None:
            return self.quarantine.quarantined_by
        return "" if self.status == "done" else self.reason.split(" ", 1)[0]

    @property
    def metrics(self) -> Mapping[str, Mapping[str, Any]]:
        """Metrics by name: value, unit, definition and source."""
        metrics: Mapping[str, Mapping[str, Any]] = self.quality.get("metrics", {})
        return metrics

    @property
    def seconds(self) -> float:
        """Time of all stages together."""
        return sum(stage.seconds for stage in self.stages.values())

    @property
    def peak_memory_mib(self) -> float:
        """Largest memory of any stage."""
        return max(stage.peak_memory_mib for stage in self.stages.values())


def read_slide_record(results: Path, slide: str, batch: str = "") -> SlideRecord:
    """Return what the stages left of a slide below `results/<stage>/<slide>`.

    A missing or unreadable manifest is a stage that did not finish, never an error.
    """
    stages = {stage: _read_stage(stage, results / stage / slide) for stage in STAGES}
    return SlideRecord(slide, stages, _read_quality(stages["assess"]), batch)


def _read_quality(assess: StageRecord) -> Mapping[str, Any]:
    try:
        path = assess.folder / "metrics.json"
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if assess.status == "done" and isinstance(content, dict) else {}


def _read_stage(stage: str, folder: Path) -> StageRecord:
    shards = [folder]
    if folder.is_dir() and not (folder / FILE_NAME).exists():
        shards = sorted(path for path in folder.iterdir() if path.is_dir())
    try:
        manifests = tuple(read_manifest(shard) for shard in shards)
    except StageInputError:
        return StageRecord(stage, folder, ())
    return StageRecord(stage, folder, manifests, tuple(shards))
