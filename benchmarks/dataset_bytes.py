"""What a Hub dataset costs: bytes and requests for one sample, against the bytes of all its images.

    python benchmarks/dataset_bytes.py            # class-sorted, 20 shards, both layouts; fails at 5 % or more
    python benchmarks/dataset_bytes.py --large    # the same of 640 MB

A class-sorted Parquet repository is made in a temporary folder and read from a Hub on the loopback device. `groups`
are row groups of a few images, as older exports have them; `pages` is one large row group a shard with a page index,
as `datasets` writes today.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.data.repositories import class_sorted_repository
from tests.hub import LoopbackHub

LIMIT = 0.05


def measure(layout: str, arguments: argparse.Namespace, root: Path, hub: LoopbackHub) -> float:
    """Samples one repository, prints a line, and returns the share of its image bytes that was read."""
    from hf_crosssight.data import load_sample

    name = f"bench/{layout}"
    image_bytes = class_sorted_repository(
        root / "datasets" / name,
        shards=arguments.shards,
        groups=arguments.groups,
        rows=arguments.rows,
        classes=arguments.classes,
        image_bytes=arguments.image_bytes,
        paged=layout == "pages",
    )
    before = len(hub.requests)
    started = time.perf_counter()
    sample = load_sample(name, images_per_class=arguments.images_per_class)
    seconds = time.perf_counter() - started
    requests = [request for request in hub.requests[before:] if request.path.endswith(".parquet")]
    read = sum(request.bytes_sent for request in requests)
    print(
        f"{layout}: {len(sample.class_names)} of {arguments.classes} classes, {len(sample.images)} images of "
        f"{sample.num_rows}; read {read / 1e6:.2f} of {image_bytes / 1e6:.1f} MB of images ({read / image_bytes:.2%}) "
        f"in {len(requests)} requests, {seconds:.1f} s"
    )
    return read / image_bytes if len(sample.class_names) == arguments.classes else 1.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in (("shards", 20), ("groups", 40), ("rows", 10), ("classes", 20), ("image-bytes", 4200)):
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--images-per-class", type=int, default=10)
    parser.add_argument("--large", action="store_true", help="20 shards of 32 MB: 32 groups of 50 images of 20 kB")
    arguments = parser.parse_args()
    if arguments.large:
        arguments.groups, arguments.rows, arguments.image_bytes = 32, 50, 20_000
    with tempfile.TemporaryDirectory() as folder, LoopbackHub(folder) as hub:
        os.environ.update(HF_ENDPOINT=hub.url, HF_HOME=str(Path(folder) / "home"), HF_HUB_OFFLINE="0")
        shares = [measure(layout, arguments, Path(folder), hub) for layout in ("groups", "pages")]
    return int(not arguments.large and max(shares) >= LIMIT)


if __name__ == "__main__":
    sys.exit(main())
