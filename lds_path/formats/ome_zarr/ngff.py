"""Metadata of OME-Zarr (NGFF) for an image whose levels halve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

CHANNEL = {"name": "c", "type": "channel"}
PLANE = (
    {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "micrometer"},
)


def describe_levels(
    axes: Sequence[dict[str, str]], mpp: float, levels: range, *, name: str, method: str
) -> list[dict[str, Any]]:
    """Return the `multiscales` of an image; its levels are the arrays of their numbers.

    Convention: the middle of the first pixel of level 0, stored or not, is the origin; the middle of a coarse pixel
    is the middle of the pixels that it covers.

    Parameters
    ----------
    axes
        `CHANNEL` and those of `PLANE`, in the order of the arrays.
    mpp
        Microns per pixel of level 0.
    levels
        Numbers of the levels that are there.
    name
        Of the image.
    method
        How a level is made from the one before.
    """

    def along_axes(value: float, *, channel: float) -> list[float]:
        return [value if axis["type"] == "space" else channel for axis in axes]

    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": along_axes(mpp * 2**level, channel=1.0)},
                {
                    "type": "translation",
                    "translation": along_axes(mpp * (2**level - 1) / 2, channel=0.0),
                },
            ],
        }
        for level in levels
    ]
    return [{"name": name, "axes": list(axes), "datasets": datasets, "type": method}]
