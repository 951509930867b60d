"""Painted slides with annotations as QuPath exports them, laid out as docs/train.md has them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lds_path.options.slides import DemoOptions
from lds_path.stages.demo import SLIDE_NAME, demo

if TYPE_CHECKING:
    from pathlib import Path


def annotate_slide(folder: Path, name: str, *, seed: int) -> None:
    """Write `scans/NAME.svs`, and a square of it as a gland in `exports/NAME.geojson`."""
    demo(folder / name, options=DemoOptions(width=700, height=600, seed=seed))
    (folder / "scans").mkdir(exist_ok=True)
    (folder / "exports").mkdir(exist_ok=True)
    (folder / name / SLIDE_NAME).rename(folder / f"scans/{name}.svs")
    square = [[200, 200], [500, 200], [500, 500], [200, 500], [200, 200]]
    gland = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [square]},
        "properties": {"objectType": "annotation", "classification": {"name": "Gland: benign"}},
    }
    found = {"type": "FeatureCollection", "features": [gland]}
    (folder / f"exports/{name}.geojson").write_text(json.dumps(found))


def tune_on(sheet: Path, name: str) -> None:
    """Change the split of a slide from `train` to `tune`, as the page says."""
    sheet.write_text(sheet.read_text().replace(f"{name}.geojson\ttrain", f"{name}.geojson\ttune"))
