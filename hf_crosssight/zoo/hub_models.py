"""Single models from the Hub: config, card and tensor headers by byte range, never a weight."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hf_crosssight.errors import UserError
from hf_crosssight.hub.client import HubClient, ResolvedRepo
from hf_crosssight.hub.weight_files import repo_tensors
from hf_crosssight.tokens.card_reading import CardFacts, read_card
from hf_crosssight.tokens.tensor_kinds import Tensor
from hf_crosssight.zoo.index import ZooIndex
from hf_crosssight.zoo.model_facts import ModelFacts, facts_from_repo, index_of
from hf_crosssight.zoo.repo_files import (
    CONFIG,
    IMAGE_PROCESSOR,
    LARGEST_TEXT,
    README,
    UnreadableRepoError,
    check_files,
    parse_config,
    parse_optional,
)

Progress = Callable[[str, int, int | None], None]


def read_hub_models(
    model_ids: Sequence[str], client: HubClient, *, id: str = "hub", progress: Progress | None = None
) -> ZooIndex:
    """The named models (`ID` or `ID@REVISION`), in this order.

    Raises:
        UserError: an id is unknown, gated or cannot be used; who names a model wants that one.
        HubError: the Hub or the network is at fault.
    """
    models = []
    for done, model_id in enumerate(model_ids):
        if progress is not None:
            progress("reading models", done, len(model_ids))
        models.append(_read_model(client, model_id))
    if progress is not None:
        progress("reading models", len(model_ids), len(model_ids))
    return index_of(models, id=id)


def _read_model(client: HubClient, model_id: str) -> ModelFacts:
    repo = client.resolve(model_id, "model")
    try:
        check_files(file.path for file in repo.files)
        config = hub_config(client, repo)
    except UnreadableRepoError as error:
        hint = "Name a model that has config.json and safetensors weights."
        raise UserError(f"{model_id} cannot be ranked: {error}.", hint) from error
    return hub_facts(client, repo, config, repo_tensors(client, repo))


def hub_config(client: HubClient, repo: ResolvedRepo) -> Mapping[str, Any]:
    """The config.json of a model of the Hub; raises `UnreadableRepoError` where it is none."""
    return parse_config(_content(client, repo, CONFIG))


def hub_facts(
    client: HubClient,
    repo: ResolvedRepo,
    config: Mapping[str, Any],
    tensors: Sequence[Tensor],
    *,
    params: int | None = None,
) -> ModelFacts:
    """What config, card and tensors of a model of the Hub tell."""
    readme = (_content(client, repo, README) or b"").decode("utf-8", "replace")
    return facts_from_repo(
        repo.id,
        config,
        _with_hub_facts(read_card(readme, config, repo.id), repo),
        tensors,
        revision=repo.sha,
        image_processor=parse_optional(_content(client, repo, IMAGE_PROCESSOR)),
        source="hub",
        params=params,
    )


def _content(client: HubClient, repo: ResolvedRepo, path: str) -> bytes | None:
    """A small file's bytes, `None` where there is none; a stranger's may be of any size, and is not fetched then."""
    file = repo.file(path)
    if file is None:
        return None
    if (file.size or 0) > LARGEST_TEXT:
        raise UnreadableRepoError(f"its {path} is larger than {LARGEST_TEXT >> 20} MB")
    return client.download(repo, path).read_bytes()


def _with_hub_facts(card: CardFacts, repo: ResolvedRepo) -> CardFacts:
    """The card's facts, completed by what the Hub itself says of the repository (it infers task and library)."""
    return replace(
        card,
        license=repo.license or card.license,
        library=repo.library or card.library,
        task=repo.pipeline_tag or card.task,
        tags=tuple(dict.fromkeys((*card.tags, *repo.tags))),
    )
