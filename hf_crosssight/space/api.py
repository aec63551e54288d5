"""The page's ranking for programs: two endpoints of Gradio's API, with the page's limits and messages."""

from __future__ import annotations

from typing import Any

import gradio as gr

from hf_crosssight.errors import UserError
from hf_crosssight.space import status
from hf_crosssight.space.controls import FilterControls
from hf_crosssight.space.examples import examples
from hf_crosssight.space.handlers import Handlers, remove, told
from hf_crosssight.space.query import Query
from hf_crosssight.space.sources import Upload, archive_upload

CONCURRENCY = "rank"
MOST = 100


def add_endpoints(handlers: Handlers, filters: FilterControls) -> None:
    """Adds `/rank` and `/rank_archive` to the page that is being built."""

    def rank(
        dataset: str,
        config: str = "",
        split: str = "",
        image_column: str = "",
        label_column: str = "",
        task: str = "",
        library: str = "",
        license: list[str] = [],  # noqa: B006 - Gradio reads the default off the signature; it is not changed
        min_params: str = "",
        max_params: str = "",
        device: str = "",
        max_latency_ms: float = 0,
        max_memory_mb: float = 0,
        top: int = 10,
    ) -> dict[str, Any]:
        """Ranks models for an example or a public dataset of the Hub; returns the JSON of `hf-crosssight rank`."""
        source = "example" if dataset in examples() else "hub"
        query = Query(
            source, dataset, config, split, image_column, label_column, task, library, tuple(license), min_params,
            max_params, device, max_latency_ms or None, max_memory_mb or None, top=top,
        )  # fmt: skip
        return _answered(handlers, query, Upload())

    def rank_archive(
        archive: str | None, license: list[str] | None, min_params: str | None, max_params: str | None
    ) -> dict[str, Any]:
        """Ranks models for a zip of class folders; returns the JSON of `hf-crosssight rank`."""
        query = Query(
            "archive",
            "",
            license=tuple(license or ()),
            min_params=min_params or "",
            max_params=max_params or "",
            top=10,
        )
        try:
            if not archive:
                raise UserError("no archive was uploaded", "Give archive=handle_file(PATH).")
            return _answered(handlers, query, archive_upload(archive, "upload"))
        except Exception as error:
            raise _as_answer(error) from error
        finally:
            remove(*([archive] if archive else []))

    gr.api(rank, api_name="rank", concurrency_id=CONCURRENCY)
    archive = gr.File(label="archive", file_types=[".zip"], visible=False)
    answer = gr.JSON(label="ranking", visible=False)
    gr.Button(visible=False).click(
        rank_archive,
        [archive, filters.license, filters.min_params, filters.max_params],
        answer,
        api_name="rank_archive",
        concurrency_id=CONCURRENCY,
    )


def _answered(handlers: Handlers, query: Query, upload: Upload) -> dict[str, Any]:
    try:
        if not 1 <= query.top <= MOST:
            raise UserError(f"top is {query.top}", f"Take 1 to {MOST}.")
        return handlers.answer(query, upload, None, None).ranking.to_dict()
    except Exception as error:
        raise _as_answer(error) from error


def _as_answer(error: Exception) -> gr.Error:
    """An error as a client sees it: the page's words, no traceback."""
    if isinstance(error, gr.Error):
        return error
    shown = told(error)
    return gr.Error(status.on_the_page(f"{shown.what}. {shown.hint}".replace("..", ".")))
