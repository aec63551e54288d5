"""Models to choose from: records, the columnar index that holds them with their views, and filters that say why."""

from __future__ import annotations

from hf_crosssight.zoo.filters import Constraints, Selection, narrowed, parse_size, select
from hf_crosssight.zoo.index import ZooIndex
from hf_crosssight.zoo.open import open_zoo
from hf_crosssight.zoo.record import ModelRecord

__all__ = ["Constraints", "ModelRecord", "Selection", "ZooIndex", "narrowed", "open_zoo", "parse_size", "select"]
