"""NCE: the negative conditional entropy of the target label given the source model's predicted class.

Source: Tran, Nguyen, Hassner, "Transferability and hardness of supervised classification tasks" (ICCV 2019),
equation 2: sum over y, z of P(y, z) log P(y | z) = -H(Y | Z), with z = argmax of the source probabilities. Nats, <= 0.

Default: exactly that, but a source class that is predicted once says nothing about the target class, while the
formula takes it for a perfect predictor (with Cs = 1,000 and few images nearly every model then scores 0). Its image
is charged the log of its class' share instead. Where every source class is predicted at most once all models would
tie: that is an error.

Public implementations: `thuml` (= tllib = model-spider) is the formula as it stands; `parc` adds 1e-5 to every cell of
the C x Cs table and to every source class' share; `pactran` is a soft NCE (the probabilities instead of the argmax).
"""

from __future__ import annotations

import numpy as np

from hf_crosssight.errors import UserError

from .classes import class_sums
from .inputs import Array, Inputs


def score(inputs: Inputs) -> float:
    """`-H(Y | Z)` in nats, source classes seen once replaced by the class shares."""
    joint = _joint_counts(inputs)
    seen = joint.sum(axis=0)
    if seen.max() < 2:
        raise UserError("nce: no source class is predicted for two images", "give more images, or use leep")
    once = seen == 1
    shares = np.bincount(inputs.labels, minlength=inputs.num_classes) / len(inputs.labels)
    informed = _sum_log_ratio(joint[:, ~once], seen[~once])
    uninformed = float((joint[:, once].sum(axis=1) * np.log(shares)).sum())
    return (informed + uninformed) / len(inputs.labels)


def _joint_counts(inputs: Inputs) -> Array:
    """`[C, Cs]`: how many images of each class have each source class as their first maximum."""
    shape = (inputs.num_classes, inputs.source_probs.shape[1])
    cells = inputs.labels * shape[1] + inputs.source_probs.argmax(axis=1)
    return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)


def _sum_log_ratio(joint: Array, marginal: Array) -> float:
    """Sum of J log(J / marginal) with 0 log 0 = 0."""
    rows, columns = np.nonzero(joint)
    found = joint[rows, columns]
    return float((found * np.log(found / marginal[columns])).sum())


def parity(inputs: Inputs, implementation: str) -> float:
    """What the named public implementation returns; all are "higher is better"."""
    if implementation == "pactran":
        probabilities = inputs.source_probs
        joint = class_sums(probabilities, inputs.labels, inputs.num_classes) / len(probabilities)
        marginal = probabilities.mean(axis=0) + 1e-10
        return float((joint * np.log(joint / marginal + 1e-10)).sum())
    joint = _joint_counts(inputs) / len(inputs.labels)
    if implementation == "parc":
        marginal = joint.sum(axis=0) + 1e-5
        joint = joint + 1e-5
        return float((joint * np.log(joint / marginal)).sum())
    return _sum_log_ratio(joint, joint.sum(axis=0))
