"""The register of views agrees with the modules that make them."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from hf_crosssight.tokens.views import VIEWS, in_order
from tests.conftest import client_environment


@pytest.mark.parametrize("name", [name for name in VIEWS if name not in ("structure", "card")])
def test_a_view_is_registered_as_its_module_says(name: str):
    module = importlib.import_module(f"hf_crosssight.tokens.{name}")
    stated = getattr(module, f"{name.upper()}_SPEC"), getattr(module, f"{name.upper()}_SHAPE")
    assert stated == (VIEWS[name].spec, VIEWS[name].shape)


def test_names_come_in_order_and_once():
    assert in_order(["weights", "dreams", "structure", "weights"]) == ("structure", "weights")


def test_the_register_costs_neither_torch_nor_scipy():
    code = (
        "import hf_crosssight.tokens.views, hf_crosssight.zoo.build, sys; print({'torch', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=client_environment(), capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr
