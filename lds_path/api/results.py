"""What the pipeline found on a slide: images as lazy arrays, objects, metrics, manifests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lds_path.api import slides
from lds_path.api.multiscale import COLOURS, make_image
from lds_path.api.objects import read_objects
from lds_path.api.pinned import PinnedFolder, pin, pin_inputs
from lds_path.api.sources import (
    ConfidenceSource,
    DensitySource,
    LabelSource,
    ProbabilitySource,
    PyramidSource,
)
from lds_path.errors import StageInputError, UsageError, did_you_mean, named_damage
from lds_path.formats.labels.label_images import BLOCK, open_labels
from lds_path.formats.labels.label_tiles import TILE
from lds_path.formats.ome_zarr.quadtree import halved_sizes
from lds_path.formats.pyramid import CHUNK, SHARD
from lds_path.formats.results import (
    DetectResults,
    SegmentResults,
    StitchResults,
    TileResults,
)
from lds_path.geometry import Size
from lds_path.objects.tally import ExportParameters
from lds_path.provenance.cohort import STAGES, read_slide_record
from lds_path.provenance.lineage import locate_slide
from lds_path.provenance.stage_folder import open_folder
from lds_path.quality.sample_density import STRIP_ROWS
from lds_path.run.sheet import ID_PATTERN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lds_path.api.blocks import Source
    from lds_path.api.multiscale import MultiscaleImage
    from lds_path.classes import LabelClass
    from lds_path.provenance.manifest import Manifest
    from lds_path.provenance.stage_folder import StageFolder
    from lds_path.remote.address import SlidePath

METRICS_NAME = "metrics.json"


@dataclass(frozen=True, repr=False)
class Result:
    """The result of one slide; `open_result` returns it.

    Its images, objects and affines start at the same corner, that of the slide's bounds.
    """

    name: str
    """Id of the slide."""
    results: Path
    """Folder of all stages."""
    tile: PinnedFolder
    detect: PinnedFolder
    segment: tuple[PinnedFolder, ...]
    """One of each shard."""
    stitch: PinnedFolder

    @cached_property
    def slide(self) -> MultiscaleImage:
        """The slide itself, as `open_slide` returns it.

        Raises
        ------
        StageInputError
            If its file is not where it was.
        """
        path = self._find_slide("use `pyramid`, or open the slide by open_slide where it is now")
        tiled = self.tile.open().read(TileResults)
        return slides.open_slide(path, mpp=tiled.slide_mpp, scene=tiled.scene)

    @cached_property
    def pyramid(self) -> MultiscaleImage:
        """The slide at the working resolution: RGB, uint8, (c, y, x)."""
        tiled = self.tile.open().read(TileResults)
        return make_image(
            "pyramid",
            PyramidSource(self.tile),
            halved_sizes(tiled.size, CHUNK),
            mpp=tiled.mpp,
            dtype=np.uint8,
            block=_square(SHARD),
            channels=COLOURS,
        )

    @cached_property
    def labels(self) -> MultiscaleImage:
        """The values of the classes, uint8, (y, x); 0 where nothing was analysed."""
        return make_image(
            "labels",
            LabelSource(self.stitch),
            self._label_sizes,
            mpp=self._stitched.mpp,
            dtype=np.uint8,
            block=_square(SHARD),
        )

    @cached_property
    def probabilities(self) -> MultiscaleImage:
        """The probability of each class, float32, (c, y, x), unwarped when it is computed.

        The classes are in the order of `classes`. The likeliest one is the label; where the label is
        0, all are 0. Level k is what stitch would give at 2**k times the resolution.
        """
        return make_image(
            "probabilities",
            ProbabilitySource(self.detect, self.stitch, self.segment),
            self._label_sizes,
            mpp=self._stitched.mpp,
            dtype=np.float32,
            block=_square(BLOCK),
            channels=[item.name for item in self.classes],
        )

    @cached_property
    def confidence(self) -> MultiscaleImage:
        """The mean probability of the label, float32, (y, x), about 8 um per pixel.

        0 where nothing was analysed.
        """
        return self._coarse("confidence", ConfidenceSource(self.stitch), SHARD)

    @cached_property
    def density(self) -> MultiscaleImage:
        """Samples of the network per mm2 of the slide, float32, (y, x); 0 where no region lies."""
        return self._coarse("density", DensitySource(self.stitch, self.segment), STRIP_ROWS)

    @cached_property
    def classes(self) -> tuple[LabelClass, ...]:
        """Value, name and colour of each class."""
        return self._stitched.classes

    @cached_property
    def metrics(self) -> Mapping[str, Mapping[str, Any]]:
        """Metrics by name: value, unit, definition, source; `pandas.DataFrame(metrics).T` is a table.

        Raises
        ------
        StageInputError
            If the stage assess did not finish.
        """
        path = self._made_from_labels("assess").file(METRICS_NAME)
        with named_damage(path, "assess"):
            content = json.loads(path.read_text(encoding="utf-8"))
            metrics: Mapping[str, Mapping[str, Any]] = content["metrics"]
        return metrics

    @cached_property
    def manifests(self) -> Mapping[str, tuple[Manifest, ...]]:
        """Manifests of each stage that finished, for segment one of each shard."""
        record = read_slide_record(self.results, self.name)
        return {
            name: tuple(stage.manifests) for name, stage in record.stages.items() if stage.folders
        }

    def read_objects(self) -> Any:  # noqa: ANN401
        """Return the objects, in microns: a GeoDataFrame if geopandas is installed, else GeoJSON.

        See `lds_path.api.objects.read_objects`.

        Raises
        ------
        StageInputError
            If the stage export did not finish.
        """
        export, stitched = self._made_from_labels("export"), self._stitched
        corner = (0.0, 0.0)
        if export.read(ExportParameters).frame == "level0":
            corner = (float(stitched.left_l0), float(stitched.top_l0))
        path = export.file(f"{export.slide}.geojson.gz")
        return read_objects(path, um_per_unit=stitched.mpp / stitched.downsample, corner=corner)

    def to_dicom_seg(
        self, path: str | Path, *, slide: str | Path | None = None, level: int | None = None
    ) -> None:
        """Write the labels as a DICOM segmentation, which refers to a level of the DICOM slide.

        Needs highdicom: `pip install "lds-path[dicom]"`. A segment is a class; the pixels are those
        of the level, each with the label at its centre.

        Parameters
        ----------
        path
            File to write, which must not exist.
        slide
            A file of the slide, where it is not where it was.
        level
            Of the slide, 0 the finest; the one nearest to the labels when not given.

        Raises
        ------
        UsageError
            If highdicom is missing, the file exists, the slide is no DICOM, another one, or has no
            such level, or the level is too large.
        StageInputError
            If the slide's file is not where it was, or the label image is damaged.
        """
        from lds_path.objects.converted.dicom_seg import check_highdicom, write_dicom_seg

        check_highdicom()
        place = Path(slide) if slide else self._find_slide("name it where it is now by slide")
        if not isinstance(place, Path):
            raise UsageError(f"{place} is on a server; name a copy on a disk by slide")
        tiled = self.tile.open().read(TileResults)
        with open_labels(self.stitch.open()) as labels:
            write_dicom_seg(
                Path(path),
                labels,
                place,
                size_l0=Size(tiled.left_l0 + tiled.width_l0, tiled.top_l0 + tiled.height_l0),
                frame=self._stitched.frame,
                model=Path(self.segment[0].open().read(SegmentResults).model).name,
                level=level,
            )

    def to_spatialdata(self) -> Any:  # noqa: ANN401
        """Return the result as a `spatialdata.SpatialData`, as lazy as its arrays.

        Its coordinate system `microns` begins at the corner of the slide's bounds. It has the images
        `pyramid`, `probabilities`, `confidence` and `density`, the labels `labels`, the shapes
        `objects` if the stage export finished and found any, and the table `classes`.

        Raises
        ------
        UsageError
            If spatialdata is not installed.
        """
        from lds_path.api.spatial_data import to_spatialdata

        return to_spatialdata(self)

    def __repr__(self) -> str:
        size, names = self._stitched.size, ", ".join(item.name for item in self.classes)
        return f"<{self.name}: {size.width} x {size.height} labels of {names}>"

    @cached_property
    def _stitched(self) -> StitchResults:
        return self.stitch.open().read(StitchResults)

    @property
    def _label_sizes(self) -> list[Size]:
        return halved_sizes(self._stitched.size, TILE)

    def _find_slide(self, remedy: str) -> SlidePath:
        """Return where the file of the slide is."""
        tile = self.tile.open()
        path = str(tile.manifest.inputs.get("slide", {}).get("path", "the slide"))
        place = locate_slide(path, tile.path, self.results)
        if place is None:
            raise StageInputError(
                f"{path}, from which {tile.path} was made, is not there any more; {remedy}"
            )
        return place

    def _coarse(self, name: str, source: Source, rows: int) -> MultiscaleImage:
        step = self._stitched.confidence_downsample
        size = self._stitched.size.ceil_div(step)
        mpp, block = self._stitched.mpp * step, Size(size.width, rows)
        return make_image(name, source, [size], mpp=mpp, dtype=np.float32, block=block)

    def _made_from_labels(self, stage: str) -> StageFolder:
        """Return the folder of a stage that read the label image, and this one."""
        folder = open_folder(self.results / stage / self.name)
        if not folder.manifest.quarantined:
            pin_inputs(folder, self.results)
        return folder


def open_result(results: str | Path, slide: str) -> Result:
    """Return the result of a slide whose label image is done.

    Parameters
    ----------
    results
        Folder with the results of a run.
    slide
        Id of the slide.

    Raises
    ------
    StageInputError
        If a stage up to stitch did not finish, the slide is quarantined, or a stage was run again
        without those after it.
    UsageError
        If there is no such folder or slide.
    """
    results = Path(results).absolute()
    _check_known(results, slide)
    places = {stage: results / stage / slide for stage in ("tile", "detect", "stitch")}
    for part in (TileResults, DetectResults, StitchResults):
        open_folder(places[part.stage]).read(part)
    stitch = pin(places["stitch"])
    inputs = pin_inputs(stitch.open(), results)
    segment = tuple(inputs[name] for name in inputs if name.startswith("segment_"))
    for shard in segment:
        shard.open().read(SegmentResults)
    return Result(slide, results, inputs["tile"], inputs["detect"], segment, stitch)


def _check_known(results: Path, slide: str) -> None:
    """Raise a `UsageError` unless a stage was run for a slide."""
    known = sorted(
        {path.name for stage in STAGES for path in (results / stage).glob("*") if path.is_dir()}
    )
    known = [name for name in known if ID_PATTERN.fullmatch(name)]
    if not known:
        raise UsageError(
            f"{results} holds no results of slides; name the folder with the results of a run, such"
            " as results"
        )
    if slide not in known:
        near = did_you_mean(str(slide), known)
        hint = f"did you mean {near!r}?" if near else f"it has {_some(known)}"
        raise UsageError(f"{results} has no slide {str(slide)!r}; {hint}")


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def _square(edge: int) -> Size:
    return Size(edge, edge)
