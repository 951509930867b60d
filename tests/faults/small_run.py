"""One small slide through all stages, by the command line, as the faults are injected into it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent.parent
KILLED = Path(__file__).parent / "lds_path_killed.py"
TIMES = ("created", "seconds", "peak_memory_mib", "outputs")
"""What differs from one run to the next in a manifest; hashes, where a page names its folder."""

TILE, DETECT, SEGMENT, STITCH = (
    "results/tile/a", "results/detect/a", "results/segment/a/1-of-1", "results/stitch/a",
)  # fmt: skip
PLAN = "results/plan/a"
SLIDE, LABELS = "results/demo/a/slide.tif", "results/demo/a/labels.tif"
OUTPUTS = {
    "demo": "results/demo/a",
    "tile": TILE,
    "screen": "results/screen/a",
    "detect": DETECT,
    "train": "results/train",
    "plan": PLAN,
    "segment": SEGMENT,
    "stitch": STITCH,
    "export": "results/export/a",
    "assess": "results/assess/a",
    "evaluate": "results/evaluate/a",
    "report": "results/report",
}
"""Stage -> the folder that it writes, in the order of the work."""
SIZE = ["--width", "1400", "--height", "1200"]
REGIONS = ["--region-size", "512", "--overlap", "64", "--lattice", "64"]
RECIPE = [
    *("--steps", "4", "--tune-every", "2", "--batch-size", "2", "--channels", "8"),
    *("--architecture", "UNet", "--texture", "false"),
    *("--channels", "16", "--device", "cpu"),
]
ARGUMENTS = {
    "demo": [OUTPUTS["demo"], "--seed", "3", *SIZE],
    "tile": [SLIDE, TILE],
    "screen": [TILE, OUTPUTS["screen"]],
    "detect": [TILE, DETECT, *REGIONS],
    "train": [
        *("slides.tsv", OUTPUTS["train"], "--tile", "results/tile", "--detect", "results/detect"),
        *("--class", "Stroma=#56B4E9", "--class", "Gland=#009E73", "--class-map", "4=Gland"),
        *RECIPE,
    ],
    "plan": [TILE, DETECT, PLAN, "--model", "demo"],
    "segment": [TILE, PLAN, SEGMENT, "--model", "demo", "--device", "cpu"],
    "stitch": [TILE, DETECT, SEGMENT, STITCH, "--confidence", "true", "--zarr", "0.5"],
    "export": [STITCH, OUTPUTS["export"], "--detect", DETECT, "--dsa", "true"],
    "assess": [TILE, DETECT, SEGMENT, STITCH, OUTPUTS["assess"]],
    "evaluate": [TILE, DETECT, SEGMENT, STITCH, LABELS, OUTPUTS["evaluate"]],
    "report": ["results", OUTPUTS["report"], "a", "--sheet", "slides.tsv"],
}  # fmt: skip


def write_sheet(folder: Path) -> None:
    """Write the sheet of the slide."""
    (folder / "slides.tsv").write_text(f"slide\tpath\tlabels\tsplit\na\t{SLIDE}\t{LABELS}\ttrain\n")


def run_stage(folder: Path, stage: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a stage in a folder."""
    return subprocess.run(
        [sys.executable, str(KILLED), stage, *ARGUMENTS[stage]],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def run_all(folder: Path, **environment: str) -> None:
    """Run every stage in a folder."""
    write_sheet(folder)
    for stage in ARGUMENTS:
        run = run_stage(folder, stage, **environment)
        assert run.returncode == 0, run.stderr


def contents(root: Path, output: str = "") -> dict[str, bytes]:
    """Return the content of each file of a run by its path, below an output of it.

    Manifests come without their times, and whatever names the run's folder without that.
    """
    files = sorted(path for path in (root / output).rglob("*") if path.is_file())
    return {str(path.relative_to(root)): _content(path, root) for path in files}


def differences(root: Path, other: Path, output: str = "") -> list[str]:
    """Return the files that one of two runs lacks or that differ, below an output."""
    one, two = contents(root, output), contents(other, output)
    return sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))


def _content(path: Path, root: Path) -> bytes:
    content = path.read_bytes().replace(os.fsencode(root), b"RUN")
    if path.name != "manifest.json":
        return content
    manifest = json.loads(content)
    return json.dumps({key: manifest[key] for key in manifest if key not in TIMES}).encode()
