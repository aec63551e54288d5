"""Every method side by side: over one zoo on one dataset (`compare`), or on many with measured results (`evaluate`).

`methods.py` names the methods and what each reads, `workbench.py` makes what they read, `method_scores.py` runs them,
`truth.py` reads measured accuracies and `past.py` says what may be learnt from.
"""

from __future__ import annotations

from .compare import Comparison, compare
from .evaluate import Evaluation, evaluate
from .methods import chosen_methods, known_methods

__all__ = ["Comparison", "Evaluation", "chosen_methods", "compare", "evaluate", "known_methods"]
