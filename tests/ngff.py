"""Writes OME-Zarr images with zarr, as the writers of slides lay them out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

TYPES = {"t": "time", "c": "channel"}


def halve(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return the means of 2 x 2 pixels of an image, (H, W, 3)."""
    height, width = pixels.shape[0] // 2 * 2, pixels.shape[1] // 2 * 2
    blocks = pixels[:height, :width].reshape(height // 2, 2, width // 2, 2, -1)
    return (blocks.mean(axis=(1, 3)) + 0.5).astype(pixels.dtype)


def pyramid(pixels: NDArray[Any], count: int) -> list[NDArray[Any]]:
    """Return an image and so many halvings of it."""
    levels = [pixels]
    while len(levels) <= count:
        levels.append(halve(levels[-1]))
    return levels


def write_image(
    folder: Path,
    levels: Sequence[NDArray[Any]],
    *,
    version: str = "0.4",
    mpp: float = 0.25,
    axes: str = "tczyx",
    unit: str | None = "micrometer",
    chunk: int = 128,
    channels: int = 1,
    shard: int | None = None,
    separator: str = "/",
    name: str = "",
    omero: dict[str, Any] | None = None,
    extra: dict[str, int] | None = None,
    **options: Any,
) -> Path:
    """Write an image, levels of (H, W, C), as `version` has it.

    Parameters
    ----------
    channels
        In a chunk.
    shard
        Edge of a shard.
    extra
        Length of an axis other than c, y and x.
    options
        Of `zarr.create_array`.
    """
    is_new = version != "0.4"
    group = zarr.open_group(folder, mode="w", zarr_format=3 if is_new else 2)
    datasets = []
    for number, level in enumerate(levels):
        lengths = (
            dict.fromkeys(axes, 1) | dict(zip("yxc", level.shape, strict=True)) | (extra or {})
        )
        chunks = dict.fromkeys(axes, 1) | {"y": chunk, "x": chunk, "c": channels}
        chunks = {
            axis: min(chunks[axis], lengths[axis]) if not shard else chunks[axis] for axis in axes
        }
        shards = (
            None if shard is None else [shard if axis in "yx" else chunks[axis] for axis in axes]
        )
        array = group.create_array(
            str(number), shape=[lengths[axis] for axis in axes], shards=shards,
            chunks=[chunks[axis] for axis in axes], dtype=level.dtype,
            chunk_key_encoding=None if is_new else {"name": "v2", "separator": separator},
            dimension_names=list(axes) if is_new else None, **options,
        )  # fmt: skip
        in_order = [axis for axis in axes if axis in "yxc"]
        planes = level.transpose(["yxc".index(axis) for axis in in_order])
        whole = planes.reshape([lengths[axis] if axis in "yxc" else 1 for axis in axes])
        array[...] = np.broadcast_to(whole, array.shape)
        factor = levels[0].shape[0] / level.shape[0] if number else 1
        steps = {"y": mpp * round(factor), "x": mpp * round(factor)}
        scale = {"type": "scale", "scale": [steps.get(axis, 1.0) for axis in axes]}
        datasets.append({"path": str(number), "coordinateTransformations": [scale]})
    described = [
        {"name": axis, "type": TYPES.get(axis, "space")}
        | ({"unit": unit} if unit and axis in "yx" else {})
        for axis in axes
    ]
    multiscales = [{"axes": described, "datasets": datasets} | ({"name": name} if name else {})]
    own: dict[str, Any] = {"multiscales": multiscales} | ({"omero": omero} if omero else {})
    if is_new:
        group.attrs["ome"] = {"version": version, **own}
    else:
        multiscales[0]["version"] = version
        group.attrs.update(own)
    return folder


def write_series(folder: Path, images: Sequence[dict[str, Any]], *, version: str = "0.4") -> Path:
    """Write several images as bioformats2raw does; each is the arguments of `write_image`."""
    is_new = version != "0.4"
    group = zarr.open_group(folder, mode="w", zarr_format=3 if is_new else 2)
    layout, series = {"bioformats2raw.layout": 3}, {"series": list(map(str, range(len(images))))}
    group.attrs.update({"ome": {"version": version, **layout}} if is_new else layout)
    details = group.create_group("OME")
    details.attrs.update({"ome": {"version": version, **series}} if is_new else series)
    for number, image in enumerate(images):
        write_image(folder / str(number), **image, version=version)
    return folder


def channels_of(*pairs: tuple[str, str]) -> dict[str, Any]:
    """Return the `omero` of channels with labels and colours."""
    window = {"start": 0, "end": 255, "min": 0, "max": 255}
    return {
        "channels": [
            {"label": label, "color": color, "active": True, "window": window}
            for label, color in pairs
        ]
    }


def random_pixels(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return smooth patches of colours, darker than glass."""
    random = np.random.default_rng(seed)
    patches = random.integers(60, 180, (height // 32 + 1, width // 32 + 1, 3))
    whole = np.kron(patches, np.ones((32, 32, 1)))[:height, :width]
    return (whole + random.integers(-9, 10, whole.shape)).astype(np.uint8)
