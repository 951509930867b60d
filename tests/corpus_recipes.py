"""Recipes of broken and odd slides: what is done to a real slide's bytes, or how pixels are written."""

from __future__ import annotations

import io
import random
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

SLIDE = Path("slides") / "CMU-1-Small-Region.svs"
APERIO = "Aperio Image Library v11.2.1 \n{0}x{1} ({2}x{2}) JPEG/RGB Q=80|AppMag = 20|MPP = 0.4990"


@dataclass(frozen=True)
class Source:
    """What the slides are made from."""

    slide: bytes
    """A tiled Aperio SVS with JPEG tiles and 0.499 um per pixel."""
    pixels: NDArray[np.uint8]
    """Tissue, (480, 600, 3)."""


def make_source(data: Path | None) -> Source:
    """Return the real slide of the data folder, or a painted one in the same format."""
    if data is not None:
        slide = (data / SLIDE).read_bytes()
        return Source(slide, tifffile.imread(io.BytesIO(slide), key=0)[900:1380, 700:1300])
    from lds_path.geometry import Size
    from lds_path.pixels.synthetic import paint_slide

    rgb = np.concatenate(list(paint_slide(1, Size(1024, 768)).strips()))
    slide = io.BytesIO()
    tifffile.imwrite(
        slide, rgb, tile=(240, 240), photometric="rgb", compression="jpeg", metadata=None,
        description=APERIO.format(1024, 768, 240),
    )  # fmt: skip
    return Source(slide.getvalue(), rgb[144:624, 200:800])


# --- the file's bytes ------------------------------------------------------------------------


def copy_slide(path: Path, source: Source) -> None:
    """Write the slide as it is."""
    path.write_bytes(source.slide)


def truncate(path: Path, source: Source, share: float = 0.0, count: int = 0) -> None:
    path.write_bytes(source.slide[: int(len(source.slide) * share) + count])


def cut_in_directory(path: Path, source: Source, extra: int) -> None:
    path.write_bytes(source.slide[: first_page(source).offset + extra])


def set_byte(path: Path, source: Source, offset: int, value: int) -> None:
    content = bytearray(source.slide)
    content[offset] ^= value
    path.write_bytes(content)


def flip(path: Path, source: Source, part: str, seed: int, count: int) -> None:
    """Flip bits of some bytes of the first directory, of what it points to, or of tiles."""
    page = first_page(source)
    parts = {
        "directory": [(page.offset, 2 + 12 * len(page.tags) + 4)],
        "values": [(tag.valueoffset, tag.valuebytecount) for tag in page.tags],
        "tiles": list(zip(page.dataoffsets, page.databytecounts, strict=True)),
    }
    chance = random.Random(seed)
    content = bytearray(source.slide)
    for _ in range(count):
        start, length = chance.choice(parts[part])
        content[start + chance.randrange(length)] ^= chance.randrange(1, 256)
    path.write_bytes(content)


def spoil_tiles(path: Path, source: Source, share: float) -> None:
    page = first_page(source)
    content = bytearray(source.slide)
    for index in range(max(int(len(page.dataoffsets) * share), 1)):
        start, length = page.dataoffsets[index], page.databytecounts[index]
        content[start : start + length] = b"\x5a" * length
    path.write_bytes(content)


def set_tags(path: Path, source: Source, **values: object) -> None:
    """Write the slide with other values in tags of its first page."""
    path.write_bytes(source.slide)
    with tifffile.TiffFile(path, mode="r+b") as file:
        tags = file.pages.first.tags
        for name, value in values.items():
            tags[name].overwrite(value, dtype=4)


def set_all(path: Path, source: Source, name: str, value: int) -> None:
    """Write the slide with one value for every tile."""
    count = len(first_page(source).dataoffsets)
    set_tags(path, source, **{name: (value,) * count})


def set_description(path: Path, source: Source, mpp: str) -> None:
    content = source.slide
    old = b"MPP = 0.4990"
    path.write_bytes(content.replace(old, f"MPP = {mpp}".ljust(len(old)).encode()))


def loop_directories(path: Path, source: Source) -> None:
    """Let the last directory be followed by the first."""
    with tifffile.TiffFile(io.BytesIO(source.slide)) as file:
        first, last = file.pages.first.offset, file.pages[len(file.pages) - 1]
    content = bytearray(source.slide)
    place = last.offset + 2 + 12 * len(last.tags)
    content[place : place + 4] = struct.pack("<I", first)
    path.write_bytes(content)


