"""The slides of a run from which areas may be suggested, and their rows in a sheet."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lds_path.errors import UsageError
from lds_path.formats.results import SegmentResults, StitchResults, TileResults
from lds_path.models.card import find_model, name_model
from lds_path.provenance.cohort import STAGES, read_slide_record
from lds_path.provenance.lineage import locate
from lds_path.remote.address import is_address
from lds_path.run.sheet import ID_PATTERN, read_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lds_path.classes import LabelClass
    from lds_path.provenance.cohort import SlideRecord
    from lds_path.provenance.stage_folder import Part, StageFolder

NEEDED = ("tile", "detect", "plan", "segment", "stitch")
KEPT = ("tune", "test")
"""Splits that score a model: nothing is suggested there."""

Row = dict[str, str]
"""Column of the sheet -> cell."""


@dataclass(frozen=True)
class Candidate:
    """A slide from which areas may be suggested."""

    record: SlideRecord
    row: Row
    taken: tuple[Path, ...] = ()
    """Files of the areas that have labels already."""

    @property
    def patient(self) -> str:
        """Its patient, a name of its own if that is not known."""
        return self.row["patient"] or f"\0{self.record.slide}"

    def folder(self, stage: str) -> StageFolder:
        """Return the folder of a stage, of segment that of the first shard."""
        return self.record.stages[stage].folders[0]

    def read(self, part: type[Part]) -> Part:
        """Return a part of the manifest of its stage.

        Raises
        ------
        StageInputError
            If it cannot be read.
        """
        return self.folder(part.stage).read(part)


@dataclass
class Cohort:
    """The slides of a run."""

    candidates: list[Candidate]
    rows: list[Row]
    """Of the sheet; none if none was given."""
    left_out: dict[str, list[str]] = field(default_factory=dict)
    """Why slides are no candidates -> their ids."""

    @property
    def scored(self) -> list[str]:
        """Slides of the sheet that a training is scored on."""
        return [row["slide"] for row in self.rows if row["split"] == "tune" and row["labels"]]

    @property
    def classes(self) -> tuple[LabelClass, ...]:
        """What the model tells apart."""
        return self.candidates[0].read(StitchResults).classes


def read_cohort(results: Path, sheet: Path | None) -> Cohort:
    """Return the slides of a run.

    Parameters
    ----------
    results
        Folder of all stages.
    sheet
        Sample sheet with the slides, and what is labelled already; all slides of the run when None.

    Raises
    ------
    UsageError
        If there is no slide to suggest from, or slides were segmented by different models.
    """
    known = _find_slides(results)
    if not known:
        raise UsageError(
            f"{results} holds no results of slides; name the folder with the results of a run, such"
            " as results"
        )
    rows = [] if sheet is None else read_rows(sheet)
    cohort = Cohort([], rows)
    scoring = {row["patient"].casefold() for row in rows if row["split"] in KEPT} - {""}
    for slide in (row["slide"] for row in rows) if rows else known:
        row = next((row for row in rows if row["slide"] == slide), None)
        labelled = [
            other for other in rows if row and other["path"] == row["path"] and other["labels"]
        ]
        is_again = row is not None and slide not in known and bool(row["labels"])
        if is_again:  # the row of another round, of a slide that is listed under its own name
            continue
        record = read_slide_record(results, slide, labelled=row is None or bool(row["labels"]))
        if reason := _why_not(record, row, labelled, scoring):
            cohort.left_out.setdefault(reason, []).append(slide)
            continue
        taken = tuple(Path(other["roi"]) for other in labelled)
        cohort.candidates.append(Candidate(record, row or _describe(record, results), taken))
    _check_candidates(results, cohort)
    return cohort


def find_start(candidates: Sequence[Candidate], results: Path) -> str:
    """Return the model that segmented the slides: the id of a shipped one, else its absolute path.

    Raises
    ------
    ModelError
        If it is not there any more.
    """
    shard = candidates[0].folder("segment")
    given = str(
        shard.manifest.inputs.get("model", {}).get("path", shard.read(SegmentResults).model)
    )
    place = locate(given, shard.path, results) or Path(given)
    name = name_model(str(place))
    return name if find_model(name) != Path(name) else str(place.absolute())


def _find_slides(results: Path) -> list[str]:
    found = {path.name for stage in STAGES for path in (results / stage).glob("*") if path.is_dir()}
    return sorted(name for name in found if ID_PATTERN.fullmatch(name))


def _why_not(
    record: SlideRecord, row: Row | None, labelled: Sequence[Row], scoring: set[str]
) -> str:
    """Return why nothing is suggested from a slide; empty if it may be."""
    if record.quarantine is not None:
        return "quarantined"
    if any(record.stages[stage].status != "done" for stage in NEEDED):
        return "not finished"
    if row and (row["split"] in KEPT or row["patient"].casefold() in scoring):
        return "kept to score, as the sheet says of them or their patients"
    return "labelled as a whole" if any(not other["roi"] for other in labelled) else ""


def _describe(record: SlideRecord, results: Path) -> Row:
    """Return the row of a slide as its manifests have it."""
    tile, detect = (record.stages[name].folders[0] for name in ("tile", "detect"))
    tiled = tile.read(TileResults)
    detected = detect.manifest.parameters
    threshold = detected.get("tissue_threshold")

    def file(inputs: Mapping[str, Mapping[str, object]], name: str, folder: Path) -> str:
        path = str(inputs[name]["path"]) if name in inputs else ""
        if is_address(path):
            return path
        return str((locate(path, folder, results) or Path(path)).absolute()) if path else ""

    return {
        "slide": record.slide,
        "path": file(tile.manifest.inputs, "slide", tile.path),
        "scene": tiled.scene,
        "mpp": f"{tiled.slide_mpp:.6g}" if tiled.mpp_source == "sheet" else "",
        "tissue": file(detect.manifest.inputs, "tissue", detect.path),
        "tissue_threshold": "" if threshold is None else str(threshold),
        "patient": "",
        "stain": str(detected.get("stain", "")),
    }


def _check_candidates(results: Path, cohort: Cohort) -> None:
    """Check that there are candidates, and that one model segmented them all."""
    if not cohort.candidates:
        listed = "; ".join(
            f"{reason}: {', '.join(slides[:5])}{', ...' if len(slides) > 5 else ''}"
            for reason, slides in cohort.left_out.items()
        )
        raise UsageError(
            f"{results} has no slide to suggest areas from ({listed}); run the workflow to its end, or"
            " name slides without labels in the sheet"
        )
    first, *others = cohort.candidates
    model = first.read(SegmentResults).model
    for candidate in others:
        other = candidate.read(SegmentResults).model
        if other != model:
            raise UsageError(
                f"{first.record.slide} was segmented by '{model}' and {candidate.record.slide} by"
                f" '{other}', whose doubts cannot be compared; run all slides with one model"
            )
