"""Seeded choice of rows: some of each class, from as few bytes as possible.

Where every row can be fetched alone (files, memory), the rows of a class are drawn at random. Where rows come in
groups that are fetched whole (pages and row groups of Parquet), the groups are chosen by greedy cover: again and again
the group that gives most of the rows still needed for its bytes. Wanted rows are a monotone submodular function of the
chosen groups, so greedy choice is within a logarithmic factor of the cheapest cover (Wolsey, 1982, "An analysis of the
greedy algorithm for the submodular set covering problem"), and a group's gain only falls, so that a heap of stale
gains finds the best one without looking at all of them (Minoux, 1978).
"""

from __future__ import annotations

import heapq

import numpy as np


def choose_classes(codes: np.ndarray, max_classes: int, seed: int) -> np.ndarray:
    """The classes to sample: all that have rows, or `max_classes` of them drawn with the seed; sorted."""
    present = np.unique(codes[codes >= 0])
    if len(present) <= max_classes:
        return present
    return np.sort(np.random.default_rng([seed, 1]).choice(present, max_classes, replace=False))


class RowChooser:
    """Chooses rows class by class; asked again, it gives rows that it has not given before.

    Args:
        codes: int64 `[N]`, the class of each row (-1: none).
        groups: int64 `[N]`, the group that each row is fetched with; None if rows are fetched one by one.
        costs: bytes of each group `[G]`.
        seed: two choosers with the same arguments choose the same rows.
    """

    def __init__(self, codes: np.ndarray, groups: np.ndarray | None, costs: np.ndarray | None, seed: int) -> None:
        self.codes, self.groups, self.costs = codes, groups, costs
        self.order = np.random.default_rng([seed, 2]).permutation(len(codes))
        self.free = codes >= 0

    def take(self, need: dict[int, int]) -> np.ndarray:
        """Rows `[n]`, sorted: up to `need[c]` of each class c, fewer where the class has no more."""
        need = {code: count for code, count in need.items() if count > 0}
        wanted = self.order[self.free[self.order] & np.isin(self.codes[self.order], list(need))]
        if self.groups is not None:
            wanted = self._in_cheapest_groups(wanted, need)
        wanted = wanted[np.argsort(self.codes[wanted], kind="stable")]
        codes = self.codes[wanted]
        position = np.arange(len(wanted)) - np.searchsorted(codes, codes)  # place of a row within its class
        rows = wanted[position < np.asarray([need[code] for code in codes], dtype=np.int64)]
        self.free[rows] = False
        return np.sort(rows)

    def _in_cheapest_groups(self, rows: np.ndarray, need: dict[int, int]) -> np.ndarray:
        """The rows that lie in the groups of the greedy cover, in the order in which the groups were chosen."""
        assert self.groups is not None
        chosen = self._cover(self.groups[rows], self.codes[rows], need)
        rank = {group: place for place, group in enumerate(chosen)}
        rows = rows[np.isin(self.groups[rows], chosen)]
        places = np.asarray([rank[group] for group in self.groups[rows]], dtype=np.int64)
        return rows[np.argsort(places, kind="stable")]

    def _cover(self, groups: np.ndarray, codes: np.ndarray, need: dict[int, int]) -> list[int]:
        """Groups, best first, that together give what is needed as far as there is enough."""
        costs = self.costs
        assert costs is not None
        span = int(codes.max(initial=0)) + 1
        pairs, counts = np.unique(groups * span + codes, return_counts=True)
        members: dict[int, list[tuple[int, int]]] = {}
        for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
            members.setdefault(pair // span, []).append((pair % span, count))
        place = {group: number for number, group in enumerate(dict.fromkeys(groups.tolist()))}
        left = dict(need)

        def gain(group: int) -> float:
            return sum(min(left[code], count) for code, count in members[group]) / max(float(costs[group]), 1.0)

        heap = [(-gain(group), place[group], group) for group in members]  # equal gains: the seeded order decides
        heapq.heapify(heap)
        chosen: list[int] = []
        while heap and any(left.values()):
            _, number, group = heapq.heappop(heap)
            current = gain(group)
            if current <= 0:
                continue
            if heap and -current > heap[0][0]:
                heapq.heappush(heap, (-current, number, group))
                continue
            chosen.append(group)
            for code, count in members[group]:
                left[code] -= min(left[code], count)
        return chosen
