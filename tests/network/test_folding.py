import pytest
import torch
from torch import nn

from lds_path.network.architectures.build import build_network
from lds_path.network.density import DensityNetwork
from lds_path.network.folding import fold_batch_norm
from lds_path.network.spec import NetworkSpec


def draw_norms(network):
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for values in (layer.running_mean, layer.bias):
                nn.init.uniform_(values, -0.5, 0.5)
            for values in (layer.running_var, layer.weight):
                nn.init.uniform_(values, 0.5, 2)


@pytest.mark.parametrize(
    ("architecture", "channels"),
    [
        ("UNet", (4, 8, 16)),
        ("SegResNet", (8, 16, 32)),
        ("SpaceToDepthUNet", (4, 8, 16)),
        ("EfficientNetLite", (8, 8, 8, 8)),
    ],
)
def test_a_folded_network_returns_the_same_up_to_rounding(architecture, channels):
    torch.manual_seed(0)
    spec = NetworkSpec(
        class_count=3, architecture=architecture, channels=channels, shared_features=False
    )
    network = build_network(spec)
    draw_norms(network)
    image = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        expected = network.eval()(image)
        for _ in range(2):  # a network that runs twice is folded twice
            fold_batch_norm(network)
            torch.testing.assert_close(network(image), expected, rtol=1e-4, atol=1e-4)


def test_no_batch_normalisation_is_left_in_a_unet():
    network = build_network(
        NetworkSpec(class_count=3, channels=(4, 8, 16), shared_features=False)
    ).eval()
    fold_batch_norm(network)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())


def test_a_density_network_without_batch_normalisation_gives_the_same_features():
    torch.manual_seed(0)
    network = DensityNetwork(channels=(4, 8), floor=0.1).eval()
    draw_norms(network)
    view = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        _, expected = network(view)
        fold_batch_norm(network)
        assert not any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())
        torch.testing.assert_close(network(view)[1], expected, rtol=1e-4, atol=1e-4)
