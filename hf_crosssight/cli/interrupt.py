"""Ctrl-C waits for an import to end: compiled modules that are interrupted half-way take the whole process down.

torch's initialisation, for one, lets the KeyboardInterrupt escape into C++, which aborts; and Python itself marks an
interrupt inside the `exec` of a class body so that it later dies of the signal, whoever caught it in between.
"""

from __future__ import annotations

import _thread
import signal
import threading
from types import FrameType

_IMPORT_SYSTEM = "<frozen importlib._bootstrap>"
_SECONDS = 0.05


def wait_for_imports() -> None:
    """Sets the handler, unless Ctrl-C is ignored, handled by someone else, or this is not the main thread."""
    main = threading.current_thread() is threading.main_thread()
    if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if not _is_importing(frame):
        raise KeyboardInterrupt
    again = threading.Timer(_SECONDS, _send_again)
    again.daemon = True
    again.start()


def _send_again() -> None:
    """A real signal wherever there is one, since only that wakes a main thread that sleeps or waits."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == _IMPORT_SYSTEM:
            return True
        frame = frame.f_back
    return False
