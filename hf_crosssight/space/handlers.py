"""What happens when something on the page is chosen, uploaded or pressed. No handler lets a traceback out."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import gradio as gr

from hf_crosssight.encoding import EncodedDataset
from hf_crosssight.errors import CrossSightError, UserError
from hf_crosssight.recommendation import Ranking
from hf_crosssight.space import status
from hf_crosssight.space.engine import Engine
from hf_crosssight.space.insight import Insight
from hf_crosssight.space.job import Job, Progress
from hf_crosssight.space.markup import tag
from hf_crosssight.space.pictures import MAX_CLASSES, class_name, read_pictures, thumbnails
from hf_crosssight.space.query import Query
from hf_crosssight.space.result import result_page
from hf_crosssight.space.sources import Upload, archive_upload, dataset_choices, read_dataset

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Held:
    """The dataset that a session ranked for last: another filter does not encode it again.

    Attributes:
        key: the part of the query that names it, with the upload it came from.
        encoded: its tokens.
        pictures: a few thumbnails of each class.
    """

    key: tuple[Any, ...]
    encoded: EncodedDataset
    pictures: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """A ranking and all that the page shows with it."""

    held: Held
    ranking: Ranking
    insight: Insight


class Handlers:
    """The page's events, for one engine and any number of users; what is a user's comes in and goes out with each."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def rank(
        self, query: Query, upload: Upload, held: Held | None, token: str | None
    ) -> Generator[tuple[str, Held | None], None, None]:
        """Yields what the result area shows, and the dataset to keep for the next query."""
        job = Job(lambda progress: self.answer(query, upload, held, token, progress))
        for step in job.steps():
            yield status.working(step), held
        try:
            answer = job.result()
            page = result_page(
                answer.ranking, answer.insight, query, self._libraries(answer.ranking), answer.held.pictures
            )
        except Exception as error:
            yield status.failed(told(error)), held
            return
        yield page, answer.held

    def answer(
        self, query: Query, upload: Upload, held: Held | None, token: str | None, progress: Progress | None = None
    ) -> Answer:
        """The ranking of a query.

        Raises:
            UserError, HubError: see `read_dataset` and `Engine.rank`.
        """
        key = (*query.of_dataset, token, upload.archive and upload.archive.fingerprint, tuple(upload.classes.items()))
        if held is None or held.key != key:
            dataset = read_dataset(query, upload, token, progress)
            encoded = self.engine.encode(dataset, progress)
            pictures = {} if isinstance(dataset, EncodedDataset) else thumbnails(dataset)
            held = Held(key, encoded, pictures)
        if progress is not None:
            progress("ranking", 0, None)
        return Answer(held, *self.engine.rank(held.encoded, query, progress))

    def count(self, query: Query) -> str:
        """How many models the filters leave."""
        return status.remaining(self.engine.remaining(query))

    def look_up(self, dataset: str, config: str | None, token: str | None) -> tuple[Any, Any, Any, Any, str]:
        """What the pickers offer for a Hub dataset: configuration, split, image and label column; and a note."""
        if not dataset.strip():
            return *_no_choices(), _said("Type an id first.")
        try:
            found = dataset_choices(dataset, config or None, token)
        except Exception as error:
            return *_no_choices(), note(told(error))
        if found.problem is not None:
            said = note(found.problem)
        else:
            said = _said(f"Found {found.id}.")
        return (
            _picker(found.configs, found.config),
            _picker(found.splits, found.split),
            _picker(found.image_columns, found.image_column),
            _picker(found.label_columns, found.label_column),
            said,
        )

    def take_archive(self, path: str | None, upload: Upload) -> tuple[Upload, str]:
        """Reads an uploaded zip at once and deletes it."""
        if not path:
            return replace(upload, archive=None, title=""), ""
        try:
            taken = archive_upload(path, Path(path).name)
        except Exception as error:
            return replace(upload, archive=None, title=""), note(told(error))
        finally:
            remove(path)
        return replace(taken, classes=upload.classes), _said(taken.title)

    def take_pictures(self, name: str, paths: Sequence[str] | None, upload: Upload) -> tuple[Upload, str]:
        """Adds a class of pictures that were uploaded by hand; the files are deleted at once."""
        try:
            if not paths:
                raise UserError("no picture was chosen", "Choose a few pictures of the class.")
            pictures = read_pictures(paths)
            classes = {**upload.classes, class_name(name): pictures}
            if len(classes) > MAX_CLASSES:
                raise UserError(f"there are {MAX_CLASSES} classes already", "Upload more as a zip of class folders.")
        except Exception as error:
            return upload, note(told(error))
        finally:
            remove(*(paths or ()))
        return replace(upload, classes=classes), _classes(classes)

    def drop_pictures(self, upload: Upload) -> tuple[Upload, str]:
        """Forgets the classes put together by hand."""
        return replace(upload, classes={}), _said("No class yet.")

    def _libraries(self, ranking: Ranking) -> dict[str, str | None]:
        table = self.engine.zoo.table
        known = dict(zip(table.column("model_id").to_pylist(), table.column("library").to_pylist(), strict=True))
        return {item.model_id: known.get(item.model_id) for item in ranking}


def told(error: Exception) -> CrossSightError:
    """An error for the user; a defect of ours is logged in full and told in a line."""
    if isinstance(error, CrossSightError):
        return error
    logger.error("a defect while answering", exc_info=error)
    return CrossSightError("something went wrong on our side", "Try again; if it stays, report what you chose.")


def note(error: CrossSightError) -> str:
    """An error beside the control that it concerns."""
    said = status.on_the_page(f"{error.what}. {error.hint}".replace("..", "."))
    return tag("p", said, class_="cs-note cs-bad", role="alert")


def remove(*paths: str) -> None:
    """Deletes uploaded files; one that is gone already is no error."""
    for path in paths:
        Path(path).unlink(missing_ok=True)


def _no_choices() -> tuple[Any, Any, Any, Any]:
    nothing = gr.update(choices=[], value=None, interactive=False)
    return nothing, nothing, nothing, nothing


def _picker(choices: Sequence[str], value: str | None) -> Any:
    return gr.update(choices=list(choices), value=value, interactive=len(choices) > 1)


def _classes(classes: dict[str, tuple[bytes, ...]]) -> str:
    told_of = ", ".join(f"{name} ({len(pictures)})" for name, pictures in classes.items())
    more = "" if len(classes) > 1 else " Add one class more, at least."
    return _said(f"{told_of}.{more}")


def _said(text: str) -> str:
    return tag("p", text, class_="cs-note", role="status")
