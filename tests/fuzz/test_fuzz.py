"""A few mutants of everything that the package reads, as `make test-fuzz` makes thousands."""

from fuzz import MODULES, run_campaign
from mutant_outcome import FLAWS, Outcome, render


def test_no_mutant_ends_in_a_traceback_a_hang_a_crash_or_wrong_pixels():
    outcomes = run_campaign(4 * len(MODULES), 7, processes=2)
    assert {outcome.kind for outcome in outcomes} == set(MODULES)
    assert [outcome for outcome in outcomes if outcome.end in FLAWS] == []


def test_the_ends_are_counted_by_kind():
    ends = ("refused", "right", "wrong")
    table = render([Outcome("sheet", number, end) for number, end in enumerate(ends)])
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    assert rows[0][1:3] == ["mutants", "refused in one line"]
    assert rows[2] == ["sheet", "3", "1", "1", "0", "0", "0", "0", "1"]
