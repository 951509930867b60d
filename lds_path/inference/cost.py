"""What a region costs on each lattice, for budgets in seconds: measured once for each kind of work, and kept."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
from platformdirs import user_cache_path

from lds_path import __version__
from lds_path.formats.pyramid import open_pyramid
from lds_path.formats.results import TileResults
from lds_path.inference.runner import Runner
from lds_path.models.card import find_model, model_files
from lds_path.models.checkpoint import load_model
from lds_path.network.device import choose_precision, device_name, take_device
from lds_path.provenance.complete_file import complete_file
from lds_path.system.private_folder import private_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from lds_path.geometry import Region, Size
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

    @property
    def key(self) -> str:
        """A name for a file."""
        return sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:24]


def cost_clock(device: torch.device) -> float:
    """Return the clock that costs are measured by: the seconds of all cores, or the time on a GPU."""
    return time.process_time() if device.type == "cpu" else time.perf_counter()


def region_costs(
    tile: StageFolder,
    regions: Sequence[Region],
    sizes: Sequence[Size],
    *,
    model: str,
    device: str = "auto",
    threads: int = 1,
) -> NDArray[np.float64]:
    """Return the seconds that a region takes on each lattice, (rungs,), rising.

    They are seconds of one core, or of a GPU. What was measured for such work on this machine before is used again;
    else some regions of the slide are segmented now.

    Parameters
    ----------
    tile
        Of the slide.
    regions, sizes
        Of the slide, one or more; and the lattice of each rung.
    model, device, threads
        As `segment` takes them.
    """
    found, tiled = find_model(model), tile.read(TileResults)
    with take_device(device) as taken:
        work = Work(
            model=sha256(b"".join(path.read_bytes() for path in model_files(found))).hexdigest(),
            device=device_name(taken),
            precision=choose_precision(taken),
            version=__version__,
            region=(regions[0].size.width, regions[0].size.height),
            slide=(tiled.format, tiled.finest_level, tiled.stored_from),
        )
        known = _read(work)
        if known is not None and len(known) == len(sizes):
            return known
        segmenter, _ = load_model(found)
        network, pyramid = segmenter.to(taken), open_pyramid(tile.path)
        runner = Runner(network, pyramid, taken, 1, threads, precision=work.precision)
        count = TIMED * threads
        timed = regions[:: max(1, len(regions) // count)][:count]
        seconds = [_measure(runner, timed, size) for size in sizes]
    rising = np.maximum.accumulate(np.array(seconds))
    _keep(work, rising)
    return rising


def _measure(runner: Runner, regions: Sequence[Region], lattice: Size) -> float:
    """Return the seconds of a region on a lattice; a first run warms up."""
    asked = [replace(region, lattice=lattice) for region in regions]
    for _ in runner.run(asked[:1]):
        pass
    started = cost_clock(runner.device)
    for _ in runner.run(asked):
        pass
    return (cost_clock(runner.device) - started) / len(asked)


def _read(work: Work) -> NDArray[np.float64] | None:
    try:
        kept = json.loads((_folder() / f"{work.key}.json").read_text(encoding="utf-8"))
        seconds = np.array(kept["seconds"], np.float64)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    rising = seconds.ndim == 1 and np.isfinite(seconds).all() and (np.diff(seconds) >= 0).all()
    return seconds if rising and len(seconds) and seconds[0] > 0 else None


def _keep(work: Work, seconds: NDArray[np.float64]) -> None:
    """Keep the seconds for other slides; where there is no room for them each slide measures again."""
    try:
        path = private_folder(_folder()) / f"{work.key}.json"
        with complete_file(path) as partial:
            kept = {"work": asdict(work), "seconds": [round(one, 6) for one in seconds.tolist()]}
            partial.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    except OSError as error:
        log.info("the seconds of a region cannot be kept: %s", error)


def _folder() -> Path:
    return user_cache_path("lds-path") / "costs"
