"""export: the label image of a slide becomes objects for QuPath."""

from __future__ import annotations

import logging
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from tqdm import tqdm

from lds_path.formats.grey_image import CONFIDENCE_NAME, open_confidence
from lds_path.formats.labels.label_images import open_labels
from lds_path.formats.results import StitchResults
from lds_path.geometry import Size
from lds_path.objects.converted.dsa import write_dsa
from lds_path.objects.converted.geoparquet import check_pyarrow, write_geoparquet
from lds_path.objects.detected import write_outlines
from lds_path.objects.geojson import write_classes, write_geojson
from lds_path.objects.label_objects import Placement, find_objects
from lds_path.objects.pieces import STRIP
from lds_path.objects.qupath.scripts import CLASSES_NAME, ScriptSlide, maps_of, write_scripts
from lds_path.objects.style import Style
from lds_path.objects.tally import ObjectTally
from lds_path.option import as_parameters
from lds_path.options.labels import ExportOptions
from lds_path.provenance.stage_run import run_stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from lds_path.formats.grey_image import Confidence
    from lds_path.formats.labels.label_images import Labels
    from lds_path.objects.geojson import SlideObject
    from lds_path.objects.pieces import LeftOut
    from lds_path.objects.tally import ExportResults
    from lds_path.provenance.manifest import Manifest
    from lds_path.provenance.stage_folder import StageInputs

log = logging.getLogger(__name__)

MAX_VERTICES = 5_000_000
"""Maximum number of vertices of a slide's objects: QuPath 0.6 draws a region of that size."""


def export(
    stitch: Path,
    output: Path,
    *,
    options: ExportOptions = ExportOptions(),
    detect: Path | None = None,
    threads: int = 1,
    strict: bool = False,
) -> Manifest:
    """Write the objects of a slide, its classes, and the scripts that show them in QuPath.

    Parameters
    ----------
    stitch
        Folder of the stitch stage.
    output
        Folder to write.
    options
        See `ExportOptions`.
    detect
        Folder of the detect stage; the outlines of tissue and regions are written where it is
        given.
    threads
        Strips of the label image traced at the same time; the objects do not depend on them.
    strict
        Fail instead of putting the slide in quarantine.

    Returns
    -------
    Manifest
        With objects, vertices and area per class, what was `dropped` and `filled` of each, and the
        `style` that was used: outlines are made coarser, and finally the smallest objects and holes
        left out, until the objects have at most `MAX_VERTICES`.
    """
    return run_stage(
        "export",
        output,
        partial(_export, options=options, threads=threads),
        inputs={"stitch": stitch} | ({} if detect is None else {"detect": detect}),
        parameters=as_parameters(options),
        strict=strict,
    )


def _export(
    folder: Path, inputs: StageInputs, *, options: ExportOptions, threads: int
) -> ExportResults:
    """Write the objects, the scripts and the optional files."""
    if options.parquet:
        check_pyarrow()
    style = Style(
        options.tolerance_um,
        options.min_object_um2,
        options.max_hole_um2,
        options.annotation_um2,
    )
    frame = options.frame
    slide, stitch = inputs.slide, inputs["stitch"]
    labelled = stitch.read(StitchResults)
    corner = (float(labelled.left_l0), float(labelled.top_l0))
    placement = Placement(
        labelled.mpp, labelled.downsample, corner if frame == "level0" else (0.0, 0.0)
    )
    confidence = open_confidence(stitch) if (stitch.path / CONFIDENCE_NAME).exists() else None
    with open_labels(stitch) as labels:
        path = folder / f"{slide}.geojson.gz"
        used, tally = _write_objects(path, labels, style, placement, confidence, threads)
        classes, size = labels.classes, labels.size
    write_classes(folder / CLASSES_NAME, {item.name: item.color for item in classes})
    downsample, maps = placement.downsample, maps_of(labelled)
    write_scripts(folder, [ScriptSlide(slide, size, downsample, frame, classes, corner, maps)])
    _write_copies(folder, path, slide, placement, options)
    outlines = None
    if "detect" in inputs.paths:
        outlines = write_outlines(
            folder, inputs["detect"], slide, labelled.working_frame, placement.offset
        )
    return tally.results(
        classes, placement.mpp, used, file_size=path.stat().st_size, outlines=outlines
    )


def _write_copies(
    folder: Path, geojson: Path, slide: str, placement: Placement, options: ExportOptions
) -> None:
    """Write the objects of the GeoJSON file in the other formats that were asked for."""
    if options.dsa:
        write_dsa(folder / f"{slide}.dsa.json.gz", geojson, slide=slide)
    if options.parquet:
        write_geoparquet(
            folder / f"{slide}.parquet",
            geojson,
            slide=slide,
            frame=options.frame,
            um_per_unit=placement.mpp / placement.downsample,
        )


def _write_objects(
    path: Path,
    labels: Labels,
    style: Style,
    placement: Placement,
    confidence: Confidence | None,
    threads: int,
) -> tuple[Style, ObjectTally]:
    """Write the objects, coarser if there are too many vertices; return style and counts."""
    while True:
        tally = ObjectTally(MAX_VERTICES)
        objects = _find_objects(labels, style, placement, confidence, threads, tally.left_out)
        write_geojson(path, tally.watch(objects), slide=path.name.removesuffix(".geojson.gz"))
        if not tally.is_full:
            return style, tally
        style = style.coarser(placement.mpp)
        log.warning(
            "%s: over %d vertices; again with a tolerance of %g um, without objects below %g um2",
            path.name,
            MAX_VERTICES,
            style.tolerance_um,
            style.min_object_um2,
        )


def _find_objects(
    labels: Labels,
    style: Style,
    placement: Placement,
    confidence: Confidence | None,
    threads: int,
    left_out: LeftOut,
) -> Iterator[SlideObject]:
    with tqdm(total=labels.size.height, unit="row", desc="export", disable=None) as progress:

        @lru_cache(maxsize=1)
        def read_tiles(top: int) -> NDArray[np.uint8]:
            height = min(STRIP, labels.size.height - top)
            return labels.read(0, 0, top, Size(labels.size.width, height))

        def read_strip(top: int, size: Size) -> NDArray[np.uint8]:
            progress.update(size.height)
            above = top % STRIP
            return read_tiles(top - above)[above : above + size.height]

        yield from find_objects(
            read_strip,
            labels.size,
            labels.classes,
            style,
            placement,
            confidence,
            threads=threads,
            left_out=left_out,
        )
