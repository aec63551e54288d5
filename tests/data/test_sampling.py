from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_crosssight.data.sampling import RowChooser, choose_classes


def test_rows_of_each_class_up_to_what_it_has_without_repeats():
    codes = np.asarray([0] * 50 + [1] * 3 + [-1] * 5 + [2])
    chooser = RowChooser(codes, None, None, seed=0)
    first = chooser.take({0: 10, 1: 10, 2: 10})
    assert np.bincount(codes[first]).tolist() == [10, 3, 1]
    second = chooser.take({0: 45, 1: 1})
    assert np.bincount(codes[second]).tolist() == [40]
    assert not set(first) & set(second)
    assert not len(chooser.take({0: 1}))


def test_the_seed_decides():
    codes = np.arange(1000) % 3
    take = [RowChooser(codes, None, None, seed).take({0: 5, 1: 5, 2: 5}).tolist() for seed in (0, 0, 1)]
    assert take[0] == take[1] != take[2]


def test_the_cheapest_groups_that_hold_every_class_are_taken():
    codes = np.asarray([0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 2, 2])
    groups = np.asarray([0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3])
    rows = RowChooser(codes, groups, np.asarray([10.0, 10.0, 10.0, 10.0]), 0).take({0: 2, 1: 2, 2: 1})
    assert set(groups[rows]) == {2, 3}
    cheap = RowChooser(codes, groups, np.asarray([1.0, 1.0, 100.0, 10.0]), 0).take({0: 2, 1: 2, 2: 1})
    assert set(groups[cheap]) == {0, 1, 3}


def test_a_class_sorted_set_costs_one_group_a_class():
    codes = np.repeat(np.arange(20), 1000)
    groups = np.arange(20_000) // 50
    rows = RowChooser(codes, groups, np.ones(400), 0).take(dict.fromkeys(range(20), 10))
    assert len(rows) == 200
    assert len(set(groups[rows])) == 20


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_class_gets_what_it_can(data):
    count = data.draw(st.integers(1, 60))
    codes = np.asarray(data.draw(st.lists(st.integers(-1, 4), min_size=count, max_size=count)))
    groups = np.sort(np.asarray(data.draw(st.lists(st.integers(0, 7), min_size=count, max_size=count))))
    costs = np.asarray(data.draw(st.lists(st.floats(0, 100), min_size=8, max_size=8)))
    need = data.draw(st.integers(1, 5))
    rows = RowChooser(codes, groups, costs, 0).take(dict.fromkeys(range(5), need))
    for code in range(5):
        assert np.sum(codes[rows] == code) == min(need, np.sum(codes == code))
    assert len(set(rows.tolist())) == len(rows)


def test_more_classes_than_wanted_are_drawn_with_the_seed():
    codes = np.repeat(np.arange(300), 2)
    first, again, other = (choose_classes(codes, 100, seed) for seed in (0, 0, 1))
    assert len(first) == 100
    assert first.tolist() == again.tolist() == sorted(set(first.tolist()))
    assert first.tolist() != other.tolist()
    assert choose_classes(np.asarray([5, -1, 3]), 100, 0).tolist() == [3, 5]
