"""From the samples of a TIFF to RGB: the tag says which colours they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
from PIL import Image

from lds_path.slides.tiff_check import unsuitable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lds_path.remote.address import SlidePath

PHOTOMETRIC = {"MINISWHITE", "MINISBLACK", "RGB", "YCBCR"}
CONVERTING_CODECS = ("JPEG", "OJPEG")
"""Codecs that turn YCbCr into RGB themselves."""
JFIF_COEFFICIENTS = (0.299, 0.587, 0.114)
FULL_RANGE = (0.0, 255.0, 128.0, 255.0, 128.0, 255.0)
"""Reference values of black and white that Pillow assumes, as JFIF does."""


def check_colours(path: SlidePath, page: Any) -> None:  # noqa: ANN401 - a tifffile page
    """Refuse a page whose samples cannot be turned into RGB here.

    Raises
    ------
    UnreadableSlideError
        If its colours are of another kind, or what its samples are is not stated.
    """
    kind = tifffile.PHOTOMETRIC(page.photometric).name
    if kind not in PHOTOMETRIC:
        raise unsuitable(path, f"colours of kind {kind}")
    if kind.startswith("MINIS") and page.samplesperpixel > 1:
        raise unsuitable(path, f"{page.samplesperpixel} samples per pixel that it calls grey")
    if needs_conversion(page) and not _is_plain_ycbcr(page):
        raise unsuitable(path, "YCbCr of a kind that is not full-range JFIF without subsampling")


def needs_conversion(page: Any) -> bool:  # noqa: ANN401 - a tifffile page
    """Return whether decoded samples are YCbCr."""
    return (
        page.photometric == tifffile.PHOTOMETRIC.YCBCR
        and tifffile.COMPRESSION(page.compression).name not in CONVERTING_CODECS
    )


def to_rgb(samples: NDArray[np.uint8], page: Any) -> NDArray[np.uint8]:  # noqa: ANN401
    """Return decoded samples, (H, W, S), as RGB over white; a single plane of three is unchanged."""
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        samples = np.invert(samples)
    if samples.shape[2] < 3:
        return samples
    colour = samples[..., :3]
    if needs_conversion(page):
        ycbcr = Image.fromarray(np.ascontiguousarray(colour), "YCbCr")
        colour = np.asarray(ycbcr.convert("RGB"))
    if samples.shape[2] == 3:
        return colour
    alpha = samples[..., 3:].astype(np.uint16)
    colour = colour.astype(np.uint16)
    if page.extrasamples[:1] == (tifffile.EXTRASAMPLE.UNASSALPHA,):
        colour = (colour * alpha + 127) // 255
    rgb: NDArray[np.uint8] = np.minimum(colour + 255 - alpha, 255).astype(np.uint8)
    return rgb


def _is_plain_ycbcr(page: Any) -> bool:  # noqa: ANN401 - a tifffile page
    """Return whether YCbCr samples are interleaved, at full resolution, and scaled as JFIF's."""
    interleaved = page.planarconfig == tifffile.PLANARCONFIG.CONTIG and page.samplesperpixel == 3
    lossless = page.compression not in tifffile.TIFF.IMAGE_COMPRESSIONS
    whole = page.subsampling is not None and tuple(page.subsampling) == (1, 1)
    coefficients = _rationals(page, "YCbCrCoefficients", JFIF_COEFFICIENTS)
    scale = _rationals(page, "ReferenceBlackWhite", FULL_RANGE)
    standard = np.allclose(coefficients, JFIF_COEFFICIENTS, atol=2e-3)
    return bool(
        interleaved and lossless and whole and standard and np.allclose(scale, FULL_RANGE, atol=1)
    )


def _rationals(page: Any, tag: str, default: tuple[float, ...]) -> list[float]:  # noqa: ANN401
    """Return the fractions of a tag as numbers; NaN for those of another number or without value."""
    numbers = page.tags.valueof(tag)
    if numbers is None:
        return list(default)
    pairs = list(zip(numbers[::2], numbers[1::2], strict=False))
    values = [above / below if below else np.nan for above, below in pairs]
    return values if len(values) == len(default) else [np.nan] * len(default)
