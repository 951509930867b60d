"""OME-Zarr: what its writers may choose, what they leave out, and what is lost or odd."""

from __future__ import annotations

import json
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any

import numcodecs
import numpy as np
from corpus_case import DONE, EITHER, QUARANTINED, Case
from corpus_levels import enlarged
from ngff import channels_of, pyramid, write_image, write_series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from corpus_recipes import Source
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

FILE = "slide.ome.zarr"
WIDTH, HEIGHT = 1024, 768


def cases() -> Iterator[Case]:
    """Yield the cases."""
    layouts = {
        "zarr-0.4": {},
        "zarr-0.4-channels-last": {"axes": "yxc", "channels": 3},
        "zarr-0.5": {"version": "0.5", "axes": "cyx"},
        "zarr-0.5-shards": {"version": "0.5", "axes": "cyx", "channels": 3, "shard": 512},
    }
    for name, options in layouts.items():
        write = partial(image, **options)
        yield Case(name, write, DONE, file=FILE, mpp=0.5, unreadable=0, detected=True)
    unit = partial(image, unit="nanometer", mpp=500.0)
    yield Case("zarr-in-nanometers", unit, DONE, file=FILE, mpp=0.5)
    yield Case("zarr-without-a-unit", partial(image, unit=None), QUARANTINED, "mpp", FILE)
    for fill in (0, 255):
        partly = partial(image, change=partial(scan_partly, fill=fill), fill_value=fill)
        yield Case(f"zarr-partly-scanned-fill-{fill}", partly, DONE, file=FILE, unreadable=0)
    yield Case("zarr-lost-a-chunk", partial(spoilt, spoil=lose_one), DONE, file=FILE, unreadable=1)
    yield Case("zarr-lost-most", partial(spoilt, spoil=lose_most), QUARANTINED, "20%", FILE)
    yield Case("zarr-lost-a-coarse-chunk", partial(spoilt, spoil=lose_coarse), DONE, file=FILE,
               unreadable=0)  # fmt: skip
    yield Case("zarr-cut-chunk", partial(spoilt, spoil=cut_one), DONE, file=FILE, unreadable=1)
    for codec in (numcodecs.Zlib(), numcodecs.Zstd(), numcodecs.GZip(), numcodecs.LZ4()):
        inflate = partial(spoilt, spoil=fill_with_zeros, compressors=codec)
        yield Case(f"zarr-{codec.codec_id}-inflates", inflate, DONE, file=FILE)
    for seed in range(4):
        flipped = partial(spoilt, spoil=partial(flip, seed=seed), **list(layouts.values())[seed])
        yield Case(f"zarr-flipped-{seed}", flipped, EITHER, file=FILE)
    yield from _metadata()
    yield from _refused()


def _metadata() -> Iterator[Case]:
    changes = {
        "no-axes": (lambda image, _: image.pop("axes"), "without named axes"),
        "version-0.1": (lambda image, _: image.update(version="0.1"), "OME-Zarr 0.1"),
        "no-levels": (lambda image, _: image.update(datasets=[]), "damaged"),
        "level-outside": (lambda image, _: image["datasets"][0].update(path="../../etc"), "refers"),
        "level-missing": (lambda image, _: image["datasets"][0].update(path="9"), "incomplete"),
        "scale-of-zero": (lambda image, _: _rescale(image, 0.0), "damaged"),
        "scale-of-words": (lambda image, _: _rescale(image, "much"), "damaged"),
        "plate": (lambda _, whole: whole.update(plate={}), "plate"),
        "no-multiscales": (lambda _, whole: whole.pop("multiscales"), "no image that"),
    }
    for name, (change, words) in changes.items():
        write = partial(spoilt, spoil=partial(edit, file=".zattrs", change=change))
        yield Case(f"zarr-{name}", write, QUARANTINED, words, FILE)
    arrays: dict[str, tuple[dict[str, Any], str]] = {
        "huge": ({"shape": [1, 3, 1, 2**40, 2**40]}, "damaged"),
        "huge-chunks": ({"chunks": [1, 1, 1, 2**20, 2**20]}, "expected at most 64 MiB"),
        "tiny-chunks": ({"shape": [1, 3, 1, 2**20, 2**20], "chunks": [1, 1, 1, 1, 1]}, "damaged"),
        "no-chunks": ({"chunks": [1, 1, 1, 0, 0]}, "damaged"),
        "negative": ({"shape": [1, 3, 1, -5, 5]}, "damaged"),
        "an-axis-too-few": ({"shape": [3, 768, 1024], "chunks": [1, 128, 128]}, "damaged"),
        "16-bit": ({"dtype": "<u2"}, "uint16"),
        "delta": ({"filters": [{"id": "delta"}]}, "compressed by delta and blosc"),
    }
    for name, (values, words) in arrays.items():
        change = partial(_update, values=values)
        write = partial(spoilt, spoil=partial(edit, file="0/.zarray", change=change))
        yield Case(f"zarr-array-{name}", write, QUARANTINED, words, FILE)


