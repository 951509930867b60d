"""Results of small slides, with overlapping regions that disagree and a bent grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from small_slides import paint
from stage_folders import make_folders

from lds_path.options.quality import AssessOptions
from lds_path.stages.assess import assess
from lds_path.stages.export import export

if TYPE_CHECKING:
    from pathlib import Path

SIDE, EDGE = (1300, 1100), 16


@dataclass(frozen=True)
class SmallResults:
    """A folder of results."""

    folder: Path
    slides: tuple[str, ...]


def make_result(results: Path, slide: str, *, seed: int = 0) -> None:
    """Write the folders of all stages but report for a slide."""
    width, height = SIDE
    rgb, labels = paint(seed, width, height)
    tissue = np.ones((-(-height // EDGE), -(-width // EDGE)), np.bool_)
    tissue[:, :9] = False
    folders = make_folders(results, slide, rgb, tissue, labels, zoom=1.3, disagree=True)
    export(folders.stitch, results / "export" / slide)
    assess(
        folders.tile,
        folders.detect,
        folders.segment,
        folders.stitch,
        results / "assess" / slide,
        options=AssessOptions(),
    )


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> SmallResults:
    """Four slides; tests do not change them."""
    folder = tmp_path_factory.mktemp("cohort") / "results"
    slides = tuple(f"case-{number}" for number in (1, 2, 3, 4))
    for seed, slide in enumerate(slides):
        make_result(folder, slide, seed=seed)
    return SmallResults(folder, slides)
