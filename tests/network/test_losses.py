from __future__ import annotations

import pytest
import torch

from lds_path.geometry import Size
from lds_path.network.density import to_density
from lds_path.network.grid import sample_area, sampling_grid
from lds_path.network.losses import edge_density, edge_loss, segmentation_loss
from lds_path.network.warp import halve, warp

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
    logits = torch.zeros(1, 1, 16, 16, requires_grad=True)
    optimizer = torch.optim.Adam([logits], 0.2)
    first = edge_loss(to_density(logits, floor=0.01), edges).item()
    for _ in range(200):
        optimizer.zero_grad()
        loss = edge_loss(to_density(logits, floor=0.01), edges)
        loss.backward()
        optimizer.step()
    density = to_density(logits, floor=0.01)
    assert loss.item() < 0.01 < first
    assert density[0, 0, 5, 3:12].min() > 10 * density[0, 0, 12].max()


def test_the_edge_loss_judges_each_image_by_itself():
    strong, weak = torch.zeros(2, 1, 1, 16, 16)
    strong[..., 4, :] = 1.0
    weak[..., 12, :] = 0.01
    density = to_density(torch.randn(2, 1, 16, 16), floor=0.1)
    together = edge_loss(density, torch.cat((strong, weak)))
    alone = [edge_loss(density[:1], strong), edge_loss(density[1:], 100 * weak)]
    torch.testing.assert_close(together, sum(alone) / 2)


def test_without_edges_constant_density_is_right():
    edges = torch.zeros(1, 1, 8, 8)
    assert edge_loss(torch.ones(1, 1, 8, 8), edges).abs() < 1e-6
    assert edge_loss(to_density(torch.randn(1, 1, 8, 8), floor=0.1), edges) > 0.01
