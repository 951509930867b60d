"""Make slides of the annotated colon biopsies of EBHI-Seg: `python colon_slides.py DATA FOLDER`.

DATA holds `images/*.jpg`, `masks/*.png` and `cases.tsv` (columns image, case, grade). Each image, 224 x 224
pixels pressed from a field of 4 : 3, becomes a piece of tissue of 299 x 224 pixels, on glass or
in a mosaic whose seams are ignored. FOLDER gets the slides, their reference labels and `slides.tsv`.
No case is in two splits; the slides to tune by and to test hold one grade each.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from PIL import Image, ImageDraw
from slide_file import write_slide

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

MPP = 1.1
"""Estimated from the size of glands; the files state none."""
PIECE = (299, 224)
EPITHELIUM, STROMA, IGNORE = 1, 2, 255
SPLITS = {"test": 0.2, "tune": 0.1}
"""Split -> fraction of the cases of each grade; the rest is learned from."""
PIECES = 48
"""Pieces on a slide, at most."""
COLUMNS = 6
GAP = 96
"""Glass between pieces or mosaics, at least, in pixels."""
MOSAIC = (2, 2)
"""Columns and rows of a mosaic."""
SEAM = 4
"""Pixels along each edge of a mosaic's pieces that are ignored."""
BAND = 24
"""Glass around a piece, in pixels: learned as stroma, since it is no epithelium, and never scored."""
SEED = 7


