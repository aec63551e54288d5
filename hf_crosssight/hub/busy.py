"""GET requests that are repeated while the Hub is busy, and given up where it asks for more patience than anyone has.

Broken and slow connections are repeated by huggingface_hub's own back-off. Busy answers (429, 5xx) are repeated here
in the same way, because the back-off sleeps for as long as `Retry-After` says, a day if need be.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hf_crosssight.errors import HubError

from .failures import endpoint

BUSY = (408, 429, 500, 502, 503, 504)
RETRIES = 4
LONGEST_PAUSE = 330.0
"""Seconds; the Hub counts requests in windows of five minutes."""

_FIRST_PAUSE, _LONGEST_OWN_PAUSE = 0.5, 8.0


@contextmanager
def patient_get(url: str, headers: dict[str, str], subject: str) -> Iterator[Any]:
    """The streamed answer of a GET, after redirects, whatever its status; busy ones are asked again first.

    What breaks while the body is read must be caught inside the `with`: huggingface_hub's back-off cannot begin again
    there.

    Raises:
        HubError: as `pause_before_retry`.
    """
    from huggingface_hub import constants
    from huggingface_hub.utils import http_stream_backoff

    for attempt in range(RETRIES + 1):
        with http_stream_backoff(
            "GET",
            url,
            headers=headers,
            timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT,
            max_retries=RETRIES,
            base_wait_time=_FIRST_PAUSE,
            max_wait_time=_LONGEST_OWN_PAUSE,
            retry_on_status_codes=(),
        ) as response:
            pause = pause_before_retry(response, attempt, RETRIES, subject)
            if pause is None:
                yield response
                return
        time.sleep(pause)


def pause_before_retry(response: Any, attempt: int, retries: int, subject: str) -> float | None:
    """Seconds to wait before asking again, `None` where the answer is to be taken as it is.

    Args:
        attempt (`int`): how often it has been asked again.
        retries (`int`): how often at most.

    Raises:
        HubError: the Hub asks to wait longer than `LONGEST_PAUSE`.
    """
    if response.status_code not in BUSY or attempt >= retries:
        return None
    pause = asked_pause(response.headers)
    if pause is not None and pause > LONGEST_PAUSE:
        raise HubError(
            f"{endpoint()} answered {response.status_code} for {subject} and asks to wait {pause:.0f} seconds.",
            "Try again then; a token raises the rate limit.",
        )
    return min(_LONGEST_OWN_PAUSE, _FIRST_PAUSE * 2**attempt) if pause is None else pause


def asked_pause(headers: Any) -> float | None:
    """Seconds that an answer asks to wait, by its `ratelimit` or `Retry-After` header, if it does."""
    from huggingface_hub.utils import parse_ratelimit_headers

    limit = parse_ratelimit_headers(headers)
    if limit is not None and limit.remaining == 0:
        return limit.reset_in_seconds + 1.0
    stated = headers.get("Retry-After", "").strip()
    return float(stated) if stated.isdecimal() and stated.isascii() else None
