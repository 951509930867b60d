from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from lds_path.errors import ModelError, UsageError
from lds_path.models.encoder_weights import find_encoder_weights, start_encoder
from lds_path.network.segmenter import Segmenter
from lds_path.network.spec import NetworkSpec

LITE = NetworkSpec(
    class_count=2, architecture="EfficientNetLite", channels=(8, 8, 8, 8), density_channels=(4, 8)
)
IMAGENET = find_encoder_weights("imagenet", "efficientnet-lite0")


def test_the_shipped_weights_fill_the_encoder_and_the_context_starts_without_influence():
    segmenter = Segmenter(LITE)
    start_encoder(segmenter, IMAGENET)
    encoder = segmenter.network.encoder.eval()
    colours = torch.rand(1, 3, 64, 64)
    extra = encoder.conv_stem.in_channels - 3
    assert extra > 0
    plain, shared = (
        encoder(torch.cat((colours, amount * torch.ones(1, extra, 64, 64)), dim=1))
        for amount in (0.0, 5.0)
    )
    assert [tuple(features.shape[1:]) for features in plain] == [
        (16, 32, 32), (24, 16, 16), (40, 8, 8), (112, 4, 4), (320, 2, 2)
    ]  # fmt: skip
    assert all(map(torch.equal, plain, shared))
    assert encoder.blocks[3][0].bn2.running_var.min() > 0
    assert encoder.blocks[3][0].bn2.running_var.std() > 0


def test_none_means_fresh_weights():
    assert find_encoder_weights("none", "efficientnet-lite0") is None


@pytest.mark.parametrize(
    ("weights", "encoder", "remedy"),
    [
        ("imagenet", "efficientnet-lite2", "encoder_weights.py"),
        ("missing.safetensors", "efficientnet-lite0", "the path of a safetensors file"),
    ],
)
def test_weights_that_are_not_there_are_named_with_the_remedy(weights, encoder, remedy):
    with pytest.raises(ModelError, match="does not exist.*" + remedy):
        find_encoder_weights(weights, encoder)


def test_weights_of_another_encoder_are_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file({"conv_stem.weight": torch.zeros(16, 3, 3, 3)}, path)
    with pytest.raises(ModelError, match=r"does not fit efficientnet-lite0: 'conv_stem.weight'"):
        start_encoder(Segmenter(LITE), path)


def test_a_file_that_is_no_safetensors_is_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"no weights")
    with pytest.raises(ModelError, match="is not a safetensors file"):
        start_encoder(Segmenter(LITE), path)


def test_a_network_without_an_encoder_takes_no_weights():
    spec = NetworkSpec(class_count=2, channels=(4, 8), density_channels=(4, 8))
    with pytest.raises(UsageError, match="UNet takes no `encoder_weights`"):
        start_encoder(Segmenter(spec), IMAGENET)
