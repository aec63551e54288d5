"""A weight encoder comes back through the Auto classes, with this package and, by the code it carries, without it."""

from __future__ import annotations

import pytest
import torch

from hf_crosssight import registration
from hf_crosssight.models import Arch2VecConfig, Arch2VecModel
from tests.models.small_encoders import inputs_of, small_encoder
from tests.test_registration import run_python

ENCODE = """
    tokens = torch.load(sys.argv[2], weights_only=True)
    with torch.inference_mode():
        codes = model(tokens).codes.flatten().tolist()
    ours = sorted({name.split(".")[0] for name in sys.modules} & {"hf_crosssight"})
    print(json.dumps({"codes": codes, "module": type(model).__module__, "ours": ours}))
"""


@pytest.fixture(params=["default", "thesis"])
def carried(request, tmp_path):
    """An encoder's folder with its code, a file of its input, and its codes."""
    encoder, tokens = small_encoder(request.param), inputs_of(request.param)
    encoder.fit_scale(tokens)
    before = Arch2VecConfig._auto_class, Arch2VecModel._auto_class
    registration.carry_code()
    try:
        encoder.save_pretrained(tmp_path / "encoder")
    finally:
        Arch2VecConfig._auto_class, Arch2VecModel._auto_class = before
    torch.save(tokens, tmp_path / "tokens.pt")
    return tmp_path / "encoder", tmp_path / "tokens.pt", encoder(tokens).codes.flatten().tolist()


def test_auto_model_gives_the_package_s_own_class(carried):
    folder, tokens, codes = carried
    code = f"""
    import json, sys
    import hf_crosssight
    import torch
    from transformers import AutoModel
    model = AutoModel.from_pretrained(sys.argv[1])
    {ENCODE}
    """
    told = run_python(code, folder, tokens)
    assert told["module"] == "hf_crosssight.models.modeling_arch2vec"
    assert told["codes"] == pytest.approx(codes, abs=1e-6)


def test_the_folder_s_own_code_needs_no_package(carried):
    folder, tokens, codes = carried
    code = f"""
    import json, sys
    import torch
    from transformers import AutoModel
    model = AutoModel.from_pretrained(sys.argv[1], trust_remote_code=True)
    {ENCODE}
    """
    told = run_python(code, folder, tokens)
    assert told["module"].startswith("transformers_modules.")
    assert told["ours"] == []
    assert told["codes"] == pytest.approx(codes, abs=1e-6)
