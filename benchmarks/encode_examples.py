"""Encodes the public datasets whose tokens are bundled with the web page as examples.

    python benchmarks/encode_examples.py --datasets FOLDER

FOLDER holds one folder in Hub layout per dataset, called as below. Only datasets whose licence allows passing figures
on are taken; what is written are tokens (means of features, counts, an embedding of words), no image. The page
states each dataset's source and licence beside it.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from hf_crosssight.data import load_sample
from hf_crosssight.encoding import encode_dataset
from hf_crosssight.hub import HubClient
from hf_crosssight.hub.places import write_text
from hf_crosssight.rankers import find_ranker
from hf_crosssight.space.examples import EXAMPLES


@dataclass(frozen=True)
class Source:
    """A dataset: its folder, its public id, and what its source states."""

    folder: str
    key: str
    title: str
    license: str


SOURCES = (
    Source("fashion-mnist", "zalandoresearch/fashion-mnist", "Fashion-MNIST: clothes in grey, 28 px", "mit"),
    Source("trashnet", "garythung/trashnet", "TrashNet: photographs of waste by material", "mit"),
    Source("clothing-small", "alexeygrigorev/clothing-dataset-small", "Clothing: photographs of garments", "cc0-1.0"),
    Source(
        "sign-language-digits", "ardamavi/Sign-Language-Digits-Dataset", "Digits in sign language: hands", "apache-2.0"
    ),
    Source("omniglot-100", "brendenlake/omniglot", "Omniglot: 100 characters of many alphabets, drawn", "mit"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--datasets", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=EXAMPLES)
    given = parser.parse_args()
    ranker = find_ranker("bundled", client=HubClient(offline=True)).load()
    seen = {name.rsplit("/", 1)[-1] for name in ranker.model.config.reference_names or ()}
    entries = []
    for source in SOURCES:
        sample = load_sample(given.datasets / source.folder)
        encoded = encode_dataset(sample, ranker)
        file = f"{source.folder}.safetensors"
        encoded.tokens.save(given.out / file)
        known = "; results on it trained the ranker" if source.folder in seen else ""
        entries.append(
            {
                "key": source.key,
                "title": source.title,
                "source": f"https://github.com/{source.key}",
                "license": source.license,
                "note": f"bundled tokens of {len(sample.images)} images of at most 64 px a side{known}",
                "file": file,
                "split": sample.split,
                "num_classes": sample.num_classes,
                "num_images_used": len(sample.images),
            }
        )
        print(f"{source.key}: {len(sample.images)} images, tokens {encoded.tokens.values.shape}{known}")
    write_text(given.out / "examples.json", json.dumps(entries, indent=1) + "\n")


if __name__ == "__main__":
    main()
