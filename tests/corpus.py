"""Broken and odd slides, made from a real one, and how the analysis of each ends.

`python tests/corpus.py FOLDER` writes them all into a folder, to look at.
"""

from __future__ import annotations

import math
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import corpus_folders
import corpus_images
import corpus_levels
import corpus_recipes as make
import corpus_stated
import corpus_zarr
import numpy as np
from corpus_case import DONE, EITHER, QUARANTINED, Case

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DONE", "EITHER", "QUARANTINED", "Case", "all_cases", "find_data"]


def _truncated() -> Iterator[Case]:
    for count in (1, 3, 4, 8, 9, 100, 5000):
        yield Case(f"first-{count}-bytes", partial(make.truncate, count=count), QUARANTINED)
    for share in (0.1, 0.25, 0.5, 0.65, 0.7, 0.8, 0.9, 0.99):
        yield Case(f"first-{share:.0%}".strip("%"), partial(make.truncate, share=share))
    yield Case("without-last-byte", partial(make.truncate, share=1, count=-1))
    for extra in (0, 2, 50, 200):
        cut = partial(make.cut_in_directory, extra=extra)
        yield Case(f"cut-in-directory-{extra}", cut, QUARANTINED)


def _flipped() -> Iterator[Case]:
    for offset, value in ((0, 4), (1, 4), (2, 1), (3, 255), (4, 1), (5, 128), (6, 1), (7, 128)):
        yield Case(f"header-byte-{offset}", partial(make.set_byte, offset=offset, value=value))
    for part, counts in (("directory", (1, 2, 8)), ("values", (1, 4, 40)), ("tiles", (1, 20, 400))):
        repeats = 1 if part == "tiles" else 4
        for seed, count in enumerate([count for count in counts for _ in range(repeats)]):
            flip = partial(make.flip, part=part, seed=seed, count=count)
            yield Case(f"flipped-{part}-{count}-{seed}", flip)
    yield Case("few-tiles-spoilt", partial(make.spoil_tiles, share=0.01), DONE)
    yield Case("many-tiles-spoilt", partial(make.spoil_tiles, share=0.5), QUARANTINED, "20%")
    yield Case("directories-in-a-circle", make.loop_directories)


def _wrong_tags() -> Iterator[Case]:
    tags = {
        "no-width": {"ImageWidth": 0},
        "no-height": {"ImageLength": 0},
        "far-too-wide": {"ImageWidth": 2220000},
        "widest": {"ImageWidth": 2**32 - 1},
        "largest": {"ImageWidth": 2**31 - 1, "ImageLength": 2**31 - 1},
        "smaller-than-its-tiles": {"ImageWidth": 100, "ImageLength": 100},
        "no-tile-width": {"TileWidth": 0},
        "narrow-tiles": {"TileWidth": 16},
        "huge-tiles": {"TileWidth": 65520, "TileLength": 65520},
        "no-samples": {"SamplesPerPixel": 0},
        "many-samples": {"SamplesPerPixel": 65535},
        "unknown-compression": {"Compression": 9999},
        "another-compression": {"Compression": 5},
        "unknown-colours": {"PhotometricInterpretation": 777},
        "separate-planes": {"PlanarConfiguration": 2},
    }
    for name, values in tags.items():
        yield Case(name, partial(make.set_tags, **values))
    for name, tag, value in (
        ("tiles-beyond-the-end", "TileOffsets", 2**32 - 16),
        ("tiles-in-the-header", "TileOffsets", 0),
        ("empty-tiles", "TileByteCounts", 0),
        ("endless-tiles", "TileByteCounts", 2**32 - 1),
    ):
        yield Case(name, partial(make.set_all, name=tag, value=value))


def _shapes() -> Iterator[Case]:
    for width, height in ((1, 1), (1, 10_000), (10_000, 1), (2, 3), (601, 479), (127, 129)):
        change = partial(make.resize, height=height, width=width)
        name = f"{width}-x-{height}"
        yield Case(name, partial(make.write_tiff, change=change), DONE, file="slide.tif")
        strips = partial(make.write_tiff, change=change, tile=None)
        yield Case(f"{name}-in-strips", strips, DONE, file="slide.tif")
    pyramids = {
        "coarse-level-of-one-pixel": [(1, 1)],
        "level-larger-than-the-first": [(1200, 960)],
        "level-of-another-shape": [(300, 60)],
        "level-reduced-by-a-hundred": [(6, 5)],
        "levels-of-one-size": [(600, 480), (600, 480)],
        "level-reduced-by-a-hair": [(599, 479), (300, 240)],
    }
    for name, sizes in pyramids.items():
        yield Case(name, partial(make.write_levels, sizes=sizes), DONE, file="slide.tif")
        ome = partial(make.write_levels, sizes=sizes, ome=True)
        yield Case(f"{name}-ome", ome, DONE, file="slide.ome.tif", slide_mpp=0.5)


