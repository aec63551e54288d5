"""The command line `hf-crosssight`: one file per noun, one output sink, one place where errors become two lines."""

from hf_crosssight.cli.entry import main

__all__ = ["main"]
