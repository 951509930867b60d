from __future__ import annotations

import pytest
import torch

from lds_path.learning.training_state import Learner, read_record, restore_state, save_state


def make_learner(seed=0):
    torch.manual_seed(seed)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Dropout()
    ).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01, weight_decay=0.1, fused=True)
    return Learner(network, optimizer, torch.amp.GradScaler("cpu", enabled=False))


def learn(learner, steps):
    for _ in range(steps):
        learner.optimizer.zero_grad()
        learner.network(torch.randn(8, 3, 5, 5)).square().sum().backward()
        learner.optimizer.step()
    return [value.clone() for value in learner.network.state_dict().values()]


def test_a_restored_learner_goes_on_as_if_nothing_had_happened(tmp_path):
    path = tmp_path / "state.safetensors"
    learner = make_learner()
    learn(learner, 3)
    save_state(path, learner, {"step": 3})
    expected = learn(learner, 3)
    other = make_learner(seed=5)
    learn(other, 1)
    restore_state(path, other)
    assert all(map(torch.equal, learn(other, 3), expected))


def test_what_is_remembered_comes_back(tmp_path):
    path = tmp_path / "state.safetensors"
    record = {"step": 3, "rows": [[1, 0.5, None]], "name": "Drüse"}
    save_state(path, make_learner(), record)
    assert read_record(path) == record
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("content", [None, b"", b"hello", b"\xff" * 100])
def test_what_is_no_state_is_none(tmp_path, content):
    path = tmp_path / "state.safetensors"
    if content is not None:
        path.write_bytes(content)
    assert read_record(path) is None
    with pytest.raises(ValueError, match="holds no state"):
        restore_state(path, make_learner())