def _pixels() -> Iterator[Case]:
    done = {
        "grey": {"change": make.to_grey, "photometric": "minisblack"},
        "grey-inverted": {"change": make.to_grey, "photometric": "miniswhite"},
        "cmyk": {"change": make.to_cmyk, "photometric": "separated"},
        "alpha": {"change": make.add_alpha, "extrasamples": ["unassalpha"]},
        "big-endian": {"byteorder": ">"},
        "big-tiff": {"bigtiff": True},
        "big-endian-big-tiff": {"byteorder": ">", "bigtiff": True},
        "strips": {"tile": None, "rowsperstrip": 7},
        "one-strip": {"tile": None, "rowsperstrip": 480, "compression": None},
        "planes": {"change": make.to_planes, "planarconfig": "separate"},
        "lzw": {"compression": "lzw", "predictor": True},
        "jpeg-2000": {"compression": "jpeg2000"},
        "webp": {"compression": "webp"},
        "zstd": {"compression": "zstd"},
        "lzma": {"compression": "lzma"},
        "white": {"change": partial(make.flatten, value=255)},
        "black": {"change": partial(make.flatten, value=0)},
    }
    for name, options in done.items():
        yield Case(name, partial(make.write_tiff, **options), DONE, file="slide.tif")
    palette = {"photometric": "palette", "colormap": make.COLORMAP, "change": make.to_grey}
    for tile in (None, (128, 128)):
        name = "palette-in-tiles" if tile else "palette"
        yield Case(name, partial(make.write_tiff, tile=tile, **palette), file="slide.tif")
    for kind in (np.uint16, np.int8, np.float32, np.uint32, np.bool_):
        change = partial(make.as_type, kind=kind)
        write = partial(make.write_tiff, change=change, photometric="rgb")
        yield Case(f"pixels-{kind.__name__}", write, file="slide.tif")
    yield Case(
        "pixels-uint16-grey",
        partial(make.write_tiff, change=lambda p: make.to_grey(p).astype(np.uint16), photometric="minisblack"),
        QUARANTINED, "8-bit", "slide.tif",
    )  # fmt: skip
    yield Case("two-scenes", partial(make.write_scenes, ome=False), DONE, file="slide.tif")
    yield Case("two-scenes-ome", partial(make.write_scenes, ome=True), DONE, file="slide.ome.tif")


def _images() -> Iterator[Case]:
    for mode, kind in (
        ("RGB", "PNG"), ("L", "PNG"), ("P", "PNG"), ("1", "PNG"), ("RGBA", "PNG"), ("LA", "PNG"),
        ("I;16", "PNG"), ("CMYK", "JPEG"), ("L", "JPEG"), ("RGB", "BMP"), ("P", "GIF"),
        ("RGB", "JPEG2000"), ("RGB", "WEBP"), ("F", "TIFF"), ("LAB", "TIFF"), ("RGB", "EPS"),
    ):  # fmt: skip
        write = partial(make.write_image, mode=mode, kind=kind)
        yield Case(
            f"{kind}-{mode.replace(';', '-')}".lower(), write, file="image.png", slide_mpp=0.5
        )


