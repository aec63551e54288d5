"""The code that loads a recommended model and fine-tunes it on the user's dataset, ready to be run."""

from __future__ import annotations

from hf_crosssight.space.query import Query
from hf_crosssight.space.sources import hub_id

_PACKAGES = 'pip install "transformers[torch]" datasets torchvision'
_CODE = """# {install}
{imports}
from transformers import AutoImageProcessor, AutoModelForImageClassification, Trainer, TrainingArguments

{load}
names = data.features[{label}].names
parts = data.train_test_split(test_size=0.2, stratify_by_column={label}, seed=0)

processor = AutoImageProcessor.from_pretrained({model})
model = AutoModelForImageClassification.from_pretrained({model}, num_labels=len(names), ignore_mismatched_sizes=True)


def prepare(batch):
    images = [image.convert("RGB") for image in batch[{image}]]
    return {{"pixel_values": processor(images, return_tensors="pt")["pixel_values"], "labels": batch[{label}]}}


def accuracy(results):
    return {{"accuracy": float((results.predictions.argmax(-1) == results.label_ids).mean())}}


settings = TrainingArguments(
    output_dir="fine-tuned", num_train_epochs=5, learning_rate=5e-5, per_device_train_batch_size=32,
    eval_strategy="epoch", remove_unused_columns=False,
)
trainer = Trainer(
    model, settings, train_dataset=parts["train"].with_transform(prepare),
    eval_dataset=parts["test"].with_transform(prepare), compute_metrics=accuracy,
)
trainer.train()
print(trainer.evaluate())
"""
_DIGITS = """digits = load_digits()
pixels = (digits.images * (255 / 16)).astype("uint8")
data = Dataset.from_dict({"image": [Image.fromarray(item) for item in pixels], "label": digits.target.tolist()})
data = data.class_encode_column("label")"""


def fine_tuning_code(model_id: str, library: str | None, query: Query) -> str:
    """Python that fine-tunes a model on the dataset of a query and prints its accuracy on a fifth of it."""
    imports, load = _loading(query)
    return _CODE.format(
        install=_PACKAGES + (" timm" if library == "timm" else ""),
        imports=imports,
        load=load,
        model=repr(model_id),
        image=repr(query.image_column or "image"),
        label=repr(query.label_column or "label"),
    )


def _loading(query: Query) -> tuple[str, str]:
    """(imports, lines that make `data`) of the dataset of a query."""
    plain = "from datasets import load_dataset"
    if query.source == "hub":
        config = f", {query.config!r}" if query.config else ""
        label = query.label_column or "label"
        name, _, revision = hub_id(query.dataset).partition("@")
        pinned = f", revision={revision!r}" if revision else ""
        load = f"data = load_dataset({name!r}{config}, split={query.split or 'train'!r}{pinned})"
        return plain, f'{load}\nif not hasattr(data.features[{label!r}], "names"):\n' + (
            f"    data = data.class_encode_column({label!r})"
        )
    if query.source == "example" and query.dataset == "digits":
        return "from datasets import Dataset\nfrom PIL import Image\nfrom sklearn.datasets import load_digits", _DIGITS
    return plain, 'data = load_dataset("imagefolder", data_dir="YOUR_FOLDER", split="train")  # one folder a class'
