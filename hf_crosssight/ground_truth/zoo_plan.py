"""Which models a zoo with lineages is made of: architectures crossed with sources, lengths of training and parents.

The plan must not let the family decide: every family has the same six roles (so the same spread of quality), and
widths, depths, image sizes, sources and learning rates are dealt over families and roles so that none follows another.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UserError
from .architectures import FAMILIES, Design


@dataclass(frozen=True)
class Role:
    """What a member is for: its length of training and, for a descendant, the role of its parent.

    Attributes:
        name: short name.
        epochs: passes over the source's images.
        max_images: images used at most; few images and many epochs give a memorised, over-trained model.
        shift: augmentation in pixels at a side of 64; 0 lets a model memorise.
        parent: role of the member it is fine-tuned from.
    """

    name: str
    epochs: int
    max_images: int = 2000
    shift: int = 4
    parent: str | None = None


ROLES = (
    Role("base", epochs=10),
    Role("long", epochs=20),
    Role("brief", epochs=2),
    Role("memorised", epochs=30, max_images=300, shift=0),
    Role("tuned", epochs=6, parent="base"),
    Role("retuned", epochs=6, max_images=1000, parent="tuned"),
)
_RATE_FACTORS = {"vit": 0.5, "beit": 0.5, "swin": 0.5, "pvt_v2": 0.5, "mobilenet_v1": 4.0, "mobilenet_v2": 4.0}
_LARGE_IMAGES_ONLY = ("mobilenet_v1", "mobilenet_v2")  # they shrink 32 times: of 32 px one position is left


@dataclass(frozen=True)
class Member:
    """One model to train.

    Attributes:
        name: folder and repository name.
        design: its architecture.
        role: its length of training.
        source: dataset it is trained on, as the user named it.
        parent: name of the member it starts from; `None` is random weights.
        generation: 1 for random weights, 2 and 3 for descendants.
        learning_rate: peak of the schedule.
        seed: of the weights, the order of images and their shifts.
    """

    name: str
    design: Design
    role: Role
    source: str
    parent: str | None
    generation: int
    learning_rate: float
    seed: int


def plan_zoo(sources: Sequence[str], *, count: int | None = None, seed: int = 0) -> list[Member]:
    """Members in an order in which parents come before children and any first part has many families.

    Args:
        sources: datasets to train on, at least two, so that descendants see other data than their parents.
        count: how many members, by default six of each family.
        seed: of all that is dealt.

    Raises:
        UserError: fewer than two sources, or a count that the plan does not reach.
    """
    most = len(ROLES) * len(FAMILIES)
    if len(set(sources)) < 2:
        raise UserError(f"{len(set(sources))} source dataset is named", "Name at least two: lineages need another.")
    if count is not None and not 1 <= count <= most:
        raise UserError(f"a zoo of {count} models is asked for", f"The plan holds 1 to {most}.")
    rng = random.Random(seed)
    deck = _Deck(sources, rng)
    members: dict[tuple[str, str], Member] = {}
    for position, role in enumerate(ROLES):
        for number, family in enumerate(FAMILIES):
            parent = members.get((family, role.parent)) if role.parent else None
            ancestors = _sources_of(parent, members)
            members[family, role.name] = _member(family, number, role, position, parent, deck.deal(ancestors), seed)
    return list(members.values())[:count]


def _member(
    family: str, number: int, role: Role, position: int, parent: Member | None, source: str, seed: int
) -> Member:
    width, depth = (position + number) % 3, (position + number // 3) % 2
    small = (position // 2 + number) % 2 == 1 and family not in _LARGE_IMAGES_ONLY  # two of a family's four roots
    design = parent.design if parent else Design(family, width, depth, 32 if small else 64)
    rate = (1e-3, 2e-3)[(position + number // 2) % 2] * _RATE_FACTORS.get(family, 1.0)
    return Member(
        name=f"{family.replace('_', '')}-{position + 1}-{source.rstrip('/').split('/')[-1]}",
        design=design,
        role=role,
        source=source,
        parent=parent.name if parent else None,
        generation=parent.generation + 1 if parent else 1,
        learning_rate=rate / 2 if parent else rate,
        seed=1000 * seed + 100 * position + number,
    )


def _sources_of(member: Member | None, members: dict[tuple[str, str], Member]) -> set[str]:
    by_name = {found.name: found for found in members.values()}
    found: set[str] = set()
    while member is not None:
        found.add(member.source)
        member = by_name.get(member.parent) if member.parent else None
    return found


class _Deck:
    """Deals sources evenly: all once in random order before any comes again, but none that is excluded."""

    def __init__(self, sources: Sequence[str], rng: random.Random) -> None:
        self.sources, self.rng = sorted(set(sources)), rng
        self.left: list[str] = []

    def deal(self, excluded: set[str]) -> str:
        excluded = excluded if set(self.sources) - excluded else set()
        if all(source in excluded for source in self.left):
            self.left += self.rng.sample(self.sources, len(self.sources))
        chosen = next(source for source in self.left if source not in excluded)
        self.left.remove(chosen)
        return chosen
