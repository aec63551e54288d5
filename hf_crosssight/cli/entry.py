"""Entry point: commands are gathered here, and whatever goes wrong becomes two lines on stderr and an exit code.

Exit codes: 0 done; 2 the user's input is at fault (Ctrl-C included: nothing half-written is left); 3 the Hub or the
network is; 1 a defect of ours. A traceback is printed only with `--debug`.
"""

from __future__ import annotations

import sys
import traceback
from typing import Annotated, NoReturn

import typer

from hf_crosssight import __version__, registration
from hf_crosssight.cli import compare, env, ground_truth, hardware, publish, rank, space, train, zoo
from hf_crosssight.cli.interrupt import wait_for_imports
from hf_crosssight.cli.output import print_error
from hf_crosssight.errors import CrossSightError, UserError

INTERRUPTED = 130

app = typer.Typer(
    name="hf-crosssight",
    help="Which pre-trained models of the Hugging Face Hub should I fine-tune on my dataset?",
    epilog="Example: hf-crosssight rank --dataset digits --offline --top 5",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("rank", epilog=rank.EXAMPLES)(rank.rank_command)
app.command("compare", epilog=compare.COMPARE_EXAMPLES)(compare.compare_command)
app.command("evaluate", epilog=compare.EVALUATE_EXAMPLES)(compare.evaluate_command)
app.add_typer(zoo.app, name="zoo")
app.add_typer(ground_truth.app, name="ground-truth")
app.add_typer(train.app, name="train")
app.add_typer(hardware.app, name="hardware")
app.add_typer(publish.app, name="publish")
app.command("space", epilog=space.EXAMPLES)(space.space_command)
app.command("env", epilog=env.EXAMPLES)(env.env_command)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"hf-crosssight {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Which pre-trained models of the Hugging Face Hub should I fine-tune on my dataset?"""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs the command line and exits with its code."""
    wait_for_imports()
    registration.cancel()  # the commands use no Auto class: they do not wait for transformers to register one
    sys.exit(_run(sys.argv[1:] if arguments is None else arguments))


def _run(arguments: list[str]) -> int:
    try:
        code = app(arguments, prog_name="hf-crosssight", standalone_mode=False)
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        return int(code or 0)
    except KeyboardInterrupt:
        return _fail(UserError("interrupted", "nothing half-written was left; run the command again to continue"))
    except CrossSightError as error:
        return _fail(error, debug="--debug" in arguments)
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # a bare `hf-crosssight`: its message is the help page
            print(error)
            return 0
        if hasattr(error, "format_message"):  # typer's own usage errors, whichever click it carries
            return _fail(UserError(error.format_message(), f"see: hf-crosssight {_command_of(arguments)}--help"))
        what = f"a defect of hf-crosssight: {type(error).__name__}: {error}"
        return _fail(CrossSightError(what, "run again with --debug and report it"), debug="--debug" in arguments)


def _fail(error: CrossSightError, *, debug: bool = False) -> int:
    if debug:
        traceback.print_exc(file=sys.stderr)
    print_error(error)
    return error.exit_code


def _command_of(arguments: list[str]) -> str:
    """The commands named before the first option, so that a hint shows the right help page."""
    nouns = {
        "zoo": zoo.app, "ground-truth": ground_truth.app, "train": train.app, "hardware": hardware.app,
        "publish": publish.app,
    }  # fmt: skip
    known: dict[str, tuple[str | None, ...]] = dict.fromkeys(("rank", "compare", "evaluate", "space", "env"), ())
    known |= {n: tuple(c.name for c in a.registered_commands) for n, a in nouns.items()}
    if not arguments or arguments[0] not in known:
        return ""
    named = [arguments[0], *(word for word in arguments[1:2] if word in known[arguments[0]])]
    return " ".join(named) + " "
