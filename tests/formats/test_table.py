from __future__ import annotations

import pytest

from lds_path.formats.table import plain_cell, write_table


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_text_that_begins_as_a_formula_is_marked_as_text(text):
    assert plain_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["a=1", "", None, -1, -0.5, 3, "Stroma"])
def test_numbers_and_other_texts_stay_as_they_are(value):
    assert plain_cell(value) == value


def test_headers_and_cells_are_written_alike(tmp_path):
    write_table(tmp_path / "a.tsv", ["slide", "=x"], [["a", -1.5], ["@b", None]])
    assert (tmp_path / "a.tsv").read_text() == "slide\t'=x\na\t-1.5\n'@b\t\n"
