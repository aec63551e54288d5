"""Weights streamed from a Hub: throughput, bytes against the budget, and a model of 140 GB read within 8 MiB.

    python benchmarks/streaming.py                        # all three, on synthetic repositories
    python benchmarks/streaming.py --models FOLDER        # bytes against the budget on the models in it, too
    python benchmarks/streaming.py --only throughput --repeats 9

A Hub on the loopback device runs in a process of its own, and so does what is measured. Throughput is that of 256 MB
given on tensor by tensor, beside plain ranged downloads of the same file: one large range, and 1, 4, 8, 16 ranges at
once, by huggingface_hub's own client and by Python's `http.client`, each with connections that stay open. The
repository of 140 GB has 36 sparse shards with the tensor names and shapes of an 80-layer language model in bf16.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

BUDGET = 8 << 20
TENSOR, TENSORS = 4 << 20, 64  # the file of the throughput test: 64 tensors of 4 MiB
PARALLEL = (1, 4, 8, 16)
LAYERS, WIDTH, INNER, KEY_WIDTH, WORDS = 80, 8192, 28672, 1024, 128_256
SHARDS = 36


# -- repositories -----------------------------------------------------------------------------------------------------


def write_sparse(path: Path, shapes: dict[str, tuple[int, ...]], dtype: str = "BF16", width: int = 2) -> int:
    """A safetensors file with a true header and a hole for its data; returns the bytes of the data."""
    header, end = {}, 0
    for name, shape in shapes.items():
        size = width
        for side in shape:
            size *= side
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    content = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(content)) + content)
        file.truncate(8 + len(content) + end)
    return end


def language_model() -> list[dict[str, tuple[int, ...]]]:
    """Tensor shapes of an 80-layer decoder of 70 B parameters, in shards of about the same size."""
    tensors: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (WORDS, WIDTH)}
    for layer in range(LAYERS):
        stem = f"model.layers.{layer}."
        for name, shape in (
            ("self_attn.q_proj", (WIDTH, WIDTH)),
            ("self_attn.k_proj", (KEY_WIDTH, WIDTH)),
            ("self_attn.v_proj", (KEY_WIDTH, WIDTH)),
            ("self_attn.o_proj", (WIDTH, WIDTH)),
            ("mlp.gate_proj", (INNER, WIDTH)),
            ("mlp.up_proj", (INNER, WIDTH)),
            ("mlp.down_proj", (WIDTH, INNER)),
            ("input_layernorm", (WIDTH,)),
            ("post_attention_layernorm", (WIDTH,)),
        ):
            tensors[f"{stem}{name}.weight"] = shape
    tensors |= {"model.norm.weight": (WIDTH,), "lm_head.weight": (WORDS, WIDTH)}
    per_shard = -(-len(tensors) // SHARDS)
    items = list(tensors.items())
    return [dict(items[first : first + per_shard]) for first in range(0, len(items), per_shard)]


def write_sharded(folder: Path) -> int:
    """The sharded repository; returns its bytes of weights."""
    shards, weight_map, total = language_model(), {}, 0
    for number, shapes in enumerate(shards, start=1):
        name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        total += write_sparse(folder / name, shapes)
        weight_map |= dict.fromkeys(shapes, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    (folder / "config.json").write_text('{"model_type": "llama"}')
    return total


def write_dense(folder: Path) -> None:
    """The file of the throughput test, of random bytes (no hole: those are read faster)."""
    folder.mkdir(parents=True)
    place = folder / "model.safetensors"
    size = write_sparse(
        place, {f"layer.{index:02d}.weight": (1024, TENSOR // 4096) for index in range(TENSORS)}, "F32", 4
    )
    with place.open("r+b") as file:
        file.seek(-size, os.SEEK_END)
        for _ in range(TENSORS):
            file.write(os.urandom(TENSOR))


# -- what is measured, in a process of its own ------------------------------------------------------------------------


def plain_ranges(url: str, size: int, parallel: int, fetch: Callable[[int, int, memoryview], None]) -> float:
    """Seconds to fetch `[0, size)` as `parallel` ranges at once."""
    buffer = memoryview(bytearray(size))
    step = -(-size // parallel)
    started = time.perf_counter()
    with ThreadPoolExecutor(parallel) as pool:
        spans = [(first, min(first + step, size)) for first in range(0, size, step)]
        list(pool.map(lambda span: fetch(span[0], span[1], buffer[span[0] : span[1]]), spans))
    return time.perf_counter() - started


def plain_clients(url: str) -> dict[str, Callable[[int, int, memoryview], None]]:
    """Two clients without any of our code; connections stay open between calls of a thread."""
    from huggingface_hub.utils import get_session

    parts = urlsplit(url)
    own = threading.local()

    def by_hub_client(start: int, stop: int, into: memoryview) -> None:
        headers = {"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
        with get_session().stream("GET", url, headers=headers) as response:
            at = 0
            for chunk in response.iter_raw():
                into[at : at + len(chunk)] = chunk
                at += len(chunk)
        assert at == stop - start

    def by_http_client(start: int, stop: int, into: memoryview) -> None:
        if not hasattr(own, "connection"):
            own.connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
        own.connection.request("GET", parts.path, headers={"Range": f"bytes={start}-{stop - 1}"})
        response, at = own.connection.getresponse(), 0
        while at < stop - start:
            at += response.readinto(into[at:])
        response.read()

    return {"huggingface_hub's client": by_hub_client, "http.client": by_http_client}


def measure_throughput(repeats: int) -> dict[str, list[float]]:
    """MB/s of each way, `repeats` times, in turn."""
    from huggingface_hub import hf_hub_url

    from hf_crosssight.hub import HubClient
    from hf_crosssight.hub.weight_files import TensorBlock, repo_weights

    client = HubClient()
    repo = client.resolve("bench/dense")
    files = repo_weights(client, repo)
    blocks = [TensorBlock(tensor, 0, tensor.numel) for tensor in files.tensors]
    size = repo.files[0].size or 0
    url = hf_hub_url(repo.id, repo.files[0].path, revision=repo.sha, endpoint=os.environ["HF_ENDPOINT"])

    def streamed() -> float:
        started = time.perf_counter()
        read = sum(len(piece.data) for piece in files.read(blocks))
        assert read == files.total_bytes
        return time.perf_counter() - started

    ways: dict[str, Callable[[], float]] = {"streamed": streamed}
    for name, fetch in plain_clients(url).items():
        for parallel in PARALLEL:
            ways[f"{name}, {parallel} at once"] = lambda f=fetch, p=parallel: plain_ranges(url, size, p, f)  # type: ignore[misc]
    for way in ways.values():  # connections and caches are warm for all alike
        way()
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            found[name].append(size / 1e6 / way())
    return found


def measure_budget(repo_id: str) -> dict[str, float]:
    """One model read within the budget: bytes, requests, seconds, and memory above that after the imports (MB)."""
    import huggingface_hub.utils  # noqa: F401 - of the interpreter's own memory
    import numpy  # noqa: F401

    from hf_crosssight.hub import HubClient
    from hf_crosssight.hub.weight_files import repo_weights
    from hf_crosssight.tokens.byte_budget import plan_blocks

    client = HubClient()
    before, started = memory("VmRSS"), time.perf_counter()
    files = repo_weights(client, client.resolve(repo_id))
    headers = client.bytes_read
    plan = plan_blocks(files.numeric, key=files.revision, budget=BUDGET)
    numbers = sum(piece.values().size for piece in files.read(plan.blocks))
    return {
        "seconds": time.perf_counter() - started,
        "peak_mb": memory("VmHWM") - before,
        "weights": client.bytes_read - headers,
        "planned": plan.bytes,
        "headers": headers,
        "blocks": len(plan.blocks),
        "numbers": numbers,
        "total": files.total_bytes,
        "shards": files.num_shards,
        "shards_read": files.shards_read,
    }


def memory(key: str) -> float:
    """A line of /proc/self/status, in MB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) / 1024


