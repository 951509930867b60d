"""report: the cohort and each slide as pages to look at and as tables for programs."""

from __future__ import annotations

import logging
import re
from dataclasses import astuple, fields
from functools import partial
from hashlib import sha256 as digest_of
from typing import TYPE_CHECKING

from PIL import Image

from lds_path.errors import UsageError, did_you_mean
from lds_path.formats.labels.label_images import name_labels
from lds_path.formats.pyramid import PYRAMID_NAME, open_pyramid
from lds_path.formats.results import (
    AssessResults,
    DetectResults,
    EvaluateResults,
    SegmentResults,
    StitchResults,
    TileResults,
)
from lds_path.formats.table import write_table
from lds_path.objects.qupath.project import write_project
from lds_path.objects.qupath.scripts import list_script_slides, write_cohort_scripts
from lds_path.objects.tally import ExportParameters, ExportResults
from lds_path.option import as_parameters
from lds_path.options.quality import ReportOptions
from lds_path.provenance.cohort import SMALL, SMALL_SIZE, read_slide_record
from lds_path.provenance.complete_file import place_file
from lds_path.provenance.fingerprint import find_original, note_input, sha256
from lds_path.provenance.lineage import ReportResults
from lds_path.provenance.manifest import FILE_NAME
from lds_path.provenance.stage_run import run_stage
from lds_path.quality.picture_scale import fit_picture_scale, read_picture
from lds_path.reporting.cohort_page import render_index
from lds_path.reporting.cohort_table import Column, describe_columns, table_row
from lds_path.reporting.outcomes import outcome_of
from lds_path.reporting.outlines_page import render_outlines
from lds_path.reporting.pages import Files, render_slide
from lds_path.reporting.words.last_lines import (
    DICTIONARY_NAME,
    INDEX_NAME,
    QUPATH_NAME,
    TABLE_NAME,
    summarise,
)
from lds_path.reporting.zoom.neighbours import has_comparison, render_comparison, surround
from lds_path.reporting.zoom.scripts import write_scripts
from lds_path.reporting.zoom.viewer import write_zoom
from lds_path.run.sheet import COLUMNS, STAIN, read_sheet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from lds_path.provenance.cohort import SlideRecord
    from lds_path.provenance.manifest import Manifest
    from lds_path.provenance.stage_folder import ManifestPart, StageInputs
    from lds_path.reporting.zoom.neighbours import Around
    from lds_path.reporting.zoom.viewer import Zoom

    WriteZoom = Callable[[SlideRecord, Path, str], Zoom | None]

log = logging.getLogger(__name__)

COMPARISON_NAME = "compare.html"
OUTLINES_NAME = "outlines.html"
SUMMARY_NAME = "summary.txt"
PICTURES = "pictures"
"""Folder of the pictures beside the pages, whose names end with .html."""
ZOOM = "zoom"
"""Folder of what the pages can zoom into, beside it."""
PLAIN_PICTURE_PIXELS = 800
QUALITY = 85
PARTS: tuple[type[ManifestPart], ...] = (
    TileResults, DetectResults, SegmentResults, StitchResults, ExportParameters, ExportResults,
    AssessResults, EvaluateResults,
)  # fmt: skip
"""Parts of manifests that are read; a slide whose manifest lacks one of them is not finished."""


def report(
    results: Path,
    output: Path,
    *,
    slides: Sequence[str] = (),
    sheet: Path | None = None,
    options: ReportOptions = ReportOptions(),
    threads: int = 1,
    strict: bool = False,
) -> Manifest:
    """Write the pages and the table of a cohort.

    Writes `index.html`, `outlines.html`, `compare.html`, `slides/<slide>.html` with its pictures and tiles, `cohort.tsv`
    with its dictionary `cohort-columns.tsv`, `summary.txt`, and in `qupath` the scripts for the cohort. The pages need
    nothing outside the folder. The project for QuPath is written into `qupath` in `results`, since
    people work in it. A slide that is quarantined or not finished has its reason there.

    Parameters
    ----------
    results
        Folder with `<stage>/<slide>` of every stage.
    output
        Folder to write.
    slides
        Ids in the order of the pages; those of the sheet when empty.
    sheet
        Sample sheet, for batches and stains; slides have none when not given.
    options
        See `ReportOptions`.
    threads
        Tiles to zoom into that are encoded at the same time.
    strict
        Accepted as by every stage; no problem of a slide stops the report.

    Raises
    ------
    UsageError
        If neither slides nor a sheet are given, or the sheet cannot be read.
    """
    inputs = {} if sheet is None else {"sheet": note_input(sheet)}
    cells = {} if sheet is None else _read_cells(sheet)
    slides = slides or list(cells)
    if not slides:
        raise UsageError(
            f"{results} may hold many slides; name the slides, or the sheet by --sheet"
        )

    if sheet is not None:
        _check_known(sheet, slides, list(cells))

    def work(folder: Path, _: StageInputs) -> ReportResults:
        records = [_read_record(results, slide, cells.get(slide, {})) for slide in slides]
        stains = {slide: row.get(STAIN, "") for slide, row in cells.items()}
        _write_qupath(folder / QUPATH_NAME, results, records, stains)
        zoom = partial(write_zoom, mpp=options.zoom_mpp, threads=threads)
        _write_report(folder, records, find_original(output), zoom)
        return _describe(records)

    return run_stage(
        "report",
        output,
        work,
        inputs=inputs,
        parameters={"results": str(results), "slides": list(slides), **as_parameters(options)},
        slide="cohort",
        strict=strict,
    )


def _read_cells(sheet: Path) -> dict[str, dict[str, str]]:
    """Return slide -> batch, labels, and cells in columns of the user's own."""
    table = read_sheet(sheet)
    own = [name for name in table.columns if name not in COLUMNS]
    own += [STAIN] if (table[STAIN] != "").any() else []
    return {
        str(slide): {name: str(row[name]) for name in ("batch", "labels", *own)}
        for slide, row in table.to_dict("index").items()
    }


def _check_known(sheet: Path, slides: Sequence[str], known: Sequence[str]) -> None:
    for slide in slides:
        if slide not in known:
            near = did_you_mean(slide, known)
            hint = f"did you mean '{near}'?" if near else "name slides that it lists"
            raise UsageError(f"{sheet} has no slide '{slide}'; {hint}")


def _read_record(results: Path, slide: str, cells: Mapping[str, str]) -> SlideRecord:
    own = {name: cell for name, cell in cells.items() if name not in ("batch", "labels")}
    labelled = cells.get("labels") != ""
    return read_slide_record(
        results, slide, cells.get("batch", ""), own=own, parts=PARTS, labelled=labelled
    )


def _write_qupath(
    folder: Path, results: Path, records: Sequence[SlideRecord], stains: Mapping[str, str]
) -> None:
    """Write the scripts for QuPath, and outside the report the project that people work in."""
    slides = list_script_slides(records, stains)
    write_cohort_scripts(folder, slides)
    if not slides or find_original(results) != results:  # a copy is not kept
        return
    try:
        write_project(results / QUPATH_NAME, slides)
    except OSError as error:
        log.warning(
            "the project for QuPath in %s is not complete: %s", results / QUPATH_NAME, error
        )


def _write_report(
    folder: Path, records: Sequence[SlideRecord], output: Path, zoom: WriteZoom
) -> None:
    """Write the pages and tables; `output` is the path of the folder in the summary."""
    (folder / "slides" / PICTURES).mkdir(parents=True)
    write_scripts(folder)
    files, zooms = {}, {}
    pages = [f"{_file_name(record.slide)}.html" for record in records]
    for record, around in zip(records, surround(records, pages), strict=True):
        files[record.slide], zooms[record.slide] = _write_slide(record, folder, zoom, around)
    if has_comparison(records):
        shown = {slide: written.page for slide, written in files.items()}
        _write_text(folder / COMPARISON_NAME, render_comparison(records, shown, zooms))
    rows = [table_row(record) for record in records]
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = describe_columns(records, names)
    write_table(folder / TABLE_NAME, names, ([row.get(name) for name in names] for row in rows))
    write_table(
        folder / DICTIONARY_NAME, [field.name for field in fields(Column)], map(astuple, columns)
    )
    _write_text(folder / INDEX_NAME, render_index(records, files, columns))
    _write_text(folder / OUTLINES_NAME, render_outlines(records, files))
    _write_text(folder / SUMMARY_NAME, summarise(records, files, output))


