"""N-LEEP: LEEP with the clusters of a Gaussian mixture on the features in place of the source classes.

Source: Li, Jia, Sang, Zhu, Green, Wang, Gong, "Ranking neural checkpoints" (CVPR 2021), section 4: PCA, a Gaussian
mixture, its posteriors as source probabilities, then LEEP. It needs no source head.

Default: a mixture that cannot collapse (diagonal covariances with a floor, five components a class but at most one for
five images; `mixture.stable_posteriors`), in float64, repeatable by `seed`.

Public implementations use full covariances, which are singular where K times the dimensions nears N, and start from
numpy's global state: `model-spider` with K = max(min(C, N/5), N/10); `pactran` the same with the OPPOSITE SIGN (lower
is better); `sfda` (= ncti = etran = emms) K = 5 C and the mean prediction without the log; `sfda-1c` K = C (its rule
for two of its datasets). With float32 features scikit-learn refuses singular covariances: pass float64.
"""

from __future__ import annotations

from hf_crosssight.errors import UserError

from .inputs import Inputs
from .leep import mean_log_prediction, public_leep
from .mixture import public_posteriors, stable_posteriors


def score(inputs: Inputs) -> float:
    """Mean log expected empirical prediction from cluster posteriors (nats)."""
    posteriors = stable_posteriors(inputs.features, inputs.num_classes, inputs.seed)
    return mean_log_prediction(posteriors, inputs.labels, inputs.num_classes)


def parity(inputs: Inputs, implementation: str) -> float:
    """What the named public implementation returns with numpy's global seed set to `seed`."""
    classes, count = inputs.num_classes, len(inputs.labels)
    form = "sfda" if implementation.startswith("sfda") else implementation
    components = {"sfda": 5 * classes, "sfda-1c": classes}.get(implementation, pactran_components(classes, count))
    try:
        posteriors = public_posteriors(inputs.features, components, inputs.seed)
    except ValueError as error:
        raise UserError(f"nleep: the public mixture fails here: {error}", "leave out parity=True") from error
    return public_leep(posteriors, inputs.labels, classes, form)


def pactran_components(num_classes: int, count: int) -> int:
    """How many components PACTran's code gives the mixture: N/10 whenever that exceeds the classes."""
    return max(min(num_classes, int(0.2 * count)), int(0.1 * count))
