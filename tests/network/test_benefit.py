from __future__ import annotations

import pytest
import torch
from label_shares import label_fractions

from lds_path.geometry import Size
from lds_path.network.benefit import (
    BenefitHead,
    benefit_loss,
    network_error_loss,
    network_errors,
    round_trip_errors,
)
from lds_path.network.warp import halve

CELLS = Size(8, 8)


def fractions_of(labels, classes=2):
    return label_fractions(torch.as_tensor(labels, dtype=torch.uint8)[None], classes) * 255


def disc(radius, side=64):
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return 1 + ((rows - side / 2 + 0.5) ** 2 + (columns - side / 2 + 0.5) ** 2 < radius**2).int()


def errors_of(labels, sides=(8, 16, 32), weights=(1.0, 1.0)):
    lattices = [Size(side, side) for side in sides]
    return round_trip_errors([fractions_of(labels)], lattices, CELLS, torch.tensor(weights))


def test_more_samples_never_make_the_labels_of_a_disc_worse():
    errors, labelled = errors_of(disc(20))
    assert errors.shape == (1, 3, 8, 8)
    assert (labelled == 1).all()
    total = errors.mean(dim=(2, 3))[0]
    assert total[0] > total[1] > total[2] >= 0


def test_one_class_alone_has_no_error_on_any_lattice():
    errors, _ = errors_of(torch.ones(64, 64))
    assert not errors.any()


def test_errors_lie_where_the_classes_meet():
    errors, _ = errors_of(disc(20))
    assert not errors[..., 3:5, 3:5].any()  # the middle of the disc
    assert not errors[..., 0, 0].any()


def test_what_is_smaller_than_a_sample_is_lost_whole():
    labels = torch.ones(64, 64)
    labels[10:12, 10:12] = 2
    errors, _ = errors_of(labels, sides=(8, 32))
    assert errors[0, 0].sum() * 64 == pytest.approx(4)
    assert errors[0, 1].sum() == 0


def test_a_wrong_pixel_costs_half_of_each_of_its_two_classes():
    labels = torch.ones(64, 64)
    labels[9:11, 9:11] = 2
    alike, _ = errors_of(labels, sides=(8,))
    weighted, _ = errors_of(labels, sides=(8,), weights=(0.5, 3.5))
    torch.testing.assert_close(weighted, 2 * alike)


def test_what_is_not_labelled_has_no_error():
    labels = disc(20)
    labels[:, :32] = 0
    errors, labelled = errors_of(labels)
    assert not errors[..., :4].any()
    assert not labelled[..., :4].any()
    assert errors[..., 4:].any()


def test_no_lattice_gives_no_errors():
    errors, labelled = errors_of(disc(20), sides=())
    assert errors.shape == (1, 0, 8, 8)
    assert labelled.shape == (1, 1, 8, 8)


def test_the_loss_is_zero_where_the_predicted_errors_are_right():
    errors = torch.tensor([0.0, 0.1, 0.4]).view(1, 1, 1, 3)
    labelled = torch.tensor([1.0, 1.0, 0.5]).view(1, 1, 1, 3)
    expected = (errors / labelled).clamp_min(1e-6)
    assert float(benefit_loss(expected, errors, labelled)) == pytest.approx(0, abs=1e-4)
    assert float(benefit_loss(2 * expected, errors, labelled)) > 0.01
    assert float(benefit_loss(expected / 2, errors, labelled)) > 0.01


def test_the_loss_is_least_at_the_mean_of_rare_errors():
    errors = torch.zeros(1, 1, 10, 10)
    errors[..., 3, 4] = 1.0
    labelled = torch.ones(1, 1, 10, 10)
    guess = torch.tensor(0.3, requires_grad=True)
    optimizer = torch.optim.SGD([guess], lr=0.005)
    for _ in range(400):
        optimizer.zero_grad()
        benefit_loss(guess.clamp_min(1e-4).expand(errors.shape), errors, labelled).backward()
        assert torch.isfinite(guess.grad)
        optimizer.step()
    assert float(guess.detach()) == pytest.approx(0.01, rel=0.1)


def test_a_fresh_head_expects_little_and_the_same_everywhere():
    found = BenefitHead(4, 3)(torch.randn(2, 4, 5, 6)).detach()
    assert found.shape == (2, 3, 5, 6)
    assert found.std(dim=(2, 3)).max() < 1e-6
    assert 0 < found.mean() < 0.1


def test_a_coarse_lattice_is_tried_on_a_coarse_level_and_errs_as_much():
    fractions = fractions_of(disc(20))
    lattices = [Size(4, 4), Size(16, 16)]
    fine, _ = round_trip_errors([fractions], lattices, CELLS, torch.ones(2))
    both, labelled = round_trip_errors(halve(fractions, 3), lattices, CELLS, torch.ones(2))
    torch.testing.assert_close(fine[:, 1], both[:, 1])
    assert both[:, 0].mean() == pytest.approx(float(fine[:, 0].mean()), rel=0.5)
    assert (labelled == 1).all()


def test_the_networks_error_is_nothing_where_it_is_sure_and_right():
    target = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).view(1, 2, 1, 2)
    logits = 50 * (2 * target - 1)
    costs = torch.tensor([0.5, 3.5])
    assert network_errors(logits, target, costs) == pytest.approx(torch.zeros(1, 1, 1, 2))


def test_a_sample_taken_for_another_class_costs_half_of_each_of_the_two():
    target = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
    taken = torch.tensor([-50.0, 50.0]).view(1, 2, 1, 1)
    costs = torch.tensor([0.5, 3.5])
    assert network_errors(taken, target, costs).item() == pytest.approx(2.0)
    undecided = torch.zeros(1, 2, 1, 1)
    assert network_errors(undecided, target, costs).item() == pytest.approx(1.0)


def test_the_loss_of_seen_errors_is_least_at_their_weighted_mean():
    errors = torch.tensor([0.1, 0.7]).view(1, 1, 1, 2)
    weight = torch.tensor([3.0, 1.0]).view(1, 1, 1, 2)
    losses = [
        network_error_loss(torch.full((1, 1, 1, 2), rate), errors, weight).item()
        for rate in (0.2, 0.25, 0.3)
    ]
    assert losses[1] == min(losses)
    assert network_error_loss(errors, errors, weight).item() == pytest.approx(0, abs=1e-6)
