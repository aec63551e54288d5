"""What can go wrong, for the user's sake: an error says what is wrong and what to do about it.

Everything raised on purpose above the `models` room derives from `CrossSightError`; the command line prints its two
lines and exits with its code. Anything else is a defect of ours (exit code 1).
"""

from __future__ import annotations


class CrossSightError(Exception):
    """Base of all errors raised on purpose.

    Args:
        what (`str`): one line, what is wrong.
        hint (`str`, *optional*): one line, what to do about it.
    """

    exit_code = 1

    def __init__(self, what: str, hint: str = "") -> None:
        self.what = " ".join(what.split())
        self.hint = " ".join(hint.split())
        super().__init__(f"{self.what}\n{self.hint}" if self.hint else self.what)


class UserError(CrossSightError):
    """The user's input is at fault (exit code 2)."""

    exit_code = 2


class HubError(CrossSightError):
    """The Hub or the network is at fault (exit code 3)."""

    exit_code = 3
