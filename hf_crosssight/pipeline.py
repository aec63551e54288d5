"""`pipeline("model-ranking", model="crosssight/ranker")("cifar10")`: the main job as a transformers pipeline."""

from __future__ import annotations

from typing import Any

from transformers import Pipeline

from hf_crosssight.registration import register_when_transformers_loads


class ModelRankingPipeline(Pipeline):
    """Ranks the models of a zoo for a dataset with the pipeline's ranker.

    What `hf_crosssight.rank` takes, the pipeline takes, when it is made or when it is called. One call ranks for one
    dataset: a dictionary of lists or a `datasets.Dataset` is a dataset, never a batch of inputs.

    ```python
    >>> import hf_crosssight
    >>> from transformers import pipeline
    >>> pipe = pipeline("model-ranking", model="crosssight/ranker")
    >>> pipe("cifar10", zoo="starter", top=10)[0]["model_id"]
    ```
    """

    _load_processor = False  # type: ignore[assignment]
    _load_image_processor = False  # type: ignore[assignment]
    _load_feature_extractor = False  # type: ignore[assignment]
    _load_tokenizer = False  # type: ignore[assignment]
    _pipeline_calls_generate = False

    def __call__(self, dataset: Any, **kwargs: Any) -> list[dict[str, Any]]:  # type: ignore[override]
        """The `recommendations` of a ranking, best first.

        Args:
            dataset: what `hf_crosssight.rank` takes: an id, a folder, a `datasets` object, or
                `{"images": [...], "labels": [...]}`.
            kwargs: the other arguments of `hf_crosssight.rank`, except `ranker`.

        Raises:
            UserError: the input is at fault. HubError: the Hub or the network is.
        """
        _, given, _ = self._sanitize_parameters(**kwargs)
        return self.postprocess(self._forward(self.preprocess(dataset), **{**self._forward_params, **given}))

    def _sanitize_parameters(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        if "ranker" in kwargs:
            raise ValueError(
                "the pipeline ranks with its own model: pass it as pipeline(..., model=...), not as ranker"
            )
        return {}, kwargs, {}

    def preprocess(self, input_: Any, **preprocess_parameters: Any) -> dict[str, Any]:
        return {"dataset": input_}

    def _forward(self, input_tensors: dict[str, Any], **forward_parameters: Any) -> Any:
        from hf_crosssight.ranking import rank

        return rank(input_tensors["dataset"], ranker=self.model, **forward_parameters)

    def postprocess(self, model_outputs: Any, **postprocess_parameters: Any) -> list[dict[str, Any]]:
        return model_outputs.to_dict()["recommendations"]


# Where this module was the first to import transformers, registration waited for it to be whole.
register_when_transformers_loads()
