"""The page's texts: how it works, how good it is (the README's own section, so that no figure stands twice), and how
to call it.
"""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

_HERE = Path(__file__).parent
_README = _HERE.parents[1] / "README.md"
CALL = """from gradio_client import Client

client = Client("{address}")
ranking = client.predict(
    dataset="digits",            # an example, or the id of a public dataset on the Hub
    license=["apache-2.0"], max_params="30M", top=10,
    api_name="/rank",
)
print(ranking["recommendations"][0]["model_id"])
"""
CALL_WITH_UPLOAD = """from gradio_client import Client, handle_file

ranking = Client("{address}").predict(
    archive=handle_file("photos.zip"), license=[], min_params="", max_params="30M", api_name="/rank_archive"
)
"""


def about() -> str:
    """The about page, in Markdown."""
    return (_HERE / "about.md").read_text(encoding="utf-8").replace("{evidence}", evidence())


def evidence() -> str:
    """The section of the README that says how good the ranker is; links into the repository become names."""
    found = re.search(r"^## How good it is\n(.*?)(?=^## )", _readme(), flags=re.MULTILINE | re.DOTALL)
    section = (
        found.group(1).strip() if found else "The project's README gives all figures and what they were measured on."
    )
    return re.sub(r"\[([^\]]*)\]\((?!https?:)[^)]*\)", r"\1", section)


def _readme() -> str:
    """The README of the repository, or the one that the installed package carries."""
    if _README.is_file():
        return _README.read_text(encoding="utf-8")
    try:
        carried = metadata("hf_crosssight")
    except PackageNotFoundError:
        return ""
    return str(carried.get_payload() or carried.get("Description") or "")  # type: ignore[attr-defined]


def api_help(address: str) -> str:
    """How to call the page from Python, in Markdown."""
    return f"""## Call it from Python

The page's ranking is there for programs too; `pip install gradio_client` is all that is needed. The answer is the JSON
that `hf-crosssight rank --format json` prints. What is wrong with the input comes as an error in the page's own words.

```python
{CALL.format(address=address)}```

A zip of class folders, under the same limits as on the page:

```python
{CALL_WITH_UPLOAD.format(address=address)}```
"""