def _write_slide(
    record: SlideRecord, folder: Path, zoom: WriteZoom, around: Around
) -> tuple[Files, Zoom | None]:
    """Write the page of a slide, its pictures and what it can zoom into."""
    name = _file_name(record.slide)
    pictures = _write_pictures(record, folder / "slides" / PICTURES, name)
    thumbnail = f"slides/{PICTURES}/{name}/{SMALL}.jpg" if pictures else ""
    sizes = {picture: _size_of(folder / "slides" / path) for picture, path in pictures.items()}
    files = Files(f"slides/{name}.html", pictures, thumbnail, _outputs(record), sizes)
    zoomed = zoom(record, folder / "slides" / ZOOM / name, f"{ZOOM}/{name}")
    _write_text(folder / files.page, render_slide(record, files, around, zoomed))
    return files, zoomed


def _file_name(slide: str) -> str:
    """Return a name for a slide's files that is safe in a path and in an address."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", slide).lstrip(".") or "_"
    return safe if safe == slide else f"{safe}-{digest_of(slide.encode()).hexdigest()[:8]}"


def _write_pictures(record: SlideRecord, folder: Path, name: str) -> dict[str, str]:
    """Write the pictures of a slide and return their paths from its page.

    They are those of assess, without a second copy; for a slide without, its plain colours.
    """
    target = folder / name
    if record.read(AssessResults) is not None:
        target.mkdir()
        for path in sorted(record.stages["assess"].folder.glob("*.jpg")):
            place_file(path, target / path.name)
        return {path.stem: f"{PICTURES}/{name}/{path.name}" for path in target.iterdir()}
    tile = record.stages["tile"]
    if tile.status != "done" or not (tile.folder / PYRAMID_NAME).exists():
        return {}
    target.mkdir()
    pyramid = open_pyramid(tile.folder)
    scale = fit_picture_scale(pyramid.size, pyramid.frame.mpp, longest=PLAIN_PICTURE_PIXELS)
    image = Image.fromarray(read_picture(pyramid, scale))
    image.save(target / "thumbnail.jpg", quality=QUALITY)
    image.thumbnail(SMALL_SIZE)
    image.save(target / f"{SMALL}.jpg", quality=QUALITY)
    return {picture: f"{PICTURES}/{name}/{picture}.jpg" for picture in ("thumbnail", SMALL)}


def _size_of(picture: Path) -> tuple[int, int]:
    """Return width and height of a picture."""
    with Image.open(picture) as image:
        return image.size


def _outputs(record: SlideRecord) -> dict[str, str]:
    """Return the files of a slide that people open, and what each is for."""
    stages, slide = record.stages, record.slide
    uses = {
        ("stitch", name_labels(slide)): "label image with all levels, for"
        " QuPath (Bio-Formats), napari and programs; 0 is not analysed",
        ("export", f"{slide}.geojson.gz"): "objects: open the slide in QuPath and"
        " drag this file onto it",
        ("assess", "overlay.jpg"): "the labels over the tissue, as a picture",
        ("assess", "metrics.json"): "all metrics with unit and definition",
    }
    done = {place: use for place, use in uses.items() if stages[place[0]].status == "done"}
    paths = {stages[stage].folder / name: use for (stage, name), use in done.items()}
    return {str(path): use for path, use in paths.items() if path.exists()}


def _describe(records: Sequence[SlideRecord]) -> ReportResults:
    """Return the outcome of each slide, and the manifests that were read."""
    manifests = {
        str(folder.path / FILE_NAME): sha256(folder.path / FILE_NAME)
        for record in records
        for stage in record.stages.values()
        for folder in stage.folders
        if (folder.path / FILE_NAME).exists()  # a run may be in progress
    }
    return ReportResults(
        slides={record.slide: outcome_of(record) for record in records}, manifests=manifests
    )


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
