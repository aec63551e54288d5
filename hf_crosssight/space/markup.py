"""HTML written so that nothing from outside can become HTML: every value is escaped where it enters."""

from __future__ import annotations

import base64
import html
import re

_MODEL_ID = re.compile(r"[\w.-]+/[\w.-]+")
HUB = "https://huggingface.co"


class Safe(str):
    """HTML that was written here, so that `tag` leaves it as it is."""


def text(value: object) -> Safe:
    """A value as text."""
    return value if isinstance(value, Safe) else Safe(html.escape(str(value)))


def tag(name: str, *children: object, **attributes: object) -> Safe:
    """An element. `class_` is `class`, other underscores become hyphens; attributes that are None are left out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(text(child) for child in children)
    return Safe(f"<{name}{given}>{inside}</{name}>")


def joined(*parts: object) -> Safe:
    """Elements one after the other."""
    return Safe("".join(text(part) for part in parts))


def model_link(model_id: str) -> Safe:
    """The model's page on the Hub, for what can be an id there; else its name."""
    if not _MODEL_ID.fullmatch(model_id):
        return text(model_id)
    return tag("a", model_id, href=f"{HUB}/{model_id}", target="_blank", rel="noopener noreferrer")


def download(label: str, name: str, kind: str, content: str) -> Safe:
    """A link that saves `content` as a file: the file is in the page, so that the server keeps none."""
    address = f"data:{kind};base64," + base64.b64encode(content.encode()).decode()
    return tag("a", label, href=address, download=name, class_="cs-button")


def copy_button(label: str, what: str, **attributes: object) -> Safe:
    """A button that copies; the script of the page says how (`data-copy`: an element, `data-link`: a query)."""
    return tag("button", label, type="button", class_="cs-button cs-copy", aria_label=what, **attributes)


def size(params: int | None) -> str:
    """A number of parameters for people: 26.3M."""
    if params is None:
        return "unknown"
    for scale, unit in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if params >= scale:
            return f"{params / scale:.3g}{unit}"
    return str(params)


def score(value: float) -> str:
    """A score with its sign: +1.12."""
    return f"{value:+.2f}".replace("-", "−")


def latency(hardware: dict | None) -> str:
    """Milliseconds an image on the chosen device; empty where none was chosen."""
    value = (hardware or {}).get("latency_ms")
    return "" if value is None else f"{value:.3g} ms"
