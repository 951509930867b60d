"""report: the cohort and each slide as pages to look at and as tables for programs."""

from __future__ import annotations

import re
import shutil
from dataclasses import astuple, fields
from functools import partial
from hashlib import sha256 as digest_of
from typing import TYPE_CHECKING

from PIL import Image

from lds_path.errors import UsageError
from lds_path.formats.labels.label_images import name_labels
from lds_path.formats.pyramid import PYRAMID_NAME, open_pyramid
from lds_path.formats.results import (
    AssessResults,
    EvaluateResults,
    SegmentResults,
    StitchResults,
    TileResults,
)
from lds_path.formats.table import write_table
from lds_path.objects.qupath_scripts import PROJECT_SCRIPT, write_cohort_scripts
from lds_path.objects.tally import ExportParameters, ExportResults
from lds_path.option import as_parameters
from lds_path.options.quality import ReportOptions
from lds_path.provenance.cohort import SMALL, SMALL_SIZE, read_slide_record
from lds_path.provenance.fingerprint import find_original, note_input, sha256
from lds_path.provenance.lineage import ReportResults
from lds_path.provenance.manifest import FILE_NAME
from lds_path.provenance.stage_run import run_stage
from lds_path.quality.picture_scale import fit_picture_scale, read_picture
from lds_path.reporting.cohort_page import render_index
from lds_path.reporting.cohort_table import Column, describe_columns, table_row
from lds_path.reporting.outcomes import outcome_of, verdict_of
from lds_path.reporting.pages import Files, render_slide
from lds_path.reporting.zoom.neighbours import has_comparison, render_comparison, surround
from lds_path.reporting.zoom.scripts import write_scripts
from lds_path.reporting.zoom.viewer import write_zoom
from lds_path.run.sheet import read_sheet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from lds_path.provenance.cohort import SlideRecord
    from lds_path.provenance.manifest import Manifest
    from lds_path.provenance.stage_folder import ManifestPart, StageInputs
    from lds_path.reporting.zoom.neighbours import Around
    from lds_path.reporting.zoom.viewer import Zoom

    WriteZoom = Callable[[SlideRecord, Path, str], Zoom | None]

