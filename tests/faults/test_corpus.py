"""Every broken or odd slide ends with a result or a quarantine, within its time and memory."""

from __future__ import annotations

import pytest
from corpus_runner import CASES, find_flaws, run_cases

KIND = "broken or odd slide"
PARTS = 8


@pytest.mark.parametrize("part", range(PARTS))
def test_a_broken_or_odd_slide_ends_with_a_result_or_a_helpful_reason(tmp_path, ledger, part):
    names = list(CASES)[part::PARTS]
    ledger.inject(KIND, len(names))
    outcomes = run_cases(names, tmp_path)
    flaws = {outcome.name: find_flaws(outcome) for outcome in outcomes}
    ledger.survive(KIND, sum(not found for found in flaws.values()))
    assert [outcome.name for outcome in outcomes] == names
    assert {name: found for name, found in flaws.items() if found} == {}
