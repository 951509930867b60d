from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import small_slides
import torch
from small_slides import ArrayPyramid, make_regions, make_slide

from lds_path.errors import ModelError
from lds_path.formats.pyramid import open_pyramid
from lds_path.formats.regions import read_regions
from lds_path.formats.spread import Familiarity
from lds_path.geometry import Size
from lds_path.inference.familiarity import (
    PATCHES,
    DeepFeatures,
    Watch,
    measure_familiarity,
    watched,
)
from lds_path.inference.runner import Runner
from lds_path.network.folding import fold_batch_norm
from lds_path.network.segmenter import Segmenter
from lds_path.network.spec import NetworkSpec

LATTICE = Size(small_slides.LATTICE, small_slides.LATTICE)
SMALL = {"density_channels": (4, 8)}
SPEC = NetworkSpec(2, channels=(4, 8, 8), **SMALL)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Two slides, each as its regions."""
    root = tmp_path_factory.mktemp("slides")
    slides = [make_slide(root, name, seed=seed) for seed, name in enumerate("ab")]
    return [
        [
            (open_pyramid(slide.tile), region)
            for region in read_regions(slide.detect / "regions.tsv")
        ]
        for slide in slides
    ]


def make_segmenter(spec=SPEC):
    torch.manual_seed(0)
    return Segmenter(spec).eval()


@pytest.mark.parametrize(
    ("architecture", "channels", "side"),
    [
        ("UNet", (4, 8, 8), 4),
        ("SegResNet", (8, 8, 8), 4),
        ("FlexibleUNet", (8, 8, 8, 8, 8), 32),
        ("EfficientNetLite", (8, 8, 8, 8), 32),
        ("SpaceToDepthUNet", (8, 8), 4),
    ],
)
def test_the_deepest_block_of_every_architecture_is_found(architecture, channels, side):
    segmenter = make_segmenter(
        NetworkSpec(2, architecture=architecture, channels=channels, **SMALL)
    )
    inputs = 3 + segmenter.density.feature_count + 1
    with DeepFeatures(segmenter) as features, torch.inference_mode():
        segmenter.network(torch.rand(2, inputs, 4 * side, 4 * side))
        found = features.take()
        assert features._output.value.shape[2:] == (4, 4)
    assert found.shape == (2, PATCHES**2, features.count)
    assert np.ptp(found) > 0


def test_features_are_the_same_after_batch_normalisation_was_folded():
    segmenter = make_segmenter()
    samples = torch.rand(1, 3 + segmenter.density.feature_count + 1, 32, 32)
    with DeepFeatures(segmenter) as features, torch.inference_mode():
        segmenter.network(samples)
        before = features.take()
        fold_batch_norm(segmenter.network)
        segmenter.network(samples)
        np.testing.assert_allclose(features.take(), before, atol=1e-4)


def test_slides_of_one_kind_are_familiar_and_another_stain_is_not(places):
    learned, held_out = places
    segmenter = make_segmenter()
    familiarity = measure_familiarity(segmenter, learned, held_out)
    pyramid, region = held_out[0]
    rgb = pyramid.read(0, region.left, region.top, region.size)
    blue = ArrayPyramid((rgb[..., [1, 2, 0]] * 0.7).astype(np.uint8))
    blue.level_near = lambda _: 0
    other = measure_familiarity(segmenter, [(blue, make_regions(region.size)[0])] * 3, [])
    assert familiarity.colours.beyond(np.array([other.colours.mean])) == 1
    assert familiarity.colours.beyond(np.array([familiarity.colours.mean])) == 0


def test_a_run_is_watched_region_by_region(places):
    learned, held_out = places
    segmenter = make_segmenter()
    familiarity = measure_familiarity(segmenter, learned, held_out)
    regions = [region for _, region in held_out]
    unlike = {}
    for limit in (1e-3, 1e3):
        changed = replace(familiarity.features, limit=limit)
        with watched(segmenter, replace(familiarity, features=changed), LATTICE) as watch:
            runner = Runner(segmenter, held_out[0][0], torch.device("cpu"), 1, 2, watch=watch)
            assert len(list(runner.run(regions))) == len(regions)
            unlike[limit] = watch.unlike
    assert unlike[1e-3] == {region.index: PATCHES**2 for region in regions}
    assert unlike[1e3] == {region.index: 0 for region in regions}


def test_patches_keep_their_places_where_samples_are_flipped(places):
    """`suggest` looks for unlike tissue at the places of the patches."""
    learned, held_out = places
    segmenter = make_segmenter()
    familiarity = measure_familiarity(segmenter, learned, held_out)
    pyramid, region = held_out[0]
    found = []
    for flips in (False, True):
        with watched(segmenter, familiarity, LATTICE) as watch:
            runner = Runner(segmenter, pyramid, torch.device("cpu"), 1, 1, flips, watch)
            list(runner.run([region]))
            found.append(watch.distances[region.index])
    assert np.ptp(found[0]) > 0
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("familiarity", [None, Familiarity()])
def test_an_older_model_is_not_watched(familiarity):
    with watched(make_segmenter(), familiarity, LATTICE) as watch:
        assert watch is None


def test_the_features_of_another_network_are_named(places):
    familiarity = measure_familiarity(make_segmenter(), places[0], [])
    other = make_segmenter(NetworkSpec(2, channels=(4, 8, 12), **SMALL))
    with (
        DeepFeatures(other) as features,
        pytest.raises(ModelError, match="of 16 features, but its network has 20; copy"),
    ):
        Watch(features, familiarity.features, LATTICE)


def test_regions_on_another_lattice_are_not_compared(places):
    segmenter = make_segmenter(replace(SPEC, ladder=(16, 32)))
    familiarity = measure_familiarity(segmenter, places[0], [])
    pyramid, region = places[0][0]
    other = replace(region, index=1, lattice=Size(16, 16))
    with watched(segmenter, familiarity, region.lattice) as watch:
        runner = Runner(segmenter, pyramid, torch.device("cpu"), 1, 1, watch=watch)
        assert len(list(runner.run([region, other]))) == 2
    assert set(watch.unlike) == {region.index}
