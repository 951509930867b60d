"""The region table: which rectangles of a slide are segmented, and on which lattice each.

A tab-separated file with one row per region, in the order of the regions. It states each
rectangle twice: in working pixels, which the pipeline uses, and in level-0 pixels of the slide
file, which other programs use.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from lds_path.errors import StageInputError
from lds_path.geometry import Region, Size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lds_path.geometry import Frame

T = TypeVar("T")

REGIONS_NAME = "regions.tsv"
COLUMNS = (
    "region",
    "left",
    "top",
    "width",
    "height",
    "left_l0",
    "top_l0",
    "width_l0",
    "height_l0",
    "lattice_width",
    "lattice_height",
    "tissue_share",
)


def write_regions(
    path: Path, regions: Sequence[Region], tissue_share: Sequence[float], frame: Frame
) -> None:
    """Write the region table of a slide.

    Parameters
    ----------
    path
        File to write; the same regions give the same bytes.
    regions
        In the order of their indices.
    tissue_share
        Share of each region's area that is tissue, in [0, 1].
    frame
        Where the working pixels lie on the slide.

    Raises
    ------
    ValueError
        If there is not one share for each region.
    """
    rows = [
        _to_row(region, share, frame) for region, share in zip(regions, tissue_share, strict=True)
    ]
    lines = ["\t".join(COLUMNS), *("\t".join(row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def copy_regions(table: Path, output: Path, lattices: Sequence[Size]) -> None:
    """Write a region table with other lattices, all else as in a table that `read_regions` reads.

    Raises
    ------
    ValueError
        If there is not one lattice for each region.
    """
    lines = table.read_text(encoding="utf-8").splitlines()
    width, height = (COLUMNS.index(f"lattice_{side}") for side in ("width", "height"))
    rows = [line.split("\t") for line in lines[1:]]
    for row, lattice in zip(rows, lattices, strict=True):
        row[width], row[height] = str(lattice.width), str(lattice.height)
    text = "\n".join([lines[0], *("\t".join(row) for row in rows)]) + "\n"
    output.write_text(text, encoding="utf-8", newline="\n")


def read_regions(path: Path) -> list[Region]:
    """Return the regions of a table, in order.

    Raises
    ------
    StageInputError
        If the table is missing or is not one that `write_regions` made.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream, delimiter="\t")
            rows = list(reader)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    except (FileNotFoundError, NotADirectoryError):
        raise StageInputError(f"{path} is missing; {_REMEDY}") from None
    except (UnicodeDecodeError, csv.Error, IsADirectoryError) as error:
        raise StageInputError(f"{path} is not a table of text ({error}); {_REMEDY}") from None
    if missing:
        raise StageInputError(f"{path} has no column {', '.join(missing)}; {_REMEDY}")
    if not rows:
        raise StageInputError(f"{path} lists no region; {_REMEDY}")
    return [_to_region(row, index, path) for index, row in enumerate(rows)]


_REMEDY = "run the detect stage again for this slide"


def _to_row(region: Region, share: float, frame: Frame) -> list[str]:
    left_l0, top_l0 = frame.to_l0(region.left, region.top)
    size_l0 = (region.size.width * frame.downsample, region.size.height * frame.downsample)
    return [
        *map(str, (region.index, region.left, region.top, region.size.width, region.size.height)),
        *(f"{value:.2f}" for value in (left_l0, top_l0, *size_l0)),
        str(region.lattice.width),
        str(region.lattice.height),
        f"{share:.4f}",
    ]


def _to_region(row: Mapping[str, str | None], index: int, path: Path) -> Region:
    where = f"{path}, line {index + 2}"
    number = {name: _whole_number(row[name], name, where) for name in COLUMNS[:5] + COLUMNS[9:11]}
    if number["region"] != index:
        raise StageInputError(
            f"{where}: found region {number['region']}, expected {index}; {_REMEDY}"
        )
    for name in ("width", "height", "lattice_width", "lattice_height"):
        if number[name] < 1:
            raise StageInputError(
                f"{where}: {name} is {number[name]}, expected 1 or more; {_REMEDY}"
            )
    return Region(
        index=index,
        left=number["left"],
        top=number["top"],
        size=Size(number["width"], number["height"]),
        lattice=Size(number["lattice_width"], number["lattice_height"]),
    )


def _whole_number(text: str | None, name: str, where: str) -> int:
    try:
        return int(text or "")
    except ValueError:
        raise StageInputError(
            f"{where}: {name} is {text!r}, expected a whole number; {_REMEDY}"
        ) from None


def spread_evenly(items: Sequence[T], count: int) -> list[T]:
    """Return all regions, or other items, or this number of them, spread evenly."""
    indices = np.linspace(0, len(items) - 1, min(len(items), count)).round().astype(int)
    return [items[index] for index in indices.tolist()]
