"""Compare segmentation networks, and what weights of ImageNet bring, on the annotated images.

    PYTHONPATH=tests/study python tests/benchmark/encoders.py --folder build/encoders

Every network is trained in the same number of steps on a uniform lattice, and scored once, at the end, on
slides of other patients. Each training is kept in a JSON file, so that an interrupted comparison
goes on where it was; `--table` prints what there is. The colon is `colon_slides.py`'s, with all and
with 50 cases to learn from.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import click
import torch
from sets import class_names, prepare

from lds_path.network.architectures.build import build_network
from lds_path.network.folding import fold_batch_norm
from lds_path.network.spec import NetworkSpec
from lds_path.option import make_options
from lds_path.options.model import TrainOptions
from lds_path.options.slides import DetectOptions, TileOptions
from lds_path.stages.detect import detect
from lds_path.stages.tile import tile
from lds_path.stages.train import train

REPOSITORY = Path(__file__).parents[2]
DATA = Path(os.environ.get("LDS_PATH_DATA", REPOSITORY.parent / "shared" / "data"))
COLON = REPOSITORY / "workflow/models/colon_slides.py"
COLON_CLASSES = ("Epithelium", "Stroma")
NETWORKS = {
    "UNet": {"architecture": "UNet"},
    "SpaceToDepthUNet": {"architecture": "SpaceToDepthUNet"},
    "Lite0, fresh": {"architecture": "EfficientNetLite", "encoder_weights": "none"},
    "Lite0, ImageNet": {"architecture": "EfficientNetLite"},
}
COMMON = {
    "sampler": "uniform",
    "shared_features": False,
    "texture": False,
    "batch_size": 8,
    "device": "cpu",
}


@dataclass(frozen=True)
class Ground:
    """Slides to learn from and to score, with one lattice."""

    folder: Path
    detect: str
    """Folder of the regions."""
    classes: tuple[str, ...]


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="Scratch folder.")
@click.option("--steps", default=300, show_default=True)
@click.option("--seeds", default=3, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--table", is_flag=True, help="Train nothing, print what there is.")
def main(folder: Path, steps: int, seeds: int, threads: int, table: bool) -> None:
    """Train what is missing in FOLDER, then print the table."""
    folder.mkdir(parents=True, exist_ok=True)
    if not table:
        grounds = {
            "colon, 50 cases": colon(folder / "colon-50", 50),
            "colon": colon(folder / "colon", None),
            "glomeruli": study_set(folder / "glomeruli", "glomeruli"),
            "breast": study_set(folder / "breast", "breast"),
        }
        for seed, (name, ground), network in product(
            range(1, seeds + 1), grounds.items(), NETWORKS
        ):
            record = folder / f"{name}-{network}-{seed}.json".replace(" ", "").replace(",", "-")
            if not record.exists():
                scores = measure(ground, folder / "run", network, seed, steps, threads)
                record.write_text(json.dumps({"set": name, "network": network} | scores))
                click.echo(f"{name}, {network}, seed {seed}: {scores}")
    click.echo(make_table(folder))


def colon(folder: Path, cases: int | None) -> Ground:
    """Return the slides of colon biopsies, made where they are missing."""
    if not (folder / "scored.tsv").exists():
        few = [] if cases is None else ["--train-cases", str(cases)]
        command = [sys.executable, str(COLON), str(DATA / "colon"), str(folder), *few]
        subprocess.run(command, check=True)
        for row in read_sheet(folder):
            tiled, regions = folder / "tile" / row["slide"], folder / "detect" / row["slide"]
            if regions.exists():
                continue
            for output in (tiled, regions):
                output.parent.mkdir(exist_ok=True)
            mpp = float(row["mpp"])
            tile(folder / row["path"], tiled, options=TileOptions(mpp=mpp), strict=True)
            options = DetectOptions(region_size=512, overlap=64, lattice=128)
            detect(tiled, regions, options=options, strict=True)
        score_on_test(folder)
    return Ground(folder, "detect", COLON_CLASSES)


def study_set(folder: Path, name: str) -> Ground:
    """Return a set of the study with its layout `finer`, made where it is missing."""
    if not (folder / "scored.tsv").exists():
        shutil.rmtree(folder, ignore_errors=True)
        prepare(name, folder)
        score_on_test(folder)
    return Ground(folder, "detect/finer", class_names(name))


def read_sheet(folder: Path) -> list[dict[str, str]]:
    """Return the rows of a sheet."""
    with (folder / "slides.tsv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def score_on_test(folder: Path) -> None:
    """Write `scored.tsv`, a sheet in which the slides of `test` are scored during the training."""
    rows = [row for row in read_sheet(folder) if row["split"] in ("train", "test")]
    with (folder / "scored.tsv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0], delimiter="\t")
        writer.writeheader()
        for row in rows:
            writer.writerow(row | {"split": "tune" if row["split"] == "test" else "train"})


def measure(
    ground: Ground, output: Path, network: str, seed: int, steps: int, threads: int
) -> dict[str, float]:
    """Train once; the Dice is that of the last weights on the slides to score."""
    for folder in (output, output.with_name(f"{output.name}-state")):
        shutil.rmtree(folder, ignore_errors=True)
    settings = COMMON | NETWORKS[network] | {"seed": seed, "steps": steps, "tune_every": steps}
    started = time.process_time()
    manifest = train(
        ground.folder / "scored.tsv",
        output,
        tile=ground.folder / "tile",
        detect=ground.folder / ground.detect,
        base=ground.folder,
        classes=ground.classes,
        options=make_options(TrainOptions(), settings),
        threads=threads,
    )
    dice = manifest.results["tune_dice"]
    seconds = round(time.process_time() - started, 1)
    return {"dice": statistics.fmean(dice.values()), "processor_seconds": seconds}


def make_table(folder: Path) -> str:
    """Return the comparison as a Markdown table: mean Dice and its spread over the seeds."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for path in sorted(folder.glob("*.json")):
        record = json.loads(path.read_text())
        found[record["network"], record["set"]].append(record["dice"])
    sets = list(dict.fromkeys(name for _, name in found))
    lines = [
        "| network | parameters | ms per 256 x 256 samples | " + " | ".join(sets) + " |",
        "| --- | ---: | ---: |" + " ---: |" * len(sets),
    ]
    for network in NETWORKS:
        cells = [_cell(found.get((network, name), [])) for name in sets]
        count, ms = weigh(network)
        lines.append(f"| {network} | {count:.2f} M | {ms:.0f} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def weigh(network: str) -> tuple[float, float]:
    """Return millions of parameters, and milliseconds of a thread for 256 x 256 samples."""
    torch.set_num_threads(1)
    spec = NetworkSpec(class_count=2, architecture=NETWORKS[network]["architecture"])
    module = build_network(spec).eval().to(memory_format=torch.channels_last)
    count = sum(weights.numel() for weights in module.parameters()) / 1e6
    fold_batch_norm(module)
    samples = torch.rand(1, 3, 256, 256).to(memory_format=torch.channels_last)
    seconds = []
    with torch.inference_mode():
        for _ in range(12):
            started = time.process_time()
            module(samples)
            seconds.append(time.process_time() - started)
    return count, 1e3 * statistics.median(seconds)


def _cell(values: list[float]) -> str:
    if not values:
        return "-"
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.3f}{spread}"


if __name__ == "__main__":
    main()