def first_page(source: Source) -> Any:
    with tifffile.TiffFile(io.BytesIO(source.slide)) as file:
        page = file.pages.first
        _ = page.tags
        return page


# --- odd images ------------------------------------------------------------------------------


def write_tiff(
    path: Path, source: Source, change: Callable[..., Any] | None = None, **options: Any
):
    """Write the pixels, changed, as one TIFF page of 0.5 um."""
    pixels = source.pixels if change is None else change(source.pixels)
    defaults = {"tile": (128, 128), "photometric": "rgb", "compression": "deflate"}
    defaults |= {"resolution": (2e4, 2e4), "resolutionunit": "CENTIMETER", "metadata": None}
    options = {name: value for name, value in (defaults | options).items() if value is not None}
    tifffile.imwrite(path, pixels, **options)


def write_levels(
    path: Path, source: Source, sizes: Sequence[tuple[int, int]], **options: Any
) -> None:
    """Write a pyramid whose levels have any sizes, width and height."""
    image = Image.fromarray(source.pixels)
    with tifffile.TiffWriter(path, **options) as writer:
        for level, size in enumerate([image.size, *sizes]):
            whole = level == 0 and options.get("ome")
            writer.write(
                np.asarray(image.resize(size)), tile=(128, 128), photometric="rgb",
                compression="deflate", subfiletype=int(level > 0), resolution=(2e4, 2e4),
                resolutionunit="CENTIMETER", subifds=len(sizes) if whole else None,
                metadata={"axes": "YXS"} if whole else None,
            )  # fmt: skip


def write_ome(path: Path, source: Source, xml: str) -> None:
    """Write an OME-TIFF with any text as its XML."""
    write_tiff(path, source, description=xml.encode(), resolution=None, resolutionunit=None)


def ome_xml(mpp: str = "0.5", *, unit: str = "µm", prolog: str = "", name: str = "") -> str:
    attributes = "".join(
        f' PhysicalSize{axis}="{mpp}" PhysicalSize{axis}Unit="{unit}"' for axis in "XY"
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{prolog}'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        f'<Image ID="Image:0" Name="{name}"><Pixels ID="Pixels:0" DimensionOrder="XYCZT"'
        ' Type="uint8" SizeX="600" SizeY="480" SizeC="3" SizeZ="1" SizeT="1"'
        f'{attributes}><Channel ID="Channel:0:0" SamplesPerPixel="3"/><TiffData/></Pixels></Image></OME>'
    )


def laughs() -> str:
    """Return OME-XML whose name expands to 10**9 letters."""
    entities = ['<!ENTITY a0 "ha">']
    entities += [f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)]
    return ome_xml(prolog=f"<!DOCTYPE OME [{''.join(entities)}]>", name="&a9;")


def write_scenes(path: Path, source: Source, *, ome: bool) -> None:
    with tifffile.TiffWriter(path, ome=ome) as writer:
        for pixels in (source.pixels, source.pixels[:300, :333]):
            metadata = {"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5} if ome else None
            writer.write(
                pixels, photometric="rgb", tile=(128, 128), compression="deflate",
                resolution=(2e4, 2e4), resolutionunit="CENTIMETER", metadata=metadata,
            )  # fmt: skip


def write_image(path: Path, source: Source, mode: str = "RGB", kind: str = "PNG", **options: Any):
    Image.fromarray(source.pixels).convert(mode).save(path, kind, **options)


def write_png(
    path: Path, _: Source, size: tuple[int, int], *, rows: int = 0, colour: int = 2
) -> None:
    """Write a PNG that claims a size and holds some black rows of it."""
    samples = {0: 1, 2: 3, 6: 4}[colour]
    squeeze = zlib.compressobj(1)
    row = bytes(size[0] * samples + 1) if rows else b""
    data = b"".join(squeeze.compress(row) for _ in range(rows)) + squeeze.flush()
    header = struct.pack(">IIBBBBB", *size, 8, colour, 0, 0, 0)
    with path.open("wb") as stream:
        stream.write(b"\x89PNG\r\n\x1a\n")
        for kind, body in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b"")):
            stream.write(struct.pack(">I", len(body)) + kind + body)
            stream.write(struct.pack(">I", zlib.crc32(kind + body)))


def write_jpeg(path: Path, source: Source, size: tuple[int, int]) -> None:
    """Write a JPEG whose header claims another size."""
    write_image(path, source, kind="JPEG", dpi=(50800, 50800))
    content = bytearray(path.read_bytes())
    place = content.index(b"\xff\xc0") + 5
    content[place : place + 4] = struct.pack(">HH", size[1], size[0])
    path.write_bytes(content)


