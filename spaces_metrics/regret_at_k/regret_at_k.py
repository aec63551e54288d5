"""Regret at k as an `evaluate` module: what a user who fine-tunes the first k models of a ranking loses."""

import datasets
import evaluate

from hf_crosssight.evaluation.metrics import regret_at_k

_DESCRIPTION = """
Accuracy that is lost by fine-tuning only the k models that were predicted best, in the unit of the accuracies.
"""
_INPUTS = """
Args:
    predictions: one score a model, higher is predicted better.
    references: one measured accuracy a model, higher is better.
    k: how many models are fine-tuned, one number or several; 1, 3 and 5 by default.
Returns:
    regret_at_<k>: for each k, the best accuracy of all less the best of the k models predicted best. Models that
        share the k-th score are equally likely to be taken: the expectation over them.

Examples:
    >>> metric = evaluate.load("regret_at_k")
    >>> metric.compute(predictions=[0.9, 0.2, 0.4], references=[78.0, 80.0, 71.0], k=[1, 3])
    {'regret_at_1': 2.0, 'regret_at_3': 0.0}
"""
_CITATION = ""


class RegretAtK(evaluate.Metric):
    """Regret for one k or several."""

    def _info(self):
        features = datasets.Features(
            {"predictions": datasets.Value("float64"), "references": datasets.Value("float64")}
        )
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=features,
            reference_urls=[],
        )

    def _compute(self, predictions, references, k=(1, 3, 5)):
        wanted = [k] if isinstance(k, int) else list(k)
        return {f"regret_at_{one}": regret_at_k(predictions, references, one) for one in wanted}
