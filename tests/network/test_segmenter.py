from __future__ import annotations

import pytest
import torch

from lds_path.errors import UsageError
from lds_path.geometry import Region, Size
from lds_path.network.grid import uniform_grid
from lds_path.network.losses import segmentation_loss
from lds_path.network.scout import read_context
from lds_path.network.segmenter import Segmenter
from lds_path.network.spec import NetworkSpec, check_sizes, levels_around
from lds_path.network.warp import halve

SMALL = {
    "channels": (4, 8), "density_channels": (4, 8), "view_level": 2, "class_count": 3,
    "shared_features": False,
}  # fmt: skip
LATTICE = Size(16, 16)


def make_segmenter(**changes):
    torch.manual_seed(0)
    segmenter = Segmenter(NetworkSpec(**SMALL | {"kernel_width": 0.2} | changes))
    torch.nn.init.normal_(segmenter.density.head.weight)
    return segmenter


def make_levels(batch=2, side=64):
    generator = torch.Generator().manual_seed(1)
    region = torch.randint(0, 256, (batch, 3, side, side), generator=generator)
    return halve(region.float(), 5)


@pytest.mark.parametrize(
    ("architecture", "channels"),
    [("UNet", (4, 8)), ("SegResNet", (8, 16)), ("FlexibleUNet", (16, 8, 8, 8, 8))],
)
def test_every_architecture_scores_each_sample_for_each_class(architecture, channels):
    segmenter = make_segmenter(architecture=architecture, channels=channels)
    levels = make_levels()
    lattice = Size(64, 32)
    found = segmenter(levels[2], levels, lattice)
    assert found.logits.shape == (2, 3, 32, 64)
    assert found.grid.shape == (2, 32, 64, 2)
    assert found.density.shape == (2, 1, 8, 8)


def test_gradients_of_the_labels_reach_the_density_network():
    segmenter = make_segmenter()
    levels = make_levels()
    logits = segmenter(levels[2], levels, LATTICE).logits
    target = torch.nn.functional.one_hot(torch.randint(0, 3, (2, 16, 16)), 3).movedim(-1, 1)
    segmentation_loss(logits, target.float(), torch.ones(2, 1, 16, 16)).backward()
    for name, parameter in segmenter.named_parameters():
        assert parameter.grad is not None, name
    assert segmenter.density.encoder[0][0][0].weight.grad.abs().max() > 0


def test_the_uniform_sampler_ignores_the_density():
    segmenter = make_segmenter(sampler="uniform")
    grid = segmenter.sample(make_levels()[2], LATTICE).grid
    assert torch.equal(grid[0], grid[1])
    bent = make_segmenter().sample(make_levels()[2], LATTICE).grid
    assert not torch.equal(bent[0], bent[1])


@pytest.mark.parametrize("sampler", ["kernel", "separable", "knothe-rosenblatt"])
def test_the_spec_bounds_the_zoom(sampler):
    segmenter = make_segmenter(sampler=sampler)
    torch.nn.init.normal_(segmenter.density.head.weight, std=20)
    free = segmenter.sample(make_levels()[2], LATTICE).grid
    bound = make_segmenter(sampler=sampler, max_zoom=1.25)
    bound.load_state_dict(segmenter.state_dict())
    grid = bound.sample(make_levels()[2], LATTICE).grid
    assert (free[..., 0].diff(dim=2) * 8).min() < 0.7
    assert (grid[..., 0].diff(dim=2) * 8).min() > 0.799


def test_a_density_from_the_labels_takes_the_place_of_the_networks():
    segmenter = make_segmenter(sampler="knothe-rosenblatt", smoothing=0.0)
    levels = make_levels()
    density = torch.ones(2, 1, 8, 8)
    density[..., :4] = 3.0
    found = segmenter(levels[2], levels, LATTICE, density)
    assert found.density is density
    assert (found.grid[..., 0] < 0).float().mean() == 0.75
    assert not torch.equal(segmenter(levels[2], levels, LATTICE).grid, found.grid)