def _no_slides() -> Iterator[Case]:
    files = {
        "nothing": lambda path, _: path.touch(),
        "text": partial(make.write_text, text="not a slide\n"),
        "markup": partial(make.write_text, text="<html><body>404</body></html>"),
        "tiff-magic-only": lambda path, _: path.write_bytes(b"II*\0"),
        "zeros": lambda path, _: path.write_bytes(bytes(10_000)),
        "folder": lambda path, _: path.mkdir(),
        "missing": lambda path, _: None,
        "link-to-nothing": lambda path, _: path.symlink_to("nowhere.svs"),
        "link-to-itself": lambda path, _: path.symlink_to(path.name),
        "pipe": lambda path, _: os.mkfifo(path),
        "device": lambda path, _: path.symlink_to("/dev/zero"),
    }
    for name, write in files.items():
        yield Case(name, write, QUARANTINED)
    yield Case(
        "mirax-without-its-folder", partial(make.write_text, text="x"), QUARANTINED, file="a.mrxs"
    )
    vms = "[Virtual Microscope Specimen]\nNoLayers=1\nNoJpegColumns=9999999\nNoJpegRows=9999999\n"
    yield Case(
        "hamamatsu-index-of-endless-files",
        partial(make.write_text, text=vms),
        QUARANTINED,
        file="a.vms",
    )
    dicom = lambda path, _: path.write_bytes(bytes(128) + b"DICM" + b"\xff" * 200)
    yield Case("dicom-of-nothing", dicom, QUARANTINED, file="a.dcm")
    yield Case("svs-named-png", make.copy_slide, DONE, file="slide.png")
    yield Case("png-named-svs", make.write_image, DONE, slide_mpp=0.5)
    yield Case(
        "jpeg-named-tif",
        partial(make.write_image, kind="JPEG"),
        DONE,
        file="slide.tif",
        slide_mpp=0.5,
    )


def _bombs() -> Iterator[Case]:
    for size in ((50_000, 50_000), (2**31 - 1, 2**31 - 1), (12_000, 12_000)):
        png = partial(make.write_png, size=size)
        yield Case(f"png-of-{size[0]}", png, QUARANTINED, "too large", "a.png", slide_mpp=0.5)
    png = partial(make.write_png, size=(8_000, 8_000), rows=8_000, colour=6)
    yield Case("png-just-small-enough", png, DONE, file="a.png", slide_mpp=0.0625)
    yield Case(
        "png-cut-short",
        partial(make.write_png, size=(3_000, 3_000), rows=3),
        file="a.png",
        slide_mpp=0.5,
    )
    yield Case(
        "jpeg-of-65000",
        partial(make.write_jpeg, size=(65_000, 65_000)),
        QUARANTINED,
        "too large",
        "a.jpg",
    )
    yield Case("jpeg-of-4000", partial(make.write_jpeg, size=(4_000, 4_000)), file="a.jpg")
    squares = {
        "tiff-of-2-to-the-62-pixels": {"size": (2**31 - 1,) * 2, "tile": (256, 256)},
        "tiff-of-one-huge-tile": {"size": (65_536,) * 2, "tile": (65_536,) * 2, "counts": 1000},
        "tiff-of-one-huge-deflated-tile": {"size": (65_536,) * 2, "tile": (65_536,) * 2, "counts": 1000, "compression": 8},
        "tiff-of-one-large-tile": {"size": (20_000,) * 2, "tile": (20_000,) * 2, "counts": 1000, "compression": 8},
        "tiff-of-a-million-x-a-million": {"size": (10**6,) * 2, "tile": (16_384,) * 2, "counts": 1000, "compression": 8},
        "tiff-of-tiny-tiles": {"size": (4_000,) * 2, "tile": (16, 16), "counts": 768},
        "tiff-of-endless-tiles": {"size": (512,) * 2, "tile": (256, 256), "counts": 2**40},
    }  # fmt: skip
    for compression in ("deflate", "zstd"):
        inflate = partial(make.write_inflating, compression=compression, size=3 * 2**30)
        yield Case(f"tile-that-{compression}-inflates", inflate, file="a.ome.tif")
    for name, options in squares.items():
        yield Case(name, partial(make.write_tags, **options), file="a.tif")


