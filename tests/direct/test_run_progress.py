"""The lines of a run say what was done, how each slide ended and what is left."""

from lds_path.direct.progress import Progress
from lds_path.provenance.manifest import Manifest


def stage(name, quarantined_by=""):
    return Manifest(
        stage=name,
        slide="a",
        status="quarantined" if quarantined_by else "done",
        quarantined_by=quarantined_by,
    )


def test_stages_that_were_worked_on_have_a_line_and_each_slide_its_end(monkeypatch, capsys):
    clock = iter([0.0, 0.0, 0.0, 10.0, 10.0, 10.0, 40.0, 40.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    with Progress(3, {"tile": 3, "plan": 3}) as progress:
        progress.start_slide()
        progress.start_stage("a", "tile")
        progress.end_stage("a", stage("tile"), kept=True)
        progress.end_slide("a", "pass", kept=True)
        progress.start_slide()
        progress.start_stage("b", "tile")
        progress.end_stage("b", stage("tile"), kept=False)
        progress.end_slide("b", "warn", kept=False)
    assert capsys.readouterr().err.splitlines() == [
        "[1/3] a: pass; done before",
        "[2/3] b tiled, about 2 min left",
        "[2/3] b: warn; 30 s",
    ]


def test_a_quarantine_is_told_once(capsys):
    with Progress(1, {"tile": 1, "detect": 1}) as progress:
        for name in ("tile", "detect"):
            progress.start_stage("a", name)
            progress.end_stage("a", stage(name, "tile"), kept=False)
    assert capsys.readouterr().err == "[1/1] a is quarantined by tile, about 1 s left\n"
