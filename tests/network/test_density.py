from __future__ import annotations

import pytest
import torch

from lds_path.network.density import DensityNetwork, LocalDensityNetwork, to_density


def make_network(seed=0, floor=0.1):
    torch.manual_seed(seed)
    return DensityNetwork(channels=(4, 8, 8), floor=floor).eval()


def make_view(seed=0, side=32):
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(seed))


def test_a_fresh_network_gives_constant_density():
    density, _ = make_network()(make_view())
    torch.testing.assert_close(density, torch.ones(2, 1, 16, 16))


def test_the_density_has_mean_one_and_a_floor():
    density = to_density(10 * torch.randn(3, 1, 8, 8), floor=0.2)
    torch.testing.assert_close(density.mean(dim=(1, 2, 3)), torch.ones(3))
    assert density.min() >= 0.2


@pytest.mark.parametrize("corner", [(0, 0), (0, 56), (56, 0), (56, 56)])
def test_every_cell_sees_the_whole_view(corner):
    network = make_network().double()
    torch.nn.init.normal_(network.head.weight)
    view = make_view(side=64).double()
    row, column = corner
    other = view.clone()
    other[:, :, row : row + 8, column : column + 8] += 2

    def step(density):  # a difference of logarithms, in which the softmax cancels
        return (density - network.floor).log().diff(dim=-1)

    changed = (step(network(view)[0]) - step(network(other)[0])).abs()
    assert (changed > 0).float().mean() > 0.95  # a dead unit here and there


def test_gradients_reach_the_network_from_constant_density():
    network = make_network().train()
    (network(make_view())[0] * torch.randn(2, 1, 16, 16)).sum().backward()
    assert network.head.weight.grad.abs().max() > 0


@pytest.mark.parametrize("shape", [(1, 3, 32, 64), (1, 3, 8, 8), (1, 3, 22, 34)])
def test_the_density_is_half_as_large_as_the_view(shape):
    density, features = make_network()(torch.zeros(shape))
    assert density.shape == (1, 1, shape[2] // 2, shape[3] // 2)
    assert features.shape == (1, make_network().feature_count, *density.shape[2:])


def test_the_local_network_is_that_of_the_paper():
    network = LocalDensityNetwork(floor=0.1)
    # Jin 2022: 3 -> 192 -> 192 -> 24 -> 1, biases in the norms and the head.
    weights = 9 * (3 * 192 + 192 * 192 + 192 * 24) + 24
    assert sum(one.numel() for one in network.parameters()) == weights + 2 * (192 + 192 + 24) + 1
    density, features = network(make_view(side=16))
    assert density.shape == (2, 1, 8, 8)
    assert features.shape == (2, network.feature_count, 8, 8)


def test_the_local_network_sees_seven_pixels():
    torch.manual_seed(0)
    network = LocalDensityNetwork(floor=0.1).double().eval()
    view = make_view(side=32).double()
    other = view.clone()
    other[:, :, 16, 16] += 3

    def step(density):  # a ratio, in which the softmax cancels
        cells = density - network.floor
        return (cells / cells[..., :1, :1]).log()

    changed = (step(network(view)[0]) - step(network(other)[0])).abs() > 1e-12
    rows, columns = changed[0, 0].nonzero().unbind(1)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (6, 9, 6, 9)
