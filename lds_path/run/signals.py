"""How a command ends when it is asked to: by Ctrl-C, or by a system that wants its place."""

from __future__ import annotations

import signal
import sys
import warnings
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def end_in_order() -> None:
    """Let the first signal end this process in order, and the next one at once.

    In order means that what threads have begun is waited for, and that what is half written is
    removed. A signal that the process was started to ignore stays ignored.
    """
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    del frame
    for other in SIGNALS:
        signal.signal(other, signal.SIG_DFL)
    # An object that was being made may complain when it is dropped: nobody needs to know.
    sys.unraisablehook = lambda _: None
    warnings.simplefilter("ignore")
    raise KeyboardInterrupt(signal.Signals(number).name)