def _mpps() -> Iterator[Case]:
    for value in (0.0, -0.5, 1000.0, 1e-300, math.nan, math.inf, -math.inf):
        yield Case(
            f"mpp-{value:g}-in-the-sheet", make.write_tiff, QUARANTINED, "mpp", "slide.tif", value
        )
    for text in ("0", "-0.5", "1000", "nan", "inf", "1e999", "much", ""):
        yield Case(
            f"mpp-{text}-in-aperio", partial(make.set_description, mpp=text), QUARANTINED, "mpp"
        )
    for text in ("0", "-0.5", "1000", "nan", "inf", "1e999", "0,5", "much", ""):
        ome = partial(make.write_ome, xml=make.ome_xml(text))
        yield Case(f"mpp-{text}-in-ome", ome, QUARANTINED, "mpp", "slide.ome.tif")
    for unit in ("pixel", "reference frame", "furlong"):
        ome = partial(make.write_ome, xml=make.ome_xml(unit=unit))
        yield Case(f"mpp-in-{unit}s".replace(" ", "-"), ome, QUARANTINED, "mpp", "slide.ome.tif")
    tags = {
        "none": {"resolution": None, "resolutionunit": None},
        "without-a-unit": {"resolutionunit": "NONE"},
        "of-a-screen": {"resolution": (72, 72), "resolutionunit": "INCH"},
    }
    for tile in ((128, 128), None):
        for name, options in tags.items():
            write = partial(make.write_tiff, tile=tile, **options)
            name = f"resolution-{name}{'' if tile else '-in-strips'}"
            yield Case(name, write, QUARANTINED, "mpp", "slide.tif")
        for numbers in ((0, 1), (1, 0), (0, 0), (1, 2**31)):
            write = partial(make.write_resolution, numbers=numbers, tile=tile)
            name = "resolution-{}-of-{}".format(*numbers) + ("" if tile else "-in-strips")
            yield Case(name, write, QUARANTINED, "mpp", "slide.tif")
    oblong = partial(make.write_tiff, resolution=(20_000, 10_000))
    yield Case("pixels-not-square", oblong, QUARANTINED, "square", "slide.tif")


def _texts() -> Iterator[Case]:
    outside = '<!DOCTYPE OME [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
    square = f'<!DOCTYPE OME [<!ENTITY a "{"ha" * 50_000}">]>'
    texts = {
        "a-billion-laughs": make.laughs(),
        "entities-squared": make.ome_xml(prolog=square, name="&a;" * 20_000),
        "an-entity-from-a-file": make.ome_xml(prolog=outside, name="&a;"),
        "unclosed": make.ome_xml()[:-10],
        "ten-thousand-deep": make.ome_xml(name="")[:-6] + "<a>" * 10_000,
        "other-sizes": make.ome_xml().replace('SizeX="600"', 'SizeX="99999"'),
        "no-sizes": make.ome_xml().replace('SizeX="600"', 'SizeX="many"'),
        "negative-channels": make.ome_xml().replace('SizeC="3"', 'SizeC="-3"'),
        "endless-planes": make.ome_xml().replace('SizeZ="1"', 'SizeZ="2000000000"'),
        "no-images": make.ome_xml()[:90] + "</OME>",
        "another-file": make.ome_xml().replace("<TiffData/>", '<TiffData IFD="7"><UUID FileName="/etc/passwd">urn:uuid:1</UUID></TiffData>'),
    }  # fmt: skip
    for name, xml in texts.items():
        yield Case(f"xml-{name}", partial(make.write_ome, xml=xml), file="slide.ome.tif")


def _names() -> Iterator[Case]:
    names = {
        "spaces": "a  slide .svs",
        "quotes": 'it\'s "a" slide.svs',
        "semicolon": "a; touch here; .svs",
        "dollar": "$(touch here)`touch here`${HOME}.svs",
        "unicode": "präparat-切片-🔬.svs",
        "newline": "a\nslide.svs",
        "control": "a\x1b[31m\x07slide.svs",
        "dash": "--help.svs",
        "percent": "%s%n{0}{path}.svs",
        "no-utf-8": os.fsdecode(b"a\xff\xfeslide.svs"),
        "dots": "..svs",
        "wildcards": "[ab]*?.svs",
        "markup": "<script>alert(1)<!--.svs",
        "long": "a" * 250 + ".svs",
    }
    for name, file in names.items():
        yield Case(f"name-with-{name}", make.write_tiff, DONE, file=file)
        yield Case(
            f"bad-name-with-{name}", partial(make.write_text, text="no"), QUARANTINED, file=file
        )


def all_cases() -> list[Case]:
    """Return all cases, the same ones in the same order every time."""
    groups = (
        _truncated, _flipped, _wrong_tags, _shapes, _pixels, _images, _no_slides, _bombs, _mpps,
        _texts, _names, corpus_images.cases, corpus_levels.cases, corpus_folders.cases,
        corpus_stated.cases, corpus_zarr.cases,
    )  # fmt: skip
    return [case for group in groups for case in group()]


def find_data() -> Path | None:
    """Return the folder of real slides, None where it is absent."""
    default = Path(__file__).parent.parent.parent / "shared" / "data"
    folder = Path(os.environ.get("LDS_PATH_DATA", default))
    return folder if (folder / make.SLIDE).is_file() else None


if __name__ == "__main__":
    source = make.make_source(find_data())
    for case in all_cases():
        case.write(Path(sys.argv[1]), source)
