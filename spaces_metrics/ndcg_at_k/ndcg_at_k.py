"""NDCG at k of a ranking of models as an `evaluate` module."""

import datasets
import evaluate

from hf_crosssight.evaluation.metrics import ndcg_at_k

_DESCRIPTION = """
Normalised discounted cumulative gain of a ranking of models, where a model's gain grows with the share of models
that it beats.
"""
_INPUTS = """
Args:
    predictions: one score a model, higher is predicted better.
    references: one measured accuracy a model, higher is better.
    k: how many places count; 5 by default.
Returns:
    ndcg_at_<k>: in [0, 1], with the gain 2^q - 1, where q is the share of models beaten (ties halved).

Examples:
    >>> metric = evaluate.load("ndcg_at_k")
    >>> metric.compute(predictions=[0.1, 0.2, 0.3], references=[71.0, 78.0, 80.0], k=2)
    {'ndcg_at_2': 1.0}
"""
_CITATION = """@article{jarvelin2002cumulated,
  title={Cumulated gain-based evaluation of {IR} techniques},
  author={J{\\"a}rvelin, Kalervo and Kek{\\"a}l{\\"a}inen, Jaana},
  journal={ACM Transactions on Information Systems},
  year={2002}
}"""


class NdcgAtK(evaluate.Metric):
    """NDCG at one k."""

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

    def _compute(self, predictions, references, k=5):
        return {f"ndcg_at_{k}": ndcg_at_k(predictions, references, k)}
