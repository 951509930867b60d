from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_slides import LATTICE, REGION, ArrayPyramid, make_regions, paint

from lds_path.formats.mask import Mask
from lds_path.geometry import Size
from lds_path.learning.data.labelled_regions import LabelledRegion, RegionCache
from lds_path.learning.data.training_set import TrainingSet
from lds_path.learning.tuning.score import Scores, choose_regions, score_regions, tune_dice
from lds_path.learning.tuning.worst_regions import describe_errors, worst_regions
from lds_path.network.segmenter import Segmenter
from lds_path.network.spec import NetworkSpec
from lds_path.reference.legend import IGNORE
from lds_path.reference.scores import count_confusion, overlap_of

CPU = torch.device("cpu")
SPEC = NetworkSpec(2, channels=(8, 16), density_channels=(4, 8), shared_features=False)


class Pale(torch.nn.Module):
    """A network that calls everything by the first class."""

    def forward(self, image):
        return torch.stack((torch.ones_like(image[:, 0]), torch.zeros_like(image[:, 0])), 1)


class ArrayReference:
    def __init__(self, labels):
        self.labels = labels

    def read(self, left, top, size, *, step=1):
        return self.labels[top : top + size.height : step, left : left + size.width : step].copy()


@pytest.fixture(scope="module")
def segmenter():
    made = Segmenter(SPEC)
    made.network = Pale()
    return made


def make_region(labels, tissue=None, slide="a"):
    rgb, _ = paint(0, REGION, REGION)
    region = make_regions(Size(REGION, REGION))[0]
    mask = None if tissue is None else Mask(tissue, REGION / len(tissue))
    return LabelledRegion(slide, ArrayPyramid(rgb), ArrayReference(labels), region, mask)


