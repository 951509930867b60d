"""Where a slide shows nothing but glass, decided so that faint tissue is never taken for glass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lds_path.pixels.row_strips import highest_band, lowest_band

if TYPE_CHECKING:
    from numpy.typing import NDArray

Color = tuple[int, int, int]

MIN_BRIGHTNESS = 200
"""Darkest channel of the darkest glass."""
MAX_CHROMA = 24
"""Largest difference between the channels of glass."""
MIN_SHARE = 0.01
"""Glass is the brightest grey value of at least this fraction of the pixels."""
MEAN_TOLERANCE = 4
"""Grey values by which glass may be darker than its colour, averaged over a cell."""
PIXEL_TOLERANCE = 20
"""Grey values by which a pixel of glass may be darker: noise of the camera and of JPEG."""
DARK_SHARE = 5e-4
"""Fraction of pixels that may be darker still: dust, less than one nucleus in 512 x 512 pixels."""
CELL = 16
"""Edge of the cells whose means are compared, pixels."""


def brightest_glass_color(pixels: NDArray[np.uint8]) -> Color | None:
    """Return the colour of the brightest glass in whole grey values, or None if there is no glass.

    Pure white is left out: areas that were not scanned are filled with it.

    Parameters
    ----------
    pixels
        RGB of a coarse view, (..., 3).
    """
    pixels = pixels.reshape(-1, 3)
    darkest, brightest = lowest_band(pixels), highest_band(pixels)
    pale = (darkest >= MIN_BRIGHTNESS) & (brightest - darkest <= MAX_CHROMA)
    grey = darkest[pale & (darkest < 255)]
    smooth = np.convolve(np.bincount(grey, minlength=256), np.ones(3), mode="same")
    common = np.flatnonzero(smooth >= MIN_SHARE * len(pixels))
    if not len(grey) or not len(common):
        return None
    # The brightest peak: from the brightest common value down, as long as the counts rise.
    peak = int(common[-1])
    while peak > MIN_BRIGHTNESS and smooth[peak - 1] > smooth[peak]:
        peak -= 1
    near = pixels[pale & (np.abs(darkest.astype(np.int16) - peak) <= MEAN_TOLERANCE)]
    median = np.median(near, axis=0)
    return int(median[0]), int(median[1]), int(median[2])


def is_glass(planes: NDArray[np.uint8], color: Color, *, cell: int = CELL) -> bool:
    """Return whether every small neighbourhood is as bright as glass, and hardly any pixel is darker.

    Parameters
    ----------
    planes
        Pixels, (3, H, W).
    color
        Colour of the glass.
    cell
        Edge of the neighbourhoods.
    """
    faintest = (np.array(color) - PIXEL_TOLERANCE).astype(np.uint8).reshape(3, 1, 1)
    if (planes[:, ::cell, ::cell] < faintest).mean() > 20 * DARK_SHARE:
        return False  # most tissue is decided here
    if (planes < faintest).any(axis=0).mean() > DARK_SHARE:
        return False
    means = cell_means(planes, cell)
    return bool((means >= np.reshape(color, (3, 1, 1)) - MEAN_TOLERANCE).all())


def is_near_glass(planes: NDArray[np.uint8], color: Color) -> bool:
    """Return whether no small neighbourhood, on average, is clearly darker than glass.

    Parameters
    ----------
    planes
        Pixels, (3, H, W).
    color
        Colour of the glass.
    """
    faintest = np.reshape(color, (3, 1, 1)) - PIXEL_TOLERANCE
    return bool((cell_means(planes) >= faintest).all())


def cell_means(planes: NDArray[np.uint8], cell: int = CELL) -> NDArray[np.float32]:
    """Return the means of cell x cell pixels; the last row and column are repeated to fill the last cells."""
    channels, height, width = planes.shape
    if height % cell or width % cell:
        pad = ((0, 0), (0, -height % cell), (0, -width % cell))
        planes = np.pad(planes, pad, mode="edge")
    rows, columns = planes.shape[1] // cell, planes.shape[2] // cell
    lines = planes.reshape(channels, rows, cell, -1).sum(axis=2, dtype=np.uint16)
    cells = lines.reshape(channels, rows, columns, cell).sum(axis=3, dtype=np.uint16)
    means: NDArray[np.float32] = cells.astype(np.float32) / np.float32(cell**2)
    return means


def glass_cells(view: NDArray[np.uint8], color: Color, cell: float) -> NDArray[np.bool_]:
    """Return which squares of a coarse view show only glass, looking one pixel beyond each.

    Parameters
    ----------
    view
        RGB, (H, W, 3), each pixel the mean of many working pixels.
    color
        Colour of the glass.
    cell
        Edge of the squares in pixels of the view; need not be whole.

    Returns
    -------
    NDArray
        (rows, columns), True for glass.
    """
    faintest = (np.array(color) - MEAN_TOLERANCE).astype(np.uint8)
    tissue = view[..., 0] < faintest[0]  # a fifth of the time of `any(axis=2)`
    for channel in (1, 2):
        tissue |= view[..., channel] < faintest[channel]
    for length in tissue.shape:  # first along the columns, then along the rows of cells
        spans = zip(*_spans(length, cell), strict=True)
        tissue = np.stack([tissue[begin:end].any(axis=0) for begin, end in spans]).T
    glass: NDArray[np.bool_] = ~tissue
    return glass


def _spans(length: int, cell: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return begin and end of the squares along one axis, one pixel wider on both sides."""
    start = np.arange(int(np.ceil(length / cell))) * cell
    begin = np.floor(start).astype(np.int64) - 1
    end = np.ceil(start + cell).astype(np.int64) + 1
    return np.clip(begin, 0, length), np.clip(end, 0, length)