def write_tags(
    path: Path, _: Source, size: tuple[int, int], tile: tuple[int, int], *, counts: int = 0,
    samples: int = 3, compression: int = 1,
) -> None:  # fmt: skip
    """Write a BigTIFF that claims a size and a tile size; every tile lies at one place."""
    across, down = (-(-length // max(edge, 1)) for length, edge in zip(size, tile, strict=True))
    tiles = min(across * down, 2**16) if counts else 1
    entries = [
        (256, 4, 1, size[0]), (257, 4, 1, size[1]), (258, 3, 1, 8), (259, 3, 1, compression),
        (262, 3, 1, 2 if samples == 3 else 1), (277, 3, 1, samples), (282, 5, 1, None),
        (283, 5, 1, None), (296, 3, 1, 3), (322, 4, 1, tile[0]), (323, 4, 1, tile[1]),
        (324, 16, tiles, None), (325, 16, tiles, None),
    ]  # fmt: skip
    rational = struct.pack("<II", 20000, 1)
    after = 16 + 8 + 20 * len(entries) + 8
    places = {324: after, 325: after + 8 * tiles}
    with path.open("wb") as stream:
        stream.write(b"II+\0" + struct.pack("<HHQ", 8, 0, 16) + struct.pack("<Q", len(entries)))
        for tag, kind, count, value in entries:
            if kind == 5:
                body = rational
            elif value is not None or count == 1:
                body = struct.pack("<Q", {324: after, 325: counts}.get(tag, value) or 0)
            else:
                body = struct.pack("<Q", places[tag])
            stream.write(struct.pack("<HHQ", tag, kind, count) + body)
        stream.write(bytes(8))
        for value in (after, counts):
            stream.write(struct.pack("<Q", value) * tiles)
        stream.write(zlib.compress(bytes(1 << 20)) + bytes(1 << 16))


def write_resolution(path: Path, source: Source, numbers: tuple[int, int], **options: Any) -> None:
    """Write a TIFF whose resolution is any numerator and denominator."""
    write_tiff(path, source, **options)
    with tifffile.TiffFile(path, mode="r+b") as file:
        for name in ("XResolution", "YResolution"):
            file.pages.first.tags[name].overwrite(numbers)


def write_inflating(path: Path, source: Source, compression: str, size: int) -> None:
    """Write an OME-TIFF whose first tile unpacks to many more bytes than a tile has."""
    write_tiff(path, source, description=ome_xml().encode(), compression=compression)
    if compression == "deflate":
        squeeze = zlib.compressobj(9)
        block = squeeze.compress(bytes(2**20)) + squeeze.flush(zlib.Z_FULL_FLUSH)
        again = squeeze.compress(bytes(2**20)) + squeeze.flush(zlib.Z_FULL_FLUSH)
        tile = block + again * (size // 2**20 - 1)
    else:  # a zstd frame of blocks that repeat one byte 131072 times
        blocks = size // 2**17
        header = struct.pack("<IBQ", 0xFD2FB528, 0xE0, blocks * 2**17)
        block = (2**17 << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
        last = (2**17 << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"\0"
        tile = header + block * (blocks - 1) + last
    with tifffile.TiffFile(path, mode="r+b") as file:
        page = file.pages.first
        offsets = (path.stat().st_size, *page.dataoffsets[1:])
        counts = (len(tile), *page.databytecounts[1:])
        page.tags["TileOffsets"].overwrite(offsets)
        page.tags["TileByteCounts"].overwrite(counts, dtype=4)
    with path.open("r+b") as stream:
        stream.seek(offsets[0])
        stream.write(tile)


def write_text(path: Path, _: Source, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def to_grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels[..., 1].copy()


def to_planes(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def to_cmyk(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.concatenate([255 - pixels, np.zeros_like(pixels[..., :1])], axis=2)


def add_alpha(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.concatenate([pixels, np.full_like(pixels[..., :1], 200)], axis=2)


def resize(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    return np.resize(pixels, (height, width, 3))


def flatten(pixels: NDArray[np.uint8], value: int) -> NDArray[np.uint8]:
    return np.full_like(pixels, value)


def as_type(pixels: NDArray[np.uint8], kind: Any) -> NDArray[Any]:
    return pixels.astype(kind)


COLORMAP = np.stack([np.arange(256, dtype=np.uint16) * 257] * 3)
