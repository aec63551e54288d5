"""The best models of a ranking, run on the user's images: the measured evidence h(m, d) of the score.

`evidence.py` runs models, `fusion.py` holds the fitted weights, `refine.py` joins both with a ranking. Nothing of this
is imported before somebody asks for it.
"""

from __future__ import annotations

from .refine import RULES, Refinement, check_rule, refine

__all__ = ["RULES", "Refinement", "check_rule", "refine"]
