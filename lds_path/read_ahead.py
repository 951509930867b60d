"""Results computed ahead by threads, in order."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

Item = TypeVar("Item")
Result = TypeVar("Result")


def read_ahead(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    threads: int,
    ahead: int,
    initializer: Callable[[], object] | None = None,
) -> Generator[Result, None, None]:
    """Yield the results of work in the order of the items, some computed ahead by threads.

    Closing the generator cancels the items that no thread has started and waits for the others.

    Parameters
    ----------
    work
        Called with an item in another thread.
    items
        Arguments of `work`; taken only as fast as the results are.
    threads
        Number of threads.
    ahead
        Maximum number of results that wait to be taken.
    initializer
        Called first in each thread.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="read", initializer=initializer) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
