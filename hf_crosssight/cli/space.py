"""`hf-crosssight space`: the web page, on this machine."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from hf_crosssight.cli.options import DebugOption
from hf_crosssight.errors import UserError

EXAMPLES = """Examples:

hf-crosssight space

hf-crosssight space --zoo ./my_index --port 8000 --no-browser
"""


def space_command(
    zoo: Annotated[str, typer.Option(help="starter | index folder | Hub id of an index")] = "starter",
    ranker: Annotated[str, typer.Option(help="bundled | folder | Hub id")] = "bundled",
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="The first free one from 7860 on.")] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
    debug: DebugOption = False,
) -> None:
    """Serve the web page: choose a dataset, filter the zoo, see ranked recommendations."""
    if find_spec("gradio") is None:
        raise UserError("the web page needs gradio", "Install it: pip install 'hf_crosssight[space]'.")
    from hf_crosssight.cli.quiet import silence_libraries

    if not debug:
        silence_libraries()
    from hf_crosssight.space.launch import serve

    serve(zoo, ranker, host=host, port=port, open_browser=browser)
