"""Measuring a model on this machine: latency, throughput, memory, energy, temperature, carbon, and what it counts.

Each batch size is warmed up, then timed pass by pass, the device being waited for. What the machine cannot give is
`None`, and the reason stands beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hf_crosssight.errors import UserError
from hf_crosssight.hardware.forward_counts import count_forward
from hf_crosssight.hardware.local_machine import device_title
from hf_crosssight.hardware.peak_memory import peak_beside
from hf_crosssight.hardware.sensors import carbon_of_pass, cpu_temperature, energy_of_pass

_WARM_UP = 3
_REPEATS = 15
_SECONDS = 20.0  # a batch size gets no more passes after this
_LEARNING_RATE = 1e-4

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Measurement:
    """One model at one batch size on one device; names as in the ground truth's table of metrics.

    Attributes:
        model_id, revision: the model.
        device: what it was measured on, as the system names it.
        phase: `infer` or `train` (forward, backward and an AdamW step).
        batch_size, input_size, precision, threads: how.
        latency_ms: median of a pass of the whole batch; `latency_low_ms` and `latency_high_ms` are the quartiles.
        forward_ms: milliseconds an image.
        throughput: images a second.
        memory_mb: weights and what the pass takes beside them, 2**20 bytes. Its parts are `weights_mb`,
            `activations_mb` (tensors made in the pass, gradients too, that live at one time) and `allocator_mb` (what
            was measured beyond those: scratch space, fragments).
        energy_j, power_w, cpu_temperature_c, carbon_g: of a pass, by this machine's sensors.
        params, gmacs, macts: parameters; 1e9 multiply-accumulates and 1e6 activations of one image.
        reasons: by metric that is `None`, why.
    """

    model_id: str
    revision: str | None
    device: str
    phase: str
    batch_size: int
    input_size: int
    precision: str
    threads: int | None
    latency_ms: float
    latency_low_ms: float
    latency_high_ms: float
    forward_ms: float
    throughput: float
    memory_mb: float | None
    weights_mb: float
    activations_mb: float
    allocator_mb: float | None
    energy_j: float | None
    power_w: float | None
    cpu_temperature_c: float | None
    carbon_g: float | None
    params: int
    gmacs: float
    macts: float
    reasons: dict[str, str] = field(default_factory=dict)


def measure_model(
    model: str | Path,
    *,
    device: str = "cpu",
    batch_sizes: Sequence[int] = (1,),
    phase: str = "infer",
    offline: bool = False,
    repeats: int = _REPEATS,
    progress: Progress | None = None,
) -> list[Measurement]:
    """Measures an image model of a folder or the Hub, one `Measurement` a batch size.

    Args:
        model: folder with config.json and safetensors, or Hub id (`ID@REVISION`).
        device: `cpu` or `cuda`.
        batch_sizes: images a pass.
        phase: `infer` or `train`.
        offline: use nothing but this machine.
        repeats: timed passes a batch size, at most 20 seconds of them.
        progress: called as `progress(step, done, total)`.

    Raises:
        UserError: the model cannot be run, the device is not there, or a batch does not fit its memory.
        HubError: the Hub or the network is at fault.
    """
    import torch

    from hf_crosssight.features.load import UnusableModelError, load_image_model

    if device not in ("cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise UserError(f"There is no device {device!r} here.", "Take cpu, or cuda where PyTorch finds a GPU.")
    if phase not in ("infer", "train"):
        raise UserError(f"The phase {phase!r} is not known.", "Take infer or train.")
    if not batch_sizes or min(batch_sizes) < 1:
        raise UserError("A batch has at least one image.", "Give batch sizes of 1 or more.")
    model_id, folder, revision = _folder_of(str(model), offline)
    try:
        loaded = load_image_model(folder, revision=revision)
    except UnusableModelError as error:
        raise UserError(
            f"{model_id} cannot be run: {error}.", "Name an image model with safetensors weights."
        ) from error
    where, found = torch.device(device), []
    module = loaded.network.module.to(where)
    size = _input_size(loaded)
    for done, batch in enumerate(batch_sizes):
        if progress is not None:
            progress("measuring", done, len(batch_sizes))
        pixels = torch.rand(batch, *size, device=where)
        found.append(_measured(module, pixels, loaded.options, phase, repeats, model_id, loaded.revision))
    return found


def _folder_of(name: str, offline: bool) -> tuple[str, Path, str | None]:
    """(id, folder, commit) of a folder or of a Hub model, whose files are fetched."""
    path = Path(name).expanduser()
    if path.is_dir():
        return f"{path.resolve().parent.name}/{path.resolve().name}", path, None
    from hf_crosssight.hub import HubClient

    client = HubClient(offline=offline)
    repo = client.resolve(name, "model")
    files = ["config.json", "preprocessor_config.json", "*.safetensors", "*.safetensors.index.json"]
    return repo.id, client.snapshot(repo, files), repo.sha


def _input_size(loaded: Any) -> tuple[int, ...]:
    """Channels, height and width of what the model's preprocessing makes of an image."""
    from PIL import Image

    return tuple(loaded.preprocessing([Image.new("RGB", (256, 256))])[0].shape)


