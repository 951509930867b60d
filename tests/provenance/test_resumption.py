"""A finished stage is kept only where it would write the same again."""

import os

import pytest

from lds_path.errors import UnreadableSlideError
from lds_path.provenance.fingerprint import sha256
from lds_path.provenance.resumption import always_running, resuming
from lds_path.provenance.stage_run import run_stage


@pytest.fixture
def attempt(tmp_path):
    """Return a function that runs a stage and returns whether it worked."""
    (tmp_path / "slide.svs").write_bytes(b"slide")

    def run(*, size=1, stage="tile", strict=False, problem=False):
        worked = []

        def work(folder, _):
            worked.append(stage)
            if problem:
                raise UnreadableSlideError("slide.svs is damaged")
            (folder / "data").write_bytes(b"data")
            return {}

        run_stage(
            stage,
            tmp_path / "tile" / "a",
            work,
            inputs={"slide": tmp_path / "slide.svs"},
            parameters={"sizes": (size, 2)},
            strict=strict,
        )
        return bool(worked)

    return run


def test_a_stage_that_would_write_the_same_is_kept(attempt, tmp_path):
    with resuming(tmp_path / "record.json") as resumption:
        assert attempt()
        assert not attempt()
        assert resumption.kept == 1
    with resuming(tmp_path / "record.json"):
        assert not attempt()


def test_without_a_resumption_or_where_it_is_suspended_every_stage_runs(attempt, tmp_path):
    assert attempt()
    assert attempt()
    with resuming(tmp_path / "record.json"), always_running():
        assert attempt()


def test_other_parameters_or_another_stage_run_again(attempt, tmp_path):
    with resuming(tmp_path / "record.json"):
        attempt()
        assert attempt(size=3)
        assert attempt(size=3, stage="detect")


def test_a_replaced_input_is_noticed_by_its_hash_even_with_the_old_time_and_size(attempt, tmp_path):
    slide = tmp_path / "slide.svs"
    with resuming(tmp_path / "record.json"):
        attempt()
    status = slide.stat()
    slide.write_bytes(b"other")
    os.utime(slide, ns=(status.st_atime_ns, status.st_mtime_ns))
    with resuming(tmp_path / "record.json"):
        assert attempt()


def test_an_input_that_was_only_touched_is_read_but_its_stage_is_kept(attempt, tmp_path):
    with resuming(tmp_path / "record.json"):
        attempt()
        os.utime(tmp_path / "slide.svs", (1, 1))
        assert not attempt()


def test_a_large_input_is_not_read_twice(attempt, tmp_path, monkeypatch):
    with resuming(tmp_path / "record.json"):
        attempt()
    read = []

    def note(path):
        read.append(path.name)
        return sha256(path)

    monkeypatch.setattr("lds_path.provenance.fingerprint.sha256", note)
    with resuming(tmp_path / "record.json"):
        assert not attempt()
    assert read == []


def test_a_lost_or_shortened_output_is_written_again(attempt, tmp_path):
    data = tmp_path / "tile" / "a" / "data"
    with resuming(tmp_path / "record.json"):
        attempt()
        data.write_bytes(b"dat")
        assert attempt()
        data.unlink()
        assert attempt()
        (tmp_path / "tile" / "a" / "manifest.json").write_text("{")
        assert attempt()


def test_a_slide_that_was_quarantined_fails_where_it_has_to(attempt, tmp_path):
    with resuming(tmp_path / "record.json"):
        assert attempt(problem=True)
        assert not attempt(problem=True)
        with pytest.raises(UnreadableSlideError):
            attempt(problem=True, strict=True)


def test_a_damaged_record_is_as_good_as_none(attempt, tmp_path):
    (tmp_path / "record.json").write_text("[1")
    with resuming(tmp_path / "record.json"):
        assert attempt()
        assert not attempt()
