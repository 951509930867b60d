"""Slides whose first image, or whose samples, are not what they seem, after public bug reports.

Each recipe returns the working pixels that the slide shows, where it can be analysed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
import tifffile
from corpus_case import DONE, QUARANTINED, Case
from PIL import Image
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corpus_recipes import Source
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

HALF_UM: dict[str, Any] = {"resolution": (2e4, 2e4), "resolutionunit": "CENTIMETER"}
TILED: dict[str, Any] = {"tile": (128, 128), "photometric": "rgb", "compression": "deflate"}
SIZED = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _several_images()
    yield from _planes()
    yield from _colours()


def _several_images() -> Iterator[Case]:
    ome, tif = "slide.ome.tif", "slide.tif"
    yield Case("ome-macro-first", ome_macro_first, DONE, file=ome, mpp=0.5,
               others=("image 0 'macro': 60 x 80",))  # fmt: skip
    yield Case("tiff-macro-first", tiff_macro_first, DONE, file=tif, slide_mpp=0.5,
               others=("image 0 'Label Image': 60 x 80",))  # fmt: skip
    tiled = partial(tiff_macro_first, tile=(16, 16))
    yield Case("tiff-macro-first-in-tiles", tiled, DONE, file=tif, slide_mpp=0.5)
    yield Case("cmyk-after-a-label", cmyk_after_a_label, DONE, file=tif, slide_mpp=0.5)
    for name, options in (("tiles", {"tile": (128, 128)}), ("strips", {"rowsperstrip": 64})):
        pages = partial(pages_of_one_size, **options)
        yield Case(f"pages-of-one-size-in-{name}", pages, QUARANTINED, "one size", tif, 0.5)
    yield Case("ome-scenes-of-one-size", ome_scenes, QUARANTINED, "'left': 600 x 480, ", ome)
    for scene in ("1", "Right"):
        yield Case(
            f"ome-scene-{scene}".lower(), partial(ome_scenes, chosen=1), DONE, file=ome, scene=scene
        )
    yield Case("ome-scene-of-no-image", ome_scenes, QUARANTINED, "has no scene '2', but image 0", ome,
               scene="2")  # fmt: skip
    for name, options in (("tiles", {"tile": (128, 128)}), ("strips", {"rowsperstrip": 64})):
        pages = partial(pages_of_one_size, chosen=2, **options)
        yield Case(f"page-in-{name}", pages, DONE, file=tif, slide_mpp=0.5, scene="2")
    yield Case("cmyk-page", cmyk_after_a_label, DONE, file=tif, slide_mpp=0.5, scene="1")
    yield Case("scene-of-a-gif", gif_of_three, QUARANTINED, "3 pictures", "a.gif", 0.5, "1")
    yield Case("scene-of-an-svs", lambda path, source: path.write_bytes(source.slide), QUARANTINED,
               "read as one image", scene="1")  # fmt: skip
    yield Case("gif-of-three-pictures", gif_of_three, QUARANTINED, "3 pictures", "a.gif", 0.5)
    yield Case("levels-that-are-not-marked", unmarked_levels, DONE, file=tif, slide_mpp=0.5)
    yield Case("levels-in-subifds", levels_in_subifds, DONE, file=tif, mpp=0.5)


def _planes() -> Iterator[Case]:
    ome = "slide.ome.tif"
    yield Case("svs-of-three-focal-planes", svs_focal_planes, QUARANTINED, "focal planes")
    yield Case("three-focal-planes-in-colour", ome_stack, QUARANTINED, "3 focal planes", ome)
    grey = partial(ome_stack, grey=True)
    yield Case("three-grey-focal-planes", grey, QUARANTINED, "3 focal planes", ome)
    yield Case("three-grey-channels", ome_channels, DONE, file=ome, mpp=0.5)
    named = partial(ome_channels, names=["Red", "Green", "Blue"])
    yield Case("three-channels-named-as-colours", named, DONE, file=ome)
    blue_first = partial(ome_channels, colours=[0x0000FFFF, 0x00FF00FF, 0xFF0000FF - 2**32])
    yield Case("three-channels-blue-first", blue_first, QUARANTINED, "Red, Green, Blue", ome)
    in_order = partial(ome_channels, colours=[0xFF0000FF - 2**32, 0x00FF00FF, 0x0000FFFF])
    yield Case("three-channels-red-first", in_order, DONE, file=ome)
    yield Case("imagej-composite", imagej_composite, QUARANTINED, "3 channels", "a.tif", 0.5)
    stains = partial(ome_channels, names=["DAPI", "FITC", "Cy5"])
    yield Case("three-channels-named-as-stains", stains, QUARANTINED, "channels DAPI, FITC", ome)
    for compression in (None, "deflate"):
        split = partial(ome_in_three_files, compression=compression)
        yield Case(f"colours-in-three-files-{compression}", split, DONE, file=ome, mpp=0.5)
    lost = partial(ome_in_three_files, lost=True)
    yield Case("colours-in-three-files-one-lost", lost, QUARANTINED, "several files", ome)
    yield Case("one-plane-that-another-file-describes", one_plane_of_others, QUARANTINED,
               "one of several files", ome)  # fmt: skip
    samples = partial(write_page, photometric="minisblack", planarconfig="contig")
    yield Case("three-samples-called-grey", samples, QUARANTINED, "it calls grey", ome)


def _colours() -> Iterator[Case]:
    tif, ome = "slide.tif", "slide.ome.tif"
    for name, tile in (("tiles", (128, 128)), ("strips", None)):
        lzw = partial(ycbcr, tile=tile)
        yield Case(f"ycbcr-lzw-in-{name}", lzw, DONE, file=tif)
        yield Case(f"ycbcr-lzw-in-{name}-ome", lzw, DONE, file=ome)
    video = partial(ycbcr, tile=(128, 128), black=16)
    yield Case("ycbcr-of-video-range-ome", video, QUARANTINED, "YCbCr", ome)
    for sampling in ((1, 1), (2, 1), (2, 2)):
        jpeg = partial(soft_jpeg, subsampling=sampling)
        yield Case("jpeg-ycbcr-{}-{}".format(*sampling), jpeg, DONE, file=tif, mpp=0.5)
    for stored, stated in (("RGB", "rgb"), ("YCbCr", "rgb")):
        codec = partial(jpeg_tiles, stored=stored, stated=stated)
        yield Case(f"jpeg-{stored}-called-{stated}".lower(), codec, DONE, file=tif)
    codec = partial(jpeg_tiles, stored="RGB", stated="rgb")
    yield Case("jpeg-rgb-ome", codec, DONE, file=ome, mpp=0.5)
    for orientation in (2, 3, 6, 8):  # which viewers of slides leave as they are
        turned = partial(cmyk_turned, orientation=orientation)
        yield Case(f"cmyk-with-orientation-{orientation}", turned, DONE, file=tif, mpp=0.5)
    for kind in ("unassalpha", "unspecified"):
        for file in (tif, ome):
            clear = partial(transparent_surround, kind=kind)
            name = f"transparent-around-{kind}-{'ome' if file == ome else 'tif'}"
            yield Case(name, clear, DONE, file=file)


# --- several images ---------------------------------------------------------------------------


def label() -> Pixels:
    """Return a picture of a slide's label."""
    picture = np.full((80, 60, 3), 235, np.uint8)
    picture[10:30, 10:50] = (120, 60, 140)
    return picture


