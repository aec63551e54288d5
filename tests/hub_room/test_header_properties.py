"""Whatever a header says: its tensors are sound, or it is refused with a reason. `benchmarks/hostile_headers.py` tries
more."""

import io

from hypothesis import HealthCheck, given, settings

from hf_crosssight.hub.safetensors import read_header
from tests.hub_room.hostile_headers import check, files, sound_files

_QUICKLY = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}


@settings(max_examples=1700, **_QUICKLY)
@given(files())
def test_any_file_is_read_or_refused_with_a_reason(content):
    check(content)


@settings(max_examples=300, **_QUICKLY)
@given(sound_files())
def test_every_sound_file_is_read(file):
    content, header = file
    assert check(content) is None
    found = {tensor.name: (tensor.dtype, list(tensor.shape)) for tensor in read_header(io.BytesIO(content), "x")}
    assert found == {name: (entry["dtype"], entry["shape"]) for name, entry in header.items()}
