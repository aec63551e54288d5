"""Large byte ranges straight into their buffer, over connections that stay open.

huggingface_hub's client parses bodies in Python and copies them four times, which halves the speed of a fast link. So
once it has found out where a file is served, large parts are fetched by `http.client`. This is only ever a first try:
whatever is not exactly the answer that was hoped for is left to huggingface_hub's client, its redirects and its
retries. Behind a proxy nothing is tried.
"""

from __future__ import annotations

import http.client
import os
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

LEAST = 256 << 10
"""Bytes; smaller parts gain nothing."""

FAILURES = (OSError, http.client.HTTPException)


@cache
def _certificates() -> ssl.SSLContext:
    return ssl.create_default_context()


class DirectAnswer:
    """A partial answer (206) whose body is read by `readinto`; otherwise it looks like one of huggingface_hub's."""

    status_code = 206
    history = ()

    def __init__(self, url: str, response: http.client.HTTPResponse) -> None:
        self.url = url
        self.headers = response.headers
        self._response = response

    def readinto(self, view: memoryview) -> int:
        """Bytes that were put at the beginning of `view`, 0 at the end; raises one of `FAILURES`.

        Takes what is there: `readinto` would wait until `view` is full, however slowly the rest comes.
        """
        return self._response.readinto1(view)

    @property
    def complete(self) -> bool:
        """Whether the body has been read to its end, so that the connection can be used again."""
        if self._response.length == 0:
            self._response.read()  # nothing; marks the answer as over
        return self._response.isclosed()


class DirectConnections:
    """Connections by origin, each used by one request at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[str, list[http.client.HTTPConnection]] = {}
        self._given_up: set[str] = set()
        self._process = os.getpid()

    @contextmanager
    def ask(self, url: str, headers: dict[str, str], timeout: float) -> Iterator[DirectAnswer | None]:
        """The answer to a GET with these headers, `None` unless it is a 206."""
        parts = urlsplit(url)
        connection = self._take(parts, timeout)
        answer = self._request(connection, parts, url, headers) if connection is not None else None
        try:
            yield answer
        finally:
            if connection is not None:
                self._put(parts, connection, reusable=answer is not None and answer.complete)

    def _request(
        self, connection: http.client.HTTPConnection, parts: SplitResult, url: str, headers: dict[str, str]
    ) -> DirectAnswer | None:
        fresh = connection.sock is None
        try:
            connection.request("GET", parts.path + (f"?{parts.query}" if parts.query else ""), headers=headers)
            response = connection.getresponse()
        except (*FAILURES, ValueError):
            if fresh:  # not one that the server had closed meanwhile: it is no use to try again
                self._given_up.add(parts.netloc)
            return None
        return DirectAnswer(url, response) if response.status == 206 else None

    def _take(self, parts: SplitResult, timeout: float) -> http.client.HTTPConnection | None:
        host = parts.hostname or ""
        if parts.netloc in self._given_up or (parts.scheme in getproxies() and not proxy_bypass(host)):
            return None
        with self._lock:
            if self._process != os.getpid():  # after a fork the connections are the parent's
                self._idle, self._process = {}, os.getpid()
            idle = self._idle.get(f"{parts.scheme}://{parts.netloc}")
            if idle:
                return idle.pop()
        if parts.scheme == "https":
            return http.client.HTTPSConnection(host, parts.port, timeout=timeout, context=_certificates())
        return http.client.HTTPConnection(host, parts.port, timeout=timeout)

    def _put(self, parts: SplitResult, connection: http.client.HTTPConnection, reusable: bool) -> None:
        if not reusable or connection.sock is None:
            connection.close()
            return
        with self._lock:
            self._idle.setdefault(f"{parts.scheme}://{parts.netloc}", []).append(connection)