@dataclass(frozen=True)
class Picture:
    """One annotated image."""

    name: str
    case: str
    grade: str


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--train-cases", type=int, help="Learn from this many cases only.")
def main(data: Path, folder: Path, train_cases: int | None) -> None:
    """Write the slides of the images in DATA, their labels and their sheet into FOLDER."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "slides.tsv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t")
        writer.writerow(["slide", "path", "mpp", "labels", "split"])
        for split, slide, pictures in lay_out(read_pictures(data), train_cases):
            random = np.random.default_rng([SEED, *slide.encode()])
            image, labels = paint(data, pictures, random, STROMA if split == "train" else IGNORE)
            write_slide(folder / f"{slide}.tif", image, mpp=MPP)
            write_slide(folder / f"{slide}-labels.tif", labels, mpp=MPP)
            writer.writerow([slide, f"{slide}.tif", MPP, f"{slide}-labels.tif", split])


def read_pictures(data: Path) -> list[Picture]:
    """Return the annotated images, ordered by name."""
    with (data / "cases.tsv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return sorted(
        (Picture(row["image"], row["case"], row["grade"]) for row in rows),
        key=lambda picture: picture.name,
    )


def lay_out(
    pictures: Sequence[Picture], train_cases: int | None = None
) -> Iterator[tuple[str, str, list[Picture]]]:
    """Yield the split, the id and the images of each slide."""
    splits = split_cases(pictures)
    learned = sorted(case for case, split in splits.items() if split == "train")
    np.random.default_rng(SEED).shuffle(learned)
    kept = set(learned[:train_cases])
    groups: dict[tuple[str, str], list[Picture]] = defaultdict(list)
    for picture in pictures:
        split = splits[picture.case]
        if split != "train":
            groups[split, picture.grade.lower().replace(" ", "-")].append(picture)
        elif picture.case in kept:
            groups[split, ""].append(picture)
    for (split, grade), members in sorted(groups.items()):
        np.random.default_rng(SEED).shuffle(members)
        count = -(-len(members) // PIECES)
        for number in range(count):
            suffix = f"-{number + 1}" if count > 1 else ""
            name = "-".join(filter(None, (split, grade))) + suffix
            yield split, name, members[number::count]


def split_cases(pictures: Sequence[Picture]) -> dict[str, str]:
    """Return the split of each case; each grade gives its share to every split."""
    grades: dict[str, Counter[str]] = defaultdict(Counter)
    for picture in pictures:
        grades[picture.case][picture.grade] += 1
    by_grade: dict[str, list[str]] = defaultdict(list)
    for case, counts in sorted(grades.items()):
        by_grade[counts.most_common(1)[0][0]].append(case)
    splits = {}
    for grade in sorted(by_grade):
        cases = by_grade[grade]
        np.random.default_rng(SEED).shuffle(cases)
        ends = np.cumsum([max(1, round(share * len(cases))) for share in SPLITS.values()])
        for number, case in enumerate(cases):
            splits[case] = next(
                (split for split, end in zip(SPLITS, ends, strict=True) if number < end), "train"
            )
    return splits


def paint(
    data: Path, pictures: Sequence[Picture], random: np.random.Generator, band: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a slide, (H, W, 3), and its labels, (H, W), with a value for the glass near tissue."""
    half = len(pictures) // 2
    pieces = [read_rounded(data, picture, random) for picture in pictures[:half]]
    size = MOSAIC[0] * MOSAIC[1]
    mosaics = [
        read_mosaic(data, pictures[first : first + size])
        for first in range(half, len(pictures), size)
    ]
    image, labels = make_glass(*shelve(pieces, mosaics), random)
    top = 0
    for blocks, columns in ((pieces, COLUMNS), (mosaics, COLUMNS // MOSAIC[0])):
        side = image.shape[1] // columns
        for number, block in enumerate(blocks):
            pixels, classes = turn(*block, int(random.integers(8)))
            row, column = divmod(number, columns)
            height, width = classes.shape
            corner = (
                top + row * side + int(random.integers(BAND, side - height - BAND)),
                column * side + int(random.integers(BAND, side - width - BAND)),
            )
            lay(image, labels, pixels, classes, corner, band)
        top += -(-len(blocks) // columns) * side
    return image, labels


def shelve(*kinds: Sequence[tuple[NDArray[np.uint8], NDArray[np.uint8]]]) -> tuple[int, int]:
    """Return height and width of a slide with pieces in its upper and mosaics in its lower rows."""
    width = COLUMNS * (max(PIECE) + GAP)
    height = 0
    for blocks, columns in zip(kinds, (COLUMNS, COLUMNS // MOSAIC[0]), strict=True):
        height += -(-len(blocks) // columns) * (width // columns)
    return height, width


def make_glass(
    height: int, width: int, random: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a slide without tissue and its labels."""
    colour = random.integers(232, 248) + random.integers(-3, 4, 3)
    noise = random.integers(-2, 3, (height, width, 1), dtype=np.int8)
    return (colour + noise).astype(np.uint8), np.zeros((height, width), np.uint8)


def lay(
    image: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    pixels: NDArray[np.uint8],
    classes: NDArray[np.uint8],
    corner: tuple[int, int],
    band: int,
) -> None:
    """Lay tissue on a slide, with its top left at `corner`."""
    (top, left), (height, width) = corner, classes.shape
    labels[top - BAND : top + height + BAND, left - BAND : left + width + BAND] = band
    part = np.s_[top : top + height, left : left + width]
    inside = classes > 0
    image[part][inside] = pixels[inside]
    labels[part][inside] = classes[inside]


def read_rounded(
    data: Path, picture: Picture, random: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return an image with rounded corners, and its labels with 0 beyond them."""
    image, labels = read_piece(data, picture)
    height, width = labels.shape
    mask = Image.new("1", (width, height))
    radius = int(random.integers(20, 80))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, width - 1, height - 1), radius, fill=1)
    labels[~np.array(mask)] = 0
    return image, labels


def read_mosaic(
    data: Path, pictures: Sequence[Picture]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return images side by side, and their labels with ignored seams."""
    columns, rows = MOSAIC
    width, height = PIECE
    image = np.zeros((rows * height, columns * width, 3), np.uint8)
    labels = np.zeros(image.shape[:2], np.uint8)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        part = np.s_[row * height : (row + 1) * height, column * width : (column + 1) * width]
        image[part], labels[part] = read_piece(data, picture)
        seams = labels[part]
        seams[:SEAM] = seams[-SEAM:] = IGNORE
        seams[:, :SEAM] = seams[:, -SEAM:] = IGNORE
    return image, labels


def read_piece(data: Path, picture: Picture) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return an image as it was before it was pressed into a square, and its labels."""
    with Image.open(data / "images" / f"{picture.name}.jpg") as file:
        image = np.array(file.convert("RGB").resize(PIECE, Image.Resampling.BICUBIC))
    with Image.open(data / "masks" / f"{picture.name}.png") as file:
        share = np.array(file.convert("L").resize(PIECE, Image.Resampling.BILINEAR))
    return image, np.where(share > 127, EPITHELIUM, STROMA).astype(np.uint8)


def turn(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], orientation: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return image and labels in one of eight orientations."""
    image, labels = (np.rot90(array, orientation % 4) for array in (image, labels))
    return (image[::-1], labels[::-1]) if orientation >= 4 else (image, labels)


if __name__ == "__main__":
    main()