INDEX_NAME = "index.html"
COMPARISON_NAME = "compare.html"
TABLE_NAME = "cohort.tsv"
DICTIONARY_NAME = "cohort-columns.tsv"
SUMMARY_NAME = "summary.txt"
QUPATH_NAME = "qupath"
PICTURES = "pictures"
"""Folder of the pictures beside the pages, whose names end with .html."""
ZOOM = "zoom"
"""Folder of what the pages can zoom into, beside it."""
PLAIN_PICTURE_PIXELS = 800
MAX_DOUBTS = 10
"""Slides of each verdict that the last lines of a run name."""
QUALITY = 85
PARTS: tuple[type[ManifestPart], ...] = (
    TileResults, SegmentResults, StitchResults, ExportParameters, ExportResults, AssessResults,
    EvaluateResults,
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

    Writes `index.html`, `compare.html`, `slides/<slide>.html` with its pictures and tiles, `cohort.tsv` with its dictionary
    `cohort-columns.tsv`, `summary.txt`, and in `qupath` the scripts for the cohort. The pages need
    nothing outside the folder. A slide that is quarantined or not finished has its reason there.

    Parameters
    ----------
    results
        Folder with `<stage>/<slide>` of every stage.
    output
        Folder to write.
    slides
        Ids in the order of the pages; those of the sheet when empty.
    sheet
        Sample sheet, for the batches; slides have none when not given.
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
    rows = {} if sheet is None else read_sheet(sheet)["batch"].to_dict()
    batches = {str(slide): str(batch) for slide, batch in rows.items()}
    slides = slides or list(batches)
    if not slides:
        raise UsageError(
            f"{results} may hold many slides; name the slides, or the sheet by --sheet"
        )

    def work(folder: Path, _: StageInputs) -> ReportResults:
        records = [
            read_slide_record(results, slide, batches.get(slide, ""), parts=PARTS)
            for slide in slides
        ]
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
    write_cohort_scripts(folder / QUPATH_NAME, records)
    _write_text(folder / SUMMARY_NAME, summarise(records, files, output))


def summarise(records: Sequence[SlideRecord], files: Mapping[str, Files], output: Path) -> str:
    """Return the last lines of a run: slides not done or not passed and why, what to open."""
    by_status: dict[str, list[SlideRecord]] = {"done": [], "quarantined": [], "not finished": []}
    for record in records:
        by_status[record.status].append(record)
    counts = [f"{len(group)} {status}" for status, group in by_status.items() if group]
    lines = [f"{len(records)} slides: {', '.join(counts)}."]
    for status in ("quarantined", "not finished"):
        lines += [f"\n{status}:"] if by_status[status] else []
        lines += [
            f"  {record.slide} ({record.stopped_by}): {record.reason}"
            for record in by_status[status]
        ]
    lines += _describe_doubts(by_status["done"])
    lines += ["\nopen:", f"  {output / INDEX_NAME}: the cohort and each slide"]
    lines += [f"  {output / TABLE_NAME}: one row a slide, one column a metric"]
    lines += [f"  {output / DICTIONARY_NAME}: what the columns mean"]
    done = by_status["done"]
    if done:
        script = output / QUPATH_NAME / PROJECT_SCRIPT
        lines += [f"  {script}: run it in QuPath for a project of these slides"]
        outputs = files[done[0].slide].outputs
        lines += [f"  {path}: {use}" for path, use in outputs.items()]
    if len(done) > 1:
        lines.append(f"  and the same for the other slides: {_listing(done[1:])}")
    return "\n".join(lines) + "\n"


def _describe_doubts(records: Sequence[SlideRecord]) -> Iterator[str]:
    """Yield the verdicts of the slides that do not pass, with their reasons, the worst first."""
    for word in ("fail", "warn"):
        verdicts = ((record.slide, verdict_of(record)) for record in records)
        doubtful = [
            (slide, verdict)
            for slide, verdict in verdicts
            if verdict is not None and verdict.word == word
        ]
        if doubtful:
            yield f"\nverdict {word}:"
        for slide, verdict in doubtful[:MAX_DOUBTS]:
            yield f"  {slide}: {'; '.join(verdict.reasons)}"
        if len(doubtful) > MAX_DOUBTS:
            yield f"  and {len(doubtful) - MAX_DOUBTS} more, see {INDEX_NAME}"


def _listing(records: Sequence[SlideRecord], limit: int = 10) -> str:
    names = [record.slide for record in records[:limit]]
    return ", ".join(names) + (f" and {len(records) - limit} more" if len(records) > limit else "")


def _write_slide(
    record: SlideRecord, folder: Path, zoom: WriteZoom, around: Around
) -> tuple[Files, Zoom | None]:
    """Write the page of a slide, its pictures and what it can zoom into."""
    name = _file_name(record.slide)
    pictures = _write_pictures(record, folder / "slides" / PICTURES, name)
    thumbnail = f"slides/{PICTURES}/{name}/{SMALL}.jpg" if pictures else ""
    files = Files(f"slides/{name}.html", pictures, thumbnail, _outputs(record))
    zoomed = zoom(record, folder / "slides" / ZOOM / name, f"{ZOOM}/{name}")
    _write_text(folder / files.page, render_slide(record, files, around, zoomed))
    return files, zoomed


def _file_name(slide: str) -> str:
    """Return a name for a slide's files that is safe in a path and in an address."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", slide).lstrip(".") or "_"
    return safe if safe == slide else f"{safe}-{digest_of(slide.encode()).hexdigest()[:8]}"


def _write_pictures(record: SlideRecord, folder: Path, name: str) -> dict[str, str]:
    """Write the pictures of a slide and return their paths from its page.

    They are those of assess; for a slide without, its plain colours.
    """
    target = folder / name
    if record.read(AssessResults) is not None:
        target.mkdir()
        for path in sorted(record.stages["assess"].folder.glob("*.jpg")):
            shutil.copyfile(path, target / path.name)
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


def _outputs(record: SlideRecord) -> dict[str, str]:
    """Return the files of a slide that people open, and what each is for."""
    stages, slide = record.stages, record.slide
    uses = {
        stages["stitch"].folder / name_labels(slide): "label image with all levels, for"
        " QuPath (Bio-Formats), napari and programs; 0 is not analysed",
        stages["export"].folder / f"{slide}.geojson.gz": "objects: open the slide in QuPath and"
        " drag this file onto it",
        stages["assess"].folder / "overlay.jpg": "the labels over the tissue, as a picture",
        stages["assess"].folder / "metrics.json": "all metrics with unit and definition",
    }
    return {str(path): use for path, use in uses.items() if path.exists()}


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
