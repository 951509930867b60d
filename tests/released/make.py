"""Makes `<version>/results.tar.xz`, once for each release: `python tests/released/make.py`.

It holds a painted slide, a tiny model trained on it for four steps, and what the workflow makes of them. Pages
and the QuPath project are left out: they hold the path of their folder, and are made again from the rest. All
later versions have to read the archive, so it is never made again.
"""

import os
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import tifffile

import lds_path
from lds_path.option import make_options
from lds_path.options.model import TrainOptions
from lds_path.stages.train import train

FOLDER = Path(__file__).absolute().parent
LEFT_OUT = {"report", "qupath"}
FILES = {
    "slides.tsv": "slide\tpath\tmpp\tlabels\tsplit\nscan\tscan.tif\t0.5\tlabels.tif\ttrain\n",
    "tiny.yaml": """
slides: slides.tsv
model: model
classes: null
labels: {class_map: {"1": Pale, "2": Dark}}
detect: {min_tissue_um2: 1.0}
""",
}
TILE = "lds-path tile scan.tif before/tile/scan --slide-mpp 0.5"
DETECT = (
    "lds-path detect before/tile/scan before/detect/scan --region-size 256 --overlap 32 --lattice 32"
    " --min-tissue-um2 1"
)
MODEL = {
    "architecture": "UNet",
    "channels": (4, 8),
    "texture": False,
    "density_channels": (4, 8),
    "view_level": 3,
    "ladder": (16, 32),
}
CLASS_MAP = {"1": "Pale", "2": "Dark"}
RECIPE = {"steps": 4, "batch_size": 2}


def main() -> None:
    """Write the archive of this version, unless it is there."""
    target = FOLDER / lds_path.__version__ / "results.tar.xz"
    if target.exists():
        sys.exit(f"{target} is there; what was released does not change")
    target.parent.mkdir(exist_ok=True)
    with TemporaryDirectory() as name:
        make_results(Path(name))
        os.chdir(FOLDER)
        with tarfile.open(target, "w:xz", preset=9) as archive:
            for entry in (*FILES, "scan.tif", "labels.tif", "model", "results"):
                archive.add(Path(name) / entry, entry, filter=without_pages)


def make_results(folder: Path) -> None:
    """Write slide, sheet, configuration, model and results into a folder."""
    y, x = np.mgrid[:512, :512]
    labels = ((x - 256) ** 2 + (y - 256) ** 2 < 200**2).astype(np.uint8)
    labels += labels * ((x // 64 + y // 64) % 3 == 0)
    picture = np.array([(243, 243, 243), (230, 190, 210), (120, 70, 150)], np.uint8)[labels]
    tifffile.imwrite(folder / "scan.tif", picture, compression="zlib", photometric="rgb")
    tifffile.imwrite(folder / "labels.tif", labels, compression="zlib")
    subprocess.run(["lds-path", "init", "."], check=True, cwd=folder)
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    for command in (TILE, DETECT):
        subprocess.run(command.split(), check=True, cwd=folder)
    os.chdir(folder)
    train(
        Path("slides.tsv"),
        Path("model"),
        tile=Path("before/tile"),
        detect=Path("before/detect"),
        classes=("Pale", "Dark"),
        options=make_options(TrainOptions(), {**MODEL, **RECIPE, "class_map": CLASS_MAP}),
    )
    run = "snakemake --cores 1 --configfile tiny.yaml"
    subprocess.run(run.split(), check=True)


def without_pages(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Return what the archive says of a file, nothing of its user; None for what is left out."""
    if set(Path(entry.name).parts) & LEFT_OUT:
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    main()