def ome_macro_first(path: Path, source: Source) -> Pixels:
    with tifffile.TiffWriter(path, ome=True) as writer:
        macro = {"axes": "YXS", "Name": "macro", "PhysicalSizeX": 3.0, "PhysicalSizeY": 3.0}
        writer.write(label(), metadata=macro, tile=(16, 16), photometric="rgb")
        slide = {"axes": "YXS", "Name": "slide"} | SIZED
        writer.write(source.pixels, metadata=slide, subifds=1, **TILED)
        writer.write(source.pixels[::2, ::2], subfiletype=1, **TILED)
    return source.pixels


def tiff_macro_first(path: Path, source: Source, **options: Any) -> Pixels:
    options = options or {"rowsperstrip": 20}
    with tifffile.TiffWriter(path) as writer:
        writer.write(
            label(), photometric="rgb", metadata=None, description="Label Image", **options
        )
        for step in (1, 2):
            pixels = source.pixels[::step, ::step]
            writer.write(pixels, subfiletype=int(step > 1), metadata=None, **TILED)
    return source.pixels


def cmyk_after_a_label(path: Path, source: Source) -> Pixels:
    cmyk = np.concatenate([255 - source.pixels, np.zeros_like(source.pixels[..., :1])], axis=2)
    with tifffile.TiffWriter(path) as writer:
        writer.write(label(), photometric="rgb", metadata=None)
        writer.write(cmyk, photometric="separated", metadata=None, rowsperstrip=64)
    return source.pixels


def pages_of_one_size(path: Path, source: Source, *, chosen: int = 0, **options: Any) -> Pixels:
    pages = [np.roll(source.pixels, 50 * number, axis=1) for number in range(3)]
    with tifffile.TiffWriter(path) as writer:
        for pixels in pages:
            writer.write(pixels, photometric="rgb", metadata=None, **HALF_UM, **options)
    return pages[chosen]


