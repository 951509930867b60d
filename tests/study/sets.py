"""The labelled sets of the study, as slides with pyramids, regions and reference labels."""

from __future__ import annotations

import csv
import math
import os
import subprocess
import sys
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from PIL import Image

from lds_path.formats.mask import MASK_NAME
from lds_path.formats.pyramid import open_pyramid
from lds_path.formats.regions import REGIONS_NAME, write_regions
from lds_path.formats.results import DetectResults
from lds_path.geometry import Region, Size
from lds_path.options.slides import DemoOptions, DetectOptions, TileOptions
from lds_path.pixels.synthetic import CLASSES
from lds_path.provenance.stage_run import run_stage
from lds_path.stages.demo import LABELS_NAME, SLIDE_NAME, demo
from lds_path.stages.detect import detect
from lds_path.stages.tile import tile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from lds_path.provenance.stage_folder import StageInputs

WORKING_MPP = 0.5
DATA = Path(os.environ.get("LDS_PATH_DATA", Path(__file__).parents[3] / "shared" / "data"))
MASK_DOWNSAMPLE = 16
_GAP = 128  # working pixels; whole pixels of every level that regions are read from
SHEET_NAME = "slides.tsv"


@dataclass(frozen=True)
class StudySet:
    """Images with reference labels."""

    classes: dict[str, tuple[int, int, int]]
    """Class -> colour in the masks; every pixel has the class of the nearest colour."""
    splits: dict[str, tuple[str, ...]]
    """Split -> images, or parts of one: `1008-512` begins 512 working pixels from the left."""
    image_mpp: float
    """Microns per image pixel; half of the working mpp reads the images at half their size."""
    area: Size
    """Part of an image, from its corner, that is learned from and scored, in working pixels."""
    pictures: str
    """Where the images lie in the data, by their names."""
    masks: str
    joined: bool = False
    """Whether the images of a split are put together into one slide, whose samples are then shared
    out among them."""


SETS = {
    "retina": StudySet(
        classes={
            "Retina": (0, 0, 0),
            "Microaneurysm": (255, 255, 255),
            "Haemorrhage": (255, 0, 0),
            "Hard exudate": (0, 0, 255),
            "Soft exudate": (0, 255, 0),
            "Optic disc": (255, 255, 0),
        },
        splits={
            "train": ("IDRiD_01", "IDRiD_03", "IDRiD_05", "IDRiD_07", "IDRiD_09"),
            "test": ("IDRiD_02", "IDRiD_04", "IDRiD_06", "IDRiD_08", "IDRiD_10"),
        },
        image_mpp=0.25,
        area=Size(2112, 1408),
        pictures="retina/images/{}.jpg",
        masks="retina/masks/{}.png",
    ),
    "glomeruli": StudySet(
        classes={"Other": (0, 0, 0), "Glomerulus": (255, 0, 0)},
        splits={
            "train": ("10003", "10014", "10025", "10063", "10064", "10133"),
            "test": ("10102", "10103", "10149", "10150"),
        },
        image_mpp=0.5,
        area=Size(1024, 1024),
        pictures="glomeruli/images/{}.png",
        masks="glomeruli/masks/{}.png",
        joined=True,
    ),
    "breast": StudySet(
        classes={"Other": (0, 0, 0), "Tumor": (255, 255, 255)},
        splits={"train": ("1008-0", "1008-512"), "test": ("1008-1280",)},
        image_mpp=0.25,
        area=Size(512, 1280),
        pictures="breast/image_{}.jpg",
        masks="breast/mask_{}.jpg",
    ),
}
PAINTED_SEEDS = {"train": 301, "test": 401}
"""Split -> seed of its first painted slide; no shipped model has seen them."""
PAINTED_STRUCTURED = 0.4
STUDY = Path(os.environ.get("LDS_PATH_STUDY", Path(__file__).parent / "study.yaml"))
"""What is trained on what."""
COLON = Path(__file__).parents[2] / "workflow/models/colon_slides.py"
COLON_CLASSES = ("Epithelium", "Stroma")
COLON_TEST_SLIDES = 10
COLON_MPP = 1.1


@dataclass(frozen=True)
class Painted:
    """The painted slides of a study."""

    side: int
    """Of a slide, in pixels."""
    train: int
    """Number of slides to learn from."""
    test: int

    def seeds(self, split: str) -> range:
        """Return the seeds of the slides of a split."""
        first = PAINTED_SEEDS[split]
        return range(first, first + getattr(self, split))


