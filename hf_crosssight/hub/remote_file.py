"""One file of the Hub at one commit: where its bytes are served, and that what is served is what was asked for.

Large files are redirected to a signed address elsewhere. It serves all later ranges of the file, without the token,
which never leaves the Hub, and is asked for anew when it has expired.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from hf_crosssight.errors import HubError, UserError

from .busy import patient_get
from .direct import LEAST, DirectConnections

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19}|\*)")
_EXPIRED = (400, 401, 403, 404, 410)
_RENEWALS = 2


@dataclass(frozen=True)
class _Location:
    """An address and the headers to send there; `own` is the Hub's address itself."""

    url: str
    headers: dict[str, str]
    own: bool


class RemoteFile:
    """A file that is read by ranges, by any number of threads.

    Args:
        url (`str`): its resolve URL at a commit.
        headers (`dict`): headers for the Hub, authorization included.
        subject (`str`): how error messages call the file.
        sha (`str`, *optional*): the commit that the Hub must answer for.
        size (`int`, *optional*): bytes that the file must have.
        direct (`DirectConnections`, *optional*): a faster way to large parts, once it is known where they are.
    """

    def __init__(
        self,
        url: str,
        headers: dict[str, str],
        subject: str,
        sha: str | None = None,
        size: int | None = None,
        direct: DirectConnections | None = None,
    ) -> None:
        self.subject = subject
        self.size = size
        self._sha = sha
        self._direct = direct
        self._hub = _Location(url, headers, own=True)
        self._location: _Location | None = None
        self._locating = threading.Lock()
        self._etags: dict[str, str] = {}

    @contextmanager
    def open(self, start: int, stop: int, stopped: Callable[[], bool] = lambda: False) -> Iterator[Any]:
        """The answer to a request for bytes `[start, stop)`: 206 with just these, or 200 with the whole file.

        Args:
            stopped (`Callable`, *optional*): see `patient_get`.

        Raises:
            UserError: the file ends before `stop`.
            HubError: another range was answered, or the file is not the same one any more.
            HfHubHTTPError: an error status.
        """
        from huggingface_hub import constants

        wanted = {"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
        known = self._location
        if known is not None and self._direct is not None and stop - start >= LEAST:
            headers = {**known.headers, **wanted}
            with self._direct.ask(known.url, headers, constants.HF_HUB_DOWNLOAD_TIMEOUT) as answer:
                if answer is not None:
                    self._check_state(answer)
                    self._check_range(answer, start, stop)
                    yield answer
                    return
        with self._ask(start, stop, wanted, stopped) as response:
            yield response

    @contextmanager
    def _ask(self, start: int, stop: int, wanted: dict[str, str], stopped: Callable[[], bool]) -> Iterator[Any]:
        """`open` by huggingface_hub's client, with its redirects and retries."""
        from huggingface_hub.utils import hf_raise_for_status

        for renewal in range(_RENEWALS + 1):
            with ExitStack() as alone:
                location = self._where(alone)
                headers = {**location.headers, **wanted}
                with patient_get(location.url, headers, self.subject, stopped=stopped) as response:
                    if not location.own and response.status_code in _EXPIRED and renewal < _RENEWALS:
                        self._forget(location)
                        continue
                    if response.status_code == 416:
                        raise self._too_short(stop)
                    hf_raise_for_status(response)
                    self._check_state(response)
                    if response.status_code == 206:
                        self._check_range(response, start, stop)
                    self._learn(location, response)
                    alone.close()
                    yield response
                    return

    def _where(self, alone: ExitStack) -> _Location:
        """Where to ask. Before the address is known, one request goes ahead alone and the others wait for it."""
        if self._location is None:
            alone.enter_context(self._locating)
        return self._location or self._hub

    def _forget(self, location: _Location) -> None:
        if self._location is location:
            self._location = None

    def _learn(self, asked: _Location, response: Any) -> None:
        """Remember where the redirects led to."""
        if not asked.own or self._location is not None:
            return
        url = str(response.url)
        if not response.history:
            self._location = asked
        elif _origin(url) == _origin(asked.url):
            self._location = _Location(url, asked.headers, own=False)
        else:
            public = {name: value for name, value in asked.headers.items() if name.lower() != "authorization"}
            self._location = _Location(url, public, own=False)

    def _check_state(self, response: Any) -> None:
        """The commit and each origin's ETag must be what they were at the first request."""
        for answer in (*response.history, response):
            commit = answer.headers.get("X-Repo-Commit")
            if commit and self._sha and commit != self._sha:
                raise self._changed(f"commit {commit[:8]} instead of {self._sha[:8]}")
            for name in ("X-Linked-Etag", "ETag"):
                etag = answer.headers.get(name, "").removeprefix("W/")
                if etag and self._etags.setdefault(f"{name} {_origin(str(answer.url))}", etag) != etag:
                    raise self._changed("its ETag is another one")

    def _check_range(self, response: Any, start: int, stop: int) -> None:
        """A partial answer must be the part that was asked for, of a file of the known size, and not compressed."""
        stated = response.headers.get("Content-Range", "")
        found = _CONTENT_RANGE.fullmatch(stated.strip())
        total = int(found.group(3)) if found and found.group(3) != "*" else None
        if total is not None and total < stop:
            raise self._too_short(stop, total)
        if not found or (int(found.group(1)), int(found.group(2))) != (start, stop - 1):
            raise HubError(
                f"{self.subject}: asked for bytes {start}-{stop - 1}, the server answered {stated or 'no range'!r}.",
                "A proxy between here and the Hub may be at fault.",
            )
        if total is not None and self.size is not None and total != self.size:
            raise self._changed(f"{total} bytes instead of {self.size}")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise HubError(f"{self.subject}: the server compressed a byte range.", "A proxy may be at fault.")

    def _too_short(self, stop: int, total: int | None = None) -> UserError:
        ends = "ends" if total is None else f"ends at byte {total},"
        return UserError(f"{self.subject} {ends} before byte {stop}.", "The file is truncated or was replaced.")

    def _changed(self, how: str) -> HubError:
        return HubError(f"{self.subject} changed while it was read: {how}.", "Try again; the new state will be read.")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
