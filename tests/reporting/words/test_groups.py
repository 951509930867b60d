"""Reasons that differ only in their numbers become one."""

import pytest

from lds_path.reporting.words.groups import NUMBER, PATH, THE_FILE, merge_numbers


def test_each_number_becomes_its_range_and_equal_ones_stay():
    texts = [
        f"unsure about {share} % of the tissue (limit 20 %)" for share in ("9.5", "43.25", "31")
    ]
    assert merge_numbers(texts) == "unsure about 9.5 to 43.25 % of the tissue (limit 20 %)"


@pytest.mark.parametrize("text", ["case-12", "min_tissue_um2", "v1.2.3", "8-bit", "0x5"])
def test_a_number_in_a_name_is_a_part_of_it(text):
    assert NUMBER.sub("#", text) == text


def test_a_number_at_the_end_of_a_sentence_counts():
    assert NUMBER.sub("#", "the limit is 20.") == "the limit is #."


def test_a_path_with_blanks_is_taken_out_as_a_whole():
    reason = "/data/my slides/a is b.svs cannot be opened (Permission denied); check the path"
    assert PATH.sub(THE_FILE, reason).endswith("; check the path")
    assert "/data" not in PATH.sub(THE_FILE, reason)