# -- the parent -------------------------------------------------------------------------------------------------------


@contextmanager
def serving(root: Path, home: Path) -> Iterator[dict[str, str]]:
    """A Hub in a process of its own; gives the environment for its clients."""
    command = [sys.executable, str(ROOT / "tests" / "hub.py"), "--root", str(root), "--home", str(home)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = server.stdout.readline().strip().partition("HF_ENDPOINT=")[2]
        yield {**os.environ, "HF_ENDPOINT": address, "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"}
    finally:
        server.terminate()
        server.wait()


def in_own_process(environment: dict[str, str], *arguments: str) -> Any:
    """What this script finds with `--worker`, with an empty Hugging Face home."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, __file__, "--worker", *arguments]
        done = subprocess.run(
            command, env=environment | {"HF_HOME": home}, stdout=subprocess.PIPE, check=True, text=True
        )
    return json.loads(done.stdout.splitlines()[-1])


def spread(values: list[float], unit: str) -> str:
    """Median and range."""
    return f"{statistics.median(values):.0f} {unit} ({min(values):.0f} to {max(values):.0f}, n = {len(values)})"


def tell_throughput(found: dict[str, list[float]]) -> None:
    ours = found.pop("streamed")
    print(f"throughput of {TENSOR * TENSORS / 1e6:.0f} MB: streamed {spread(ours, 'MB/s')}")
    for name, values in found.items():
        print(f"    plain, {name}: {spread(values, 'MB/s')}")
    for client in ("huggingface_hub's client", "http.client"):
        way = max((one for one in found if one.startswith(client)), key=lambda one: statistics.median(found[one]))
        shares = [own / plain for own, plain in zip(ours, found[way], strict=True)]
        middle = statistics.median(shares)
        print(f"  of the best plain download by {client}: {middle:.0%} ({min(shares):.0%} to {max(shares):.0%})")


def tell_budget(repo_id: str, runs: list[dict[str, float]]) -> None:
    one = runs[0]
    allowed = min(BUDGET, one["total"])
    shares = [run["weights"] / allowed for run in runs]
    print(
        f"{repo_id}: {one['total'] / 1e9:.3g} GB in {one['shards']:.0f} files ({one['shards_read']:.0f} headers); "
        f"{one['weights'] / 2**20:.2f} MiB of weights read, {min(shares):.1%} to {max(shares):.1%} of what the budget "
        f"allows ({one['planned'] / 2**20:.2f} MiB planned, {one['blocks']:.0f} blocks), "
        f"{one['headers'] / 1024:.0f} KiB of headers; {spread([run['seconds'] * 1000 for run in runs], 'ms')}; "
        f"peak above the imports {spread([run['peak_mb'] for run in runs], 'MB')}"
    )


def tell_given(runs: list[dict[str, float]]) -> None:
    """What a folder of models cost, read one after the other by one process."""
    shares = [run["weights"] / min(BUDGET, run["total"]) for run in runs]
    whole, headers = sum(run["total"] for run in runs) / 1e6, max(run["headers"] for run in runs) / 1024
    print(
        f"{len(runs)} models of {whole:.0f} MB: {min(shares):.1%} to {max(shares):.1%} of what the budget allows of "
        f"each, {headers:.0f} KiB of headers at the most; {spread([run['seconds'] * 1000 for run in runs], 'ms')}; "
        f"peak above the imports {max(run['peak_mb'] for run in runs):.0f} MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", choices=("throughput", "budget", "large"))
    parser.add_argument("--models", type=Path, help="folder of model repositories (org/name/), for the budget")
    parser.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        kind, *rest = arguments.worker
        if kind == "throughput":
            print(json.dumps(measure_throughput(int(rest[0]))))
        else:
            print(json.dumps([measure_budget(repo_id) for repo_id in rest]))
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "models"
        write_dense(root / "bench" / "dense")
        write_sharded(root / "bench" / "large")
        given = sorted(path.parent for path in arguments.models.glob("*/*/config.json")) if arguments.models else []
        for org in {path.parent for path in given}:
            (root / org.name).symlink_to(org.resolve())
        with serving(Path(folder), Path(folder) / "home") as environment:
            if arguments.only in (None, "throughput"):
                tell_throughput(in_own_process(environment, "throughput", str(arguments.repeats)))
            names = {"budget": ["bench/dense"], "large": ["bench/large"]}
            for kind, ids in names.items():
                if arguments.only not in (None, kind):
                    continue
                for repo_id in ids:
                    runs = [in_own_process(environment, "budget", repo_id)[0] for _ in range(arguments.repeats)]
                    tell_budget(repo_id, runs)
            if given and arguments.only in (None, "budget"):
                ids = [f"{path.parent.name}/{path.name}" for path in given]
                tell_given(in_own_process(environment, "budget", *ids))


if __name__ == "__main__":
    main()
