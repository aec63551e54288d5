"""Every exception of the Hub's client libraries, told as ours: who is at fault, what is wrong, what to do.

Written against huggingface_hub's error tree; the HTTP library underneath (httpx, httpx2) is reached through
`huggingface_hub.utils.httpx`, the one spelling that all supported versions share.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from hf_crosssight.errors import CrossSightError, HubError, UserError

T = TypeVar("T")
LOGIN = "Log in with `hf auth login`, set HF_TOKEN or pass --token"
_RETRY = "Try again later."


@contextmanager
def hub_failures(subject: str) -> Iterator[None]:
    """Turn what goes wrong inside into `UserError` or `HubError`.

    Args:
        subject (`str`): what is being read, as it should stand in the message, e.g. `dataset org/name`.
    """
    try:
        yield
    except CrossSightError:
        raise
    except Exception as error:
        told = explain(error, subject)
        if told is None:
            raise
        raise told from error


def persistently(call: Callable[[], T], retries: int) -> T:
    """`call()`, repeated with growing pauses while the Hub is busy, slow or cuts the connection.

    huggingface_hub repeats the look-up of a file that it downloads, but not a transfer that is answered 503.
    """
    for attempt in range(retries):
        try:
            return call()
        except Exception as error:
            if not may_pass(error):
                raise
            time.sleep(0.5 * 2**attempt)
    return call()


def may_pass(error: Exception) -> bool:
    """Whether to ask again. Not where no connection comes about: who has no network should hear of it at once."""
    from huggingface_hub import errors
    from huggingface_hub.utils import httpx

    if isinstance(error, errors.HfHubHTTPError):
        # Look-ups (HEAD) have been repeated by huggingface_hub before they raise.
        return error.response.request.method != "HEAD" and error.response.status_code in (408, 429, 500, 502, 503, 504)
    if isinstance(error, httpx.TransportError):
        return not (found_nobody(error) or isinstance(error, httpx.UnsupportedProtocol))
    return _is_of_wrong_length(error) or _is_of_closed_client(error)


def found_nobody(error: BaseException) -> bool:
    """Whether no connection came about."""
    from huggingface_hub.utils import httpx

    return isinstance(error, httpx.ConnectError | httpx.ProxyError)


def _is_of_closed_client(error: BaseException) -> bool:
    """huggingface_hub closes the client of all threads where a download of its own finds no connection."""
    return isinstance(error, RuntimeError) and "client has been closed" in str(error)


def _is_of_wrong_length(error: BaseException) -> bool:
    return isinstance(error, OSError) and "consistency check failed" in str(error).lower()


def explain(error: Exception, subject: str) -> CrossSightError | None:
    """The error to show for `error`, or `None` if it does not come from the Hub, the network or the cache's disk."""
    from huggingface_hub import errors
    from huggingface_hub.utils import httpx

    if isinstance(error, errors.OfflineModeIsEnabled):
        return offline(subject)
    if isinstance(error, errors.HfHubHTTPError):
        return _explain_status(error, subject)
    if isinstance(error, errors.LocalEntryNotFoundError):
        return _explain_missing_locally(error, subject)
    if isinstance(error, errors.EntryNotFoundError):
        return UserError(f"{subject} does not exist.", "Check the file's name against the repository's file list.")
    if isinstance(error, errors.HFValidationError):
        return UserError(f"{subject}: {error}", "Hub ids read org/name.")
    if isinstance(error, httpx.TimeoutException):
        return HubError(f"{endpoint()} did not answer in time for {subject}.", _RETRY)
    if isinstance(error, httpx.HTTPError | httpx.InvalidURL | httpx.StreamError):
        return no_network(subject, error)
    if _is_of_closed_client(error):
        return no_network(subject, error)
    if isinstance(error, errors.FileMetadataError):
        return HubError(f"{endpoint()} does not answer as a Hub for {subject}.", "Check HF_ENDPOINT and any proxy.")
    return _explain_os_error(error, subject) if isinstance(error, OSError) else None


def offline(subject: str) -> UserError:
    """The error of a run without network that needs what was never fetched."""
    return UserError(f"{subject} is not in the local cache, and this run is offline.", f"{go_online()}.")


