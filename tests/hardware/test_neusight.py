"""NeuSight's predictions read in: they stand where model, device, phase and batch fit, and bad tables are told."""

import numpy as np
import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.hardware.catalogue import find_device
from hf_crosssight.hardware.neusight import ERROR, read_neusight, with_neusight
from hf_crosssight.hardware.predict import predict_costs
from hf_crosssight.zoo.open import open_zoo

HEADER = "model_name,device,batch,mode,neusight_pred_ms\n"


@pytest.fixture(scope="module")
def models():
    from hf_crosssight.hardware.model_shape import zoo_shapes

    zoo = open_zoo("starter")
    ids = ["timm/resnet50.a1_in1k", "timm/resnet18.a1_in1k"]
    return ids, zoo_shapes(zoo.take([zoo.model_ids.index(name) for name in ids]))


def test_its_figures_go_before_ours_where_they_fit(models, tmp_path):
    table = tmp_path / "neusight.csv"
    table.write_text(
        HEADER + "resnet50.a1_in1k,NVIDIA_A100-SXM4-40GB,8,inf,16\n"
        "resnet18.a1_in1k,NVIDIA_A100-SXM4-40GB,4,inf,99\nresnet18.a1_in1k,NVIDIA_L4,8,inf,99\n"
        "resnet18.a1_in1k,NVIDIA_A100-SXM4-40GB,8,train,99\nother,NVIDIA_A100-SXM4-40GB,8,inf,\n"
    )
    ids, shapes = models
    ours = predict_costs(shapes, find_device("a100-sxm4-40gb"), batch_size=8)
    costs, rows = with_neusight(ours, read_neusight(table), ids)
    assert rows == [0]
    assert costs.latency_ms.value[0] == 2.0
    assert costs.latency_ms.high[0] == pytest.approx(2.0 * (1 + ERROR))
    assert costs.latency_ms.value[1] == ours.latency_ms.value[1]
    assert np.array_equal(costs.memory_mb.value, ours.memory_mb.value)
    assert "1 models as NeuSight" in costs.notes[-1]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", HEADER + "m,d,0,inf,3\n", HEADER + "m,d,1,dream,3\n",
                                  HEADER + "m,d,1,inf,-3\n", HEADER + "m,d,one,inf,3\n"])  # fmt: skip
def test_what_is_no_table_of_its_is_told(text, tmp_path):
    table = tmp_path / "neusight.csv"
    table.write_text(text)
    with pytest.raises(UserError) as raised:
        read_neusight(table)
    assert raised.value.hint
