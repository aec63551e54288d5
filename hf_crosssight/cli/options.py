"""Options that several commands take, in the same words everywhere."""

from __future__ import annotations

from typing import Annotated

import typer

from hf_crosssight.cli.output import Format

FormatOption = Annotated[Format, typer.Option(help="auto: human on a terminal, json in a pipe.")]
OfflineOption = Annotated[bool, typer.Option("--offline", help="Use nothing but this machine.")]
TokenOption = Annotated[str | None, typer.Option(help="Hub token; HF_TOKEN and `hf auth login` are honoured.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show tracebacks and the libraries' logs.")]
