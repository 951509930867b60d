"""report: the cohort and each slide as pages to look at and as tables to compute with."""

from __future__ import annotations

import re
from hashlib import sha256 as digest_of
from typing import TYPE_CHECKING, Any

import pandas as pd
from PIL import Image

from lds_path.formats.cohort import read_slide_record
from lds_path.formats.manifest import FILE_NAME, run_stage, sha256
from lds_path.formats.pyramid import PYRAMID_NAME, open_pyramid
from lds_path.formats.view import read_picture, view_of
from lds_path.pages import Files, class_rows, mean_dice, render_index, render_slide, word_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lds_path.formats.cohort import SlideRecord
    from lds_path.formats.manifest import Manifest

INDEX_NAME = "index.html"
TABLE_NAME = "cohort.tsv"
SUMMARY_NAME = "summary.txt"
PICTURES = ("thumbnail", "overlay", "tissue", "confidence", "density", "sampling")
THUMBNAIL_SIZE = (320, 240)
PLAIN_PICTURE_PIXELS = 800
QUALITY = 85


def report(results: Path, output: Path, *, slides: Sequence[str], strict: bool = False) -> Manifest:
    """Write the pages and the table of a cohort.

    The folder gets `index.html`, `slides/<slide>.html` with its pictures, `cohort.tsv` and
    `summary.txt`. It needs nothing outside itself to be looked at. A slide that was put aside
    or did not finish is shown with its reason.

    Parameters
    ----------
    results
        Folder with `<stage>/<slide>` of every stage.
    output
        Folder to write.
    slides
        Ids in the order of the pages.
    strict
        Accepted as by every stage; no slide's problem can stop the report.
    """

    def work(folder: Path) -> Mapping[str, Any]:
        records = [read_slide_record(results, slide) for slide in slides]
        (folder / "slides").mkdir()
        files = {record.slide: _write_slide(record, folder) for record in records}
        _write_text(folder / INDEX_NAME, render_index(records, files))
        table = pd.DataFrame([_table_row(record) for record in records])
        table.to_csv(folder / TABLE_NAME, sep="\t", index=False, lineterminator="\n")
        _write_text(folder / SUMMARY_NAME, summarise(records, files, output))
        return _describe(records)

    return run_stage(
        "report",
        output,
        work,
        inputs={},
        parameters={"results": str(results), "slides": list(slides)},
        slide="cohort",
        strict=strict,
    )


def summarise(records: Sequence[SlideRecord], files: Mapping[str, Files], output: Path) -> str:
    """Return the last lines of a run: how many slides, which ones not and why, what to open."""
    by_status: dict[str, list[SlideRecord]] = {"done": [], "quarantined": [], "not finished": []}
    for record in records:
        by_status[record.status].append(record)
    counts = [f"{len(found)} {status}" for status, found in by_status.items() if found]
    lines = [f"{len(records)} slides: {', '.join(counts)}."]
    for status in ("quarantined", "not finished"):
        lines += [f"\n{status}:"] if by_status[status] else []
        lines += [
            f"  {record.slide} ({record.stopped_by}): {record.reason}"
            for record in by_status[status]
        ]
    lines += ["\nopen:", f"  {output / INDEX_NAME}: the cohort and each slide"]
    lines += [f"  {output / TABLE_NAME}: one row a slide, one column a metric"]
    done = by_status["done"]
    if done:
        named = files[done[0].slide].outputs
        lines += [f"  {path}: {use}" for path, use in named.items()]
    if len(done) > 1:
        lines.append(f"  and the same for the other slides: {_listing(done[1:])}")
    return "\n".join(lines) + "\n"


def _listing(records: Sequence[SlideRecord], most: int = 10) -> str:
    names = [record.slide for record in records[:most]]
    return ", ".join(names) + (f" and {len(records) - most} more" if len(records) > most else "")


