"""Slides of several files, DICOM and MIRAX, after public bug reports."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING

from corpus_case import DONE, EITHER, QUARANTINED, Case
from corpus_levels import enlarged, padded, reduced
from dicom import new_uid, write_instance
from hamamatsu import write_vms
from mirax import write_mirax

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from corpus_recipes import Source
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

WIDTH, HEIGHT = 1024, 768


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield Case("dicom-of-three-levels", dicom, DONE, file="L2.dcm", mpp=0.5)
    yield Case("dicom-in-two-parts", dicom_in_parts, DONE, file="part1.dcm", mpp=0.5)
    yield Case(
        "dicom-folder", partial(dicom, name="slide/L{}.dcm"), QUARANTINED, ".dcm, in", "slide"
    )
    for working_mpp in (0.5, 1.0):
        full = partial(dicom_padded, working=round(working_mpp / 0.25))
        yield Case(f"dicom-padded-at-{working_mpp}", full, DONE, file="L0.dcm",
                   working_mpp=working_mpp, mpp=working_mpp)  # fmt: skip
    yield Case("dicom-without-spacing", partial(dicom, mpp=None), QUARANTINED, "mpp", "L0.dcm")
    planes = partial(dicom, focal_planes=3)
    yield Case("dicom-of-focal-planes", planes, QUARANTINED, "several focal planes", "L0.dcm")
    yield Case("dicom-called-rgb", dicom_called_rgb, EITHER, file="L0.dcm")
    for size in (0, 120, 400, 600, 900):
        yield Case(
            f"dicom-finest-cut-to-{size}", partial(dicom_cut_short, size=size), QUARANTINED,
            "L0.dcm is damaged or cut short: it ends before its pixels", "L1.dcm",
        )  # fmt: skip
    yield Case("mirax", mirax, DONE, file="slide.mrxs", mpp=0.5)
    yield Case("mirax-partly-scanned", mirax_partly_scanned, DONE, file="slide.mrxs", mpp=0.5)
    yield Case("mirax-folder", mirax_folder, QUARANTINED, "slide.mrxs beside it", "slide")
    for lost in ("", "Slidedat.ini", "Index.dat"):
        alone = partial(mirax_alone, lost=lost)
        name = f"mirax-without-{lost or 'anything'}".lower()
        yield Case(name, alone, QUARANTINED, "copy it again", "slide.mrxs", slide_mpp=0.5)
    for flaw in ("missing", "cut"):
        damaged = partial(mirax_damaged, flaw=flaw)
        yield Case(f"mirax-data-{flaw}", damaged, QUARANTINED, "copy it again", "slide.mrxs")
    yield Case("vms", vms, DONE, file="slide.vms", mpp=0.5)
    for flaw, words in {
        "missing": "right.jpg: No such file", "empty": "right.jpg", "cut": "lacks restart markers",
        "overwritten": "right.jpg is damaged: its JPEG lacks restart markers",
    }.items():  # fmt: skip
        damaged = partial(vms_damaged, flaw=flaw)
        yield Case(f"vms-image-{flaw}", damaged, QUARANTINED, words, "slide.vms")


def dicom(
    path: Path,
    source: Source,
    *,
    name: str = "L{}.dcm",
    mpp: float | None = 0.5,
    photometric: str = "YBR_FULL_422",
    focal_planes: int = 1,
) -> Pixels:
    """Write an instance per level, and another slide beside them."""
    pixels, series = enlarged(source.pixels, WIDTH, HEIGHT), new_uid()
    for number in range(3):
        write_instance(
            path.parent / name.format(number), reduced(pixels, 2**number),
            mpp and mpp * 2**number, series, photometric=photometric, focal_planes=focal_planes,
        )  # fmt: skip
    write_instance(path.parent / name.format("-other"), source.pixels[::2], 0.5, new_uid())
    return pixels


def dicom_called_rgb(path: Path, source: Source) -> None:
    """Write YCbCr that is called RGB: OpenSlide shows wrong colours."""
    dicom(path, source, photometric="RGB")


def dicom_in_parts(path: Path, source: Source) -> Pixels:
    """Write a level in two instances."""
    pixels, series, together = enlarged(source.pixels, WIDTH, HEIGHT), new_uid(), new_uid()
    for number, frames in enumerate((range(20), range(20, 48)), start=1):
        part = (together, number, 2)
        file = path.parent / f"part{number}.dcm"
        write_instance(file, pixels, 0.5, series, part=part, frames=frames)
    return pixels


def dicom_padded(path: Path, source: Source, *, working: int) -> Pixels:
    """Write levels of 0.25 um and coarser, each filled up to whole tiles."""
    pixels, series = enlarged(source.pixels, 1536, 1248), new_uid()
    for number in range(3):
        level = padded(reduced(pixels, 2**number))
        write_instance(path.parent / f"L{number}.dcm", level, 0.25 * 2**number, series)
    return reduced(padded(pixels), working)


def dicom_cut_short(path: Path, source: Source, *, size: int) -> None:
    """Leave so many bytes of the finest level, which OpenSlide then leaves out."""
    dicom(path, source)
    finest = path.parent / "L0.dcm"
    finest.write_bytes(finest.read_bytes()[:size])


def mirax(path: Path, source: Source) -> Pixels:
    pixels = enlarged(source.pixels, WIDTH, HEIGHT)
    write_mirax(path, pixels, 0.5)
    return pixels


def mirax_partly_scanned(path: Path, source: Source) -> Pixels:
    """Write a slide whose left and upper tiles were not scanned."""
    pixels = enlarged(source.pixels, WIDTH, HEIGHT)
    write_mirax(path, pixels, 0.5, is_scanned=lambda column, row: column >= 4 and row >= 4)
    return pixels[256:, 256:]


def mirax_folder(path: Path, source: Source) -> None:
    mirax(path.with_name("slide.mrxs"), source)


def mirax_alone(path: Path, source: Source, *, lost: str) -> None:
    """Write a slide whose folder, or a file in it, was not copied; the named file is a picture."""
    mirax(path, source)
    folder = path.with_suffix("")
    if lost:
        (folder / lost).unlink()
    else:
        shutil.rmtree(folder)


def mirax_damaged(path: Path, source: Source, *, flaw: str) -> None:
    mirax(path, source)
    data = path.with_suffix("") / "Data0000.dat"
    if flaw == "missing":
        data.unlink()
    else:
        data.write_bytes(data.read_bytes()[:20_000])


def vms(path: Path, source: Source) -> Pixels:
    pixels = enlarged(source.pixels, WIDTH, HEIGHT)
    write_vms(path, pixels, 0.5)
    return pixels


def vms_damaged(path: Path, source: Source, *, flaw: str) -> None:
    """Spoil an image: what follows an interval without its marker would be drawn in its place."""
    vms(path, source)
    image = path.with_name("right.jpg")
    content = image.read_bytes()
    middle, gap = len(content) // 2, len(content) // 20
    overwritten = content[:middle] + bytes(gap) + content[middle + gap :]
    if flaw == "missing":
        image.unlink()
    else:
        image.write_bytes({"empty": b"", "cut": content[:middle], "overwritten": overwritten}[flaw])
