"""The zoo with lineages: a plan that deals everything evenly, and members that are what their cards say."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors import SafetensorError

from hf_crosssight.errors import UserError
from hf_crosssight.ground_truth import make_zoo as module
from hf_crosssight.ground_truth.architectures import BATCH_NORM_MOMENTUM, FAMILIES, MAX_PARAMS, Design, build
from hf_crosssight.ground_truth.make_zoo import MadeZoo, make_zoo
from hf_crosssight.ground_truth.model_sources import find_models, load_classifier
from hf_crosssight.ground_truth.training_data import stated_origin, trained_on
from hf_crosssight.ground_truth.training_loop import (
    Normalisation,
    Schedule,
    TrainingFailedError,
    make_accelerator,
    predict,
    train,
)
from hf_crosssight.ground_truth.zoo_plan import ROLES, Member, Role, plan_zoo

from .small_world import draw, write_dataset

SOURCES = [f"set-{number}" for number in range(12)]
TINY = Design("convnext", 0, 0, 32)


def member(name: str, source: str, parent: str | None = None, generation: int = 1, **role: int) -> Member:
    return Member(name, TINY, Role("r", **{"epochs": 1, **role}), source, parent, generation, 2e-3, seed=3)


MEMBERS = [
    member("root", "acme/one", epochs=2),
    member("child", "acme/two", "root", 2),
    member("grandchild", "acme/one", "child", 3),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sources")
    write_dataset(root / "acme/one", train=40, test=12)
    write_dataset(root / "acme/two", train=32, test=0, classes=2, seed=2)
    return root


@pytest.fixture(scope="module")
def zoo(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(data, tmp_path_factory.mktemp("zoo"))


def made(data: Path, out: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "plan_zoo", lambda *_, **__: MEMBERS)
        make_zoo([str(data / "acme")], out, organisation="org", offline=True)
    return out


# the plan


def test_the_plan_has_twelve_families_with_six_members_each() -> None:
    members = plan_zoo(SOURCES)
    assert Counter(member.design.family for member in members) == dict.fromkeys(FAMILIES, 6)
    assert len(FAMILIES) == 12
    assert len({member.name for member in members}) == len({member.seed for member in members}) == 72


def test_sources_widths_depths_and_lengths_do_not_follow_the_family() -> None:
    members = plan_zoo(SOURCES)
    assert set(Counter(member.source for member in members).values()) == {6}
    for family in FAMILIES:
        own = [member for member in members if member.design.family == family]
        roots = [member for member in own if member.parent is None]
        assert [member.role.name for member in own] == [role.name for role in ROLES]
        assert {member.design.width for member in roots} == {0, 1, 2}
        assert {member.design.depth for member in roots} == {0, 1}
        sizes = Counter(member.design.image_size for member in roots)
        assert sizes == ({64: 4} if family.startswith("mobilenet") else {32: 2, 64: 2})
        assert len({member.source for member in own}) >= 4


def test_lineages_have_three_generations_and_see_other_data() -> None:
    members = {member.name: member for member in plan_zoo(SOURCES)}
    assert Counter(member.generation for member in members.values()) == {1: 48, 2: 12, 3: 12}
    for found in members.values():
        if found.parent:
            parent = members[found.parent]
            assert found.generation == parent.generation + 1
            assert found.design == parent.design
            assert found.source != parent.source
            assert list(members).index(found.parent) < list(members).index(found.name)


def test_a_part_of_the_plan_is_its_beginning() -> None:
    assert plan_zoo(SOURCES, count=14) == plan_zoo(SOURCES)[:14]
    assert len({found.design.family for found in plan_zoo(SOURCES, count=12)}) == 12
    assert [found.source for found in plan_zoo(SOURCES, seed=1)] != [found.source for found in plan_zoo(SOURCES)]
    assert plan_zoo(SOURCES[::-1]) == plan_zoo(SOURCES)


@pytest.mark.parametrize(("sources", "count"), [(["a"], None), (["a", "a"], None), (["a", "b"], 0), (["a", "b"], 73)])
def test_plans_that_cannot_be(sources: list[str], count: int | None) -> None:
    with pytest.raises(UserError):
        plan_zoo(sources, count=count)


def test_two_sources_are_enough() -> None:
    assert len(plan_zoo(["a", "b"])) == 72


# the architectures


@pytest.mark.parametrize("family", FAMILIES)
def test_every_design_is_small_and_reads_its_images(family: str) -> None:
    import torch

    torch.manual_seed(0)
    names = tuple(f"class {number}" for number in range(100))
    for width, depth, side in ((2, 1, 64), (2, 0, 64), (0, 1, 32)):
        if side == 32 and family.startswith("mobilenet"):
            continue
        model = build(Design(family, width, depth, side), names)
        assert 20_000 < sum(p.numel() for p in model.parameters()) <= MAX_PARAMS
        assert model(pixel_values=torch.randn(2, 3, side, side)).logits.shape == (2, 100)
        assert model.config.id2label[99] == "class 99"
        for part in model.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                assert part.momentum == BATCH_NORM_MOMENTUM
            assert not isinstance(part, torch.nn.Dropout) or part.p == 0.0


def test_width_and_depth_make_a_design_larger() -> None:
    for family in FAMILIES:
        narrow, wide = (build(Design(family, width, 0, 64), ("a", "b")).num_parameters() for width in (0, 2))
        assert wide > 1.15 * narrow


def test_a_design_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hf_crosssight.ground_truth.architectures.MAX_PARAMS", 10_000)
    with pytest.raises(ValueError, match="more than 10000"):
        build(TINY, ("a", "b"))


# the training


def shapes(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    return np.stack([draw(int(label), rng, 32).transpose(2, 0, 1) for label in labels]), labels


def test_training_learns_what_can_be_learnt() -> None:
    import torch

    torch.manual_seed(0)
    model = build(Design("resnet", 0, 0, 32), ("disc", "stripes", "square"))
    accelerator = make_accelerator()
    images, labels = shapes(150, 0)
    report = train(model, images, labels, Schedule(6, 3e-3, batch_size=25), Normalisation(), accelerator)
    assert report.steps == 36
    assert 0 < report.step_seconds < report.seconds
    test, truth = shapes(90, 1)
    assert (predict(model, test, Normalisation(), accelerator) == truth).mean() > 0.8


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_trains_after_it_was_asked(family: str) -> None:
    """BEiT keeps an index of its first pass; made in inference mode it would forbid training."""
    import torch

    torch.manual_seed(0)
    model = build(Design(family, 0, 0, 64), ("a", "b", "c"))
    images, labels = shapes(8, 0)
    images = images.repeat(2, axis=2).repeat(2, axis=3)
    accelerator = make_accelerator()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert predict(model, images, Normalisation(), accelerator).shape == (8,)
    report = train(model, images, labels, Schedule(2, 1e-3, batch_size=4), Normalisation(), accelerator)
    assert report.steps == 4
    changed = [name for name, value in model.state_dict().items() if not torch.equal(value, before[name])]
    trained = [name for name, value in model.named_parameters() if value.requires_grad]
    assert set(trained) <= set(changed) | {name for name in trained if name.endswith("mask_token")}


def test_a_last_batch_of_one_image_is_left_out() -> None:
    model = build(Design("resnet", 0, 0, 32), ("a", "b", "c"))
    images, labels = shapes(9, 0)
    report = train(model, images, labels, Schedule(1, 1e-3, batch_size=4), Normalisation(), make_accelerator())
    assert report.steps == 2


def test_a_loss_that_is_no_number_ends_the_run() -> None:
    model = build(TINY, ("a", "b", "c"))
    images, labels = shapes(12, 0)
    with pytest.raises(TrainingFailedError, match=r"the loss is (nan|inf) after \d+ of"):
        train(model, images, labels, Schedule(6, 1e30, batch_size=4), Normalisation(), make_accelerator())


# the zoo


def test_members_are_repositories_that_transformers_loads(zoo: Path) -> None:
    sources, reasons = find_models([str(zoo)])
    assert [source.id for source in sources] == ["org/child", "org/grandchild", "org/root"]
    assert reasons == {}
    assert load_classifier(sources[0], classes=5, seed=0).side == 32
    assert trained_on({source.id: stated_origin(source.folder) for source in sources}) == {
        "org/root": {"acme/one"}, "org/child": {"acme/one", "acme/two"}, "org/grandchild": {"acme/one", "acme/two"}
    }  # fmt: skip


def test_weights_are_float16_and_small(zoo: Path) -> None:
    from safetensors import safe_open

    with safe_open(zoo / "org/root/model.safetensors", "np") as file:
        assert {str(file.get_slice(name).get_dtype()) for name in file.keys()} == {"F16"}  # noqa: SIM118


def test_cards_tell_source_base_and_accuracy(zoo: Path) -> None:
    for name, source, base in (
        ("root", "acme/one", None), ("child", "acme/two", "org/root"), ("grandchild", "acme/one", "org/child")
    ):  # fmt: skip
        text = (zoo / "org" / name / "README.md").read_text()
        data = yaml.safe_load(text.split("---")[1])
        assert data["datasets"] == [source]
        assert data.get("base_model") == base
        facts = json.loads((zoo / "org" / name / "training.json").read_text())
        accuracy = data["model-index"][0]["results"][0]["metrics"][0]["value"]
        assert accuracy == facts["source_accuracy"]
        assert f"{facts['images']} images of {facts['classes']} classes" in text
    assert facts["generation"] == 3
    assert json.loads((zoo / "org/child/config.json").read_text())["id2label"] == {"0": "disc", "1": "stripes"}


def test_a_descendant_starts_from_its_parents_file(zoo: Path) -> None:
    from safetensors.numpy import load_file

    root, child = (load_file(zoo / "org" / name / "model.safetensors") for name in ("root", "child"))
    name = next(key for key in root if key.endswith("dwconv.weight"))
    change = np.abs(root[name].astype(float) - child[name].astype(float)).mean()
    assert 0 < change < 0.2 * np.abs(root[name].astype(float)).mean()


def test_the_list_of_members(zoo: Path) -> None:
    with (zoo / "members.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["model_id"] for row in rows] == ["org/root", "org/child", "org/grandchild"]
    assert [row["base_model"] for row in rows] == ["", "org/root", "org/child"]


def test_a_zoo_is_the_same_bit_for_bit_when_made_again(zoo: Path, data: Path, tmp_path: Path) -> None:
    again = made(data, tmp_path)
    for found in MEMBERS:
        for file in ("model.safetensors", "config.json", "README.md", "preprocessor_config.json"):
            assert (again / "org" / found.name / file).read_bytes() == (zoo / "org" / found.name / file).read_bytes()


def test_what_is_whole_stays_and_what_is_half_made_is_made_again(zoo: Path, data: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(zoo, tmp_path / "zoo")
    out = tmp_path / "zoo"
    shutil.rmtree(out / "org/grandchild")
    (out / ".partial/grandchild-1").mkdir(parents=True)  # what a killed process left
    stamp = (out / "org/root/model.safetensors").stat().st_mtime_ns
    steps: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "plan_zoo", lambda *_, **__: MEMBERS)
        found = make_zoo(
            [str(data / "acme")], out, organisation="org", offline=True, progress=lambda step, *_: steps.append(step)
        )
    assert found.made == ("grandchild",)
    assert found.found == ("root", "child")
    assert len(steps) == 1
    assert (out / "org/root/model.safetensors").stat().st_mtime_ns == stamp
    assert (out / "org/grandchild/model.safetensors").read_bytes() == (
        zoo / "org/grandchild/model.safetensors"
    ).read_bytes()


def test_chosen_members_come_with_their_ancestors(data: Path, tmp_path: Path) -> None:
    def make(*only: str) -> MadeZoo:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "plan_zoo", lambda *_, **__: MEMBERS)
            return make_zoo([str(data / "acme")], tmp_path, only=only, organisation="org", offline=True)

    assert make("child").made == ("root", "child")
    assert make("root", "grandchild").made == ("grandchild",)
    with pytest.raises(UserError, match="no member 'uncle'"):
        make("uncle")


def test_a_full_disk_leaves_nothing_half_made(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*_: object) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(module, "plan_zoo", lambda *_, **__: MEMBERS[:1])
    monkeypatch.setattr(module, "_save", no_space)
    with pytest.raises(UserError, match=r"cannot be written.*No space left"):
        make_zoo([str(data / "acme")], tmp_path, organisation="org", offline=True)
    assert list((tmp_path / "org").iterdir()) == list((tmp_path / ".partial").glob("*")) == []


def test_a_member_that_does_not_train_is_told(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    monkeypatch.setattr(module, "plan_zoo", lambda *_, **__: [replace(MEMBERS[0], learning_rate=1e35)])
    with pytest.raises(UserError, match="root does not train: the loss is"):
        make_zoo([str(data / "acme")], tmp_path, organisation="org", offline=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be made"):
        make_zoo([str(data / "acme")], tmp_path / "file", organisation="org", offline=True)


def test_a_zoo_of_another_seed_is_not_mixed_in(zoo: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    monkeypatch.setattr(module, "plan_zoo", lambda *_, **__: [replace(MEMBERS[0], seed=4)])
    with pytest.raises(UserError, match="another seed"):
        make_zoo([str(data / "acme")], zoo, organisation="org", offline=True)


def test_a_member_that_another_process_makes_is_left_to_it(data: Path, tmp_path: Path) -> None:
    import fcntl

    (tmp_path / ".locks").mkdir()
    with (tmp_path / ".locks" / "org-root").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "plan_zoo", lambda *_, **__: MEMBERS)
            found = make_zoo([str(data / "acme")], tmp_path, organisation="org", offline=True)
    assert found.held == ("root", "child", "grandchild")
    assert not (tmp_path / "members.csv").exists()
