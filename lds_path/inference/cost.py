"""What a region costs on each lattice, for budgets in seconds: measured once for each kind of work, and kept."""

from __future__ import annotations

import json
import logging
import platform
import time
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from platformdirs import user_cache_path

from lds_path import __version__
from lds_path.formats.predictions import PredictionWriter
from lds_path.formats.pyramid import open_pyramid
from lds_path.formats.results import TileResults
from lds_path.inference.runner import Runner
from lds_path.network.device import choose_precision, device_name, take_device
from lds_path.provenance.complete_file import complete_file
from lds_path.system.private_folder import private_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch
    from numpy.typing import NDArray

    from lds_path.geometry import Region, Size
    from lds_path.network.segmenter import Segmenter
    from lds_path.provenance.stage_folder import StageFolder

log = logging.getLogger(__name__)

TIMED = 4
"""Regions timed on each rung, times the threads."""


@dataclass(frozen=True)
class Work:
    """What the seconds of a region depend on."""

    model: str
    """Hash of its card and its weights."""
    device: str
    precision: str
    version: str
    """Of this package."""
    region: tuple[int, int]
    """Width and height, working pixels."""
    slide: tuple[str, int, int | None]
    """Format, finest level that is stored, and the level of the file that it was read from."""
    computer: str
    """Its name: others may share the folder, and take other times."""

    @property
    def key(self) -> str:
        """A name for a file."""
        return sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Costs:
    """Seconds of one core, or of a GPU."""

    start: float
    """Of the first region beyond those of any other."""
    regions: NDArray[np.float64]
    """Of a region on each rung, (rungs,), rising."""

    def total(self, rungs: NDArray[np.intp]) -> float:
        """Return the seconds of a slide for the rung of each region."""
        return self.start + float(self.regions[rungs].sum())


def cost_clock(device: torch.device) -> float:
    """Return the clock that costs are measured by: the seconds of all cores, or the time on a GPU."""
    return time.process_time() if device.type == "cpu" else time.perf_counter()


def region_costs(
    tile: StageFolder,
    regions: Sequence[Region],
    sizes: Sequence[Size],
    *,
    model: str,
    load: Callable[[], Segmenter],
    device: str = "auto",
    threads: int = 1,
) -> Costs:
    """Return what regions cost on each lattice.

    What was measured for such work on this machine before is used again; else some regions of the slide are
    segmented now.

    Parameters
    ----------
    tile
        Of the slide.
    regions, sizes
        Of the slide, one or more; and the lattice of each rung.
    model
        Hash of the model.
    load
        Returns its network, if it has to be measured.
    device, threads
        As `segment` takes them.
    """
    tiled = tile.read(TileResults)
    with take_device(device) as taken:
        work = Work(
            model=model,
            device=device_name(taken),
            precision=choose_precision(taken),
            version=__version__,
            region=(regions[0].size.width, regions[0].size.height),
            slide=(tiled.format, tiled.finest_level, tiled.stored_from),
            computer=platform.node(),
        )
        known = _read(work)
        if known is not None and len(known.regions) == len(sizes):
            return known
        network, pyramid = load().to(taken), open_pyramid(tile.path)
        runner = Runner(network, pyramid, taken, 1, threads, precision=work.precision)
        count = TIMED * threads
        timed = regions[:: max(1, len(regions) // count)][:count]
        cold = _measure(runner, timed[:1], sizes[0])
        seconds = [_measure(runner, timed, size) for size in sizes]
    rising = np.maximum.accumulate(np.array(seconds))
    costs = Costs(max(cold - seconds[0], 0.0), rising)
    _keep(work, costs)
    return costs


def _measure(runner: Runner, regions: Sequence[Region], lattice: Size) -> float:
    """Return the seconds of a region on a lattice, with what it takes to write it."""
    asked = [replace(region, lattice=lattice) for region in regions]
    with TemporaryDirectory() as scratch:
        started = cost_clock(runner.device)
        with PredictionWriter(Path(scratch) / "timed.npz") as writer:
            for prediction in runner.run(asked):
                writer.write(prediction)
        return (cost_clock(runner.device) - started) / len(asked)


def _read(work: Work) -> Costs | None:
    try:
        kept = json.loads((_folder() / f"{work.key}.json").read_text(encoding="utf-8"))
        costs = Costs(float(kept["start"]), np.array(kept["regions"], np.float64))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    seconds = np.array([0.0, *costs.regions.ravel()])
    is_sound = np.isfinite([costs.start, *seconds]).all() and (np.diff(seconds) >= 0).all()
    return costs if is_sound and costs.start >= 0 and len(seconds) > 1 and seconds[1] > 0 else None


def _keep(work: Work, costs: Costs) -> None:
    """Keep the seconds for other slides; where there is no room for them each slide measures again."""
    regions = [round(one, 6) for one in costs.regions.tolist()]
    kept = {"work": asdict(work), "start": round(costs.start, 6), "regions": regions}
    try:
        path = private_folder(_folder()) / f"{work.key}.json"
        with complete_file(path) as partial:
            partial.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    except OSError as error:
        log.info("the seconds of a region cannot be kept: %s", error)


def _folder() -> Path:
    return user_cache_path("lds-path") / "costs"
