"""Options that take several values, one after the other: `--lr 1e-3 3e-4` is `--lr 1e-3 --lr 3e-4`."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand


class ValueLists(TyperCommand):
    """A command without arguments of its own, whose repeatable options also take their values in a row."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeats a repeatable option before each further value that follows it."""
        names = {name for param in self.params if getattr(param, "multiple", False) for name in param.opts}
        spread: list[str] = []
        repeated: str | None = None
        for position, word in enumerate(args):
            if word.startswith("-") and not _is_number(word):
                repeated = word if word in names else None
            elif repeated and position and args[position - 1] != repeated:
                spread.append(repeated)
            spread.append(word)
        return super().parse_args(ctx, spread)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
