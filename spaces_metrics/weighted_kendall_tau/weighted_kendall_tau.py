"""Weighted Kendall tau as an `evaluate` module, in the two conventions of the model selection literature."""

import datasets
import evaluate

from hf_crosssight.evaluation.metrics import weighted_tau, weighted_tau_true_rank

_DESCRIPTION = """
Agreement of a predicted ranking of models with their measured accuracies, the best models weighing most, in both
conventions that papers use.
"""
_INPUTS = """
Args:
    predictions: one score a model, higher is predicted better.
    references: one measured accuracy a model, higher is better.
Returns:
    weighted_tau: `scipy.stats.weightedtau(predictions, references)`, the mean of weighing by either ranking
        (LogME, SFDA, EMMS).
    weighted_tau_true_rank: `scipy.stats.weightedtau(references, predictions, rank=None)`, weights by the true
        ranking, ties kept (Model Spider, ModelLens).

Examples:
    >>> metric = evaluate.load("weighted_kendall_tau")
    >>> metric.compute(predictions=[0.2, 0.9, 0.4], references=[71.0, 80.0, 78.0])
    {'weighted_tau': 1.0, 'weighted_tau_true_rank': 1.0}
"""
_CITATION = """@inproceedings{vigna2015weighted,
  title={A weighted correlation index for rankings with ties},
  author={Vigna, Sebastiano},
  booktitle={Proceedings of the 24th International Conference on World Wide Web},
  year={2015}
}"""


class WeightedKendallTau(evaluate.Metric):
    """Both conventions at once, since figures of one cannot be compared with figures of the other."""

    def _info(self):
        features = datasets.Features(
            {"predictions": datasets.Value("float64"), "references": datasets.Value("float64")}
        )
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=features,
            reference_urls=["https://docs.scipy.org/doc/scipy/reference/generated/scipy.stats.weightedtau.html"],
        )

    def _compute(self, predictions, references):
        return {
            "weighted_tau": weighted_tau(predictions, references),
            "weighted_tau_true_rank": weighted_tau_true_rank(predictions, references),
        }
