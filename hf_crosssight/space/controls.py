"""The controls on the left of the page: four ways to a dataset, and the filters of the zoo."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from hf_crosssight.space.examples import examples
from hf_crosssight.space.handlers import Handlers
from hf_crosssight.space.markup import tag
from hf_crosssight.space.query import SOURCES, TOPS, Query

SIZES = ("1M", "5M", "10M", "30M", "100M", "300M", "1B")
TABS = dict(zip(SOURCES, ("Example", "Hub", "Zip", "Pictures"), strict=True))
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
_ASK = """() => {
  clearTimeout(window.csRecount);
  window.csRecount = setTimeout(() => document.getElementById("cs-recount")?.click(), 50);
}"""


@dataclass(frozen=True)
class DatasetControls:
    """What names a dataset; the pickers are called as the fields of `Query` that they fill.

    Attributes:
        ways: the tabs, one for each of `SOURCES`.
        source: which of them is open.
        example, hub: the example, or the text of a Hub id.
        of: the Hub id that the pickers were filled for.
        note: what was found of a Hub dataset.
        token: the user's own token.
        upload: what was uploaded in this session.
    """

    ways: Any
    source: Any
    example: Any
    hub: Any
    of: Any
    config: Any
    split: Any
    image_column: Any
    label_column: Any
    note: Any
    token: Any
    upload: Any

    def pickers(self) -> list[Any]:
        return [self.config, self.split, self.image_column, self.label_column]


@dataclass(frozen=True)
class FilterControls:
    """What models must satisfy; each is called as the field of `Query` that it fills."""

    task: Any
    library: Any
    license: Any
    min_params: Any
    max_params: Any
    device: Any
    max_latency_ms: Any
    max_memory_mb: Any
    weigh_latency: Any
    weigh_memory: Any
    weigh_energy: Any
    top: Any

    def all(self) -> list[Any]:
        return [getattr(self, name) for name in FILTERS]


FILTERS = tuple(entry.name for entry in fields(FilterControls))


def filters_of(values: Sequence[Any]) -> dict[str, Any]:
    """Fields of `Query` from the values of `FilterControls`; what is empty is as always."""
    given = {name: value for name, value in zip(FILTERS, values, strict=True) if value not in (None, "", [])}
    return given | {"license": tuple(given.get("license", ()))}


def dataset_controls(handlers: Handlers, upload: Any) -> DatasetControls:
    """Four tabs, each a way to a dataset."""
    source, tabs = gr.State("example"), {}
    with gr.Tabs(elem_id="cs-source") as ways:
        with gr.Tab(TABS["example"], id="example") as tabs["example"]:
            listed = [(example.title, key) for key, example in examples().items()]
            example = gr.Radio(listed, value="digits", label="Built-in examples", elem_id="cs-example")
            gr.HTML(_sources())
        with gr.Tab(TABS["hub"], id="hub") as tabs["hub"]:
            hub, pickers, note, token = _hub_tab()
        with gr.Tab(TABS["archive"], id="archive") as tabs["archive"]:
            _archive_tab(handlers, upload)
        with gr.Tab(TABS["pictures"], id="pictures") as tabs["pictures"]:
            _pictures_tab(handlers, upload)
    for key, tab in tabs.items():
        tab.select(lambda key=key: key, None, source, queue=False, **QUIET)
    of, (config, split, image, label) = gr.State(""), pickers
    controls = DatasetControls(ways, source, example, hub, of, config, split, image, label, note, token, upload)
    _fill_pickers(handlers, controls)
    return controls


def _hub_tab() -> tuple[Any, list[Any], Any, Any]:
    hub = gr.Textbox(
        label="Dataset on the Hub", placeholder="uoft-cs/cifar10", info="Its id, or the address of its page.",
        elem_id="cs-hub", max_lines=1,
    )  # fmt: skip
    note = gr.HTML(tag("p", "The pickers fill themselves.", class_="cs-note"), elem_id="cs-hub-note")
    names = (("Configuration", "config"), ("Split", "split"), ("Image column", "image"), ("Label column", "label"))
    pickers = []
    for pair in (names[:2], names[2:]):
        with gr.Row():
            pickers += [
                gr.Dropdown([], label=label, interactive=False, min_width=120, elem_id=f"cs-{name}")
                for label, name in pair
            ]
    with gr.Accordion("Private or gated dataset", open=False):
        if os.environ.get("OAUTH_CLIENT_ID"):  # a Space that was given a login
            gr.LoginButton(size="sm")
        token = gr.Textbox(
            label="Your Hub token", type="password", max_lines=1,
            info="For this page's requests alone; it is neither kept nor logged.",
        )  # fmt: skip
    return hub, pickers, note, token


def _fill_pickers(handlers: Handlers, controls: DatasetControls) -> None:
    """The pickers follow the id; the splits and columns follow the configuration."""
    filled = [*controls.pickers(), controls.note, controls.of]

    def look_up(hub: str, config: str | None, token: str, oauth: gr.OAuthToken | None) -> tuple[Any, ...]:
        return *handlers.look_up(hub, config, token or (oauth.token if oauth else None)), hub

    def look_up_anew(hub: str, token: str, oauth: gr.OAuthToken | None) -> tuple[Any, ...]:
        return look_up(hub, None, token, oauth)

    named: dict[str, Any] = {"inputs": [controls.hub, controls.token], "outputs": filled, **QUIET}
    controls.hub.submit(look_up_anew, **named)
    controls.hub.blur(look_up_anew, **named)
    controls.token.submit(look_up_anew, **named)
    controls.config.input(look_up, [controls.hub, controls.config, controls.token], filled, **QUIET)


def _archive_tab(handlers: Handlers, upload: Any) -> None:
    archive = gr.File(
        label="One folder of images for each class", file_types=[".zip"], height=130, elem_id="cs-archive"
    )
    told = gr.HTML(tag("p", "64 MB at most, 256 MB unpacked.", class_="cs-note"), elem_id="cs-archive-note")
    both = [upload, told]
    archive.upload(handlers.take_archive, [archive, upload], both, api_visibility="private", show_progress="minimal")
    archive.clear(lambda held: handlers.take_archive(None, held), upload, both, **QUIET)


def _pictures_tab(handlers: Handlers, upload: Any) -> None:
    name = gr.Textbox(label="Class", placeholder="cat", max_lines=1, elem_id="cs-class")
    pictures = gr.File(
        label="Its pictures", file_count="multiple", height=130, elem_id="cs-pictures",
        file_types=[".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"],
    )  # fmt: skip
    with gr.Row():
        add = gr.Button("Add class", elem_id="cs-add", size="sm")
        clear = gr.Button("Start over", size="sm")
    told = gr.HTML(
        tag("p", "Two classes or more, ten pictures each are plenty.", class_="cs-note"), elem_id="cs-classes"
    )
    taken = add.click(handlers.take_pictures, [name, pictures, upload], [upload, told], api_visibility="private")
    taken.then(lambda: (None, ""), None, [pictures, name], **QUIET)
    clear.click(handlers.drop_pictures, upload, [upload, told], **QUIET)


def filter_controls(handlers: Handlers) -> tuple[FilterControls, Any]:
    """The filters, and the line that says how many models they leave."""
    engine = handlers.engine
    with gr.Row():
        task = _choice("Task", engine.values_of("task"), "cs-task")
        library = _choice("Library", engine.values_of("library"), "cs-library")
    license = gr.Dropdown(
        engine.values_of("license"), label="Licence", multiselect=True, value=[], elem_id="cs-license",
        allow_custom_value=True, info="Any of these; none chosen is any at all.",
    )  # fmt: skip
    with gr.Row():
        smallest = _choice("Smallest", SIZES, "cs-min")
        largest = _choice("Largest", SIZES, "cs-max")
        top = gr.Dropdown(list(TOPS), value=Query.top, label="Show", min_width=80, elem_id="cs-top")
    hardware = _hardware_controls(handlers)
    left = gr.HTML(handlers.count(Query()), elem_id="cs-left")
    made = (task, library, license, smallest, largest, *hardware, top)
    controls = FilterControls(**dict(zip(FILTERS, made, strict=True)))

    def count(*values: Any) -> str:
        return handlers.count(Query(**filters_of(values)))

    # Values set together, as by a link, are events one by one, and the answer to the last is not always the last to
    # arrive. So a change only asks for a count, and one count follows when all of them stand in the controls.
    ask = gr.Button("Count", visible="hidden", elem_id="cs-recount")
    gr.on([control.change for control in controls.all()[:-1]], None, js=_ASK, **QUIET)
    ask.click(count, controls.all(), left, trigger_mode="always_last", **QUIET)
    return controls, left


def _hardware_controls(handlers: Handlers) -> list[Any]:
    """Where models shall run, what they may cost there, and how much that counts beside accuracy."""
    with gr.Accordion("Hardware", open=False, elem_id="cs-hardware"):
        device = gr.Dropdown(
            [("any", ""), *handlers.engine.devices], value="", label="Device", elem_id="cs-device",
            info="Latency, memory and energy are predicted for it.",
        )  # fmt: skip
        with gr.Row():
            latency, memory = (
                gr.Number(None, label=label, info="At most; 0: any.", minimum=0, min_width=120, elem_id=f"cs-{name}")
                for name, label in (("latency", "Latency, ms an image"), ("memory", "Memory, MB"))
            )
        weights = [
            gr.Slider(0, 1, 0, step=0.05, label=f"Prefer {what}", elem_id=f"cs-weigh-{what.split()[-1]}")
            for what in ("low latency", "little memory", "little energy")
        ]
    return [device, latency, memory, *weights]


def _choice(label: str, choices: Sequence[str], elem_id: str) -> Any:
    return gr.Dropdown(
        [("any", ""), *((value, value) for value in choices)],
        value="", label=label, min_width=90, allow_custom_value=True, elem_id=elem_id,
    )  # fmt: skip


def _sources() -> str:
    """Where the examples come from, and under which licence."""
    rows = [
        tag(
            "li",
            tag("a", key, href=example.source, target="_blank", rel="noopener noreferrer"),
            f" ({example.license})",
        )
        for key, example in examples().items()
    ]
    said = tag("p", "All but the digits are known by bundled tokens; their images are not here.", class_="cs-note")
    return tag(
        "details", tag("summary", "Sources and licences"), said, tag("ul", *rows, class_="cs-note"), class_="cs-more"
    )