def _refused() -> Iterator[Case]:
    dyes = channels_of(("DAPI", "0000FF"), ("FITC", "00FF00"), ("Cy5", "FF0000"))
    for name, options, words in (
        ("focal-planes", {"extra": {"z": 3}}, "3 focal planes"),
        ("points-in-time", {"extra": {"t": 2}}, "2 points in time"),
        ("dyes", {"omero": dyes}, "channels DAPI, FITC, Cy5"),
    ):
        yield Case(f"zarr-{name}", partial(image, **options), QUARANTINED, words, FILE)
    yield Case("zarr-series", series, DONE, file=FILE, mpp=0.5,
               others=("image 0 'label image': 100 x 80", "image 2: 300 x 60"))  # fmt: skip
    yield Case("zarr-scene", two_scans, DONE, file=FILE, scene="1", mpp=0.5)
    yield Case(
        "zarr-scene-of-no-image", two_scans, QUARANTINED, "has no scene 'x'", FILE, scene="x"
    )
    yield Case("zarr-two-scans", two_scans, QUARANTINED, "holds 2 images", FILE)
    yield Case("zarr-folder", lambda path, _: path.mkdir(), QUARANTINED, "neither", FILE)


def image(
    path: Path,
    source: Source,
    *,
    change: Callable[[Pixels], Pixels] | None = None,
    mpp: float = 0.5,
    **options: Any,
) -> Pixels:
    """Write an image of three levels."""
    pixels = enlarged(source.pixels, WIDTH, HEIGHT)
    pixels = pixels if change is None else change(pixels)
    write_image(path, pyramid(pixels, 2), mpp=mpp, **options)
    return pixels


def scan_partly(pixels: Pixels, fill: int) -> Pixels:
    pixels = pixels.copy()
    pixels[:512, :512] = fill
    return pixels


def spoilt(path: Path, source: Source, *, spoil: Callable[[Path], object], **options: Any) -> None:
    """Write an image and spoil it."""
    image(path, source, **({"chunk": 256} | options))
    spoil(path)


def lose_one(path: Path) -> None:
    (path / "0" / "0" / "1" / "0" / "1" / "1").unlink()


def lose_most(path: Path) -> None:
    for chunk in [file for file in (path / "0" / "0").rglob("*") if file.is_file()][::2]:
        chunk.unlink()


def lose_coarse(path: Path) -> None:
    (path / "1" / "0" / "1" / "0" / "1" / "1").unlink()


def cut_one(path: Path) -> None:
    chunk = path / "0" / "0" / "1" / "0" / "1" / "1"
    chunk.write_bytes(chunk.read_bytes()[:-20])


def fill_with_zeros(path: Path) -> None:
    """Put 3 GB of zeros into a chunk."""
    chunk, array = (
        path / "0" / "0" / "1" / "0" / "1" / "1",
        json.loads((path / "0/.zarray").read_text()),
    )
    codec = array["compressor"]["id"]
    if codec in ("zlib", "gzip"):
        chunk.write_bytes(deflated_zeros(codec))
    else:
        packed = bytes(numcodecs.get_codec(array["compressor"]).encode(bytes(2**28)))
        if codec == "lz4":
            packed = (2**31 - 1).to_bytes(4, "little") + packed[4:]
        chunk.write_bytes(packed)


def deflated_zeros(codec: str) -> bytes:
    """Return 3 GB of zeros as a whole stream; the same block again and again is deflated once."""
    block, blocks = bytes(2**24), 192
    size = len(block) * blocks
    packer = zlib.compressobj(wbits=-15)
    packed = (packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)) * blocks + packer.flush()
    if codec == "zlib":
        return b"\x78\x9c" + packed + (size % 65521 << 16 | 1).to_bytes(4, "big")  # Adler-32
    checksum = 0
    for _ in range(blocks):
        checksum = zlib.crc32(block, checksum)
    ends = checksum.to_bytes(4, "little") + size.to_bytes(4, "little")
    return b"\x1f\x8b\x08" + bytes(6) + b"\xff" + packed + ends


def flip(path: Path, seed: int) -> None:
    """Flip bits of some bytes of every file."""
    random = np.random.default_rng(seed)
    for file in sorted(path.rglob("*")):
        if file.is_file() and file.name[0] not in ".z":
            content = bytearray(file.read_bytes())
            for place in random.integers(0, len(content), 3).tolist():
                content[place] ^= 1 << int(random.integers(0, 8))
            file.write_bytes(content)


def edit(path: Path, file: str, change: Callable[[Any, Any], object]) -> None:
    """Change metadata: those of the image and the whole, or those of an array twice."""
    content = json.loads((path / file).read_text())
    change(content["multiscales"][0] if "multiscales" in content else content, content)
    (path / file).write_text(json.dumps(content))


def _update(array: dict[str, Any], _: object, values: dict[str, Any]) -> None:
    array.update(values)


def _rescale(multiscale: dict[str, Any], value: object) -> None:
    multiscale["datasets"][0]["coordinateTransformations"][0]["scale"] = [1, 1, 1, value, value]


def series(path: Path, source: Source) -> Pixels:
    """Write a label, the scan and a thumbnail."""
    pixels = enlarged(source.pixels, WIDTH, HEIGHT)
    scan = {"levels": pyramid(pixels, 2), "mpp": 0.5, "name": "scan"}
    label = {"levels": [pixels[:80, :100]], "name": "label image"}
    write_series(path, [label, scan, {"levels": [pixels[:60, :300]]}])
    return pixels


def two_scans(path: Path, source: Source) -> None:
    levels = pyramid(enlarged(source.pixels, WIDTH, HEIGHT), 2)
    write_series(path, [{"levels": levels, "mpp": 0.5}, {"levels": levels, "mpp": 0.5}])