def _measured(
    module: Any, pixels: Any, options: dict[str, Any], phase: str, repeats: int, model_id: str, revision: str
) -> Measurement:
    import torch

    where, batch = pixels.device, len(pixels)
    one_pass = _pass_of(module, pixels, options, phase)
    try:
        extra = peak_beside(one_pass, where)  # the first pass: later ones find the memory that it took
        with torch.no_grad():
            counts = count_forward(module, lambda: module(pixel_values=pixels, **options))
        held = counts if phase == "infer" else count_forward(module, one_pass)
        times = _times(one_pass, repeats)
        energy, temperature, carbon = energy_of_pass(one_pass, where), cpu_temperature(), carbon_of_pass(one_pass)
    except (RuntimeError, MemoryError) as error:
        what = f"{model_id} does not run in batches of {batch}: {' '.join(str(error).split())[:200]}"
        raise UserError(what, "Take a smaller --batch-size, or predict it: hardware predict.") from error
    weights = counts.weight_bytes / 2**20
    readings = {"energy_j": energy, "cpu_temperature_c": temperature, "carbon_g": carbon}
    reasons = {name: reading.reason for name, reading in readings.items() if reading.reason}
    if energy.reason:
        reasons["power_w"] = energy.reason
    if extra is None:
        reasons |= dict.fromkeys(("memory_mb", "allocator_mb"), "the system does not tell a process's peak memory")
    median = times[len(times) // 2]
    live = held.live_bytes / 2**20
    return Measurement(
        model_id=model_id,
        revision=revision,
        device=device_title(where),
        phase=phase,
        batch_size=batch,
        input_size=int(pixels.shape[-1]),
        precision="fp32",
        threads=torch.get_num_threads() if where.type == "cpu" else None,
        latency_ms=median,
        latency_low_ms=times[len(times) // 4],
        latency_high_ms=times[(3 * len(times)) // 4],
        forward_ms=median / batch,
        throughput=1e3 * batch / median,
        memory_mb=None if extra is None else weights + extra,
        weights_mb=weights,
        activations_mb=live,
        allocator_mb=None if extra is None else max(0.0, extra - live),
        energy_j=energy.value,
        power_w=None if energy.value is None else energy.value / median * 1e3,
        cpu_temperature_c=temperature.value,
        carbon_g=carbon.value,
        params=counts.params,
        gmacs=counts.gmacs / batch,
        macts=counts.macts / batch,
        reasons=reasons,
    )


def _pass_of(module: Any, pixels: Any, options: dict[str, Any], phase: str) -> Callable[[], None]:
    """One pass, or one training step, after which the device has finished."""
    import torch

    def wait() -> None:
        if pixels.device.type == "cuda":
            torch.cuda.synchronize(pixels.device)

    def infer() -> None:
        with torch.no_grad():
            module(pixel_values=pixels, **options)
        wait()

    if phase == "infer":
        return infer
    optimizer = torch.optim.AdamW(module.parameters(), lr=_LEARNING_RATE)
    module.train()

    def train() -> None:
        output = module(pixel_values=pixels, **options)
        scores = getattr(output, "logits", None)
        scores = output.pooler_output if scores is None else scores
        scores.float().square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        wait()

    return train


def _times(one_pass: Callable[[], None], repeats: int) -> list[float]:
    """Milliseconds of single passes, rising, after a warm-up."""
    begun = time.perf_counter()
    for _ in range(_WARM_UP):
        one_pass()
    times: list[float] = []
    while len(times) < repeats and (len(times) < 3 or time.perf_counter() - begun < _SECONDS):
        start = time.perf_counter()
        one_pass()
        times.append((time.perf_counter() - start) * 1e3)
    return sorted(times)
