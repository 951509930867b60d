"""A slide file as a multiscale image."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lds_path.api.blocks import Opened
from lds_path.api.multiscale import COLOURS, make_image
from lds_path.errors import ChangedInputError
from lds_path.geometry import Size
from lds_path.provenance.fingerprint import identify
from lds_path.remote.address import to_slide_path
from lds_path.slides import slide as slide_files
from lds_path.slides.companions import find_slide_files

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lds_path.api.multiscale import MultiscaleImage
    from lds_path.geometry import Rectangle
    from lds_path.remote.address import SlidePath

BLOCK = Size(2048, 2048)


def open_slide(
    path: str | SlidePath, mpp: float | None = None, *, scene: str | int = ""
) -> MultiscaleImage:
    """Return a slide or plain image: RGB, (c, y, x), with the levels of its file.

    Convention: the image starts at the corner of the slide's bounds, as in QuPath.

    Parameters
    ----------
    path
        File of any format that the pipeline reads, or the address of a slide, such as
        s3://bucket/scan.svs.
    mpp
        Microns per level-0 pixel where the file does not state them, or states them wrongly.
    scene
        Number or name of the image to read, of a file with several; the largest when not given.

    Raises
    ------
    SlideProblem
        If the slide is missing, damaged, of an unknown format, or nothing states its mpp.
    """
    if isinstance(path, str):
        path = to_slide_path(path)
    if isinstance(path, Path):
        path = path.absolute()
    with slide_files.open_slide(path, mpp=mpp, scene=str(scene)) as opened:
        levels, true_mpp = opened.levels, opened.mpp
    finest = levels[0].downsample
    return make_image(
        path.name,
        SlideSource(path, mpp, _identify(path), str(scene)),
        [level.size for level in levels],
        mpp=true_mpp * finest,
        dtype=np.uint8,
        block=BLOCK,
        channels=COLOURS,
        downsamples=[level.downsample / finest for level in levels],
    )


@dataclass(frozen=True)
class SlideSource:
    """A slide file as it was when it was opened first; gigabytes are not hashed."""

    path: SlidePath
    mpp: float | None
    identity: tuple[tuple[int, ...] | None, ...]
    """Size, times and inode of each of its files."""
    scene: str = ""

    @property
    def token(self) -> str:
        """Hash of path and identity."""
        text = repr((str(self.path), self.mpp, self.identity, self.scene))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def open(self) -> Opened:
        """Open the slide for reading.

        Raises
        ------
        ChangedInputError
            If a file of the slide was replaced.
        """
        if _identify(self.path) != self.identity:
            raise ChangedInputError(
                f"{self.path} has changed since it was opened; call open_slide again"
            )
        opened = slide_files.open_slide(self.path, mpp=self.mpp, scene=self.scene)

        def read(level: int, window: Rectangle) -> NDArray[np.uint8]:
            pixels = opened.read_region(level, window.left, window.top, window.size)
            return np.ascontiguousarray(pixels.transpose(2, 0, 1))  # (3, H, W)

        return Opened(read, opened.close)


def _identify(path: SlidePath) -> tuple[tuple[int, ...] | None, ...]:
    found = map(identify, find_slide_files(path))
    return tuple(None if identity is None else tuple(identity) for identity in found)
