"""Cards of repositories: the Jinja templates in `model_card_templates/`, rendered by huggingface_hub's classes.

What a template is given may come from strangers' repositories, so every such word passes through `plain`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_crosssight.errors import UserError

if TYPE_CHECKING:
    from huggingface_hub import DatasetCardData, ModelCardData

CARD = "README.md"
TASK_TAG = "model-ranking"
"""What rankers, encoders, indexes and tables of results are found by; the Hub knows no pipeline of that name."""

CITATION = """```bibtex
@misc{hf_crosssight,
  title = {hf_crosssight: which pre-trained models should I fine-tune?},
  author = {The hf_crosssight developers},
  year = {2026},
  url = {https://pypi.org/project/hf_crosssight/}
}
```"""
"""Every template may name it as `citation`."""

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def model_card(template: str, data: ModelCardData, fields: Mapping[str, Any]) -> str:
    """The README of a model repository.

    Args:
        template (`str`): file in `model_card_templates/`; it opens with `card_data` between two lines of `---`.
        data (`ModelCardData`): the front matter.
        fields (`dict`): every other variable that the template names.
    """
    from huggingface_hub import ModelCard

    made = ModelCard.from_template(data, template_str=_checked(template, fields), citation=CITATION, **fields)
    return f"{made}\n"


def dataset_card(template: str, data: DatasetCardData, fields: Mapping[str, Any]) -> str:
    """The README of a dataset repository; arguments as of `model_card`."""
    from huggingface_hub import DatasetCard

    made = DatasetCard.from_template(data, template_str=_checked(template, fields), citation=CITATION, **fields)
    return f"{made}\n"


def plain(text: object, longest: int = 200) -> str:
    """A stranger's words in a card or in a cell of its tables: no new column, no new line, no markup."""
    kept = "".join(character if character.isprintable() else " " for character in str(text))
    return kept.replace("|", "\\|").replace("<", "&lt;").replace("`", "'").replace("](", "] (")[:longest]


def size_category(rows: int) -> str:
    """How the Hub files a dataset of so many rows."""
    return next((name for most, name in _SIZES if rows < most), "n>1M")


def _checked(template: str, fields: Mapping[str, Any]) -> str:
    """The template's text; a variable that nobody fills would be left out without a word."""
    from jinja2 import Environment
    from jinja2.meta import find_undeclared_variables

    text = _place(template).read_text(encoding="utf-8")
    missing = find_undeclared_variables(Environment().parse(text)) - set(fields) - {"card_data", "citation"}
    assert not missing, f"{template} needs {', '.join(sorted(missing))}"
    return text


def _place(template: str) -> Path:
    """The template: in the package once it is installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    for folder in (package / "model_card_templates", package.parent / "model_card_templates"):
        if (folder / template).is_file():
            return folder / template
    raise UserError(f"The template {template} is missing.", "Install hf_crosssight again.")
