"""GET requests that are repeated while the Hub is busy or a connection fails, within anyone's patience.

In the way of huggingface_hub's own back-off, which is not used because of two habits. It sleeps for as long as
`Retry-After` says, a day if need be. And where no connection comes about it closes the one client that all threads of
the process share, under the requests of the others, whose sockets are gone then (`Bad file descriptor`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from typing import Any

from hf_crosssight.errors import HubError

from .failures import endpoint, found_nobody, may_pass

BUSY = (408, 429, 500, 502, 503, 504)
RETRIES = 4
LONGEST_PAUSE = 330.0
"""Seconds; the Hub counts requests in windows of five minutes."""

_FIRST_PAUSE, _LONGEST_OWN_PAUSE = 0.5, 8.0


@contextmanager
def patient_get(
    url: str,
    headers: dict[str, str],
    subject: str,
    *,
    look_up: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Any]:
    """The streamed answer of a GET, after redirects, whatever its status; busy ones are asked again first.

    Args:
        subject (`str`): what is asked for, in error messages.
        look_up (`bool`, *optional*, defaults to `False`): whether it is a look-up, with which all work begins. Its
            body is short and read at once, and who has no network hears of it at once.
        stopped (`Callable`, *optional*): asked before each request; where it says so, all ends in `CancelledError`.

    Raises:
        HubError: as `pause_before_retry`.
        httpx.TransportError: the connection failed each time.
    """
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    for attempt in range(RETRIES + 1):
        if stopped():
            raise CancelledError
        with ExitStack() as opened:
            try:
                asked = get_session().stream("GET", url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT)
                response = opened.enter_context(asked)
                if look_up:
                    response.read()
            except Exception as error:
                if attempt == RETRIES or not (may_pass(error) or (found_nobody(error) and not look_up)):
                    raise
                pause: float | None = _own_pause(attempt)
            else:
                pause = pause_before_retry(response, attempt, subject)
            if pause is None:
                yield response
                return
        time.sleep(pause)


def pause_before_retry(response: Any, attempt: int, subject: str) -> float | None:
    """Seconds to wait before asking again, `None` where the answer is to be taken as it is.

    Args:
        attempt (`int`): how often it has been asked again.

    Raises:
        HubError: the Hub asks to wait longer than `LONGEST_PAUSE`.
    """
    if response.status_code not in BUSY or attempt >= RETRIES:
        return None
    pause = asked_pause(response.headers)
    if pause is not None and pause > LONGEST_PAUSE:
        raise HubError(
            f"{endpoint()} answered {response.status_code} for {subject} and asks to wait {pause:.0f} seconds.",
            "Try again then; a token raises the rate limit.",
        )
    return _own_pause(attempt) if pause is None else pause


def _own_pause(attempt: int) -> float:
    return min(_LONGEST_OWN_PAUSE, _FIRST_PAUSE * 2**attempt)


def asked_pause(headers: Any) -> float | None:
    """Seconds that an answer asks to wait, by its `ratelimit` or `Retry-After` header, if it does."""
    from huggingface_hub.utils import parse_ratelimit_headers

    limit = parse_ratelimit_headers(headers)
    if limit is not None and limit.remaining == 0:
        return limit.reset_in_seconds + 1.0
    stated = headers.get("Retry-After", "").strip()
    return float(stated) if stated.isdecimal() and stated.isascii() else None
