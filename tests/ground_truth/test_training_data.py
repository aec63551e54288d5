"""What models were trained on, as cards tell it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hf_crosssight.ground_truth.training_data import StatedOrigin, is_among, stated_origin, trained_on


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("---\ndatasets: [b/two, a/one]\nbase_model: o/root\n---\n# x", StatedOrigin(("a/one", "b/two"), ("o/root",))),
        ("---\ndatasets: mnist\n---\n", StatedOrigin(("mnist",))),
        ("---\ndatasets:\nbase_model: [x/y, z]\n---\n", StatedOrigin((), ("x/y", "z"))),
        ("# no metadata\n---\ndatasets: mnist\n---\n", StatedOrigin()),
        ("---\n- a list\n---\n", StatedOrigin()),
        ("---\na: [broken\n---\n", StatedOrigin()),
    ],
)
def test_a_card_is_read_as_far_as_it_goes(tmp_path: Path, card: str, expected: StatedOrigin) -> None:
    (tmp_path / "README.md").write_text(card)
    assert stated_origin(tmp_path) == expected


def test_no_card_states_nothing(tmp_path: Path) -> None:
    assert stated_origin(tmp_path) == StatedOrigin()
    (tmp_path / "README.md").write_bytes(b"---\ndatasets: \xff\n---")
    assert stated_origin(tmp_path) == StatedOrigin()


def test_descendants_have_seen_what_their_ancestors_saw() -> None:
    origins = {
        "root": StatedOrigin(("d1",)),
        "child": StatedOrigin(("d2",), ("root",)),
        "grandchild": StatedOrigin((), ("child", "not at hand")),
    }
    assert trained_on(origins) == {"root": {"d1"}, "child": {"d1", "d2"}, "grandchild": {"d1", "d2"}}


def test_lineages_in_a_circle_end() -> None:
    origins = {"a": StatedOrigin(("d-a",), ("b",)), "b": StatedOrigin(("d-b",), ("a",))}
    assert trained_on(origins) == {"a": {"d-a", "d-b"}, "b": {"d-a", "d-b"}}


def test_old_bare_names_are_any_owners() -> None:
    assert is_among("zoo-bench/fashion-mnist", ["fashion_mnist"])
    assert is_among("mnist", ["ylecun/mnist"])
    assert is_among("zoo-bench/mnist", ["zoo-bench/usps", "zoo-bench/mnist"])
    assert not is_among("mine/photos", ["yours/photos"])
    assert not is_among("zoo-bench/mnist", ["fashion_mnist", "emnist"])
    assert not is_among("zoo-bench/mnist", [])