def _write_slide(record: SlideRecord, folder: Path) -> Files:
    """Write the page of a slide and its pictures."""
    name = _file_name(record.slide)
    pictures = _write_pictures(record, folder / "slides", name)
    thumbnail = f"slides/{name}/small.jpg" if pictures else ""
    files = Files(f"slides/{name}.html", pictures, thumbnail, _outputs(record))
    _write_text(folder / files.page, render_slide(record, files))
    return files


def _file_name(slide: str) -> str:
    """Return a name for a slide's files that is safe in a path and in an address."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", slide).lstrip(".") or "_"
    return safe if safe == slide else f"{safe}-{digest_of(slide.encode()).hexdigest()[:8]}"


def _write_pictures(record: SlideRecord, folder: Path, name: str) -> dict[str, str]:
    """Write the pictures of a slide and return their paths from its page."""
    images = _read_pictures(record)
    if not images:
        return {}
    (folder / name).mkdir()
    for picture, image in images.items():
        image.save(folder / name / f"{picture}.jpg", quality=QUALITY, subsampling=0)
    small = images.get("overlay", images["thumbnail"]).copy()
    if "view" in record.quality:  # the strip below says nothing at this size
        view = record.quality["view"]
        small = small.crop((0, 0, view["width"], view["height"]))
    small.thumbnail(THUMBNAIL_SIZE)
    small.save(folder / name / "small.jpg", quality=QUALITY)
    return {picture: f"{name}/{picture}.jpg" for picture in images}


def _read_pictures(record: SlideRecord) -> dict[str, Image.Image]:
    """Return the pictures of assess; of a slide that did not come so far, its plain colours."""
    if record.quality:
        folder = record.stages["assess"].folder
        return {name: _read_picture(folder / f"{name}.png") for name in PICTURES}
    tile = record.stages["tile"]
    if tile.status != "done" or not (tile.folder / PYRAMID_NAME).exists():
        return {}
    pyramid = open_pyramid(tile.folder)
    view = view_of(pyramid.size, pyramid.frame.mpp, longest=PLAIN_PICTURE_PIXELS)
    return {"thumbnail": Image.fromarray(read_picture(pyramid, view))}


def _read_picture(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def _outputs(record: SlideRecord) -> dict[str, str]:
    """Return the files of a slide that people open, with what each is for."""
    stages, slide = record.stages, record.slide
    uses = {
        stages["stitch"].folder / f"{slide}.labels.ome.tif": "label image with all levels, for"
        " QuPath (Bio-Formats), napari and programs; 0 is not analysed",
        stages["export"].folder / f"{slide}.geojson.gz": "objects: open the slide in QuPath and"
        " drag this file onto it",
        stages["assess"].folder / "overlay.png": "the labels over the tissue, as a picture",
        stages["assess"].folder / "metrics.json": "all metrics with unit and definition",
    }
    return {str(path): use for path, use in uses.items() if path.exists()}


def _table_row(record: SlideRecord) -> dict[str, Any]:
    """Return a slide's row of the table; the columns of cells that it lacks stay empty."""
    scores = {
        f"{name}.{row.name}": getattr(row, name)
        for row in class_rows(record)
        for name in ("dice", "iou")
        if getattr(row, name) is not None
    }
    return {
        "slide": record.slide,
        "status": record.status,
        "stopped_by": record.stopped_by,
        "reason": record.reason,
        "verdict": record.quality.get("verdict", ""),
        "verdict_reasons": "; ".join(record.quality.get("reasons", ())),
        "file": record.stages["tile"].results.get("file", ""),
        **{name: metric.get("value") for name, metric in record.metrics.items()},
        **scores,
        **({"dice": mean_dice(record)} if scores else {}),
        "seconds": round(record.seconds, 1),
        "peak_memory_mib": record.peak_memory_mib,
    }


def _describe(records: Sequence[SlideRecord]) -> dict[str, Any]:
    """Return the results for the manifest: what became of each slide, and from which files."""
    manifests = {
        str(folder / FILE_NAME): sha256(folder / FILE_NAME)
        for record in records
        for stage in record.stages.values()
        for folder in stage.folders
    }
    return {
        "slides": {record.slide: word_of(record) for record in records},
        "manifests": manifests,
    }


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
