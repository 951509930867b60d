"""A small MIRAX slide as OpenSlide reads it: `slide.mrxs` and the files of the folder `slide/`."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Settings = dict[str, object]

_IDENTITY = "0123456789ABCDEF0123456789ABCDEF"
_VERSION = "01.02"


def write_mirax(
    path: Path,
    pixels: NDArray[np.uint8],
    mpp: float,
    *,
    levels: int = 3,
    tile: int = 64,
    is_scanned: Callable[[int, int], bool] = lambda column, row: True,
) -> None:
    """Write `path` and the folder beside it, with one data file per level.

    Parameters
    ----------
    pixels
        RGB, (H, W, 3); the sides are multiples of `tile * 2 ** (levels - 1)`.
    mpp
        Microns per pixel of level 0.
    is_scanned
        Whether the tile of a column and a row of level 0 is stored.
    """
    folder = path.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_to_jpeg(pixels[::8, ::8]))
    down, across = pixels.shape[0] // tile, pixels.shape[1] // tile
    entries: list[list[tuple[int, int, int, int]]] = []
    for level in range(levels):
        found, data, shown = [], b"", _reduced(pixels, level)
        for row in range(0, down, 2**level):
            for column in range(0, across, 2**level):
                if is_scanned(column, row):
                    top, left = (index >> level for index in (row * tile, column * tile))
                    image = _to_jpeg(shown[top : top + tile, left : left + tile])
                    found.append((row * across + column, len(data), len(image), level))
                    data += image
        (folder / f"Data{level:04}.dat").write_bytes(data)
        entries.append(found)
    sections = _sections(across, down, mpp, levels=levels, tile=tile)
    text = "".join(
        f"[{name}]\r\n" + "".join(f"{key} = {value}\r\n" for key, value in keys.items())
        for name, keys in sections.items()
    )
    (folder / "Slidedat.ini").write_bytes(b"\xef\xbb\xbf" + text.encode())
    (folder / "Index.dat").write_bytes(_index(entries))


def _sections(across: int, down: int, mpp: float, *, levels: int, tile: int) -> dict[str, Settings]:
    """Return the sections of Slidedat.ini."""
    layer: Settings = {
        "HIER_COUNT": 1, "NONHIER_COUNT": 0, "INDEXFILE": "Index.dat",
        "HIER_0_NAME": "Slide zoom level", "HIER_0_COUNT": levels,
    }  # fmt: skip
    files: Settings = {"FILE_COUNT": levels}
    sections: dict[str, Settings] = {
        "GENERAL": {
            "SLIDE_VERSION": _VERSION, "SLIDE_ID": _IDENTITY, "IMAGENUMBER_X": across,
            "IMAGENUMBER_Y": down, "OBJECTIVE_MAGNIFICATION": 20,
            "CameraImageDivisionsPerSide": 1,
        },
        "HIERARCHICAL": layer,
        "DATAFILE": files,
    }  # fmt: skip
    for level in range(levels):
        name = f"LAYER_0_LEVEL_{level}_SECTION"
        layer[f"HIER_0_VAL_{level}_SECTION"] = name
        files[f"FILE_{level}"] = f"Data{level:04}.dat"
        sections[name] = {
            "OVERLAP_X": 0, "OVERLAP_Y": 0, "MICROMETER_PER_PIXEL_X": mpp * 2**level,
            "MICROMETER_PER_PIXEL_Y": mpp * 2**level, "IMAGE_FORMAT": "JPEG",
            "IMAGE_FILL_COLOR_BGR": 0xFFFFFF, "DIGITIZER_WIDTH": tile, "DIGITIZER_HEIGHT": tile,
            "IMAGE_CONCAT_FACTOR": int(level > 0),
        }  # fmt: skip
    return sections


def _index(entries: list[list[tuple[int, int, int, int]]]) -> bytes:
    """Return Index.dat: for each level, where the tiles lie in its data file."""
    head = _VERSION.encode() + _IDENTITY.encode()
    table = len(head) + 8
    pointers, body = [], b""
    for found in entries:
        here = table + 4 * len(entries) + len(body)
        pointers.append(here)
        body += struct.pack("<4i", 0, here + 8, len(found), 0)
        body += b"".join(struct.pack("<4i", *entry) for entry in found)
    return head + struct.pack("<2i", table, 0) + struct.pack(f"<{len(pointers)}i", *pointers) + body


def _reduced(pixels: NDArray[np.uint8], level: int) -> NDArray[np.uint8]:
    edge = 2**level
    height, width = pixels.shape[:2]
    squares = pixels.reshape(height // edge, edge, width // edge, edge, 3)
    return (squares.mean(axis=(1, 3)) + 0.5).astype(np.uint8)


def _to_jpeg(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=92, subsampling=0)
    return stream.getvalue()
