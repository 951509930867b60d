"""Mutants of images that people give: slides, and labels as pixels or as GeoJSON."""

from __future__ import annotations

import json
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from mutant_outcome import RIGHT, UNKNOWN, WRONG
from PIL import Image
from spoil import spoil_bytes, spoil_json
from tiff_mutants import CHECKED, Tiff, damage, write_legal

from lds_path.formats.pyramid import open_pyramid
from lds_path.geometry import Size
from lds_path.options.slides import TileOptions
from lds_path.pixels.synthetic import paint_slide
from lds_path.reference.legend import Legend
from lds_path.reference.reference import open_reference
from lds_path.slides.slide import PIECES
from lds_path.stages.tile import tile

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from numpy.typing import NDArray

    Verdict = tuple[str, str]
    """The end of a mutant that was accepted, and what to say of it."""

SIZE = Size(600, 500)
FAR = 24
"""Grey values by which JPEG and the substitute for glass do not change a pixel."""
MAX_WRONG = 0.002
BLOCK = PIECES[-1]
"""Side of what becomes white, and is counted, around damage."""
LEGEND = Legend(("A", "B", "C"), {}, (), "background")
SQUARES = {"A": (20, 30, 200, 260), "B": (300, 40, 560, 200), "C": (250, 300, 500, 480)}


@cache
def picture() -> NDArray[np.uint8]:
    return np.concatenate(list(paint_slide(1, SIZE).strips()))


@cache
def labels() -> NDArray[np.uint8]:
    drawn = np.zeros((SIZE.height, SIZE.width), np.uint8)
    for value, (left, top, right, bottom) in enumerate(SQUARES.values(), start=1):
        drawn[top:bottom, left:right] = value
    return drawn


def plain_tiff(folder: Path, random: Random) -> Verdict:
    return _slide(folder / "slide.tif", random, "tiff")


def svs(folder: Path, random: Random) -> Verdict:
    return _slide(folder / "slide.svs", random, "svs")


def ome_tiff(folder: Path, random: Random) -> Verdict:
    return _slide(folder / "slide.ome.tif", random, "ome")


def _slide(path: Path, random: Random, kind: str) -> Verdict:
    slide = write_legal(path, picture(), random, kind=kind)
    damage(slide, random)
    limit = random.choice((0.0, 20.0, 100.0))
    options = TileOptions(mpp=slide.mpp, max_unreadable_percent=limit)
    results = tile(path, path.parent / "tile", options=options, strict=True).results
    pyramid = open_pyramid(path.parent / "tile")
    if pyramid.size != SIZE:
        return (WRONG if slide.known and not slide.lost.any() else UNKNOWN), str(pyramid.size)
    if slide.known and abs(results["mpp"] / slide.mpp - 1) > 1e-3:
        return WRONG, f"{results['mpp']} um per pixel, not {slide.mpp}"
    return _judge(slide, pyramid.read(0, 0, 0, SIZE), results["unreadable_tiles"])


def _judge(slide: Tiff, found: NDArray[np.uint8], unreadable: int) -> Verdict:
    """Say whether pixels are those of the slide, or white and counted where these are lost."""
    if not slide.known:
        return UNKNOWN, ""
    far = (np.abs(found.astype(int) - slide.pixels) > FAR).any(axis=2)
    white = (found >= 225).all(axis=2)
    told = white & _near(slide.lost) if unreadable else np.zeros_like(white)
    wrong = (far & ~slide.lost & ~told).mean()
    if wrong > MAX_WRONG:
        return WRONG, f"{wrong:.1%} of the pixels"
    if not slide.lost.any():
        return RIGHT, ""
    if slide.compression not in CHECKED:
        return UNKNOWN, ""
    if (far & ~white).mean() > MAX_WRONG:
        return WRONG, f"{(far & ~white).mean():.1%} of the pixels, in damaged tiles"
    if (far & white).mean() > MAX_WRONG and not unreadable:
        return WRONG, "white where there is tissue, and no tile counts as unreadable"
    return RIGHT, ""


