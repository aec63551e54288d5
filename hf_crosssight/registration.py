"""Makes `AutoConfig`, `AutoModel`, `AutoProcessor` and `pipeline("model-ranking")` know this package.

transformers has no plug-in mechanism, so somebody must call `register`. `import hf_crosssight` arranges that it
happens right after transformers is imported, by whomever, and costs nothing where that never happens.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

TASK = "model-ranking"
_TRIGGER = "transformers"
_registered = False


def register() -> None:
    """Registers ranker, feature extractor, weight encoder and pipeline task with transformers; once is enough."""
    global _registered
    if _registered or _pipeline_is_half_imported():  # that module calls back when it is whole
        return
    from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoProcessor
    from transformers.pipelines import PIPELINE_REGISTRY

    from hf_crosssight.models.configuration_arch2vec import Arch2VecConfig
    from hf_crosssight.models.configuration_crosssight import CrossSightConfig
    from hf_crosssight.models.feature_extraction_crosssight import CrossSightFeatureExtractor
    from hf_crosssight.models.modeling_arch2vec import Arch2VecModel
    from hf_crosssight.models.modeling_crosssight import CrossSightModel
    from hf_crosssight.pipeline import ModelRankingPipeline

    AutoConfig.register(CrossSightConfig.model_type, CrossSightConfig, exist_ok=True)
    AutoModel.register(CrossSightConfig, CrossSightModel, exist_ok=True)
    AutoConfig.register(Arch2VecConfig.model_type, Arch2VecConfig, exist_ok=True)
    AutoModel.register(Arch2VecConfig, Arch2VecModel, exist_ok=True)
    AutoFeatureExtractor.register(CrossSightConfig, CrossSightFeatureExtractor, exist_ok=True)
    # Without this, AutoProcessor tries an image processor first, which asks to run the code that a repository carries.
    AutoProcessor.register(CrossSightConfig, CrossSightFeatureExtractor, exist_ok=True)
    if TASK not in PIPELINE_REGISTRY.supported_tasks:
        PIPELINE_REGISTRY.register_pipeline(
            TASK, pipeline_class=ModelRankingPipeline, pt_model=AutoModel, type="multimodal"
        )
    carry_code()  # what is pushed from here loads with trust_remote_code=True where this package is not installed
    _registered = True


def carry_code() -> None:
    """From now on `save_pretrained` and `push_to_hub` of a ranker or weight encoder write its code too.

    What they wrote loads with `trust_remote_code=True`.
    """
    from hf_crosssight.models.configuration_arch2vec import Arch2VecConfig
    from hf_crosssight.models.configuration_crosssight import CrossSightConfig
    from hf_crosssight.models.feature_extraction_crosssight import CrossSightFeatureExtractor
    from hf_crosssight.models.modeling_arch2vec import Arch2VecModel
    from hf_crosssight.models.modeling_crosssight import CrossSightModel

    Arch2VecConfig.register_for_auto_class()
    Arch2VecModel.register_for_auto_class("AutoModel")
    CrossSightConfig.register_for_auto_class()
    CrossSightModel.register_for_auto_class("AutoModel")
    CrossSightFeatureExtractor.register_for_auto_class("AutoFeatureExtractor")


def register_when_transformers_loads() -> None:
    """Registers now if transformers is loaded, else as soon as it is."""
    if _registered:
        return
    if _TRIGGER in sys.modules and not _is_initializing(_TRIGGER):
        register()
    elif not _is_waiting():
        sys.meta_path.insert(0, _AfterTransformers())


def cancel() -> None:
    """Takes the arrangement of `register_when_transformers_loads` back; what is registered stays."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _AfterTransformers)]


def _is_initializing(name: str) -> bool:
    """Whether a module is in the middle of its import."""
    return getattr(getattr(sys.modules.get(name), "__spec__", None), "_initializing", False)


def _pipeline_is_half_imported() -> bool:
    module = sys.modules.get("hf_crosssight.pipeline")
    return module is not None and not hasattr(module, "ModelRankingPipeline")


def _is_waiting() -> bool:
    return any(isinstance(finder, _AfterTransformers) for finder in sys.meta_path)


class _AfterTransformers(MetaPathFinder):
    """Finds nothing itself; lets the loader of transformers call `register` when it is done."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _TRIGGER:
            return None
        spec = _spec_from_others(self, fullname, path, target)
        if spec is not None and spec.loader is not None:
            _call_after_execution(spec.loader)
        return spec


def _spec_from_others(
    finder: MetaPathFinder, fullname: str, path: Sequence[str] | None, target: ModuleType | None
) -> ModuleSpec | None:
    for other in sys.meta_path:
        if other is not finder and hasattr(other, "find_spec"):
            spec = other.find_spec(fullname, path, target)
            if spec is not None:
                return spec
    return None


def _call_after_execution(loader: Any) -> None:
    """Shadows `exec_module` of this one loader; a spec that is only looked at, never executed, changes nothing."""
    execute = loader.exec_module

    def execute_then_register(module: ModuleType) -> None:
        loader.exec_module = execute
        execute(module)
        if _is_waiting():
            cancel()
            _register_or_warn()

    loader.exec_module = execute_then_register


def _register_or_warn() -> None:
    """A failure of ours must not break the import of transformers."""
    try:
        register()
    except Exception as error:
        warnings.warn(
            f"hf_crosssight could not register with transformers: {type(error).__name__}: {error}. "
            "Call hf_crosssight.registration.register() to see where it fails.",
            stacklevel=2,
        )