def test_the_papers_density_network_takes_the_same_place():
    segmenter = make_segmenter(density_network="local", density_floor=1e-3)
    levels = make_levels()
    found = segmenter(levels[2], levels, LATTICE)
    assert found.density.shape == (2, 1, 8, 8)
    assert found.density.std() > 0.1
    found.logits.sum().backward()
    assert segmenter.density.layers[0].weight.grad.abs().max() > 0


@pytest.mark.parametrize("density_network", ["context", "local"])
def test_shared_features_reach_the_segmentation_network(density_network):
    segmenter = make_segmenter(density_network=density_network, shared_features=True)
    levels = make_levels()
    found = segmenter.sample(levels[2], LATTICE)
    count = segmenter.density.feature_count + 1
    assert found.context.shape == (2, count, LATTICE.height, LATTICE.width)
    black = [torch.zeros_like(level) for level in levels]
    logits = segmenter(levels[2], black, LATTICE).logits
    assert logits[0].std() > 1e-4
    logits.square().sum().backward()
    assert next(segmenter.density.parameters()).grad.abs().max() > 0


def test_without_shared_features_samples_have_no_context():
    assert make_segmenter().sample(make_levels()[2], LATTICE).context.shape[1] == 0


def test_the_context_tells_how_far_apart_the_samples_are():
    grid = uniform_grid(Size(8, 4), torch.zeros(()))
    context = read_context(torch.full((1, 3, 5, 5), 2.0), grid)
    torch.testing.assert_close(context[:, :3], torch.full((1, 3, 4, 8), 2.0))
    torch.testing.assert_close(context[:, 3], torch.zeros(1, 4, 8))


def test_a_batch_equals_its_members_one_by_one():
    segmenter = make_segmenter().eval()
    levels = make_levels()
    together = segmenter(levels[2], levels, LATTICE).logits
    for item in range(2):
        one = [level[item : item + 1] for level in levels]
        alone = segmenter(one[2], one, LATTICE).logits
        torch.testing.assert_close(together[item : item + 1], alone, atol=1e-4, rtol=1e-3)


def test_the_grid_stays_float32_under_mixed_precision():
    segmenter = make_segmenter()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = segmenter.sample(make_levels()[2], LATTICE)
    assert (found.density.dtype, found.grid.dtype) == (torch.float32, torch.float32)


@pytest.mark.parametrize(
    ("region", "lattice", "expected"),
    [(2048, 256, range(1, 5)), (2048, 1024, range(3)), (2048, 2048, range(2)), (64, 128, range(2))],
)
def test_levels_lie_around_the_pitch(region, lattice, expected):
    assert levels_around(Size(region, region), Size(lattice, lattice)) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "Transformer"}, "architecture 'Transformer' is unknown; there are UNet"),
        ({"sampler": "spiral"}, "sampler 'spiral' is unknown; there are uniform, kernel"),
        (
            {"density_network": "deep"},
            "density_network 'deep' is unknown; there are context, local",
        ),
        ({"density_floor": 0.0}, "density_floor is 0, expected more than 0"),
        ({"smoothing": -0.1}, "smoothing is -0.1, expected 0 to 1"),
        ({"max_zoom": 0.5}, "max_zoom is 0.5, expected 1 to 1000"),
        ({"max_zoom": float("nan")}, "max_zoom is nan"),
    ],
)
def test_a_spec_names_what_is_impossible(changes, message):
    with pytest.raises(UsageError, match=message):
        NetworkSpec(**SMALL | changes)


def test_a_wrong_number_of_channels_is_named():
    with pytest.raises(UsageError, match="FlexibleUNet takes 5 channels, found 2"):
        Segmenter(NetworkSpec(**SMALL | {"architecture": "FlexibleUNet"}))


@pytest.mark.parametrize(
    ("size", "lattice", "key"),
    [(Size(60, 64), LATTICE, "region_size"), (Size(64, 64), Size(16, 15), "lattice")],
)
def test_a_region_that_cannot_be_halved_is_named(size, lattice, key):
    with pytest.raises(UsageError, match=f"region 7 .* `{key}`"):
        check_sizes([Region(7, 0, 0, size, lattice)], NetworkSpec(**SMALL))
