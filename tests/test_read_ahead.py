import threading
from contextlib import closing

import pytest

from lds_path.read_ahead import read_ahead


def test_results_come_in_order_and_no_more_are_made_than_asked_for():
    started = []
    lock = threading.Lock()

    def work(item):
        with lock:
            started.append(item)
        return item * item

    results = read_ahead(work, iter(range(100)), threads=3, ahead=4)
    assert [next(results) for _ in range(5)] == [0, 1, 4, 9, 16]
    assert len(started) <= 10
    results.close()


def test_an_error_in_a_thread_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        list(read_ahead(lambda item: 1 // item, [2, 1, 0, 5], threads=2, ahead=2))


@pytest.mark.parametrize("threads", [1, 3])
def test_results_keep_their_order_and_few_are_computed_ahead(threads):
    started = 0
    lock = threading.Lock()

    def work(place):
        nonlocal started
        with lock:
            started += 1
        return place

    places = [(index, 0) for index in range(20)]
    results = read_ahead(work, places, threads=threads, ahead=threads)
    for taken, result in enumerate(results, 1):
        assert result == places[taken - 1]
        assert started <= taken + threads


def test_an_error_comes_out_and_later_work_is_left_undone():
    done = []

    def work(place):
        if place == (2, 0):
            raise ZeroDivisionError
        done.append(place)

    places = [(index, 0) for index in range(20)]
    with pytest.raises(ZeroDivisionError):
        list(read_ahead(work, places, threads=1, ahead=1))
    assert len(done) <= 4


def test_a_caller_that_fails_leaves_later_work_undone():
    done = []
    with closing(read_ahead(done.append, range(20), threads=1, ahead=2)) as results:
        next(results)
    assert len(done) <= 4
    assert done == list(range(len(done)))