def ome_scenes(path: Path, source: Source, *, chosen: int = 0) -> Pixels:
    scenes = {"left": source.pixels, "right": source.pixels[:, 50:]}
    with tifffile.TiffWriter(path, ome=True) as writer:
        for name, pixels in scenes.items():
            writer.write(pixels, metadata={"axes": "YXS", "Name": name} | SIZED, **TILED)
    return list(scenes.values())[chosen]


def gif_of_three(path: Path, source: Source) -> None:
    first, *rest = (Image.fromarray(np.roll(source.pixels, n, axis=1)) for n in (0, 9, 90))
    first.save(path, save_all=True, append_images=rest)


def unmarked_levels(path: Path, source: Source) -> Pixels:
    with tifffile.TiffWriter(path) as writer:
        for step in (1, 2, 4):
            writer.write(source.pixels[::step, ::step], metadata=None, **TILED)
    return source.pixels


def levels_in_subifds(path: Path, source: Source) -> Pixels:
    with tifffile.TiffWriter(path) as writer:
        writer.write(source.pixels, subifds=1, metadata=None, **TILED, **HALF_UM)
        writer.write(source.pixels[::2, ::2], subfiletype=1, metadata=None, **TILED)
    return source.pixels


# --- planes ----------------------------------------------------------------------------------


def svs_focal_planes(path: Path, source: Source) -> None:
    text = "Aperio Image Library v11.2.1 \n600x480 (128x128) JPEG/RGB Q=90|AppMag = 20|MPP = 0.5"
    with tifffile.TiffWriter(path) as writer:
        for offset in (0, 0.9, -0.9):
            for step in (1, 2):
                writer.write(
                    np.ascontiguousarray(source.pixels[::step, ::step]), metadata=None,
                    description=f"{text}|OffsetZ = {offset}", **TILED | {"compression": "jpeg"},
                )  # fmt: skip


def ome_stack(path: Path, source: Source, *, grey: bool = False) -> None:
    stack = np.stack([np.roll(source.pixels, n, axis=1) for n in (0, 9, 90)])
    metadata = {"axes": "ZYX" if grey else "ZYXS"} | SIZED
    options = TILED | {"photometric": "minisblack" if grey else "rgb"}
    tifffile.imwrite(path, stack[..., 1] if grey else stack, ome=True, metadata=metadata, **options)


def ome_channels(
    path: Path,
    source: Source,
    *,
    names: list[str] | None = None,
    colours: list[int] | None = None,
) -> Pixels:
    metadata: dict[str, Any] = {"axes": "CYX"} | SIZED
    if names or colours:
        metadata["Channel"] = {"Name": names} if names else {"Color": colours}
    planes = np.ascontiguousarray(source.pixels.transpose(2, 0, 1))
    options = TILED | {"photometric": "minisblack"}
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(planes, metadata=metadata, subifds=1, **options)
        writer.write(planes[:, ::2, ::2], subfiletype=1, **options)
    return source.pixels


def imagej_composite(path: Path, source: Source) -> None:
    """Write three channels of a microscope, which the file does not call red, green and blue."""
    planes = np.ascontiguousarray(source.pixels.transpose(2, 0, 1))
    tifffile.imwrite(path, planes, imagej=True, metadata={"axes": "CYX", "mode": "composite"})


def one_plane_of_others(path: Path, source: Source) -> None:
    """Write red alone, as one of the files that a companion file describes."""
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<BinaryOnly MetadataFile="slide.companion.ome" UUID="urn:uuid:1"/></OME>'
    )
    options = TILED | HALF_UM | {"photometric": "minisblack", "metadata": None}
    tifffile.imwrite(path, source.pixels[..., 0].copy(), description=xml.encode(), **options)


def ome_in_three_files(
    path: Path, source: Source, *, compression: str | None = None, lost: bool = False
) -> Pixels:
    """Write red, green and blue into a file each, which name each other."""
    names = [path.name, *(f"{colour}-{path.name}" for colour in ("green", "blue"))]
    uuids = [f"urn:uuid:00000000-0000-4000-8000-00000000000{number}" for number in range(3)]
    planes = "".join(
        f'<TiffData FirstC="{n}" IFD="0" PlaneCount="1"><UUID FileName="{name}">{uuid}</UUID></TiffData>'
        for n, (name, uuid) in enumerate(zip(names, uuids, strict=True))
    )
    channels = "".join(f'<Channel ID="Channel:0:{n}" SamplesPerPixel="1"/>' for n in range(3))
    height, width = source.pixels.shape[:2]
    for number, (name, uuid) in enumerate(zip(names, uuids, strict=True)):
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{uuid}">'
            '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8"'
            f' SizeX="{width}" SizeY="{height}" SizeC="3" SizeZ="1" SizeT="1" PhysicalSizeX="0.5"'
            f' PhysicalSizeY="0.5">{channels}{planes}</Pixels></Image></OME>'
        )
        plane = np.ascontiguousarray(source.pixels[..., number])
        tifffile.imwrite(
            path.with_name(name), plane, tile=(128, 128), photometric="minisblack",
            compression=compression, metadata=None, description=xml.encode(),
        )  # fmt: skip
    if lost:
        path.with_name(names[2]).unlink()
    return source.pixels


