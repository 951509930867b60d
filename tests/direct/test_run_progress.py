"""The lines of a run say how each slide ended and what is left."""

import pytest

from lds_path.direct.progress import Progress, in_words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (62, "62 s"), (100, "2 min"), (119 * 60, "119 min"), (9000, "2.5 h")],
)
def test_times_are_said_as_people_say_them(seconds, words):
    assert in_words(seconds) == words


def test_what_is_left_follows_from_the_slides_that_took_time(monkeypatch, capsys):
    clock = iter([0.0, 0.0, 0.0, 10.0, 40.0, 40.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    with Progress(3, 6) as progress:
        progress.start_slide()
        progress.end_slide("a", "pass", kept=True)
        progress.start_slide()
        progress.end_slide("b", "warn", kept=False)
    assert capsys.readouterr().err.splitlines() == [
        "[1/3] a: pass; done before",
        "[2/3] b: warn; 30 s, about 30 s left",
    ]
