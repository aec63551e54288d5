"""The Auto classes know the ranker after `import hf_crosssight`, in whatever order things are imported."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from hf_crosssight import registration
from hf_crosssight.models import CrossSightFeatureExtractor, CrossSightModel
from tests.models.small_rankers import dataset, small_model, views

ROOT = Path(__file__).resolve().parent.parent


def run_python(code: str, *arguments: object) -> dict:
    """Runs code in a fresh process; what it prints last is JSON."""
    command = [sys.executable, "-W", "error::UserWarning:hf_crosssight", "-c", textwrap.dedent(code)]
    done = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "could not register" not in done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def pushed(tmp_path_factory) -> tuple[Path, Path, CrossSightModel]:
    """A ranker's folder that carries its code, a file of inputs, and the ranker itself."""
    folder = tmp_path_factory.mktemp("pushed")
    ranker = small_model()
    ranker.set_references([dataset(seed=5), dataset(seed=6)], ["a", "b"])
    registration.carry_code()
    try:
        ranker.save_pretrained(folder / "ranker")
        CrossSightFeatureExtractor(images_per_class=3).save_pretrained(folder / "ranker")
    finally:
        for carried in (type(ranker.config), CrossSightModel, CrossSightFeatureExtractor):
            carried._auto_class = None
    torch.save({"tokens": dataset()[None], "views": views()}, folder / "inputs.pt")
    return folder / "ranker", folder / "inputs.pt", ranker


SCORE = """
    inputs = torch.load(sys.argv[2], weights_only=True)
    with torch.inference_mode():
        scores = model(inputs["tokens"], None, inputs["views"]).scores[0].tolist()
"""


def test_import_first_then_auto_classes(pushed):
    folder, inputs, ranker = pushed
    code = f"""
    import json, sys
    import hf_crosssight
    light = "torch" not in sys.modules and "transformers" not in sys.modules
    from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoProcessor
    import torch
    model = AutoModel.from_pretrained(sys.argv[1])
    {SCORE}
    extractors = [Auto.from_pretrained(sys.argv[1]) for Auto in (AutoFeatureExtractor, AutoProcessor)]
    print(json.dumps({{"light": light, "scores": scores, "model": type(model).__module__,
        "config": type(AutoConfig.from_pretrained(sys.argv[1])).__module__,
        "extractors": [f"{{type(e).__module__}} {{e.images_per_class}}" for e in extractors]}}))
    """
    told = run_python(code, folder, inputs)
    assert told["light"]
    assert told["model"] == "hf_crosssight.models.modeling_crosssight"  # not the code that the folder carries
    assert told["config"] == "hf_crosssight.models.configuration_crosssight"
    assert told["extractors"] == ["hf_crosssight.models.feature_extraction_crosssight 3"] * 2
    expected = ranker(dataset()[None], None, views()).scores[0].tolist()
    assert told["scores"] == pytest.approx(expected, abs=1e-6)


def test_transformers_first_then_import_is_quick_and_makes_the_pipeline(pushed):
    code = """
    import json, sys, time
    from transformers import AutoModel, PreTrainedModel, pipeline
    start = time.process_time()
    import hf_crosssight
    seconds = time.process_time() - start
    pipe = pipeline("model-ranking", model=sys.argv[1], device="cpu")
    print(json.dumps({"seconds": seconds, "pipe": type(pipe).__name__, "model": type(pipe.model).__module__}))
    """
    told = run_python(code, pushed[0])
    assert told["seconds"] < 0.3
    assert told["pipe"] == "ModelRankingPipeline"
    assert told["model"] == "hf_crosssight.models.modeling_crosssight"


def test_a_folder_that_carries_its_code_needs_no_package(pushed):
    folder, inputs, ranker = pushed
    code = f"""
    import json, sys
    import torch
    from transformers import AutoFeatureExtractor, AutoModel
    model = AutoModel.from_pretrained(sys.argv[1], trust_remote_code=True)
    extractor = AutoFeatureExtractor.from_pretrained(sys.argv[1], trust_remote_code=True)
    {SCORE}
    ours = [name for name in sys.modules if name.split(".")[0] == "hf_crosssight"]
    sys.modules["hf_crosssight"] = None  # as if it were not installed
    try:
        extractor([])
    except ImportError as error:
        message = str(error)
    print(json.dumps({{"scores": scores, "ours": ours, "model": type(model).__module__, "message": message,
        "extractor": type(extractor).__module__, "near": model.nearest_references(inputs["tokens"])[0].tolist()}}))
    """
    told = run_python(code, folder, inputs)
    assert told["ours"] == []
    assert told["model"].startswith("transformers_modules.")
    assert told["extractor"].startswith("transformers_modules.")
    assert "pip install hf_crosssight" in told["message"]
    expected = ranker(dataset()[None], None, views()).scores[0].tolist()
    assert told["scores"] == pytest.approx(expected, abs=1e-6)
    assert told["near"] == pytest.approx(ranker.nearest_references(dataset()[None])[0].tolist(), abs=1e-6)


@pytest.mark.parametrize("first", ["hf_crosssight.pipeline", "hf_crosssight.models.modeling_crosssight"])
def test_a_module_of_ours_may_be_what_imports_transformers(first):
    code = f"""
    import json
    import {first}
    from transformers import AutoConfig
    from transformers.pipelines import PIPELINE_REGISTRY
    task = PIPELINE_REGISTRY.check_task("model-ranking")[0]
    print(json.dumps({{"hidden_size": AutoConfig.for_model("crosssight").hidden_size, "task": task}}))
    """
    assert run_python(code) == {"hidden_size": 128, "task": "model-ranking"}


@pytest.fixture
def trigger(tmp_path, monkeypatch):
    """A package that stands for transformers: like it, it replaces itself in `sys.modules` while it is executed."""
    (tmp_path / "stand_in.py").write_text(
        "import sys, types\nlazy = types.ModuleType(__name__)\nlazy.whole = True\nlazy.__spec__ = __spec__\n"
        "sys.modules[__name__] = lazy\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(registration, "_TRIGGER", "stand_in")
    monkeypatch.setattr(registration, "_registered", False)
    calls: list[bool] = []
    monkeypatch.setattr(registration, "register", lambda: calls.append(sys.modules["stand_in"].whole))
    yield calls
    registration.cancel()
    sys.modules.pop("stand_in", None)


def test_registers_once_after_the_module_has_replaced_itself(trigger):
    registration.register_when_transformers_loads()
    registration.register_when_transformers_loads()
    assert trigger == []
    assert importlib.util.find_spec("stand_in") is not None  # to look is not to load
    assert trigger == []
    importlib.import_module("stand_in")
    assert trigger == [True]
    importlib.import_module("stand_in")
    importlib.reload(sys.modules["stand_in"])
    assert trigger == [True]


def test_registers_at_once_if_it_is_loaded_already(trigger):
    importlib.import_module("stand_in")
    registration.register_when_transformers_loads()
    assert trigger == [True]


def test_cancelled_means_never(trigger):
    before = list(sys.meta_path)
    registration.register_when_transformers_loads()
    importlib.util.find_spec("stand_in")
    registration.cancel()
    assert sys.meta_path == before
    importlib.import_module("stand_in")
    assert trigger == []


def test_a_failure_of_ours_does_not_break_the_import(trigger, monkeypatch):
    def fail():
        raise ImportError("no torch")

    monkeypatch.setattr(registration, "register", fail)
    registration.register_when_transformers_loads()
    with pytest.warns(UserWarning, match="could not register with transformers: ImportError: no torch"):
        module = importlib.import_module("stand_in")
    assert module.whole
