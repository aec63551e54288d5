"""The page as Gradio lays it out: controls on the left, the result on the right; about and API have tabs."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import gradio as gr

from hf_crosssight.errors import CrossSightError
from hf_crosssight.space import status
from hf_crosssight.space.about import about, api_help
from hf_crosssight.space.api import CONCURRENCY, add_endpoints
from hf_crosssight.space.controls import (
    FILTERS,
    QUIET,
    DatasetControls,
    FilterControls,
    dataset_controls,
    filter_controls,
    filters_of,
)
from hf_crosssight.space.engine import Engine
from hf_crosssight.space.handlers import Handlers, Held
from hf_crosssight.space.query import Query
from hf_crosssight.space.sources import Upload

SESSION_SECONDS = 1800  # a session's dataset is forgotten after so long
AT_ONCE = 2  # queries that are worked on; free hardware has two cores
_RESTORED = 10 + len(FILTERS)  # components that a link sets
_HEAD = """<h1>Which pre-trained model should I fine-tune?</h1>
<p>Ranks the models of the Hub for your images, from ten of each class. None of them is downloaded or run for it.</p>
"""
# What was on its way when a query was cancelled is shown before it is said that it was.
_SETTLE = "() => new Promise(done => setTimeout(done, 300))"
# A link ranks at once, when its values stand in the controls; one that cannot be read has left its error there.
_FOLLOW = """() => {
  const named = new URLSearchParams(location.search).get("dataset");
  if (named && !document.querySelector("#cs-result .cs-error")) document.getElementById("cs-run").click();
}"""


def build_page(engine: Engine, address: str = "http://127.0.0.1:7860") -> gr.Blocks:
    """The page; `launch` serves it.

    Args:
        address: how programs call it, as its own help says.
    """
    handlers = Handlers(engine)
    with gr.Blocks(
        title="Which model should I fine-tune? · hf_crosssight", analytics_enabled=False, delete_cache=(300, 600)
    ) as page:
        gr.HTML(_HEAD, elem_id="cs-head")
        with gr.Tabs():
            with gr.Tab("Rank"):
                _rank_tab(page, handlers)
            with gr.Tab("About"):
                gr.Markdown(about(), elem_id="cs-about")
            with gr.Tab("API"):
                gr.Markdown(api_help(address), elem_id="cs-api")
    return page


def _rank_tab(page: gr.Blocks, handlers: Handlers) -> None:
    upload, held = (gr.State(value, time_to_live=SESSION_SECONDS) for value in (Upload(), None))
    with gr.Row():
        with gr.Column(scale=4, min_width=300):
            gr.HTML("<h2>1 · Your dataset</h2>", elem_classes="cs-step")
            dataset = dataset_controls(handlers, upload)
            gr.HTML("<h2>2 · Models that may take part</h2>", elem_classes="cs-step")
            filters, _ = filter_controls(handlers)
            with gr.Row():
                run = gr.Button("Rank", variant="primary", elem_id="cs-run", scale=3)
                cancel = gr.Button("Cancel", elem_id="cs-cancel", scale=1, min_width=90)
        with gr.Column(scale=8, min_width=300):
            result = gr.HTML(status.waiting(), elem_id="cs-result")
    _wire_ranking(page, handlers, dataset, filters, held, run, cancel, result)
    add_endpoints(handlers, filters)


def _wire_ranking(
    page: gr.Blocks,
    handlers: Handlers,
    dataset: DatasetControls,
    filters: FilterControls,
    held: Any,
    run: Any,
    cancel: Any,
    result: Any,
) -> None:
    def rank(
        source: str, example: str, hub: str, of: str, config: Any, split: Any, image: Any, label: Any, token: str,
        upload: Upload, kept: Held | None, oauth: gr.OAuthToken | None, *chosen: Any,
    ) -> Generator[tuple[str, Held | None], None, None]:  # fmt: skip
        name = {"example": example, "hub": hub or ""}.get(source, "")
        given = filters_of(chosen)
        if source == "hub" and of == hub:  # what was picked for another id is not meant
            given |= {
                "config": config or "",
                "split": split or "",
                "image_column": image or "",
                "label_column": label or "",
            }
        query = Query(source, name, **given)
        yield from handlers.rank(query, upload, kept, token or (oauth.token if oauth else None))

    read = [
        dataset.source, dataset.example, dataset.hub, dataset.of, *dataset.pickers(), dataset.token, dataset.upload,
        held,
        *filters.all(),
    ]  # fmt: skip
    given: dict[str, Any] = {
        "inputs": read, "outputs": [result, held], "api_name": "on_the_page", **QUIET,
        "concurrency_id": CONCURRENCY, "concurrency_limit": AT_ONCE,
    }  # fmt: skip
    clicked = run.click(rank, **given)
    restored = page.load(
        _restore, None,
        [
            result, dataset.ways, dataset.source, dataset.example, dataset.hub, dataset.of, *dataset.pickers(),
            *filters.all(),
        ],
        **QUIET,
    )  # fmt: skip
    restored.then(None, None, None, js=_FOLLOW)
    cancelled = cancel.click(None, None, None, js=_SETTLE, cancels=clicked, **QUIET)
    cancelled.then(status.stopped, None, result, queue=False, **QUIET)


def _restore(request: gr.Request) -> list[Any]:
    """The controls as a link wants them, untouched where there is none; what is wrong with it stands in the result."""
    parameters: Any = request.query_params
    try:
        query = Query.from_link({name: parameters.getlist(name) for name in parameters})
    except CrossSightError as error:
        return [status.failed(error), *[gr.skip()] * (_RESTORED - 1)]
    if query is None:
        return [gr.skip()] * _RESTORED
    on_hub = query.source == "hub"
    chosen = (query.config, query.split, query.image_column, query.label_column)
    pickers = [gr.update(choices=[value] if value else [], value=value or None) for value in chosen]
    return [
        gr.skip(),
        gr.update(selected=query.source),
        query.source,
        gr.skip() if on_hub else query.dataset,
        query.dataset if on_hub else gr.skip(),
        query.dataset if on_hub else "",
        *pickers,
        *(list(value) if isinstance(value, tuple) else value for value in (getattr(query, name) for name in FILTERS)),
    ]