def make_labels(left, right):
    """Return labels of two values, a quarter and three quarters of the region."""
    return (
        np.where(np.arange(REGION) < REGION // 4, left, right)[None]
        .repeat(REGION, 0)
        .astype(np.uint8)
    )


def score(segmenter, *regions, **how):
    cache = RegionCache(regions, SPEC, mib=10, for_scores=True)
    return score_regions(segmenter, cache, Size(LATTICE, LATTICE), CPU, **how)


@pytest.mark.parametrize("elsewhere", [0, 2, IGNORE])
def test_a_prediction_on_tissue_is_scored_as_by_evaluate(segmenter, elsewhere):
    labels = make_labels(1, elsewhere)
    tissue = np.zeros((64, 64), bool)
    tissue[:32] = True
    labels[REGION // 2 :] = IGNORE if elsewhere else 0  # glass, where the final labels are 0
    found = score(segmenter, make_region(labels, tissue)).dice()
    scored = labels[: REGION // 2]
    known = scored[scored != IGNORE]
    wanted = overlap_of(count_confusion(known, np.ones_like(known), 2)).dice()
    assert found[0] == pytest.approx(wanted[0], abs=0.02)
    assert np.isnan(found[1]) == (elsewhere != 2)


class Bright(torch.nn.Module):
    """A network that calls what is darker than the middle of two colours by the second class."""

    def forward(self, image):
        brightness = image.mean(dim=1) - self.middle
        return 20 * torch.stack((brightness, -brightness), 1)


@pytest.mark.parametrize("elsewhere", [0, 2, IGNORE])
def test_pixels_and_samples_agree_where_everything_is_called_the_same(segmenter, elsewhere):
    region = make_region(make_labels(1, elsewhere))
    on_samples, on_pixels = (score(segmenter, region, on_pixels=one) for one in (False, True))
    np.testing.assert_allclose(on_pixels.confusion, on_samples.confusion, atol=0.01)


@pytest.mark.parametrize("on_pixels", [False, True])
def test_classes_of_another_order_are_scored_by_name_and_unknown_ones_are_wrong(
    segmenter, on_pixels
):
    region = make_region(make_labels(2, 1))
    swapped = score(segmenter, region, on_pixels=on_pixels, values=(2, 1)).dice()
    assert swapped == pytest.approx([0, 2 * 0.25 / 1.25], abs=0.02)
    unknown = score(segmenter, region, on_pixels=on_pixels, values=(0, 1))
    assert unknown.dice().tolist() == [0, 0]
    assert unknown.wrong() == pytest.approx([1], abs=0.01)


def test_pixels_show_that_borders_lie_between_samples():
    """Samples over a border count half as wrong; carried back to pixels the border is found again."""
    rgb, labels = paint(0, REGION, REGION)
    region = LabelledRegion(
        "a", ArrayPyramid(rgb), ArrayReference(labels), make_regions(Size(REGION, REGION))[0], None
    )
    made = Segmenter(SPEC)
    made.network = Bright()
    colours = torch.tensor([[230.0, 190, 210], [120, 70, 150]])
    made.network.middle = made._normalise(colours.T[None, :, :, None]).mean()
    on_samples, on_pixels = (score(made, region, on_pixels=one).dice() for one in (False, True))
    assert (on_pixels > on_samples).all()
    assert on_pixels.min() > 0.9


def test_a_training_batch_has_no_shares_of_unlabelled_tissue():
    region = make_region(make_labels(1, 0))
    with_shares, without = (
        RegionCache([region], SPEC, mib=1, for_scores=asked).read(0) for asked in (True, False)
    )
    assert without.unlabelled == []
    assert without.bytes < with_shares.bytes
    assert [level.float().mean() for level in with_shares.unlabelled] == pytest.approx(
        [255 * 3 / 4] * len(with_shares.levels)
    )


def test_dice_is_known_for_each_slide_apart(segmenter):
    first = make_region(make_labels(1, 1), slide="a")
    second = make_region(make_labels(1, 2), slide="b")
    found = score(segmenter, first, second)
    by_slide = found.dice_by_slide()
    assert list(by_slide) == ["a", "b"]
    assert by_slide["a"][0] == pytest.approx(1)
    assert by_slide["b"][0] == pytest.approx(0.4, abs=0.02)
    assert found.dice()[0] == pytest.approx(2 * 1.25 / 3.25, abs=0.02)
    assert worst_regions(found) == [1]


def test_a_region_counts_for_those_that_it_stands_for(segmenter):
    good, bad = make_region(make_labels(1, 1)), make_region(make_labels(2, 2))
    weighted = score(segmenter, replace(good, stands_for=3.0), bad)
    assert weighted.dice()[0] == pytest.approx(score(segmenter, good, good, good, bad).dice()[0])


def make_set(labelled, bare):
    regions = [make_region(make_labels(1, 1))] * labelled + [make_region(make_labels(0, 0))] * bare
    return TrainingSet(regions, np.array([[5, 0]] * labelled + [[0, 0]] * bare))


@pytest.mark.parametrize(("labelled", "bare"), [(3, 2), (10, 0), (100, 4), (10, 100), (100, 100)])
def test_the_chosen_regions_stand_for_all(labelled, bare):
    found = make_set(labelled, bare)
    chosen = choose_regions(found, 16)
    assert len(chosen) == min(16, labelled + bare)
    with_label = [one for one in chosen if one.reference.labels.any()]
    assert sum(one.stands_for for one in with_label) == pytest.approx(labelled)
    assert sum(one.stands_for for one in chosen) == pytest.approx(labelled + bare)
    assert len(with_label) >= min(labelled, 12) - (labelled + bare <= 16)


def test_no_regions_have_no_score(segmenter):
    cache = RegionCache([], SPEC, mib=1, for_scores=True)
    assert np.isnan(tune_dice(segmenter, cache, Size(LATTICE, LATTICE), CPU)).tolist() == [True] * 2
    assert score(segmenter).dice_by_slide() == {}


def test_the_worst_regions_come_first_and_their_largest_error_is_named():
    confusion = np.zeros((3, 3, 3))
    confusion[:, 1, 1] = 0.5
    confusion[1, 2, 1] = 0.3
    confusion[2, 0, 2], confusion[2, 1, 2] = 0.3, 0.2
    scores = Scores([make_region(make_labels(1, 1))] * 3, confusion)
    assert worst_regions(scores) == [2, 1]
    assert worst_regions(scores, 1) == [2]
    words = describe_errors(confusion[2], ("Stroma", "Tumor"))
    assert words == (
        "50 % of its known area is wrong, most of it tissue without a label that is called Tumor"
    )
