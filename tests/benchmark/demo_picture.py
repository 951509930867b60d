"""The README's picture: a slide, how many samples each region got, how far apart, the labels."""

from __future__ import annotations

import shutil
from pathlib import Path

import click
import numpy as np
from PIL import Image

from lds_path.options.labels import PlanOptions, SegmentOptions
from lds_path.options.slides import DemoOptions
from lds_path.provenance.stage_folder import open_folder
from lds_path.quality.analysed_slide import read_analysed_slide
from lds_path.reporting import overlay, picture_footer
from lds_path.stages.demo import SLIDE_NAME, demo
from lds_path.stages.detect import detect
from lds_path.stages.plan import plan
from lds_path.stages.segment import segment
from lds_path.stages.stitch import stitch
from lds_path.stages.tile import tile

PICTURE = Path(__file__).parents[2] / "docs" / "demo.jpg"
_WIDTH = 560
_GAP = 8
_MAP = "viridis"


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="Scratch folder.")
@click.option("--model", default="demo", show_default=True)
@click.option("--budget", default="128", show_default=True)
@click.option("--seed", default=31, show_default=True)
@click.option("--structured", default=0.35, show_default=True)
def main(folder: Path, model: str, budget: str, seed: int, structured: float) -> None:
    """Paint a slide, share a budget out, and draw what came."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    at = {name: folder / name for name in ("demo", "tile", "detect", "plan", "segment", "stitch")}
    demo(
        at["demo"], options=DemoOptions(seed=seed, width=12288, height=10240, structured=structured)
    )
    tile(at["demo"] / SLIDE_NAME, at["tile"], threads=2)
    detect(at["tile"], at["detect"])
    plan(
        at["tile"],
        at["detect"],
        at["plan"],
        model=model,
        threads=2,
        options=PlanOptions(budget=budget),
    )
    segment(
        at["tile"],
        at["plan"],
        at["segment"],
        model=model,
        threads=2,
        options=SegmentOptions(device="cpu"),
    )
    stitch(at["tile"], at["detect"], [at["segment"]], at["stitch"], threads=2)
    left = {stage: open_folder(at[stage]) for stage in ("tile", "detect", "segment", "stitch")}
    slide = read_analysed_slide(left["tile"], left["detect"], [left["segment"]], left["stitch"])

    sides = np.full(slide.tissue.shape, np.nan, np.float32)
    boxes = [slide.scale.box(region) for region in slide.regions]
    for region, (left, top, right, bottom) in zip(slide.regions, boxes, strict=True):
        block = np.s_[round(top) : round(bottom) + 1, round(left) : round(right) + 1]
        sides[block] = np.fmax(sides[block], max(region.lattice.width, region.lattice.height))
    sides[~slide.tissue] = np.nan
    pitch = np.where(slide.tissue, slide.pitch.um, np.float32(np.nan))
    few, many = float(np.nanmin(sides)), float(np.nanmax(sides))
    fine, coarse = np.nanpercentile(pitch, (1, 99)).tolist()
    bar = picture_footer.scale_bar(slide.scale.mpp, slide.scale.size.width)
    panels = [
        picture_footer.with_footer(slide.picture, bar),
        picture_footer.with_footer(
            overlay.colour_values(slide.picture, sides, low=few, high=many, colormap=_MAP),
            bar,
            color_bar=picture_footer.ColorBar(_MAP, f"{few:.0f} samples a side", f"{many:.0f}"),
        ),
        picture_footer.with_footer(
            overlay.colour_pitch(slide.picture, pitch, fine=fine, coarse=coarse, colormap=_MAP),
            bar,
            color_bar=picture_footer.ColorBar(
                _MAP, f"a sample every {coarse:.2g} µm", f"{fine:.2g} µm"
            ),
        ),
        picture_footer.with_footer(
            overlay.colour_labels(slide.picture, slide.labels, slide.classes),
            bar,
            classes=slide.classes,
        ),
    ]
    _beside(panels).save(PICTURE, quality=85)


def _beside(panels: list[Image.Image]) -> Image.Image:
    """Return pictures in two rows of two."""
    small = [one.resize((_WIDTH, round(one.height * _WIDTH / one.width))) for one in panels]
    height = max(one.height for one in small)
    whole = Image.new("RGB", (2 * _WIDTH + _GAP, 2 * height + _GAP), "white")
    for index, one in enumerate(small):
        whole.paste(one, ((index % 2) * (_WIDTH + _GAP), (index // 2) * (height + _GAP)))
    return whole


if __name__ == "__main__":
    main()
