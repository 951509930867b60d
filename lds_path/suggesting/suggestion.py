"""suggest: the areas of a cohort from which a model would learn most, ready to be corrected in QuPath."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from lds_path.errors import UsageError
from lds_path.formats.regions import REGIONS_NAME, read_regions
from lds_path.formats.results import StitchResults, TileResults
from lds_path.geometry import Size
from lds_path.objects.drawn_objects import read_objects
from lds_path.options.suggesting import SuggestOptions
from lds_path.provenance.complete_file import MARKER, complete_folder
from lds_path.reference.drawing import rasterise
from lds_path.suggesting.choice import choose
from lds_path.suggesting.cohort import find_start, read_cohort
from lds_path.suggesting.next_training import (
    name_areas,
    name_rows,
    write_configuration,
    write_sheet,
)
from lds_path.suggesting.slide_files import write_areas, write_objects, write_table
from lds_path.suggesting.slide_maps import read_maps
from lds_path.suggesting.squares import find_squares, whole_side
from lds_path.suggesting.words import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.geometry import Rectangle
    from lds_path.options.suggesting import By
    from lds_path.suggesting.choice import Chosen
    from lds_path.suggesting.cohort import Candidate, Cohort
    from lds_path.suggesting.squares import Squares

REGION_FRACTION = 0.5
"""Side of an area, unless it is given, as a fraction of that of a region."""


@dataclass(frozen=True)
class Area:
    """A part of a slide that is suggested."""

    candidate: Candidate
    name: str
    """Id of the slide in the sheet for the next training."""
    rectangle: Rectangle
    """Label pixels."""
    tissue: float
    """Analysed fraction of it."""
    parts: Mapping[str, float]
    """Part of the score -> its value, see `Squares.parts`; only where known."""
    chosen: Chosen

    @property
    def side_um(self) -> tuple[float, float]:
        """Width and height, microns."""
        mpp = self.candidate.read(StitchResults).mpp
        return self.rectangle.size.width * mpp, self.rectangle.size.height * mpp


@dataclass(frozen=True)
class Suggestion:
    """What was suggested, best first."""

    areas: Sequence[Area]
    cohort: Cohort
    start: str
    """The model to start from."""
    output: Path


def suggest(
    results: Path,
    output: Path,
    *,
    sheet: Path | None = None,
    options: SuggestOptions = SuggestOptions(),
) -> Suggestion:
    """Write the areas of a run from which a model would learn most, with what it predicted there.

    No network runs: everything is read from the folders of the stages. The same folders give the
    same areas.

    Parameters
    ----------
    results
        Folder of all stages.
    output
        Folder to write: `suggested.tsv`, for each slide `<slide>.geojson` (the objects to correct) and
        `<slide>.areas.geojson`, and `slides.tsv` and `train.yaml` for the training that follows.
    sheet
        Sample sheet of the run: what has labels already is kept and not suggested again, and slides
        of the splits tune and test, and of their patients, are left alone.
    options
        See `SuggestOptions`.

    Raises
    ------
    LdsPathError
        If the output exists, no slide is done, a file is damaged, or there is no room for so many areas.
    """
    if output.exists():
        raise UsageError(
            f"{output} exists, and may hold what people have corrected; name a folder that is new"
        )
    cohort = read_cohort(results, sheet)
    start = find_start(cohort.candidates, results)
    side_um = options.side_um or REGION_FRACTION * _region_um(cohort.candidates[0])
    bar = tqdm(cohort.candidates, unit="slide", desc="suggest", disable=None)
    squares = [_find_squares(candidate, side_um) for candidate in bar]
    _check_known(results, squares, options.by)
    patients = [candidate.patient for candidate in cohort.candidates]
    chosen = choose(squares, patients, options.areas, by=options.by, seed=options.seed)
    _check_room(results, len(chosen), options.areas, side_um)
    names = name_rows(cohort, {item.slide for item in chosen})
    areas = [_make_area(cohort, names[item.slide], squares[item.slide], item) for item in chosen]
    suggestion = Suggestion(areas, cohort, start, output)
    with complete_folder(output) as folder:
        _write(folder, suggestion)
    (output / MARKER).unlink()  # it marks what a stage wrote and may write again
    return suggestion


def _region_um(candidate: Candidate) -> float:
    """Return the side of the regions of a slide, microns."""
    region = read_regions(candidate.folder("plan").file(REGIONS_NAME))[0]
    return max(region.size.width, region.size.height) * candidate.read(TileResults).mpp


def _find_squares(candidate: Candidate, side_um: float) -> Squares:
    stitched, maps = candidate.read(StitchResults), read_maps(candidate.record)
    step = stitched.confidence_downsample
    taken: NDArray[np.bool_] | None = None
    if candidate.taken:
        drawn = [area for file in candidate.taken for _, area in read_objects(file).polygons]
        height, width = maps.analysed.shape
        marked = [(area, 1) for area in drawn]
        downsample = stitched.downsample * step
        taken = rasterise(marked, Size(width, height), downsample=downsample) > 0
    return find_squares(maps, whole_side(side_um, stitched.mpp * step), taken=taken)


def _check_known(results: Path, squares: Sequence[Squares], by: By) -> None:
    if by in UNKNOWN and not any(by in each.parts for each in squares):
        raise UsageError(
            f"{results} does not hold the {by} of any slide: {UNKNOWN[by]}; choose by score"
        )


def _check_room(results: Path, room: int, areas: int, side_um: float) -> None:
    if room == 0:
        raise UsageError(f"{results} has no tissue left to suggest areas in; add slides")
    if room < areas:
        raise UsageError(
            f"{results} has room for {room} areas of {side_um:.0f} um, but {areas} are asked for; ask for"
            f" at most {room} by -n, or for smaller ones by --side-um"
        )


def _make_area(cohort: Cohort, name: str, squares: Squares, chosen: Chosen) -> Area:
    candidate = cohort.candidates[chosen.slide]
    stitched, number = candidate.read(StitchResults), chosen.square
    means = {part: float(values[number]) for part, values in squares.parts.items()}
    return Area(
        candidate,
        name,
        squares.rectangle(number, stitched.confidence_downsample, stitched.size),
        float(squares.tissue[number]),
        {part: mean for part, mean in means.items() if not np.isnan(mean)},
        chosen,
    )


def _write(folder: Path, suggestion: Suggestion) -> None:
    areas = suggestion.areas
    write_table(folder, areas)
    for name, file in name_areas(dict.fromkeys(area.name for area in areas)).items():
        own = [(number, area) for number, area in enumerate(areas, start=1) if area.name == name]
        write_areas(folder / file, name, own)
        write_objects(folder, name, own)
    write_sheet(folder, suggestion.cohort, {area.name: area.candidate for area in areas})
    write_configuration(folder, suggestion)
