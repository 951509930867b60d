"""What Snakemake reports of its jobs becomes a line each, and its own words stay off the terminal."""

import json
import logging
from enum import Enum
from types import SimpleNamespace

import pytest

from lds_path.run.terminal.job_lines import HANDLER, LOGGER, JobLines, is_detail, quieten

Event = Enum("Event", "RUN_INFO JOB_INFO GROUP_INFO JOB_FINISHED JOB_ERROR PROGRESS WARNING")
ASKED = {"dryrun": False, "quiet": None, "verbose": False, "printshellcmds": False}


def record(event=None, text="", level=logging.INFO, **fields):
    extra = {"event": event, **fields} if event else fields
    made = logging.LogRecord(LOGGER, level, "x.py", 1, text, None, None)
    vars(made).update(extra)
    return made


def begin(number, stage, slide, output, **wildcards):
    wildcards = ({"slide": slide} if slide else {}) | wildcards
    return record(
        Event.JOB_INFO, jobid=number, rule_name=stage, wildcards=wildcards, output=[str(output)]
    )


def finish(number):
    return record(Event.JOB_FINISHED, job_id=number)


def write_manifest(folder, quarantined_by=""):
    folder.mkdir(parents=True)
    status = "quarantined" if quarantined_by else "done"
    content = {"stage": folder.parent.name, "slide": "b", "status": status}
    (folder / "manifest.json").write_text(json.dumps(content | {"quarantined_by": quarantined_by}))


@pytest.fixture
def said(tmp_path):
    lines = []
    clock = iter(range(0, 1000, 10))
    return lines, JobLines(tmp_path / "summary.txt", lines.append, clock=lambda: next(clock))


def test_each_job_that_ends_is_one_line(said, tmp_path):
    lines, handler = said
    handler.emit(record(Event.RUN_INFO, stats={"tile": 2, "report": 1, "all": 1, "total": 4}))
    for number, (stage, slide) in enumerate((("tile", "a"), ("tile", "b"), ("report", ""))):
        handler.emit(begin(number, stage, slide, tmp_path / stage / slide))
        handler.emit(finish(number))
    assert [line.split(",")[0] for line in lines] == [
        "[1/2] a tiled", "[2/2] b tiled", "[1/1] report written\n",
    ]  # fmt: skip
    assert lines[0].endswith(" left\n")


def test_a_shard_is_named_and_the_rule_all_is_not(said, tmp_path):
    lines, handler = said
    handler.emit(begin(1, "segment", "a", tmp_path, scatteritem="2-of-4"))
    handler.emit(begin(2, "all", "", tmp_path))
    handler.emit(finish(1))
    handler.emit(finish(2))
    assert lines == ["[1/1] a (shard 2-of-4) segmented\n"]


def test_only_the_stage_that_found_the_problem_tells_of_a_quarantine(said, tmp_path):
    lines, handler = said
    for number, stage in enumerate(("tile", "detect")):
        write_manifest(tmp_path / stage / "b", quarantined_by="tile")
        handler.emit(begin(number, stage, "b", tmp_path / stage / "b"))
        handler.emit(finish(number))
    assert lines == ["[1/1] b is quarantined by tile\n"]


def test_jobs_of_a_group_have_their_lines(said, tmp_path):
    lines, handler = said
    job = SimpleNamespace(
        jobid=7, rule=SimpleNamespace(name="plan"), wildcards_dict={"slide": "a"}, output=[tmp_path]
    )
    handler.emit(record(Event.GROUP_INFO, group_id="g", jobs=[job]))
    handler.emit(finish(7))
    assert lines == ["[1/1] a planned\n"]


def test_a_finished_run_shows_again_what_to_open(said, tmp_path, capsys):
    lines, handler = said
    nothing = record(text="Nothing to be done (all requested files are present and up to date).")
    handler.emit(nothing)
    assert capsys.readouterr().out == ""
    (tmp_path / "summary.txt").write_text("2 slides: 2 pass.\n", encoding="utf-8")
    handler.emit(nothing)
    assert capsys.readouterr().out == "2 slides: 2 pass.\n\n"
    assert lines == []


def test_a_record_of_another_shape_stops_nothing(said, capsys):
    lines, handler = said
    handler.emit(record(Event.JOB_INFO))
    assert lines == []
    assert "jobid" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("made", "hidden"),
    [
        (record(Event.PROGRESS, text="1 of 2 steps"), True),
        (record(text="Select jobs to execute..."), True),
        (record(Event.JOB_ERROR, level=logging.ERROR), False),
        (record(Event.RUN_INFO, text="Job stats:"), False),
        (record(text="Trying to restart job 3."), False),
    ],
)
def test_details_are_hidden_and_errors_are_not(made, hidden):
    assert is_detail(made) is hidden


@pytest.mark.parametrize("changed", [{}, {"dryrun": True}, {"verbose": True}, {"quiet": {"all"}}])
def test_the_terminal_is_quiet_unless_something_else_was_asked_for(tmp_path, changed):
    logger = logging.getLogger(LOGGER)
    terminal = logging.StreamHandler()
    terminal.name = HANDLER
    before = logger.handlers[:]
    logger.handlers[:] = [terminal]
    try:
        quieten(SimpleNamespace(**ASKED | changed), tmp_path / "summary.txt")
        assert len(logger.handlers) == (1 if changed else 2)
        assert bool(terminal.filter(record(Event.PROGRESS))) == bool(changed)
    finally:
        logger.handlers[:] = before