def go_online() -> str:
    """How to let a run that is offline use the network: by whatever took it off."""
    from huggingface_hub import constants

    return "Run once with HF_HUB_OFFLINE unset" if constants.HF_HUB_OFFLINE else "Run once without --offline"


def not_cached(subject: str, failure: HubError | None) -> CrossSightError:
    """The error of what only the network could give: the Hub's failure if it was asked, else that the run is offline.

    Args:
        failure (`HubError`, *optional*): how the Hub failed when it was asked, see `ResolvedRepo.failure`.
    """
    if failure is None:
        return offline(subject)
    return HubError(f"{failure.what.rstrip('.')}, and {subject} is not in the local cache.", reach_again())


def reach_again() -> str:
    return f"Check the network and that {endpoint()} answers, then try again."


def no_network(subject: str, error: BaseException) -> HubError:
    """The error of a Hub that cannot be reached."""
    reason = f"{type(error).__name__}: {error}".rstrip(": ")
    return HubError(f"Cannot reach {endpoint()} for {subject} ({reason}).", reach_again())


def endpoint() -> str:
    """The Hub's address, as set by HF_ENDPOINT."""
    from huggingface_hub import constants

    return constants.ENDPOINT


def _explain_status(error: Exception, subject: str) -> CrossSightError:
    """An answer with an error status: by the error's class where the Hub named the case, else by the status."""
    from huggingface_hub import errors

    response = getattr(error, "response", None)
    status = getattr(response, "status_code", 0)
    said = str(getattr(error, "server_message", None) or "").strip()
    if isinstance(error, errors.GatedRepoError):
        repo = subject.rsplit(" of ", 1)[-1]  # of "README.md of dataset org/name": all files are gated alike
        return UserError(f"{repo} is gated.", f"Ask for access at {_page(repo)}. {LOGIN}.")
    if isinstance(error, errors.DisabledRepoError):
        return UserError(f"{subject} has been disabled by its author or the Hub.", "Choose another.")
    if isinstance(error, errors.RevisionNotFoundError):
        return UserError(f"{subject} has no such revision.", "Name a branch, a tag or a commit hash that it has.")
    if isinstance(error, errors.EntryNotFoundError):
        return UserError(f"{subject} does not exist.", "Check the file's name against the repository's file list.")
    if status == 401 and "credentials" in f"{said} {error}".lower():
        return UserError(f"The Hub does not accept the token ({subject}).", f"{LOGIN} with a valid one.")
    if isinstance(error, errors.RepositoryNotFoundError) or status in (401, 404):
        return UserError(
            f"{subject} does not exist, or is private.", f"Check the spelling. If it is private: {LOGIN}."
        )
    if status == 403:
        return UserError(f"Access to {subject} is refused. {said}", f"Check what the token may read. {LOGIN}.")
    if status == 429:
        return HubError(
            f"The Hub's rate limit is reached ({subject}).", "Wait a few minutes; a token raises the limit."
        )
    return HubError(f"The Hub answered {status} for {subject}. {said[:200]}", _RETRY)


def _page(repo: str) -> str:
    """The address of a repository's page, e.g. of `dataset org/name@main`."""
    kind, _, name = repo.rpartition(" ")
    folder = "" if kind not in ("dataset", "space") else f"{kind}s/"
    return f"{endpoint()}/{folder}{name.split('@')[0]}"


def _explain_missing_locally(error: BaseException, subject: str) -> CrossSightError:
    """huggingface_hub looked into its cache as a last resort: what matters is why it could not ask the Hub."""
    from huggingface_hub import errors

    cause = error.__cause__
    if isinstance(cause, Exception) and not isinstance(cause, errors.LocalEntryNotFoundError):
        told = explain(cause, subject)
        if told is not None:
            return told
    return offline(subject)


def _explain_os_error(error: OSError, subject: str) -> CrossSightError | None:
    """The disk of the cache, or a download whose length is not the promised one."""
    if error.errno in (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EPERM, errno.EDQUOT):
        return UserError(
            f"Cannot write {subject} to the cache: {error.strerror}.", "Set HF_HOME to a folder with room."
        )
    if isinstance(error, ConnectionError | TimeoutError):
        return no_network(subject, error)
    if _is_of_wrong_length(error):
        return HubError(f"{subject} arrived with the wrong length.", _RETRY)
    return None
