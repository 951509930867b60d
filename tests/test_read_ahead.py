import threading

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
