"""The loop over pixels behind `pixels.texture`, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lds_path.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray


@compiled
def _halve(squares: NDArray[np.float32], side: int, energies: NDArray[np.float32]) -> None:
    """Halve squares in place to a number of pixels a side; return the variance that each loses.

    The innermost loop is over squares, which the compiler turns into vectors.

    Parameters
    ----------
    squares
        (y, x, square).
    side
        Of the halved squares.
    energies
        What is returned, (square,).
    """
    quarter, count = np.float32(0.25), np.float32(4 * side * side)
    energies[:] = 0
    for y in range(side):
        for x in range(side):
            upper_left, upper_right = squares[2 * y, 2 * x], squares[2 * y, 2 * x + 1]
            lower_left, lower_right = squares[2 * y + 1, 2 * x], squares[2 * y + 1, 2 * x + 1]
            halved = squares[y, x]
            for number in range(energies.size):
                a, b = upper_left[number], upper_right[number]
                c, d = lower_left[number], lower_right[number]
                mean = (a + b + c + d) * quarter
                total = energies[number] + ((a - mean) ** 2 + (b - mean) ** 2)
                energies[number] = total + ((c - mean) ** 2 + (d - mean) ** 2)
                halved[number] = mean
    for number in range(energies.size):
        energies[number] /= count


@compiled
def octave_energies(
    planes: NDArray[np.uint8], density: NDArray[np.float32], octaves: int
) -> NDArray[np.float32]:
    """Return the mean variance among four neighbours in each octave, (3 octaves, H / 2^n, W / 2^n).

    Parameters
    ----------
    planes
        RGB, (3, H, W).
    density
        Optical density of each value of a pixel, (256,).
    octaves
        Their number, n.
    """
    edge = 2**octaves
    height, width = planes.shape[1] // edge, planes.shape[2] // edge
    energies = np.empty((3 * octaves, height, width), np.float32)
    squares = np.empty((edge, edge, width), np.float32)
    for colour in range(3):
        for row in range(height):
            for y in range(edge):
                line = planes[colour, row * edge + y]
                for column in range(width):
                    for x in range(edge):
                        squares[y, x, column] = density[line[column * edge + x]]
            side = edge
            for octave in range(octaves):
                side //= 2
                _halve(squares, side, energies[3 * octave + colour, row])
    return energies
