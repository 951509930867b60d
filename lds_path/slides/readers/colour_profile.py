"""Colour profiles (ICC) of slides: their names, and the colours of a slide as sRGB."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageCms

from lds_path.errors import UnsuitableSlideError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lds_path.remote.address import SlidePath

NAME_LENGTH = 80


class ToSrgb:
    """The map from the colours of a profile to sRGB, relative to white; any thread may use it.

    Raises
    ------
    UnsuitableSlideError
        If the profile is damaged, or not one of RGB.
    """

    def __init__(self, path: SlidePath, profile: bytes) -> None:
        try:
            self._transform = ImageCms.buildTransform(
                ImageCms.getOpenProfile(BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                "RGB",
                "RGB",
                ImageCms.Intent.RELATIVE_COLORIMETRIC,
                ImageCms.Flags.NOCACHE,  # which threads would share
            )
        except (OSError, TypeError, ValueError, ImageCms.PyCMSError) as error:
            raise UnsuitableSlideError(
                f"{path} has a colour profile that cannot be applied ({error}); set `tile: icc` to keep,"
                " or convert the slide to sRGB"
            ) from None

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return pixels, (H, W, 3), as sRGB."""
        if not pixels.size:
            return pixels
        image = Image.fromarray(np.ascontiguousarray(pixels))
        return np.asarray(ImageCms.applyTransform(image, self._transform))


def profile_name(profile: bytes) -> str:
    """Return what a profile calls itself; empty if there is none, or it says nothing."""
    if not profile:
        return ""
    try:
        name = ImageCms.getProfileDescription(ImageCms.getOpenProfile(BytesIO(profile)))
    except (OSError, TypeError, ValueError, ImageCms.PyCMSError):
        return "damaged"
    return " ".join(name.split())[:NAME_LENGTH]
