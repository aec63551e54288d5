"""Serves the page: uploads in a folder of this process alone, a queue with a limit, nothing loaded from elsewhere."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hf_crosssight.space.archive import Limits

QUEUE = 32
_HERE = Path(__file__).parent


def serve(
    zoo: str = "starter",
    ranker: str = "bundled",
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    open_browser: bool = False,
) -> None:
    """Serves the page until it is interrupted.

    Args:
        zoo, ranker: as `hf-crosssight rank` takes them.
        host: address to listen on; `0.0.0.0` is every network of this machine.
        port (*optional*): by default the first free one from 7860 on.
        open_browser: open the page in a browser.

    Raises:
        UserError: no such zoo or ranker.
    """
    with _folder_of_uploads():
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        from hf_crosssight.space.engine import Engine
        from hf_crosssight.space.page import build_page

        engine = Engine(zoo, ranker)
        engine.warm()
        shown = os.environ.get("SPACE_ID") or f"http://{host}:{port or 7860}"
        page = build_page(engine, shown).queue(max_size=QUEUE)
        page.launch(server_name=host, server_port=port, inbrowser=open_browser, **settings())


def settings() -> dict[str, Any]:
    """How Gradio serves the page, wherever it is served."""
    from hf_crosssight.space.theme import theme

    script = (_HERE / "page.js").read_text(encoding="utf-8")
    return {
        "theme": theme(),
        "css": (_HERE / "page.css").read_text(encoding="utf-8"),
        "head": f"<script>{script}</script>",
        "max_file_size": Limits().packed_bytes,
        "footer_links": ["api"],
        "ssr_mode": False,
        "show_error": True,
        "quiet": False,
    }


@contextmanager
def _folder_of_uploads() -> Iterator[None]:
    """Gradio's folder for files, readable by this user alone and removed at the end."""
    with tempfile.TemporaryDirectory(prefix="crosssight-space-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        yield
