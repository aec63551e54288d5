"""Progress on stderr: a line that is redrawn on a terminal, a line per step otherwise."""

from __future__ import annotations

import sys
import time


class ProgressLine:
    """Callable as `progress(step, done, total)`; throttled to ten updates a second."""

    def __init__(self) -> None:
        self.live = sys.stderr.isatty()
        self.step = ""
        self.drawn_at = 0.0

    def __call__(self, step: str, done: int, total: int | None) -> None:
        if not self.live:
            if step != self.step:
                print(f"{step} ...", file=sys.stderr)
                self.step = step
            return
        now = time.monotonic()
        if step == self.step and now - self.drawn_at < 0.1 and done != total:
            return
        self.step, self.drawn_at = step, now
        share = f" {done}/{total}" if total else f" {done}" if done else ""
        print(f"\r\x1b[2K{step}{share}", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Wipes the line, so that the result starts on a clean one."""
        if self.live and self.step:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)
