from __future__ import annotations

import numpy as np
import pytest

from lds_path.errors import UsageError
from lds_path.reference.legend import IGNORE, Legend, recode

CLASSES = ("Stroma", "Tumor")


def test_equal_names_need_no_map():
    assert [Legend(CLASSES).value_of(name) for name in CLASSES] == [1, 2]
    assert Legend(CLASSES).value_of("Ignore*") == IGNORE


def test_the_map_comes_before_the_names_and_the_ignored():
    legend = Legend(CLASSES, {"Stroma": "Tumor", "Ignore*": "Stroma", "Region*": ""})
    assert legend.value_of("Stroma") == 2
    assert legend.value_of("Ignore*") == 1
    assert legend.value_of("Region*") is None


def test_a_gap_between_the_values_is_no_class():
    legend = Legend(("Stroma", "", "Tumor"))
    assert legend.value_of("Tumor") == 3
    with pytest.raises(KeyError):
        legend.value_of("")
    assert legend.table()[1][:5].tolist() == [True, True, False, True, False]


def test_a_map_to_no_class_is_named():
    with pytest.raises(UsageError, match="`class_map` turns 'A' into 'Cancer', which is no class"):
        Legend(CLASSES, {"A": "Cancer"})


def test_misspelt_classes_of_the_configuration_are_answered_with_the_nearest():
    with pytest.raises(UsageError, match=r"no class; did you mean 'Tumor'\? The classes"):
        Legend(CLASSES, {"A": "Tumour"})
    with pytest.raises(UsageError, match=r"'Strom' \(did you mean 'Stroma'\?\), expected"):
        Legend(CLASSES, unlabelled="Strom")


def test_an_unknown_value_of_unlabelled_is_named():
    with pytest.raises(UsageError, match="`unlabelled` is 'Other', expected background or ignore"):
        Legend(CLASSES, unlabelled="Other")


def test_recoded_values_are_those_of_the_table():
    values, table = np.random.default_rng(1).integers(0, 256, (2, 256)).astype(np.uint8)
    windows = values.reshape(8, 32), values.reshape(8, 32)[1::2, 3:], values[:0]
    for window in windows:
        assert (recode(window, table) == table[window]).all()
        assert recode(window, table).shape == window.shape


def test_what_is_only_outlined_is_no_label_unless_the_configuration_says_so():
    assert Legend(CLASSES).value_of("Region*") is None
    assert Legend((*CLASSES, "Region*")).value_of("Region*") == 3
    assert Legend(CLASSES, {"Region*": "Tumor"}).value_of("Region*") == 2
    assert Legend(CLASSES, ignore=("Region*",)).value_of("Region*") == IGNORE
