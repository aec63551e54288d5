"""Regression trees as tensors, a linear map and perceptrons beside them: grown elsewhere, evaluated here by many rows.

A tree is four numbers a node: the feature that is looked at, the threshold (a row goes left where its value is at most
that), the left child (the right one is the next after it) and the value. A leaf is its own left child, so that a walk
may take as many steps as the deepest tree has, wherever a row ends.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

_ROWS = 4096  # that walk together: what they take fits the cache


class CrossSightForest(nn.Module):
    """`trees` trees of at most `nodes` nodes, in `members` equal groups (the ensemble): `[N, F]` → `[N, members]`."""

    feature: Tensor
    threshold: Tensor
    left: Tensor
    value: Tensor

    def __init__(self, trees: int, nodes: int, depth: int, members: int):
        super().__init__()
        if trees % members:
            raise ValueError(f"{trees} trees cannot be shared by {members} members")
        self.depth, self.members = depth, members
        self.register_buffer("feature", torch.zeros(trees, nodes, dtype=torch.int16))
        self.register_buffer("threshold", torch.zeros(trees, nodes))
        self.register_buffer("left", torch.zeros(trees, nodes, dtype=torch.int16))
        self.register_buffer("value", torch.zeros(trees, nodes))

    def forward(self, rows: Tensor) -> Tensor:
        """Mean of each member's trees `[N, members]` for features `[N, F]`."""
        return torch.cat([self._walk(part) for part in rows.split(_ROWS)]) if len(rows) else rows.new_zeros(
            0, self.members
        )  # fmt: skip

    def _walk(self, rows: Tensor) -> Tensor:
        trees = torch.arange(len(self.feature), device=rows.device)[:, None]
        at = torch.zeros(len(self.feature), len(rows), dtype=torch.long, device=rows.device)
        columns = rows.T
        own = torch.arange(len(rows), device=rows.device)
        for _ in range(self.depth):
            left = self.left[trees, at].long()
            right = columns[self.feature[trees, at].long(), own] > self.threshold[trees, at]
            at = torch.where(left == at, at, left + right)
        return self.value[trees, at].unflatten(0, (self.members, -1)).mean(1).T


class CrossSightLinear(nn.Module):
    """A linear map of standardised features, one a member: `[N, F]` → `[N, members]`; what is NaN counts as usual.

    Features are cut at four deviations: what a network of a family unlike all others shows must not run away.
    """

    center: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, features: int, members: int):
        super().__init__()
        self.register_buffer("center", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.register_buffer("weight", torch.zeros(features, members))
        self.register_buffer("bias", torch.zeros(members))

    def forward(self, rows: Tensor) -> Tensor:
        """Takes features `[N, F]`."""
        return self.standardised(rows) @ self.weight + self.bias

    def standardised(self, rows: Tensor) -> Tensor:
        """Features `[N, F]` as the map reads them."""
        return torch.nan_to_num((rows - self.center) / self.scale).clamp(-4.0, 4.0)


class CrossSightPerceptrons(nn.Module):
    """One perceptron of two hidden layers a member, for features as `CrossSightLinear` standardises them.

    Its weights are buffers, as all that is grown: the training of the network leaves them alone. They are kept in half
    precision, which halves what they take.
    """

    LAYERS = ("first", "second", "last")

    def __init__(self, features: int, width: int, members: int):
        super().__init__()
        sizes = (features, width, width, 1)
        for name, given, made in zip(self.LAYERS, sizes[:-1], sizes[1:], strict=True):
            self.register_buffer(f"{name}_weight", torch.zeros(members, given, made, dtype=torch.float16))
            self.register_buffer(f"{name}_bias", torch.zeros(members, 1, made, dtype=torch.float16))

    def forward(self, rows: Tensor, dropout: tuple[float, float] = (0.0, 0.0)) -> Tensor:
        """`[N, members]` for features `[N, F]`, or for rows of each member's own `[members, N, F]`.

        `dropout`: share of the features and of the hidden units that is left out, in training.
        """
        states = nn.functional.dropout(rows, dropout[0])
        for name in self.LAYERS:
            weight, bias = (self.get_buffer(f"{name}_{part}").to(states.dtype) for part in ("weight", "bias"))
            states = states @ weight + bias
            if name != self.LAYERS[-1]:
                states = nn.functional.dropout(nn.functional.gelu(states), dropout[1])
        return states[..., 0].T


def forest_arrays(trees: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Trees of differing sizes, each `feature`, `threshold`, `left`, `right`, `value` `[n]`, as a forest's buffers.

    Nodes are renumbered so that the right child follows the left one. `depth` comes as a tensor of one number.
    """
    laid, depths = zip(*(_laid_out(tree) for tree in trees), strict=True)
    nodes = max(len(tree["value"]) for tree in laid)
    if nodes > torch.iinfo(torch.int16).max:
        raise ValueError(f"a tree has {nodes} nodes; at most {torch.iinfo(torch.int16).max} can be kept")
    padded = {
        name: torch.stack([nn.functional.pad(tree[name], (0, nodes - len(tree[name]))) for tree in laid])
        for name in ("feature", "threshold", "left", "value")
    }
    return {**padded, "depth": torch.tensor(max(depths))}


def _laid_out(tree: dict[str, Tensor]) -> tuple[dict[str, Tensor], int]:
    """One tree with its nodes in breadth-first order, and its depth."""
    order, left, depth = [0], [], 0
    level = [0]
    position = 0
    while level:
        following = []
        for node in level:
            if int(tree["left"][node]) < 0:
                left.append(position)
            else:
                left.append(len(order))
                children = [int(tree["left"][node]), int(tree["right"][node])]
                order += children
                following += children
            position += 1
        level = following
        depth += bool(following)
    index = torch.tensor(order)
    return {
        "feature": tree["feature"][index].clamp(min=0).to(torch.int16),
        "threshold": tree["threshold"][index].float(),
        "left": torch.tensor(left, dtype=torch.int16),
        "value": tree["value"][index].float(),
    }, depth