def _near(lost: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the blocks that hold lost pixels."""
    near = np.zeros_like(lost)
    for top, left in product(range(0, lost.shape[0], BLOCK), range(0, lost.shape[1], BLOCK)):
        block = slice(top, top + BLOCK), slice(left, left + BLOCK)
        near[block] = lost[block].any()
    return near


def label_image(folder: Path, random: Random) -> Verdict:
    step = random.choice((1, 2))
    drawn = labels()[step // 2 :: step, step // 2 :: step].copy()
    if random.random() < 0.4:
        path, lost, known = _label_png(folder, drawn, random)
    else:
        path = folder / "labels.tif"
        written = write_legal(path, drawn, random)
        damage(written, random)
        unchecked = written.lost.any() and written.compression not in CHECKED
        lost, known = written.lost, written.known and not unchecked
    found = _read_reference(path, SIZE)
    if not known:
        return UNKNOWN, ""
    shown = np.repeat(np.repeat(drawn, step, axis=0), step, axis=1)
    wrong = (found != shown).mean()
    where = "of the labels, in damaged tiles" if lost.any() else "of the labels"
    return (WRONG, f"{wrong:.1%} {where}") if wrong else (RIGHT, "")


def _label_png(
    folder: Path, drawn: NDArray[np.uint8], random: Random
) -> tuple[Path, NDArray[np.bool_], bool]:
    image = Image.fromarray(drawn)
    if random.random() < 0.5:
        image.putpalette([*range(256)] * 3)
    path = folder / "labels.png"
    image.save(path)
    content = path.read_bytes()
    start = content.index(b"IDAT")  # its checksum, and that of zlib, tell
    behind = random.random() < 0.7
    if random.random() < 0.8:
        path.write_bytes(spoil_bytes(content, random, start if behind else 0))
    return path, np.zeros(drawn.shape, np.bool_), behind


def geojson(folder: Path, random: Random) -> Verdict:
    """Draw squares in one of many ways, or spoil them."""
    content = _draw(random)
    spoilt = random.random() < 0.6
    text = json.dumps(spoil_json(content, random) if spoilt else content)
    encoded = text.encode("utf-8-sig" if random.random() < 0.2 else "utf-8")
    broken = random.random() < 0.15
    path = folder / "labels.geojson"
    path.write_bytes(spoil_bytes(encoded, random) if broken else encoded)
    found = _read_reference(path, SIZE)
    if spoilt or broken:
        return UNKNOWN, ""
    wrong = (found != labels()).mean()
    return (WRONG, f"{wrong:.1%} of the labels") if wrong else (RIGHT, "")


def _draw(random: Random) -> object:
    features = [_feature(name, box, random) for name, box in SQUARES.items()]
    random.shuffle(features)
    if random.random() < 0.3:
        line = {"type": "Polygon", "coordinates": [[[1, 1], [5, 5], [1, 1], [1, 1]]]}
        features.append({**features[0], "geometry": line})
    return random.choice((features, {"type": "FeatureCollection", "features": features}))


def _feature(name: str, box: tuple[int, ...], random: Random) -> dict[str, object]:
    left, top, right, bottom = box
    ring = [[left, top], [right, top], [right, bottom], [left, bottom]]
    turn = random.randrange(4)
    ring = ring[turn:] + ring[:turn]
    ring = [*ring, ring[0]]
    ring = ring[::-1] if random.random() < 0.5 else ring
    polygon: dict[str, object] = {"type": "Polygon", "coordinates": [ring]}
    several = {"type": "MultiPolygon", "coordinates": [[ring]]}
    mixed = {"type": "GeometryCollection", "geometries": [polygon]}
    return {
        "type": "Feature",
        "id": random.choice(("x", 7, "PathAnnotationObject")),
        "geometry": random.choice((polygon, several, mixed)),
        "properties": {
            "objectType": "annotation",
            "classification": {"name": name, "color": [200, 0, 0]},
        }
        | random.choice(({}, {"isLocked": True}, {"measurements": {"Area": 3.5}})),
    }


def _read_reference(path: Path, size: Size) -> NDArray[np.uint8]:
    reference = open_reference(path, legend=LEGEND, slide=size, bounds_l0=size, downsample=1.0)
    return reference.read(0, 0, size)