@dataclass(frozen=True)
class Layout:
    """How the images of a set are cut into regions."""

    region: Size
    lattice: Size
    """Mean number of samples across and down a region."""
    train: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of `train` for the set and the layout, before those of the variant."""
    budgets: tuple[int, ...] = ()
    """Mean samples per side of a region that a model with a ladder is scored with."""


def read_layouts(name: str) -> dict[str, Layout]:
    """Return the layouts of a set, by name."""
    study_set = _read_set(name)
    return {
        layout: Layout(
            Size(*one["region"]),
            Size(*one["lattice"]),
            study_set["train"] | one.get("train", {}),
            tuple(one.get("budgets", ())),
        )
        for layout, one in study_set["layouts"].items()
    }


def _read_set(name: str) -> dict[str, Any]:
    study_set: dict[str, Any] = yaml.safe_load(STUDY.read_text(encoding="utf-8"))["sets"][name]
    return study_set


def _read_painted() -> Painted:
    return Painted(**_read_set("painted")["slides"])


def class_names(name: str) -> tuple[str, ...]:
    """Return the classes of a set, in the order of their label values."""
    made = {"painted": tuple(CLASSES), "colon": COLON_CLASSES}
    return made[name] if name in made else tuple(SETS[name].classes)


def count_images(name: str, split: str) -> int:
    """Return how many images a split of a set has; of colon, slides to score."""
    if name == "colon":
        return COLON_TEST_SLIDES
    return len(_read_painted().seeds(split) if name == "painted" else SETS[name].splits[split])


def prepare(name: str, folder: Path) -> None:
    """Write the sheet of a set, and the tile and detect folders of its slides."""
    folder.mkdir(parents=True)
    layouts = read_layouts(name)
    made = {"painted": _painted, "colon": _colon}
    rows = list(
        made[name](layouts, folder) if name in made else _images(SETS[name], layouts, folder)
    )
    with (folder / SHEET_NAME).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t")
        writer.writerow(["slide", "path", "labels", "split"])
        writer.writerows(rows)


def _painted(layouts: Mapping[str, Layout], folder: Path) -> Iterator[tuple[str, str, str, str]]:
    painted = _read_painted()
    for split in PAINTED_SEEDS:
        for seed in painted.seeds(split):
            slide = f"painted-{seed}"
            source = folder / "painted" / slide
            source.parent.mkdir(exist_ok=True)
            demo(
                source,
                options=DemoOptions(
                    seed=seed,
                    width=painted.side,
                    height=painted.side,
                    structured=PAINTED_STRUCTURED,
                ),
            )
            tile(source / SLIDE_NAME, folder / "tile" / slide)
            for layout, one in layouts.items():
                output = folder / "detect" / layout / slide
                output.parent.mkdir(parents=True, exist_ok=True)
                detect(
                    folder / "tile" / slide,
                    output,
                    options=DetectOptions(
                        region_size=one.region.width, overlap=0, lattice=one.lattice.width
                    ),
                )
            path = Path("painted") / slide
            yield slide, str(path / SLIDE_NAME), str(path / LABELS_NAME), split


def _colon(layouts: Mapping[str, Layout], folder: Path) -> Iterator[tuple[str, str, str, str]]:
    subprocess.run([sys.executable, str(COLON), str(DATA / "colon"), str(folder)], check=True)
    with (folder / SHEET_NAME).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    for row in rows:
        slide = row["slide"]
        (folder / "tile").mkdir(exist_ok=True)
        options = TileOptions(mpp=COLON_MPP, slide_mpp=COLON_MPP)
        tile(folder / row["path"], folder / "tile" / slide, options=options, strict=True)
        for layout, one in layouts.items():
            output = folder / "detect" / layout / slide
            output.parent.mkdir(parents=True, exist_ok=True)
            cut = DetectOptions(
                region_size=one.region.width,
                overlap=one.region.width // 8,
                lattice=one.lattice.width,
            )
            detect(folder / "tile" / slide, output, options=cut, strict=True)
        yield slide, row["path"], row["labels"], row["split"]


def _images(
    one: StudySet, layouts: Mapping[str, Layout], folder: Path
) -> Iterator[tuple[str, str, str, str]]:
    for name in ("images", "labels"):
        (folder / name).mkdir()
    for split, images in one.splits.items():
        slides = {split: images} if one.joined else {image: (image,) for image in images}
        for slide, parts in slides.items():
            pictures, labels = (Path(kind) / f"{slide}.png" for kind in ("images", "labels"))
            for path, read, fill in ((pictures, _read_picture, 255), (labels, _read_labels, 0)):
                _write_joined(one, folder / path, [read(one, part) for part in parts], fill=fill)
            tile(
                folder / pictures,
                folder / "tile" / slide,
                options=TileOptions(slide_mpp=one.image_mpp),
            )
            for name, layout in layouts.items():
                output = folder / "detect" / name / slide
                output.parent.mkdir(parents=True, exist_ok=True)
                _write_regions(one.area, len(parts), layout, folder / "tile" / slide, output)
            yield slide, str(pictures), str(labels), split


def _read_picture(one: StudySet, image: str) -> NDArray[np.uint8]:
    return _crop(one, one.pictures, image)


def _read_labels(one: StudySet, image: str) -> NDArray[np.uint8]:
    pixels = _crop(one, one.masks, image).astype(np.int32)
    colours = np.array(list(one.classes.values()), np.int32)
    distance = [np.square(pixels - colour).sum(axis=-1) for colour in colours]
    return (np.argmin(distance, axis=0) + 1).astype(np.uint8)


def _crop(one: StudySet, paths: str, image: str) -> NDArray[np.uint8]:
    """Return what is used of an image, (H, W, 3)."""
    name, _, left = image.partition("-")
    scale = round(WORKING_MPP / one.image_mpp)
    first = scale * int(left or 0)
    with Image.open(DATA / paths.format(name)) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    return pixels[: one.area.height * scale, first : first + one.area.width * scale]


def _write_joined(
    one: StudySet, output: Path, parts: Sequence[NDArray[np.uint8]], *, fill: int
) -> None:
    """Write images beside and below each other, with gaps between them."""
    scale = parts[0].shape[0] // one.area.height
    places = _places(one.area, len(parts))
    width, height = (
        scale * (max(place[axis] for place in places) + side)
        for axis, side in enumerate((one.area.width, one.area.height))
    )
    joined = np.full((height, width, *parts[0].shape[2:]), fill, np.uint8)
    for (left, top), part in zip(places, parts, strict=True):
        rows, columns = part.shape[:2]
        joined[scale * top :, scale * left :][:rows, :columns] = part
    Image.fromarray(joined).save(output)


def _places(area: Size, count: int) -> list[tuple[int, int]]:
    """Return left and top of each image in a joined one, in working pixels."""
    columns = math.ceil(math.sqrt(count))
    return [
        (number % columns * (area.width + _GAP), number // columns * (area.height + _GAP))
        for number in range(count)
    ]


def _write_regions(area: Size, count: int, layout: Layout, tiled: Path, output: Path) -> None:
    """Write what the detect stage writes, with the images as tissue, cut without overlap."""

    def work(folder: Path, _: StageInputs) -> DetectResults:
        pyramid = open_pyramid(tiled)
        places = _places(area, count)
        rows = range(0, area.height, layout.region.height)
        columns = range(0, area.width, layout.region.width)
        corners = [
            (left + column, top + row)
            for left, top in places
            for row, column in product(rows, columns)
        ]
        regions = [
            Region(index, *corner, layout.region, layout.lattice)
            for index, corner in enumerate(corners)
        ]
        write_regions(folder / REGIONS_NAME, regions, [1.0] * len(regions), pyramid.frame)
        Image.fromarray(_mask(pyramid.size, places, area)).save(folder / MASK_NAME)
        mask_mpp = MASK_DOWNSAMPLE * pyramid.frame.mpp
        return DetectResults(
            tissue_mm2=count * area.width * area.height * (pyramid.frame.mpp / 1000) ** 2,
            pieces=count,
            regions=len(regions),
            mask_level=pyramid.level_near(mask_mpp),
            mask_downsample=float(MASK_DOWNSAMPLE),
            mask_mpp=mask_mpp,
        )

    run_stage("detect", output, work, inputs={"tile": tiled}, parameters={"overlap": 0})


def _mask(size: Size, places: Sequence[tuple[int, int]], area: Size) -> NDArray[np.uint8]:
    width, height = (-(-side // MASK_DOWNSAMPLE) for side in (size.width, size.height))
    mask = np.zeros((height, width), np.uint8)
    for left, top in places:
        part = mask[top // MASK_DOWNSAMPLE :, left // MASK_DOWNSAMPLE :]
        part[: area.height // MASK_DOWNSAMPLE, : area.width // MASK_DOWNSAMPLE] = 255
    return mask


def slides_of(folder: Path, split: str) -> dict[str, Path]:
    """Return slide -> reference labels of a split of a prepared set."""
    with (folder / SHEET_NAME).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return {row["slide"]: folder / row["labels"] for row in rows if row["split"] == split}
