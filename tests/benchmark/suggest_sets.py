"""The sets of `suggest_rounds.py`: a cohort whose slides have reference labels, and slides to score.

The colon is `colon_slides.py`'s, with a slide for each case that may be learned from; the glomeruli are the tiles
and the split of the study of samplers, with a slide for each tile.
"""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from colon_slides import IGNORE, MPP, SEED, STROMA, lay_out, paint, read_pictures
from PIL import Image
from sets import COLON_CLASSES, SETS, class_names
from slide_file import write_slide

from lds_path.options.slides import DetectOptions, TileOptions
from lds_path.stages.detect import detect
from lds_path.stages.tile import tile

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = dict[str, str]

REPOSITORY = Path(__file__).parents[2]
DATA = Path(os.environ.get("LDS_PATH_DATA", REPOSITORY.parent / "shared" / "data"))
SHEET_NAME = "slides.tsv"
COLUMNS = ("slide", "path", "mpp", "labels", "tissue", "split", "patient")
SITES = ({"10063", "10064"}, {"10102", "10103"}, {"10149", "10150"})
"""Tiles of glomeruli whose numbers follow each other may be neighbours on a slide: they count as one patient."""


@dataclass(frozen=True)
class Design:
    """How a set is cut up, and what people label of it."""

    classes: tuple[str, ...]
    mpp: float
    regions: DetectOptions
    first: int
    """Patients whose slides are labelled as a whole before the first round."""
    areas: int
    """That are corrected in a round."""
    side_um: float
    """Of an area."""


COLON_CASES = 80
"""Of 193 that may be learned from, so that the cohort is segmented in a minute."""
DESIGNS = {
    # An area is as large as an image of the set.
    "colon": Design(
        COLON_CLASSES,
        MPP,
        DetectOptions(region_size=256, overlap=32, lattice=64),
        first=8,
        areas=20,
        side_um=282,
    ),
    # 8 areas are a tenth of the four or five tiles that are left, and each has room for most of a glomerulus; 20
    # would be a quarter, where chance cannot be told from choice.
    "glomeruli": Design(
        class_names("glomeruli"),
        0.5,
        DetectOptions(region_size=512, overlap=64, lattice=64),
        first=1,
        areas=8,
        side_um=128,
    ),
}


def prepare(name: str, folder: Path) -> list[Row]:
    """Return the rows of a set, whose slides, tile and detect folders are made where they are missing."""
    design, sheet = DESIGNS[name], folder / SHEET_NAME
    if not sheet.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_sheet(sheet, list(MADE[name](folder)))
    rows = read_rows(sheet)
    for row in rows:
        tiled, regions = folder / "tile" / row["slide"], folder / "detect" / row["slide"]
        if not (tiled / "manifest.json").exists():
            tiled.parent.mkdir(exist_ok=True)
            options = TileOptions(mpp=design.mpp, slide_mpp=float(row["mpp"]))
            tile(Path(row["path"]), tiled, options=options, strict=True)
        if not (regions / "manifest.json").exists():
            regions.parent.mkdir(exist_ok=True)
            tissue = Path(row["tissue"]) if row["tissue"] else None
            detect(tiled, regions, tissue=tissue, options=design.regions, strict=True)
    return rows


def read_rows(sheet: Path) -> list[Row]:
    """Return the rows of a sheet."""
    with sheet.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def write_sheet(sheet: Path, rows: list[Row]) -> None:
    """Write the rows of a sheet, which may lack columns."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with sheet.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, delimiter="\t", restval="")
        writer.writeheader()
        writer.writerows(rows)


def _colon(folder: Path) -> Iterator[Row]:
    cases = defaultdict(list)
    slides = []
    for split, slide, pictures in lay_out(read_pictures(DATA / "colon")):
        if split == "test":
            slides.append((slide, split, "", pictures))
        elif split == "train":
            for picture in pictures:
                cases[picture.case].append(picture)
    names = sorted(cases)
    np.random.default_rng(SEED).shuffle(names)
    slides += [(case.lower(), "train", case, cases[case]) for case in names[:COLON_CASES]]
    for slide, split, case, pictures in slides:
        random = np.random.default_rng([SEED, *slide.encode()])
        band = STROMA if split == "train" else IGNORE
        files = [folder / f"{slide}.tif", folder / f"{slide}-labels.tif"]
        for file, pixels in zip(files, paint(DATA / "colon", pictures, random, band), strict=True):
            write_slide(file, pixels, mpp=MPP)
        yield _row(slide, *files, split, mpp=MPP, patient=case)


def _glomeruli(folder: Path) -> Iterator[Row]:
    one = SETS["glomeruli"]
    tissue = folder / "tissue.png"
    Image.fromarray(np.full((one.area.height, one.area.width), 255, np.uint8)).save(tissue)
    for split, tiles in one.splits.items():
        for number in tiles:
            labels = folder / f"{number}-labels.png"
            with Image.open(DATA / one.masks.format(number)) as mask:
                is_glomerulus = np.asarray(mask.convert("RGB"))[..., 0] > 127
            Image.fromarray(is_glomerulus.astype(np.uint8) + np.uint8(1)).save(labels)
            site = next((site for site in SITES if number in site), {number})
            row = _row(
                number,
                DATA / one.pictures.format(number),
                labels,
                split,
                mpp=one.image_mpp,
                patient=min(site),
            )
            yield row | {"tissue": str(tissue.absolute())}


def _row(slide: str, path: Path, labels: Path, split: str, *, mpp: float, patient: str) -> Row:
    cells = (slide, str(path.absolute()), str(mpp), str(labels.absolute()), "", split, patient)
    return dict(zip(COLUMNS, cells, strict=True))


MADE = {"colon": _colon, "glomeruli": _glomeruli}