# --- colours ---------------------------------------------------------------------------------


def write_page(path: Path, source: Source, **options: Any) -> Pixels:
    """Write one page of 0.5 um, an OME-TIFF by its name, and return what it holds."""
    _write_page(path, source.pixels, **options)
    return source.pixels


def soft_jpeg(path: Path, source: Source, **options: Any) -> Pixels:
    """Write a page whose colours change so slowly that subsampling hardly shows."""
    soft = ndimage.gaussian_filter(source.pixels, (4, 4, 0))
    _write_page(path, soft, compression="jpeg", **options)
    return soft


def ycbcr(path: Path, source: Source, *, tile: Any, black: int = 0) -> Pixels:
    """Write YCbCr that is not JPEG."""
    samples = np.asarray(Image.fromarray(source.pixels).convert("YCbCr"))
    options = {"photometric": "ycbcr", "compression": "lzw", "subsampling": (1, 1)}
    reference = (black, 1, 255 - 20 * bool(black), 1, 128, 1, 240, 1, 128, 1, 240, 1)
    tags = [(532, "2I", 6, reference, True)] if black else []
    _write_page(path, samples, tile=tile, extratags=tags, **options)
    return source.pixels


def jpeg_tiles(path: Path, source: Source, *, stored: str, stated: str) -> Pixels:
    """Write JPEG tiles of one colour space into a TIFF that states one."""
    pixels = source.pixels[:384, :512]
    tiles = [
        imagecodecs.jpeg8_encode(
            np.ascontiguousarray(pixels[top : top + 128, left : left + 128]), level=95,
            colorspace="RGB", outcolorspace=stored, subsampling="444",
        )
        for top in range(0, 384, 128) for left in range(0, 512, 128)
    ]  # fmt: skip
    tifffile.imwrite(
        path, iter(tiles), shape=pixels.shape, dtype=np.uint8, tile=(128, 128),
        photometric=stated, compression="jpeg", metadata=None, **HALF_UM,
        description=_ome_xml(pixels).encode() if path.name.endswith(".ome.tif") else None,
    )  # fmt: skip
    return pixels


def cmyk_turned(path: Path, source: Source, *, orientation: int) -> Pixels:
    """Write CMYK, which Pillow reads, with a tag by which it turns the picture."""
    pixels = source.pixels[:, :400]
    cmyk = np.concatenate([255 - pixels, np.zeros_like(pixels[..., :1])], axis=2)
    _write_page(path, cmyk, photometric="separated", extratags=[(274, "H", 1, orientation, True)])
    return pixels


def transparent_surround(path: Path, source: Source, *, kind: str) -> Pixels:
    """Write a slide in transparent black, which is white."""
    rgba = np.zeros((768, 1024, 4), np.uint8)
    rgba[150:630, 200:800, :3], rgba[150:630, 200:800, 3] = source.pixels, 255
    _write_page(path, rgba, extrasamples=[kind])
    shown = np.full((768, 1024, 3), 255, np.uint8)
    shown[150:630, 200:800] = source.pixels
    return shown


def _ome_xml(samples: Pixels) -> str:
    height, width, count = samples.shape
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        f'<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="{width}"'
        f' SizeY="{height}" SizeC="{count}" SizeZ="1" SizeT="1" PhysicalSizeX="0.5"'
        f' PhysicalSizeY="0.5"><Channel ID="Channel:0:0" SamplesPerPixel="{count}"/><TiffData/>'
        "</Pixels></Image></OME>"
    )


def _write_page(path: Path, samples: Pixels, **options: Any) -> None:
    description = _ome_xml(samples).encode() if path.name.endswith(".ome.tif") else None
    settings = TILED | HALF_UM | {"metadata": None, "description": description} | options
    tifffile.imwrite(
        path,
        samples,
        **{key: value for key, value in settings.items() if value is not None or key == "metadata"},
    )
