"""Small labelled slides as the stages before train and segment leave them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from stage_results import detect_results, tile_results

from lds_path.classes import LabelClass
from lds_path.formats.mask import MASK_NAME
from lds_path.formats.pyramid import PYRAMID_NAME, open_pyramid
from lds_path.formats.pyramid_writer import write_pyramid
from lds_path.formats.regions import REGIONS_NAME, write_regions
from lds_path.geometry import Frame, Region, Size, tile_starts
from lds_path.models.card import ModelCard
from lds_path.models.checkpoint import save_model
from lds_path.network.segmenter import Segmenter
from lds_path.provenance.stage_run import run_stage

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.formats.results import DetectResults, TileResults
    from lds_path.network.spec import NetworkSpec
    from lds_path.provenance.stage_folder import StageInputs

CLASSES = ("Pale", "Dark")
REGION, OVERLAP, LATTICE = 512, 64, 32


@dataclass(frozen=True)
class SmallSlide:
    """Folders of a slide with two classes."""

    tile: Path
    detect: Path
    labels: Path


def make_card(spec: NetworkSpec) -> ModelCard:
    """Return the card of a model for such slides."""
    return ModelCard(
        network=spec,
        classes=(LabelClass(1, "Pale", (200, 200, 200)), LabelClass(2, "Dark", (90, 0, 90))),
        mpp=0.5,
        region_size=Size(REGION, REGION),
        lattice=Size(LATTICE, LATTICE),
    )


def save_random_model(folder: Path, spec: NetworkSpec) -> Path:
    """Write a model with random weights, whose densities are far from constant, and return its folder."""
    torch.manual_seed(0)
    segmenter = Segmenter(spec)
    if spec.warps:
        torch.nn.init.normal_(segmenter.density.head.weight, std=50)
    save_model(folder, segmenter, make_card(spec))
    return folder


def make_slide(
    root: Path, slide: str, *, seed: int = 0, mpp: float = 0.5, painted: bool = False
) -> SmallSlide:
    """Write `root/{tile,detect}/<slide>` and `root/{slides,labels}/<slide>.png`."""
    rgb, labels = paint(seed)
    file = root / "slides" / f"{slide}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgb).save(file)
    folders = SmallSlide(
        root / "tile" / slide, root / "detect" / slide, root / "labels" / f"{slide}.png"
    )
    folders.labels.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels).save(folders.labels)
    size = Size(labels.shape[1], labels.shape[0])

    def tile(folder: Path, _: StageInputs) -> TileResults:
        def read_block(left: int, top: int, block: Size) -> NDArray[np.uint8]:
            part = rgb[top : top + block.height, left : left + block.width]
            return np.ascontiguousarray(part.transpose(2, 0, 1))

        write_pyramid(folder / PYRAMID_NAME, read_block, size, Frame(mpp, 1.0), background=243)
        return tile_results(size, mpp=mpp, painted=painted)

    def detect(folder: Path, _: StageInputs) -> DetectResults:
        regions = make_regions(size)
        frame = open_pyramid(folders.tile).frame
        write_regions(folder / REGIONS_NAME, regions, [1.0] * len(regions), frame)
        Image.fromarray(np.full((4, 4), 255, np.uint8)).save(folder / MASK_NAME)
        return detect_results(size.width / 4, regions=len(regions))

    run_stage("tile", folders.tile, tile, inputs={"slide": file}, parameters={"mpp": mpp})
    run_stage(
        "detect",
        folders.detect,
        detect,
        inputs={"tile": folders.tile},
        parameters={"overlap": OVERLAP},
    )
    return folders


def damage_regions(detect: Path) -> None:
    """Change one digit of a region table; it still is one."""
    path = detect / REGIONS_NAME
    path.write_text(
        path.read_text(encoding="utf-8").replace("\t448\t", "\t449\t", 1), encoding="utf-8"
    )


def make_regions(size: Size) -> list[Region]:
    """Return regions that cover a slide."""
    corners = [
        (left, top)
        for top in tile_starts(size.height, REGION, OVERLAP)
        for left in tile_starts(size.width, REGION, OVERLAP)
    ]
    return [
        Region(index, left, top, Size(REGION, REGION), Size(LATTICE, LATTICE))
        for index, (left, top) in enumerate(corners)
    ]


def paint(seed: int, width: int = 1000, height: int = 600) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return dark rectangles on a pale ground, and their labels."""
    random = np.random.default_rng(seed)
    labels = np.ones((height, width), np.uint8)
    for _ in range(12):
        left, top = random.integers(0, width), random.integers(0, height)
        labels[top : top + random.integers(40, 160), left : left + random.integers(40, 160)] = 2
    colors = np.array([[243, 243, 243], [230, 190, 210], [120, 70, 150]], np.int16)
    rgb = colors[labels] + random.integers(-12, 13, (height, width, 1))
    return np.clip(rgb, 0, 255).astype(np.uint8), labels


class ArrayPyramid:
    """A pyramid in memory, with two levels."""

    level_count = 2
    finest = 0
    texture = None

    def __init__(self, rgb):
        halves = rgb.reshape(rgb.shape[0] // 2, 2, rgb.shape[1] // 2, 2, 3).mean(axis=(1, 3))
        self.levels = [rgb, (halves + 0.5).astype(np.uint8)]

    def read(self, level, left, top, size):
        block = np.full((size.height, size.width, 3), 243, np.uint8)
        part = self.levels[level][top : top + size.height, left : left + size.width]
        block[: part.shape[0], : part.shape[1]] = part
        return block
