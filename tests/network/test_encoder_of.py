import pytest
import torch

from lds_path.network.architectures.build import build_network
from lds_path.network.architectures.encoder import encoder_of
from lds_path.network.spec import ARCHITECTURES, NetworkSpec

CHANNELS = {"FlexibleUNet": (16, 16, 8, 8, 8)}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_encoder_ends_at_the_lowest_resolution_and_needs_nothing_else(architecture):
    channels = CHANNELS.get(architecture, (4, 8, 8, 8))
    spec = NetworkSpec(class_count=2, architecture=architecture, channels=channels)
    network = build_network(spec).eval()
    encoder, found = encoder_of(network), []
    encoder[-1].register_forward_hook(lambda module, inputs, output: found.append(output))
    inside = {id(parameter) for module in encoder for parameter in module.parameters()}
    outside = [one for one in network.parameters() if id(one) not in inside]
    samples = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        network(samples)
        for parameter in outside:
            parameter.zero_()
        network(samples)
    before, after = (deepest(output) for output in found)
    assert inside
    assert outside
    assert before.shape[2] == 64 // spec.lattice_multiple
    assert before.std() > 0
    assert torch.equal(before, after)


def deepest(output):
    features = output if isinstance(output, (list, tuple)) else [output]
    return min(features, key=lambda one: one.shape[2])
