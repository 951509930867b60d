"""What OME-Zarr 0.4 and 0.5 say about the images in a store: levels, microns per pixel, channels."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lds_path.errors import UnreadableSlideError, UnsuitableSlideError
from lds_path.geometry import Size
from lds_path.slides.images import NAME_LENGTH, SlideImage
from lds_path.slides.ome import check_colours
from lds_path.slides.readers.zarr_store.metadata import (
    damaged,
    open_array,
    read_attributes,
    read_shape,
)
from lds_path.slides.readers.zarr_store.storage import list_folders
from lds_path.slides.tiff_check import DECODE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lds_path.remote.address import SlidePath
    from lds_path.slides.readers.zarr_store.array import ZarrArray

VERSIONS = ("0.4", "0.5")
MICRONS = {
    "angstrom": 1e-4, "picometer": 1e-6, "nanometer": 1e-3, "micrometer": 1.0, "micron": 1.0, "um": 1.0,
    "µm": 1.0, "millimeter": 1e3, "centimeter": 1e4, "meter": 1e6, "inch": 25_400.0,
}  # fmt: skip
"""Per unit of length."""
PLANES = {"z": "focal planes", "t": "points in time"}
NUMBERED = re.compile(r"(?:channel|ch|c)?[\s_:]*[\d:]*", re.IGNORECASE)
"""Names of channels that say nothing about their colours."""
MAX_IMAGES = 1000
CHANNELS = 3


@dataclass(frozen=True)
class NgffLevel:
    """One resolution of an image."""

    array: ZarrArray
    axes: str
    """Names of the axes, in their order."""
    scale: tuple[float, float]
    """Extent of a pixel (x, y), in the units of the axes."""
    shift: tuple[float, float]
    """Where the middle of its first pixel lies (x, y), in the units of the axes."""

    @property
    def size(self) -> Size:
        """Extent in its own pixels."""
        return Size(self._along("x", self.array.shape), self._along("y", self.array.shape))

    @property
    def tile(self) -> Size:
        """Extent of a chunk in its own pixels."""
        return Size(self._along("x", self.array.chunks), self._along("y", self.array.chunks))

    @property
    def stored(self) -> Size:
        """Extent of a file, of one chunk or several, in its own pixels."""
        return Size(self._along("x", self.array.files), self._along("y", self.array.files))

    @property
    def parts(self) -> list[slice]:
        """The channels that are in one chunk, for each chunk of them."""
        step = self._along("c", self.array.chunks)
        return [slice(first, min(first + step, CHANNELS)) for first in range(0, CHANNELS, step)]

    def read_chunk(self, channel: int, row: int, column: int) -> NDArray[np.uint8] | None:
        """Return a chunk, (H, W, channels); None where it has no file.

        Parameters
        ----------
        channel
            A channel in it.
        row, column
            Its place, in chunks.
        """
        chunk = self.array.read_chunk(self._index(channel, row, column))
        return None if chunk is None else self._as_image(chunk)

    def has_file(self, channel: int, row: int, column: int) -> bool:
        """Return whether a file is there, by its place, in files."""
        down = self.stored.height // self.tile.height, self.stored.width // self.tile.width
        return self.array.has_file(self._index(channel, row * down[0], column * down[1]))

    def has_no_bytes(self) -> NDArray[np.bool_]:
        """Return which files of any channel are missing, (rows, columns)."""
        missing = self.array.has_no_file()
        channels = self._as_image(missing)
        return np.asarray(channels.any(axis=2))

    def _as_image(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the first plane of an array along these axes, (H, W, channels)."""
        for axis in sorted(set(self.axes) - set("cyx"), key=self.axes.index, reverse=True):
            values = values.take(0, axis=self.axes.index(axis))
        left = [axis for axis in self.axes if axis in "cyx"]
        return values.transpose([left.index(axis) for axis in "yxc"])

    def _index(self, channel: int, row: int, column: int) -> list[int]:
        """Return the indices of a chunk along all axes."""
        index = {"c": channel // self._along("c", self.array.chunks), "y": row, "x": column}
        return [index.get(axis, 0) for axis in self.axes]

    def _along(self, axis: str, lengths: Sequence[int]) -> int:
        return lengths[self.axes.index(axis)]


@dataclass(frozen=True)
class NgffImage:
    """An image of a store."""

    levels: tuple[NgffLevel, ...]
    """The largest first."""
    mpp: tuple[float, float] | None
    """Microns per level-0 pixel (x, y), if stated."""


def find_images(store: SlidePath, attributes: Mapping[str, Any]) -> list[SlideImage]:
    """Return the images of a store; their content is a folder and its `multiscales`.

    A store is an image, or holds several as bioformats2raw lays them out.

    Parameters
    ----------
    store
        Folder of the slide.
    attributes
        Of its root.

    Raises
    ------
    UnreadableSlideError
        If there is none, or the metadata are damaged.
    UnsuitableSlideError
        If it is a plate.
    """
    own = _own(attributes)
    if "plate" in own or "well" in own:
        raise UnsuitableSlideError(
            f"{store} is a plate of wells, not a slide; name one of the images in it"
        )
    folders = [store] if "multiscales" in own else _folders_of_images(store)
    images = []
    for number, folder in enumerate(folders):
        found = own if folder == store else _own(read_attributes(folder) or {})
        try:
            if "multiscales" in found:
                images.append(_image(store, folder, number, found))
        except DECODE_ERRORS as error:
            if isinstance(error, UnreadableSlideError | UnsuitableSlideError):
                raise
            raise damaged(folder, error) from None
    if not images:
        raise UnreadableSlideError(
            f"{store} is Zarr, but has no image that OME-Zarr metadata (multiscales) describe; convert"
            " the slide by bioformats2raw, or to OME-TIFF"
        )
    return images


def open_ngff(store: SlidePath, image: SlideImage) -> NgffImage:
    """Return an image, which must be RGB of 8 bits in one plane.

    Raises
    ------
    UnreadableSlideError
        If it is damaged, or its pixels are of another kind.
    UnsuitableSlideError
        If its channels are not colours, or it has several focal planes or points in time.
    """
    folder, attributes = image.content
    try:
        multiscale = attributes["multiscales"][0]
        axes = "".join(map(_letter, multiscale["axes"]))
        levels = [
            _level(store, folder, axes, entry, multiscale) for entry in multiscale["datasets"]
        ]
        levels.sort(key=lambda level: -level.size.area)
        for level in levels:
            _check_shape(store, level)
        _check_channels(store, attributes)
        return NgffImage(tuple(levels), _mpp(multiscale, axes, levels[0]))
    except (UnreadableSlideError, UnsuitableSlideError):
        raise
    except DECODE_ERRORS as error:
        raise damaged(folder, error) from None


def _own(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the metadata of OME-Zarr: those of 0.5 have a place of their own."""
    own = attributes.get("ome", attributes)
    return own if isinstance(own, dict) else {}


def _folders_of_images(store: SlidePath) -> list[SlidePath]:
    """Return the folders of the images in a store, in their order."""
    listed = _own(read_attributes(store / "OME") or {}).get("series")
    if isinstance(listed, list):
        return [_inside(store, name) for name in listed[:MAX_IMAGES]]
    try:
        return list_folders(store)[:MAX_IMAGES]
    except OSError as error:
        raise damaged(store, error) from None


def _inside(folder: SlidePath, name: object) -> SlidePath:
    """Return what lies below a folder; ValueError for what does not."""
    parts = str(name).split("/")
    if ".." in parts or not all(parts):
        raise damaged(folder, ValueError(f"it refers to {name!r}"))
    return folder.joinpath(*parts)


def _image(
    store: SlidePath, folder: SlidePath, number: int, attributes: Mapping[str, Any]
) -> SlideImage:
    """Return an image, with the size of its largest level."""
    multiscale = attributes["multiscales"][0]
    _check_version(store, str(attributes.get("version", multiscale.get("version", ""))), multiscale)
    if not multiscale["datasets"]:
        raise ValueError("an image without levels")
    axes = [_letter(axis) for axis in multiscale["axes"]]
    y, x = axes.index("y"), axes.index("x")
    shapes = [read_shape(store, _inside(folder, level["path"])) for level in multiscale["datasets"]]
    size = max((Size(shape[x], shape[y]) for shape in shapes), key=lambda one: one.area)
    title = " ".join(str(multiscale.get("name") or "").split()).strip("/")[:NAME_LENGTH]
    return SlideImage(number, title, size, (folder, attributes))


def _letter(axis: Mapping[str, Any]) -> str:
    """Return the name of an axis; c for the channels, which may have any."""
    return "c" if axis.get("type") == "channel" else str(axis["name"])


def _check_version(store: SlidePath, version: str, multiscale: Mapping[str, Any]) -> None:
    axes = multiscale.get("axes")
    named = isinstance(axes, list) and axes and all(isinstance(axis, dict) for axis in axes)
    if not named or (version and not version.startswith(VERSIONS)):
        found = f"OME-Zarr {version}".strip() + ("" if named else " without named axes")
        raise UnsuitableSlideError(
            f"{store} is {found}; expected {' or '.join(VERSIONS)}; convert it by a newer"
            " bioformats2raw or ome-zarr"
        )


def _level(
    store: SlidePath,
    folder: SlidePath,
    axes: str,
    entry: Mapping[str, Any],
    multiscale: Mapping[str, Any],
) -> NgffLevel:
    array = open_array(store, _inside(folder, entry["path"]))
    if len(array.shape) != len(axes) or len(set(axes)) != len(axes):
        raise ValueError(f"axes {axes!r} for an array of {array.shape}")
    own = entry.get("coordinateTransformations", [])
    common = multiscale.get("coordinateTransformations", [])
    scale = dict.fromkeys(axes, 1.0)
    shift = dict.fromkeys(axes, 0.0)
    for step in [*own, *common]:
        if step["type"] == "scale":
            for axis, factor in zip(axes, step["scale"], strict=True):
                scale[axis] *= float(factor)
                shift[axis] *= float(factor)
        elif step["type"] == "translation":
            for axis, distance in zip(axes, step["translation"], strict=True):
                shift[axis] += float(distance)
    if not (0 < scale["x"] < math.inf and 0 < scale["y"] < math.inf):
        raise ValueError(f"pixels of {scale['x']} x {scale['y']}")
    return NgffLevel(array, axes, (scale["x"], scale["y"]), (shift["x"], shift["y"]))


def _check_shape(store: SlidePath, level: NgffLevel) -> None:
    """Refuse what is not one plane of three channels."""
    lengths = dict(zip(level.axes, level.array.shape, strict=True))
    for axis, length in lengths.items():
        if axis not in "cyx" and length > 1:
            raise UnsuitableSlideError(
                f"{store} holds {length} {PLANES.get(axis, f'planes along {axis}')}; expected one;"
                " convert the one to analyse to a slide of its own"
            )
    channels = lengths.get("c", 1)
    if channels != CHANNELS:
        raise UnsuitableSlideError(
            f"{store} has {channels} channel{'s' * (channels > 1)}; expected Red, Green, Blue;"
            " convert it to 8-bit RGB, or leave it out of the sheet"
        )


def _check_channels(store: SlidePath, attributes: Mapping[str, Any]) -> None:
    """Refuse channels that are not called or shown as red, green and blue, if it says so."""
    omero = attributes.get("omero", {})
    channels = omero.get("channels", []) if isinstance(omero, dict) else []
    labels = [str(channel.get("label", "")).strip() for channel in channels]
    names = ["" if NUMBERED.fullmatch(label) else label for label in labels]
    colours = [str(channel.get("color", "")).strip("#") for channel in channels]
    check_colours(store, names, [_packed(colour) for colour in colours])


def _packed(colour: str) -> int | None:
    """Return a colour such as FF0000 as OME-XML packs it, None for white or another text."""
    try:
        packed = int(colour[:6], 16) << 8
    except ValueError:
        return None
    return None if packed == 0xFFFFFF00 else packed


def _mpp(multiscale: Mapping[str, Any], axes: str, level: NgffLevel) -> tuple[float, float] | None:
    """Return (x, y) microns per pixel of a level; None where no unit is stated."""
    units = [
        MICRONS.get(str(multiscale["axes"][axes.index(axis)].get("unit", "")).lower())
        for axis in "xy"
    ]
    if units[0] is None or units[1] is None:
        return None
    return level.scale[0] * units[0], level.scale[1] * units[1]
