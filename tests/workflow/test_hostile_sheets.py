"""Words of a sheet name files and nothing else: they run no command and leave no folder."""

import json
import shutil
from pathlib import Path

import pytest
from snakemake_run import snakemake

from lds_path.options.slides import DemoOptions
from lds_path.stages.demo import demo

pytestmark = pytest.mark.slow

NAMES = (
    "a  b; touch pwned; $(touch pwned) `touch pwned` & touch pwned |.tif",
    "'; touch pwned; '.tif",
    '"; touch pwned; ".tif',
    "<results> {slide} {output} {{x}} %(x)s.tif",
    "-rf ~ * ? [a-z] ! # \\n > pwned Prüfung 病理 \u202e\u2028.tif",
)
"""Names of files; each cell of the sheet that names a file has one of them."""
SETTINGS = {
    "tile": {"mpp": 1.0},
    "detect": {
        "tissue_mpp": 8.0, "min_tissue_um2": 1.0, "max_hole_um2": 1.0, "region_size": 256,
        "overlap": 32, "lattice": 64,
    },
}  # fmt: skip
ROI = {"type": "Polygon", "coordinates": [[[0, 0], [700, 0], [700, 600], [0, 600], [0, 0]]]}


def test_paths_of_any_characters_are_read_and_run_nothing(tmp_path):
    demo(tmp_path / "painted", options=DemoOptions(seed=1, width=700, height=600))
    outside = tmp_path / ".." / f"{tmp_path.name}-beside"
    outside.mkdir()
    rows = ["slide\tpath\troi\tbatch\tpatient"]
    for number, name in enumerate(NAMES):
        shutil.copy(tmp_path / "painted/slide.tif", outside / name)
        (outside / f"{name}.json").write_text(json.dumps(ROI))
        path = f"../{outside.name}/{name}"
        rows.append(f"s{number}\t{path}\t{path}.json\t{name}\t{name}")
    (tmp_path / "slides.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    before = set(tmp_path.parent.rglob("*pwned*"))
    targets = [f"results/detect/s{number}" for number in range(len(NAMES))]
    sheet = f"slides={tmp_path / 'slides.tsv'}"
    run = snakemake(tmp_path, "--config", sheet, "--force", *targets, change=SETTINGS)
    assert run.returncode == 0, run.stderr + run.stdout
    assert set(tmp_path.parent.rglob("*pwned*")) == before
    for number, name in enumerate(NAMES):
        for stage, word, file in (("tile", "slide", name), ("detect", "roi", f"{name}.json")):
            path = tmp_path / "results" / stage / f"s{number}" / "manifest.json"
            manifest = json.loads(path.read_text())
            assert manifest["status"] == "done", manifest["reason"]
            found = Path(manifest["inputs"][word]["path"])
            assert (found.name, found.parent.resolve()) == (file, outside.resolve())
    made = {path.name for path in tmp_path.iterdir()}
    known = {"painted", "slides.tsv", "change.yaml", "results", "logs", "benchmarks", ".snakemake"}
    assert made <= known
