"""How tissue and artefacts are found in real overviews by rules and by a network, as Markdown.

    python tests/benchmark/overviews.py DATA [--model tissue-qc]

DATA/qc has three overviews with the mask of an artefact each, from HistoQC. They are shown as if they had
8 um per pixel, although theirs are larger. What is tissue in them was outlined by hand for this
comparison, fat included, to within some pixels. Where the artefact is, tissue is not scored.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from lds_path.inference.screening import classify_overview
from lds_path.models.card import find_model
from lds_path.models.checkpoint import load_model
from lds_path.pixels.artefacts import find_artefacts
from lds_path.pixels.row_strips import DensityView
from lds_path.pixels.tissue import drop_unstained, find_ink, find_tissue, tidy_tissue
from lds_path.pixels.white_reference import white_reference
from lds_path.stages.detect import FOUND_BY_SCREEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

MPP = 8.0
BOUNDS = {"min_tissue_um2": 20_000.0, "max_hole_um2": 20_000.0}
ARTEFACTS = {"coverslip_edge_he": "bubble", "pen_green": "pen", "pen_red": "pen"}
# fmt: off
OUTLINES = {
    "coverslip_edge_he": [
        [(22, 357), (62, 335), (73, 302), (117, 295), (175, 259), (277, 219), (321, 197), (379, 138), (459, 84), (474, 29), (521, 0), (579, 0), (616, 29), (645, 87), (743, 113), (787, 160), (838, 211), (918, 241), (948, 292), (958, 335), (980, 386), (969, 437), (977, 481), (948, 510), (875, 525), (809, 510), (791, 528), (736, 543), (711, 558), (667, 572), (634, 576), (616, 561), (532, 563), (474, 550), (437, 572), (394, 583), (321, 590), (255, 611), (226, 623), (182, 605), (138, 598), (95, 572), (51, 525), (29, 452), (15, 408), (33, 379)],
    ],
    "pen_green": [
        [(227, 309), (288, 237), (330, 178), (372, 127), (410, 93), (491, 72), (508, 38), (550, 4), (829, 4), (880, 51), (897, 85), (939, 102), (952, 144), (922, 178), (888, 203), (863, 245), (812, 262), (799, 271), (778, 292), (643, 431), (601, 495), (541, 465), (491, 436), (431, 406), (398, 376), (364, 381), (296, 338)],
        [(182, 440), (212, 398), (254, 387), (288, 402), (317, 448), (288, 474), (271, 495), (228, 470)],
        [(220, 533), (254, 499), (288, 482), (355, 478), (423, 482), (461, 499), (448, 512), (499, 516), (546, 508), (554, 550), (565, 584), (596, 626), (596, 651), (541, 702), (499, 702), (423, 673), (364, 711), (279, 770), (220, 794), (161, 802), (102, 778), (97, 745), (110, 719), (63, 690), (59, 651), (85, 584), (161, 584), (212, 584), (254, 558)],
    ],
    "pen_red": [
        [(85, 61), (99, 38), (117, 40), (136, 52), (181, 61), (207, 75), (263, 81), (347, 92), (394, 101), (399, 108), (397, 164), (389, 235), (392, 291), (397, 371), (405, 385), (408, 404), (397, 413), (390, 397), (352, 411), (340, 430), (286, 441), (289, 465), (279, 491), (249, 494), (239, 488), (221, 484), (178, 480), (181, 470), (146, 455), (99, 450), (70, 461), (52, 453), (40, 418), (45, 376), (59, 347), (70, 338), (73, 258), (77, 244), (108, 228), (110, 218), (95, 217), (100, 188), (96, 164), (90, 155), (90, 113)],
    ],
}
# fmt: on
"""Overview -> outlines of its tissue, pixels (x, y)."""


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--model", default="tissue-qc", show_default=True)
def main(data: Path, model: str) -> None:
    """Print a row for each overview and way."""
    segmenter, card = load_model(find_model(model))

    def by_network(view: NDArray[np.uint8]) -> tuple[Mask, dict[str, Mask]]:
        labels = classify_overview(segmenter, view, side=card.region_size.width, threads=2)
        where = {item.name: labels == item.value for item in card.classes}
        tissue = np.any([where[name] for name in FOUND_BY_SCREEN], axis=0)
        stained, _ = find_tissue(view, MPP, **BOUNDS)
        tissue = drop_unstained(tidy_tissue(tissue, MPP, **BOUNDS), stained)
        return tissue, {"pen": where["Pen"], "bubble": where["Bubble"]}

    click.echo(
        "| overview | by | s | Dice of tissue | artefact | IoU | without edges | recall | precision |"
    )
    click.echo("| --- | --- | ---: | ---: | --- | ---: | ---: | ---: | ---: |")
    for name, kind in ARTEFACTS.items():
        for way, find in (("rules", by_rules), ("network", by_network)):
            click.echo(f"| {name} | {way} | {score(data / 'qc', name, kind, find)} |")


def by_rules(view: NDArray[np.uint8]) -> tuple[Mask, dict[str, Mask]]:
    """Return tissue and artefacts as `detect` and `assess` find them by themselves."""
    tissue, _ = find_tissue(view, MPP, **BOUNDS)
    glass = white_reference(view)
    found = dict(find_artefacts(view, tissue, MPP, glass=glass).items())
    # `assess` counts pen on tissue and near it alone.
    return tissue, found | {"pen": find_ink(DensityView(view, glass), tissue, MPP)}


def score(
    folder: Path, name: str, kind: str, find: Callable[..., tuple[Mask, dict[str, Mask]]]
) -> str:
    """Return the cells of a row from the seconds on.

    `without edges` leaves out the pixels at both sides of the edge of the mask: the masks are narrow,
    and follow strong ink.
    """
    with Image.open(folder / f"images/{name}.png") as image:
        view = np.asarray(image.convert("RGB"))
    with Image.open(folder / f"masks/{name}.png") as image:
        artefact = np.asarray(image).astype(bool)
    started = time.perf_counter()
    tissue, artefacts = find(view)
    seconds = time.perf_counter() - started
    scored = ~ndimage.binary_dilation(artefact, iterations=3)
    reference = draw(OUTLINES[name], view.shape[:2]) & scored
    found = artefacts[kind]
    hit = (found & artefact).sum()
    inner = ~(ndimage.binary_dilation(artefact) ^ ndimage.binary_erosion(artefact))
    values = (
        hit / (found | artefact).sum(),
        (found & artefact & inner).sum() / ((found | artefact) & inner).sum(),
        hit / artefact.sum(),
        hit / max(found.sum(), 1),
    )
    cells = " | ".join(f"{value:.2f}" for value in values)
    dice = 2 * (tissue & reference).sum() / ((tissue & scored).sum() + reference.sum())
    return f"{seconds:.1f} | {dice:.3f} | {kind} | {cells}"


def draw(outlines: list[list[tuple[int, int]]], shape: tuple[int, ...]) -> Mask:
    """Return where outlines enclose something, (H, W)."""
    image = Image.new("1", shape[::-1])
    for outline in outlines:
        ImageDraw.Draw(image).polygon(outline, fill=1)
    return np.array(image)


if __name__ == "__main__":
    main()
