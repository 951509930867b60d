"""Slides to learn from, and their labels, as TIFF."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tifffile

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


def write_slide(path: Path, pixels: NDArray[np.uint8], *, mpp: float, quality: int = 92) -> None:
    """Write a tiled TIFF: JPEG for colours, (H, W, 3), lossless for labels, (H, W)."""
    is_rgb = pixels.ndim == 3
    tifffile.imwrite(
        path,
        pixels,
        photometric="rgb" if is_rgb else "minisblack",
        tile=(256, 256),
        compression="jpeg" if is_rgb else "zlib",
        compressionargs={"level": quality} if is_rgb else None,
        resolution=(1e4 / mpp, 1e4 / mpp),
        resolutionunit="CENTIMETER",
        metadata=None,
    )
