"""Compare the package's morphology of masks with scikit-image and OpenCV; for docs/speed.md.

The mask is that of a slide of 50,000 x 40,000 pixels of 0.5 um, at 8 um per pixel. One thread,
processor time. OpenCV is measured where it is installed.

    python tests/benchmark/morphology_contest.py
"""

from __future__ import annotations

import importlib.util
import os
import platform
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from page import write_section
from scipy import ndimage
from skimage import morphology

from lds_path.pixels.components import drop_small_pieces, fill_small_holes
from lds_path.pixels.morphology import binary_closing, binary_opening

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

PAGE = Path(__file__).parent.parent.parent / "docs/speed.md"
SHAPE = (2500, 3120)
RUNS = 3
AREA = 300
HEADER = """| | by | processor s | peak MiB | pixels that differ |
| --- | --- | ---: | ---: | ---: |"""


@click.command()
def main() -> None:
    """Measure, and write the section of docs/speed.md on morphology."""
    mask = make_mask()
    rows = []
    for name, methods in contests().items():
        ours = methods["package"](mask)
        for by, method in methods.items():
            seconds, peak = measure(method, mask)
            differ = np.count_nonzero(method(mask) != ours)
            rows.append(f"| {name} | {by} | {seconds:.2f} | {peak:.0f} | {differ} |")
            click.echo(rows[-1])
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    text = (
        "Written by `python tests/benchmark/morphology_contest.py`: processor time of one thread,"
        f" least of {RUNS} runs, {machine}; memory that numpy took besides the mask, of"
        f" {SHAPE[1]} x {SHAPE[0]} pixels.\n\n"
    )
    write_section(PAGE, "morphology", text + "\n".join([HEADER, *rows]))


def contests() -> dict[str, dict[str, Callable[[Mask], Mask]]]:
    """Return what is compared: name of the task -> name of the library -> function."""
    found: dict[str, dict[str, Callable[[Mask], Mask]]] = {}
    for radius in (1, 2):
        found[f"open by {radius}"] = {
            "package": lambda mask, r=radius: binary_opening(mask, r),
            "scikit-image": lambda mask, r=radius: morphology.isotropic_opening(mask, r),
        }
        found[f"close by {radius}"] = {
            "package": lambda mask, r=radius: binary_closing(mask, r),
            "scikit-image": lambda mask, r=radius: morphology.isotropic_closing(mask, r),
        }
        if importlib.util.find_spec("cv2"):
            found[f"open by {radius}"]["OpenCV"] = lambda mask, r=radius: by_opencv(mask, r, "OPEN")
            found[f"close by {radius}"]["OpenCV"] = lambda mask, r=radius: by_opencv(
                mask, r, "CLOSE"
            )
    found[f"drop pieces up to {AREA} pixels"] = {
        "package": lambda mask: drop_small_pieces(mask, AREA),
        "scikit-image": lambda mask: morphology.remove_small_objects(mask, max_size=AREA),
    }
    found[f"fill holes up to {AREA} pixels"] = {
        "package": lambda mask: fill_small_holes(mask, AREA),
        "scikit-image": lambda mask: morphology.remove_small_holes(mask, max_size=AREA),
    }
    return found


def by_opencv(mask: Mask, radius: int, operation: str) -> Mask:
    """Open or close by a disc, on one thread."""
    import cv2

    cv2.setNumThreads(1)
    disc = morphology.disk(radius)
    kind = getattr(cv2, f"MORPH_{operation}")
    return cv2.morphologyEx(mask.view(np.uint8), kind, disc).view(np.bool_)


def make_mask() -> Mask:
    """Return ragged tissue with specks and holes, (H, W)."""
    random = np.random.default_rng(0)
    small = random.normal(size=(SHAPE[0] // 10, SHAPE[1] // 10))
    smooth = ndimage.zoom(ndimage.gaussian_filter(small, 8) * 30, 10, order=1)
    return smooth + ndimage.gaussian_filter(random.normal(size=SHAPE), 1.5) * 3 > 0


def measure(method: Callable[[Mask], Mask], mask: Mask) -> tuple[float, float]:
    """Return the processor time and the memory of a function."""
    seconds = []
    for _ in range(RUNS):
        started = time.process_time()
        method(mask)
        seconds.append(time.process_time() - started)
    tracemalloc.start()
    method(mask)
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return min(seconds), peak


if __name__ == "__main__":
    main()
