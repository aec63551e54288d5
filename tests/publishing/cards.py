"""What every card must be: front matter that the Hub's own classes read without a warning, and all sections."""

from __future__ import annotations

import re
import warnings

import yaml
from huggingface_hub import DatasetCard, ModelCard

from hf_crosssight.hub.licences import LICENCES

SECTIONS = ("How to use it", "Intended use", "How good it is", "Limits", "Carbon", "How to cite")


def checked_model_card(text: str, caplog) -> ModelCard:
    """The card, once its front matter and sections have been looked at."""
    caplog.clear()  # what was said before is no fault of the card
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        card = ModelCard(text)
        again = ModelCard(str(card))
    assert not caplog.records
    assert again.data.to_dict() == card.data.to_dict() == yaml.safe_load(text.split("---\n")[1]) | _eval_results(card)
    assert card.data.library_name == "transformers"
    assert "model-ranking" in card.data.tags
    assert card.data.pipeline_tag is None
    _look_at(text, card.data.license)
    return card


def checked_dataset_card(text: str, caplog, sections=SECTIONS) -> DatasetCard:
    caplog.clear()  # what was said before is no fault of the card
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        card = DatasetCard(text)
    assert not caplog.records
    assert card.data.to_dict() == yaml.safe_load(text.split("---\n")[1])
    assert "model-ranking" in card.data.tags
    _look_at(text, card.data.license, sections)
    return card


def snippets(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, re.S)


def _eval_results(card: ModelCard) -> dict:
    """The form in which `to_dict` gives evaluation results back."""
    return {"model-index": card.data.to_dict()["model-index"]} if card.data.eval_results else {}


def _look_at(text: str, licence: str | None, sections=SECTIONS) -> None:
    assert licence is None or licence in LICENCES
    titles = re.findall(r"^## (.+)$", text, re.M)
    assert [title for title in sections if title not in titles] == []
    assert snippets(text)
    left = re.sub(r"```.*?```", "", text, flags=re.S)
    assert [sign for sign in ("{{", "{%", "None") if sign in left] == []
    for table in re.findall(r"(?:^\|.*\n)+", left, flags=re.M):
        assert len({line.replace("\\|", "").count("|") for line in table.splitlines()}) == 1, table
