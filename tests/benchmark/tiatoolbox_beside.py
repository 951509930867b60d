"""TIAToolbox's semantic segmentor with the same network, beside the workflow's stages, on one slide.

    python tests/benchmark/tiatoolbox_beside.py --folder build/tiatoolbox --python TIATOOLBOX/bin/python

PYTHON is the interpreter of an environment with TIAToolbox 2.1 and this package. TIAToolbox reads the tissue that it
finds itself in windows that overlap by a quarter, once as coarsely as the samples lie, once at the slide's
full resolution, and writes labels as Zarr. Beside it `lds-path run` does all stages, pictures and report included.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import numpy as np

MODEL = "demo"
SIDE = 8192
WINDOW, MARGIN = 512, 64
"""Pixels that the network sees, and those at each edge that are not kept."""
BATCH = 4
REPOSITORY = Path(__file__).parents[2]


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="Scratch folder.")
@click.option("--python", type=click.Path(path_type=Path), default=Path(sys.executable))
@click.option("--threads", default=2, show_default=True)
@click.option("--runs", default=3, show_default=True)
@click.option("--side", default=SIDE, show_default=True, help="Of the slide, in pixels.")
def main(folder: Path, python: Path, threads: int, runs: int, side: int) -> None:
    """Print seconds of both, medians of runs in turn."""
    from derived_slide import MPP, SOURCE, write_derived_slide

    from lds_path.models.card import find_model, read_card

    folder.mkdir(parents=True, exist_ok=True)
    slide = folder / f"slide-{side}.tif"
    if not slide.exists():
        data = Path(os.environ.get("LDS_PATH_DATA", REPOSITORY.parent / "shared" / "data"))
        write_derived_slide(slide, data / "slides" / SOURCE, side)
    card = read_card(find_model(MODEL))
    pitch = card.mpp * card.region_size.width / card.lattice.width
    commands: dict[str, list[Any]] = {
        "`lds-path run`, all stages": [
            *(sys.executable, "-m", "lds_path.cli", "run", slide, "--model", MODEL),
            *("-o", folder / "run", "--threads", threads),
        ],
        f"TIAToolbox, {pitch:g} um per pixel": [
            python,
            __file__,
            "tiatoolbox",
            slide,
            pitch,
            threads,
        ],
        f"TIAToolbox, {MPP:g} um per pixel": [python, __file__, "tiatoolbox", slide, MPP, threads],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            for made in ("run", "tiatoolbox"):
                shutil.rmtree(folder / made, ignore_errors=True)
            started = time.perf_counter()
            subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - started)
            click.echo(json.dumps({name: round(seconds[name][-1], 1)}))
    click.echo("| | seconds |\n| --- | ---: |")
    for name, found in seconds.items():
        click.echo(f"| {name} | {sorted(found)[len(found) // 2]:.1f} |")


def run_tiatoolbox(slide: Path, mpp: float, threads: int) -> None:
    """Segment a slide with TIAToolbox into a folder beside it."""
    import torch
    from tiatoolbox.models.engine.io_config import IOSegmentorConfig
    from tiatoolbox.models.engine.semantic_segmentor import SemanticSegmentor
    from tiatoolbox.models.models_abc import ModelABC

    from lds_path.models.card import find_model, read_card
    from lds_path.network.architectures.build import build_network

    class Network(ModelABC):
        def __init__(self) -> None:
            super().__init__()
            network = build_network(read_card(find_model(MODEL)).network).eval()
            self.network = network.to(memory_format=torch.channels_last)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.network(images)

        @staticmethod
        def infer_batch(model: Any, batch_data: torch.Tensor, *, device: str) -> np.ndarray:
            images = batch_data.to(device).permute(0, 3, 1, 2).float() / 255
            with torch.inference_mode():
                scores = torch.softmax(model(images), dim=1)
            return scores.permute(0, 2, 3, 1)[:, MARGIN:-MARGIN, MARGIN:-MARGIN].cpu().numpy()

    torch.set_num_threads(threads)
    at = [{"units": "mpp", "resolution": mpp}]
    kept = WINDOW - 2 * MARGIN
    SemanticSegmentor(Network(), batch_size=BATCH, num_workers=0, verbose=False).run(
        [slide],
        patch_mode=False,
        device="cpu",
        save_dir=slide.parent / "tiatoolbox",
        overwrite=True,
        output_type="zarr",
        auto_get_mask=True,
        ioconfig=IOSegmentorConfig(
            input_resolutions=at,
            output_resolutions=at,
            patch_input_shape=(WINDOW, WINDOW),
            patch_output_shape=(kept, kept),
            stride_shape=(kept, kept),
            save_resolution=at[0],
        ),
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["tiatoolbox"]:
        run_tiatoolbox(Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
