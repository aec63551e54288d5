import numpy as np
import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.evaluation.view_features import pooled_view, views_of_file


def view(rng, models=4, rows=6, width=5):
    values = rng.normal(size=(models, rows, width))
    values[:, :, 0] = 1.0
    values[:, -2:] = 0.0  # padding
    return values


def test_features_do_not_depend_on_the_order_of_the_set():
    values = view(np.random.default_rng(0))
    shuffled = values.copy()
    shuffled[:, 1:] = values[:, [3, 5, 1, 4, 2]]
    assert np.allclose(pooled_view(values).values, pooled_view(shuffled).values)


def test_summary_mean_and_spread_of_the_rows_that_are_there():
    values = np.zeros((1, 4, 3))
    values[0, :3, 0] = 1.0
    values[0, 0, 1:] = 7.0, 8.0
    values[0, 1, 1:], values[0, 2, 1:] = (1.0, 10.0), (3.0, 10.0)
    assert np.allclose(pooled_view(values).values, [[7, 8, 2, 10, 1, 0]])


def test_a_missing_view_is_zero_and_known_to_be_missing():
    values = view(np.random.default_rng(0))
    values[2] = 0.0
    found = pooled_view(values)
    assert found.known.tolist() == [True, True, False, True]
    assert not found.values[2].any()


def test_a_view_with_nan_is_refused():
    values = view(np.random.default_rng(0))
    values[0, 0, 1] = np.nan
    with pytest.raises(ValueError, match="finite"):
        pooled_view(values)


def test_file_is_aligned_by_id(tmp_path):
    path = tmp_path / "views.npz"
    np.savez(path, ids=["zoo/b", "zoo/a"], codes=np.array([[2.0, 2.0], [1.0, 1.0]]), probe=np.ones((2, 1, 3)))
    found = views_of_file(path, ["zoo/a", "zoo/c", "zoo/b"])
    assert found["codes"].values[:, 0].tolist() == [1.0, 0.0, 2.0]
    assert found["probe"].known.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("arrays", "message"), [({"codes": np.ones((2, 2))}, "ids"), ({"ids": ["a"], "codes": np.ones((2, 2))}, "2 rows")]
)
def test_a_file_that_does_not_fit_is_refused(tmp_path, arrays, message):
    path = tmp_path / "views.npz"
    np.savez(path, **arrays)
    with pytest.raises(UserError, match=message):
        views_of_file(path, ["a"])


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    path = tmp_path / "views.npz"
    path.write_bytes(b"PK\x03\x04 nonsense")
    with pytest.raises(UserError, match="cannot be read"):
        views_of_file(path, ["a"])


def test_a_bare_array_is_refused(tmp_path):
    path = tmp_path / "views.npy"
    np.save(path, np.ones((1, 2)))
    with pytest.raises(UserError, match="cannot be read"):
        views_of_file(path, ["a"])
