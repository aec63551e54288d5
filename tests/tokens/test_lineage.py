"""The lineage view: base models, nearest weights and shapes, and what of a relative is told."""

from __future__ import annotations

import numpy as np
import pytest

from hf_crosssight.tokens.lineage import COLUMNS, LINEAGE_SHAPE, PROJECTED, Names, lineage_views, nearest_others
from hf_crosssight.tokens.views import VIEWS


def column(view: np.ndarray, name: str) -> np.ndarray:
    return view[:, 0, COLUMNS.index(name)]


def names(count: int, **given) -> Names:
    facts = {"base_models": [None] * count, "families": ["cnn"] * count, "architectures": ["net"] * count}
    return Names([f"acme/m{i}" for i in range(count)], **{**facts, **given})


def zoo_of(summaries: np.ndarray, known: np.ndarray | None = None):
    """Views and masks of models whose weights views have these summary rows."""
    weights = np.zeros((len(summaries), *VIEWS["weights"].shape), np.float16)
    weights[:, 0, 0] = 1
    weights[:, 0, 1 : 1 + summaries.shape[1]] = summaries
    return {"weights": weights}, {"weights": np.ones(len(summaries), bool) if known is None else known}


@pytest.fixture
def relatives() -> np.ndarray:
    """Three models far apart, and a child near to each of the first two."""
    rng = np.random.default_rng(0)
    parents = rng.normal(size=(3, 40))
    children = parents[:2] + 0.05 * rng.normal(size=(2, 40))
    return np.concatenate([parents, children]).astype(np.float32)


def test_a_child_is_nearest_to_its_parent_and_its_base_is_found(relatives):
    views, masks = zoo_of(relatives)
    stated = [None, None, "else/where", "ACME/m0", "acme/m2"]
    view = lineage_views(names(5, base_models=stated), views, masks)
    assert view.shape == (5, *LINEAGE_SHAPE)
    assert column(view, "base_stated").tolist() == [0, 0, 1, 1, 1]
    assert column(view, "base_held").tolist() == [0, 0, 0, 1, 1]
    assert column(view, "weights_nearest_is_base").tolist() == [0, 0, 0, 1, 0]
    assert column(view, "relative_is_base").tolist() == [0, 0, 0, 1, 1]
    distance, gap = column(view, "weights_distance"), column(view, "weights_gap")
    assert distance[[0, 1, 3, 4]].max() < 0.3 < distance[2]
    assert gap[3] > 0.3 > gap[2] >= 0


def test_the_difference_is_what_the_model_has_more_than_its_relative(relatives):
    views, masks = zoo_of(relatives)
    view = lineage_views(names(5, base_models=[None, None, None, "acme/m1", None]), views, masks)
    start = COLUMNS.index("relative_0")
    relative, difference = (view[:, 0, start + i * PROJECTED : start + (i + 1) * PROJECTED] for i in (0, 1))
    own = relative + difference
    np.testing.assert_allclose(relative[3], own[1], atol=1e-3)
    np.testing.assert_allclose(relative[4], own[1], atol=1e-3)
    assert np.abs(difference[4]).max() < 0.1 < np.abs(difference[3]).max()


def test_what_is_told_of_a_relative_means_the_same_in_every_zoo(relatives):
    views, masks = zoo_of(relatives)
    whole = lineage_views(names(5), views, masks)
    pair = [0, 3]
    part = lineage_views(names(2), {"weights": views["weights"][pair]}, {"weights": masks["weights"][pair]})
    start = COLUMNS.index("relative_0")
    np.testing.assert_allclose(whole[pair, 0, start:], part[:, 0, start:], atol=1e-5)


def test_a_model_without_weights_is_told_as_unknown_and_is_nobodys_relative(relatives):
    known = np.array([True, True, True, False, True])
    views, masks = zoo_of(relatives, known)
    view = lineage_views(names(5, base_models=[None, "acme/m3", None, None, None]), views, masks)
    assert column(view, "weights_known").tolist() == [1, 1, 1, 0, 1]
    assert column(view, "relative_known").tolist() == [1, 1, 1, 0, 1]
    assert column(view, "relative_is_base")[1] == 0, "the base has no weights here"
    assert not view[3, 0, COLUMNS.index("relative_0") :].any()
    assert column(view, "weights_distance")[0] > 0.3, "the child without weights does not count"


@pytest.mark.parametrize("count", [0, 1, 2])
def test_small_zoos(count: int):
    views, masks = zoo_of(np.random.default_rng(1).normal(size=(count, 5)))
    view = lineage_views(names(count), views, masks)
    assert np.isfinite(view).all()
    assert column(view, "weights_known").tolist() == [float(count > 1)] * count
    assert not column(view, "weights_gap").any(), "there is no second model"
    assert not lineage_views(names(count), {}, {})[..., 1:].any()


def test_equal_shapes_are_counted():
    structure = np.zeros((4, *VIEWS["structure"].shape), np.float16)
    structure[:, 0, 0] = 1
    structure[3, 1, 5] = 2.0
    view = lineage_views(names(4), {"structure": structure}, {"structure": np.ones(4, bool)})
    np.testing.assert_allclose(column(view, "shapes_equal"), np.log1p([2, 2, 2, 0]), rtol=1e-6)
    np.testing.assert_allclose(column(view, "shapes_distance"), np.log1p([0, 0, 0, 2]), rtol=1e-6)


def test_a_base_that_is_the_model_itself_or_of_another_architecture():
    given = {"base_models": ["acme/m0", "acme/m2", "acme/m0"], "architectures": ["A", "a", "b"]}
    view = lineage_views(names(3, **given), {}, {})
    assert column(view, "base_held").tolist() == [0, 1, 1]
    assert column(view, "base_same_architecture").tolist() == [0, 0, 0]
    same = lineage_views(names(3, **given | {"architectures": ["A", "b", "a"]}), {}, {})
    assert column(same, "base_same_architecture").tolist() == [0, 0, 1]


def test_nearest_others_agree_with_all_distances_at_any_chunk(monkeypatch: pytest.MonkeyPatch):
    points = np.random.default_rng(2).normal(size=(50, 7))
    known = np.random.default_rng(3).random(50) < 0.8
    monkeypatch.setattr("hf_crosssight.tokens.lineage._CHUNK", 7)
    found = nearest_others(points, known)
    rows = np.flatnonzero(known)
    for row in rows:
        others = rows[rows != row]
        distances = np.linalg.norm(points[others] - points[row], axis=1)
        assert found.index[row] == others[distances.argmin()]
        np.testing.assert_allclose([found.nearest[row], found.second[row]], np.sort(distances)[:2])
    assert (found.index[~known] == -1).all()


def test_values_stay_in_the_range_of_a_view():
    views, masks = zoo_of(np.random.default_rng(5).normal(size=(6, 100)) * 8)
    views["structure"] = np.full((6, *VIEWS["structure"].shape), 60.0, np.float16)
    view = lineage_views(names(6), views, masks | {"structure": np.ones(6, bool)})
    assert np.abs(view).max() < 100
    assert np.isfinite(view.astype(np.float16)).all()
