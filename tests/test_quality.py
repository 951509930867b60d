"""Metrics move the right way on pictures made for them, and the verdict names the cause."""

import numpy as np
import pytest
from scipy import ndimage

from lds_path.quality import (
    Limit,
    Metric,
    focus,
    judge,
    number,
    sample_pitch,
    share_percent,
    well_inside,
)

SHARE = Limit("share", warn=90.0, fail=50.0, words="only {value} % analysed (limit {limit} %)")
DOUBT = Limit("doubt", warn=10, fail=40, words="{value} % in doubt ({limit} %)", low_is_bad=False)


def metrics(**values):
    return {name: Metric(value, "", "", "") for name, value in values.items()}


def checks(side=64):
    tile = np.kron(np.indices((side // 8, side // 8)).sum(axis=0) % 2, np.ones((8, 8)))
    return np.repeat((tile * 255)[..., None], 3, axis=-1).astype(np.uint8)


def uniform_grid(width, height):
    x = (np.arange(width) + 0.5) / width * 2 - 1
    y = (np.arange(height) + 0.5) / height * 2 - 1
    return np.stack(np.meshgrid(x, y), axis=-1).astype(np.float32)


def test_a_slide_within_all_limits_passes_without_reasons():
    verdict = judge(metrics(share=99.0, doubt=0), [SHARE, DOUBT])
    assert verdict.word == "pass"
    assert verdict.reasons == ()


@pytest.mark.parametrize(
    ("share", "doubt", "word"),
    [(90, 10, "pass"), (89.9, 0, "warn"), (99, 11, "warn"), (49, 0, "fail"), (99, 41, "fail")],
)
def test_the_verdict_is_the_worst_of_its_limits(share, doubt, word):
    assert judge(metrics(share=share, doubt=doubt), [SHARE, DOUBT]).word == word


def test_reasons_say_value_and_broken_limit_and_failures_come_first():
    verdict = judge(metrics(share=80, doubt=45.25), [SHARE, DOUBT])
    assert verdict.reasons == ("45.2 % in doubt (40 %)", "only 80 % analysed (limit 90 %)")


def test_what_could_not_be_measured_is_a_warning():
    verdict = judge(metrics(share=None), [SHARE])
    assert verdict.word == "warn"
    assert verdict.reasons == ("share could not be measured",)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (5, "5"),
        (12.345, "12.3"),
        (0.01234, "0.0123"),
        (270184.7, "270185"),
        (2e-5, "2.0e-05"),
    ],
)
def test_numbers_show_three_digits_that_count(value, text):
    assert number(value) == text


def test_focus_falls_with_blur():
    sharp = checks()
    values = [focus([ndimage.gaussian_filter(sharp, (sigma, sigma, 0))]) for sigma in (0, 1, 2, 4)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 50 * values[-1]


def test_focus_of_a_plain_picture_is_zero_and_of_none_is_unknown():
    assert focus([np.full((16, 16, 3), 200, np.uint8)]) == 0
    assert focus([]) is None


def test_focus_of_a_picture_with_one_bright_pixel_is_the_variance_of_the_kernel():
    picture = np.zeros((12, 12, 3), np.uint8)
    picture[5, 5] = 100
    kernel = np.zeros(100)
    kernel[:5] = (-400, 100, 100, 100, 100)
    assert focus([picture]) == pytest.approx(kernel.var())


def test_the_pitch_of_a_uniform_grid_is_the_size_over_the_lattice():
    pitch = sample_pitch(uniform_grid(32, 16), width=256.0, height=128.0)
    np.testing.assert_allclose(pitch, 8.0, rtol=1e-5)


def test_the_pitch_is_small_where_samples_are_dense():
    grid = uniform_grid(64, 64)
    dense = np.sign(grid) * np.abs(grid) ** 2
    pitch = sample_pitch(dense, 64.0, 64.0)
    assert pitch[32, 32] < 0.2
    assert pitch[0, 0] > 1.5


def test_cells_of_a_grid_add_up_to_the_region():
    grid = uniform_grid(64, 48)
    bent = (grid + 0.1 * np.sin(np.pi * grid)).astype(np.float32)
    area = (sample_pitch(bent, 64.0, 48.0) ** 2).sum()
    assert area == pytest.approx(64 * 48, rel=0.02)


def test_share_counts_only_inside_the_whole():
    whole = np.zeros((10, 10), bool)
    whole[:5] = True
    part = np.zeros((10, 10), bool)
    part[:, :2] = True
    assert share_percent(part, whole) == 20
    assert share_percent(part, np.zeros((10, 10), bool)) is None


def test_crops_lie_wholly_inside_and_are_spread():
    mask = np.zeros((64, 96), bool)
    mask[9:, 9:] = True
    cells = well_inside(mask, 8, count=5)
    assert len(cells) == 5
    assert all(mask[y : y + 8, x : x + 8].all() for x, y in cells)
    assert cells[0][1] < cells[-1][1]


def test_thin_tissue_gives_its_fullest_cells_and_no_tissue_none():
    mask = np.zeros((32, 32), bool)
    mask[:, 8:14] = True
    assert {x for x, _ in well_inside(mask, 8, count=9)} == {8}
    assert well_inside(np.zeros((32, 32), bool), 8, count=9) == []
