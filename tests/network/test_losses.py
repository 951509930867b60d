from __future__ import annotations

import math

import pytest
import torch

from lds_path.geometry import Size
from lds_path.network.density import to_density
from lds_path.network.grid import sample_area, sampling_grid, uniform_grid
from lds_path.network.losses import (
    edge_density,
    edge_loss,
    point_loss,
    segmentation_loss,
    target_density,
)
from lds_path.network.warp import halve, warp, warp_labels

CELLS = Size(8, 8)


def one_hot(labels, classes=3):
    return torch.nn.functional.one_hot(labels, classes).movedim(-1, 1).float()


def make_target(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return one_hot(torch.randint(0, 3, (2, 8, 8), generator=generator))


def ones(target):
    return torch.ones_like(target[:, :1])


def test_a_perfect_answer_costs_nothing_and_a_wrong_one_much():
    target = make_target()
    assert segmentation_loss(20 * target, target, ones(target)) < 1e-3
    assert segmentation_loss(20 * target.roll(1, 1), target, ones(target)) > 5


def test_samples_without_weight_do_not_count():
    target = make_target()
    logits = torch.randn_like(target)
    weight = ones(target)
    weight[:, :, :4] = 0
    spoiled = logits.clone()
    spoiled[:, :, :4] = 50 * torch.randn_like(spoiled[:, :, :4])
    found = segmentation_loss(spoiled, target, weight)
    torch.testing.assert_close(found, segmentation_loss(logits, target, weight))


def test_a_sample_of_weight_two_counts_like_two_samples():
    target, logits = make_target(), torch.randn(2, 3, 8, 8)
    weight = ones(target)
    weight[..., 0] = 2
    twice = [torch.cat((tensor, tensor[..., :1]), dim=-1) for tensor in (logits, target)]
    found = segmentation_loss(logits, target, weight)
    torch.testing.assert_close(found, segmentation_loss(*twice, ones(twice[1])))


def test_a_batch_without_labels_gives_zero_and_a_gradient():
    target = make_target()
    logits = torch.randn_like(target).requires_grad_()
    loss = segmentation_loss(logits, 0 * target, 0 * ones(target))
    loss.backward()
    assert loss == 0
    assert not logits.grad.isnan().any()


def test_the_area_weight_takes_the_gain_from_avoiding_hard_places():
    """The loss of a picture does not fall by sampling its bad places less."""
    side = 64
    across = torch.linspace(-2, 2, side, dtype=torch.float64)
    badness = torch.exp(-(across[:, None] ** 2) - (across - 0.5) ** 2)[None, None]
    levels = halve(badness, 4)
    logits = torch.randn(1, 1, 16, 16, dtype=torch.float64, requires_grad=True)
    density = to_density(logits, floor=0.1)
    grid = sampling_grid(density, Size(side, side), sampler="kernel", kernel_width=0.15)
    loss, area = warp(levels[:1], grid), sample_area(grid)
    (honest,) = torch.autograd.grad((loss * area).mean(), logits, retain_graph=True)
    (naive,) = torch.autograd.grad((loss * area.detach()).mean(), logits)
    assert honest.abs().max() < 0.02 * naive.abs().max()


def test_edges_lie_between_classes_whichever_they_are():
    labels = torch.ones(1, 32, 32, dtype=torch.uint8)
    labels[:, :, 16:] = 2
    edges = edge_density(labels, CELLS)
    labels[labels == 2] = 200
    assert torch.equal(edge_density(labels, CELLS), edges)
    assert torch.equal(edge_density(labels.flip(-1), CELLS), edges.flip(-1))
    assert edges[0, 0, 0].tolist() == [0, 0, 0, 0.25, 0.25, 0, 0, 0]


@pytest.mark.parametrize("nothing", [0, 255])
def test_background_and_ignored_pixels_have_no_edges(nothing):
    labels = torch.ones(1, 32, 32, dtype=torch.uint8)
    labels[:, 8:20, 8:20] = nothing
    assert edge_density(labels, CELLS).max() == 0


def test_the_edge_loss_is_least_where_the_density_follows_the_edges():
    edges = torch.zeros(1, 1, 16, 16)
    edges[..., 5, 3:12] = 0.5
    target = target_density(edges)
    logits = torch.zeros(1, 1, 16, 16, requires_grad=True)
    optimizer = torch.optim.Adam([logits], 0.2)
    first = edge_loss(to_density(logits, floor=0.01), target).item()
    for _ in range(200):
        optimizer.zero_grad()
        loss = edge_loss(to_density(logits, floor=0.01), target)
        loss.backward()
        optimizer.step()
    density = to_density(logits, floor=0.01)
    assert loss.item() < 0.01 < first
    assert density[0, 0, 5, 3:12].min() > 10 * density[0, 0, 12].max()


@pytest.mark.parametrize("kind", ["kl", "mse"])
def test_the_edge_loss_judges_each_image_by_itself(kind):
    strong, weak = torch.zeros(2, 1, 1, 16, 16)
    strong[..., 4, :] = 1.0
    weak[..., 12, :] = 0.01
    density = to_density(torch.randn(2, 1, 16, 16), floor=0.1)
    together = edge_loss(density, target_density(torch.cat((strong, weak))), kind=kind)
    alone = [
        edge_loss(density[:1], target_density(strong), kind=kind),
        edge_loss(density[1:], target_density(100 * weak), kind=kind),
    ]
    torch.testing.assert_close(together, sum(alone) / 2)


@pytest.mark.parametrize("kind", ["kl", "mse"])
def test_a_density_that_is_the_target_costs_nothing(kind):
    target = target_density(torch.rand(3, 1, 8, 8))
    assert edge_loss(target, target, kind=kind).abs() < 1e-6
    assert edge_loss(target.flip(-1), target, kind=kind) > 0.01


def test_the_squared_loss_ignores_offset_and_scale():
    target = target_density(torch.rand(1, 1, 8, 8))
    assert edge_loss(5 * target + 3, target, kind="mse") < 1e-9


def test_without_edges_constant_density_is_right():
    target = target_density(torch.zeros(1, 1, 8, 8))
    assert torch.equal(target, torch.ones(1, 1, 8, 8))
    assert edge_loss(target, target).abs() < 1e-6
    assert edge_loss(to_density(torch.randn(1, 1, 8, 8), floor=0.1), target) > 0.01


@pytest.mark.parametrize("rarity", [0.0, 0.4, 1.0])
def test_a_target_has_mean_one_and_its_floor(rarity):
    edges = torch.rand(3, 1, 12, 16) ** 8
    shares = torch.rand(3, 4, 12, 16) ** 8
    target = target_density(edges, shares, floor=0.2, rarity=rarity)
    torch.testing.assert_close(target.mean(dim=(1, 2, 3)), torch.ones(3))
    assert target.min() >= 0.2


def test_a_blur_of_zero_keeps_the_edges():
    edges = torch.rand(1, 1, 8, 8)
    target = target_density(edges, floor=0.0, blur=0.0)
    torch.testing.assert_close(target, edges / edges.mean())


def test_rarity_gives_each_class_the_same_part_whatever_its_area():
    shares = torch.zeros(1, 3, 8, 8)
    shares[:, 0] = 1  # the third class is nowhere
    shares[:, 0, 1, 2:4], shares[:, 1, 1, 2:4] = 0, 1
    target = target_density(torch.zeros(1, 1, 8, 8), shares, floor=0.0, blur=0.0, rarity=1.0)
    assert target[0, 0, 1, 2:4].sum().item() == pytest.approx(32)
    assert target.sum().item() == pytest.approx(64)


def test_a_class_without_weight_does_not_count():
    target, logits = make_target(), torch.randn(2, 3, 8, 8)
    weights = torch.tensor([1.0, 1.0, 0.0])
    full = segmentation_loss(logits, target, ones(target), dice=0.0, class_weights=weights)
    only = ones(target) * (target[:, 2:] == 0)
    torch.testing.assert_close(full, segmentation_loss(logits, target, only, dice=0.0))


def test_equal_class_weights_change_nothing():
    target, logits = make_target(), torch.randn(2, 3, 8, 8)
    found = segmentation_loss(logits, target, ones(target), class_weights=torch.full((3,), 7.0))
    torch.testing.assert_close(found, segmentation_loss(logits, target, ones(target)))


def test_the_parts_of_the_segmentation_loss_add_up():
    target, logits = make_target(), torch.randn(2, 3, 8, 8)
    dice, surprise = (
        segmentation_loss(logits, target, ones(target), dice=d, cross_entropy=c)
        for d, c in ((1.0, 0.0), (0.0, 1.0))
    )
    found = segmentation_loss(logits, target, ones(target), dice=2.0, cross_entropy=0.5)
    torch.testing.assert_close(found, 2 * dice + 0.5 * surprise)
    expected = torch.nn.functional.cross_entropy(logits, target.argmax(dim=1))
    torch.testing.assert_close(surprise, expected)


def make_points(count=200_000):
    return 2 * torch.rand(1, count, 2, generator=torch.manual_seed(2)) - 1


def test_points_at_the_samples_cost_what_the_samples_do():
    labels = torch.randint(0, 3, (1, 16, 16), generator=torch.manual_seed(0))
    finest, logits = one_hot(labels), torch.randn(1, 3, 16, 16)
    grid = uniform_grid(Size(16, 16), logits)
    found = point_loss(logits, grid, finest, grid.flatten(1, 2))
    torch.testing.assert_close(found, torch.nn.functional.cross_entropy(logits, labels))


def test_points_estimate_the_loss_at_full_size_whatever_the_grid():
    across = torch.linspace(-1, 1, 256)
    inside = (across[:, None] ** 2 + (across - 0.3) ** 2 < 0.3)[None].long()
    finest = (255 * one_hot(inside, 2)).to(torch.uint8)
    density = torch.ones(1, 1, 16, 16)
    density[..., 4:9, 10:14] = 6.0
    losses = []
    for sampler in ("uniform", "knothe-rosenblatt", "kernel"):
        grid = sampling_grid(density, Size(64, 64), sampler=sampler, kernel_width=0.1)
        logits = torch.stack((grid[..., 0], 2 * grid[..., 1]), dim=1)  # (1, 2, 64, 64)
        losses.append(point_loss(logits, grid, finest, make_points()).item())
    # The loss of the same scores at every pixel.
    y, x = torch.meshgrid(across, across, indexing="ij")
    expected = torch.nn.functional.cross_entropy(torch.stack((x, 2 * y))[None], inside).item()
    assert losses == pytest.approx([expected] * 3, rel=0.03)


def test_ignored_points_do_not_count():
    labels = torch.zeros(1, 16, 16, dtype=torch.long)
    finest, logits = one_hot(labels), torch.zeros(1, 3, 16, 16)
    logits[:, 1, :8] = 50  # wrong, where nothing is labelled
    finest[..., :8, :] = 0
    grid = uniform_grid(Size(16, 16), logits)
    points = grid[:, [1, 14]].flatten(1, 2)
    assert point_loss(logits, grid, finest, points).item() == pytest.approx(math.log(3))


def test_shares_in_bytes_are_those_in_fractions():
    shares = torch.randint(0, 128, (1, 2, 64, 64), dtype=torch.uint8)
    levels = [shares, torch.nn.functional.avg_pool2d(shares.float(), 2).to(torch.uint8)]
    grid = uniform_grid(Size(32, 32), torch.zeros(1))
    found = warp_labels(levels, grid)
    expected = warp_labels([level / 255 for level in levels], grid)
    torch.testing.assert_close(found, expected)
    assert found[1].max() < 1
