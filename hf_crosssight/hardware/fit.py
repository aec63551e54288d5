"""Learning the utilisation from a table of measured latencies, and how far it errs on what it was not shown."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hf_crosssight.hardware.model_shape import FEATURE_DIM
from hf_crosssight.hardware.residuals import Spread, condition, conformal_factor
from hf_crosssight.hardware.utilisation import CLIP, RANGE, SETTINGS, Utilisation

ANCHOR_COUNTS = (1, 2, 5, 10, 20)
_HIDDEN = 64
_MEMBERS = 2
_EPOCHS = 50
_RATE_PENALTY = 0.03  # on the squared exponents of the rates: a few devices must not say what they cannot
_FEWEST_DEVICES = 3  # that exponents are learned from: with two, each device's own peculiarity would be one
_LEVEL_RIDGE = 30.0  # timings that a device's own level is worth beside the common prediction


@dataclass(frozen=True)
class Timings:
    """Measured latencies, R of them, ready to be learned from.

    Attributes:
        features (`np.ndarray`): float32 `[R, FEATURE_DIM]`, of `ModelShapes.features`.
        times (`np.ndarray`): `[R, 4]`, of `roofline.least_times`, ms an image.
        log_rates (`np.ndarray`): `[R, 2]`, of `roofline.log_rates`.
        settings (`np.ndarray`): float32 `[R, len(SETTINGS)]`.
        log_latency (`np.ndarray`): `[R]`, log ms an image.
        device, run, family (`np.ndarray`): text `[R]`: what measured it; device and settings, within which anchors
            belong together; architecture family, held out together.
    """

    features: np.ndarray
    times: np.ndarray
    log_rates: np.ndarray
    settings: np.ndarray
    log_latency: np.ndarray
    device: np.ndarray
    run: np.ndarray
    family: np.ndarray

    def __len__(self) -> int:
        return len(self.log_latency)

    def take(self, rows: np.ndarray) -> Timings:
        """The timings at these rows (indices or a mask)."""
        return Timings(**{field.name: getattr(self, field.name)[rows] for field in dataclasses.fields(self)})


def fit_utilisation(timings: Timings, *, members: int = _MEMBERS, epochs: int = _EPOCHS, seed: int = 0) -> Utilisation:
    """A utilisation learned by gradient descent on the absolute log error, every device weighing the same.

    Args:
        timings: what was measured, of one kind of run.
        members: size of the ensemble.
        epochs: passes over the timings.
        seed: of the initial weights and of the order.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    mean, scale = timings.features.mean(axis=0), timings.features.std(axis=0) + 1e-3
    scaled = np.clip((timings.features - mean) / scale, -CLIP, CLIP)
    inputs = torch.from_numpy(np.concatenate([scaled, timings.settings], axis=1).astype(np.float32))
    logs = torch.from_numpy(np.log(timings.times).astype(np.float32))
    neutral = timings.log_rates.mean(axis=0)
    rates = torch.from_numpy((timings.log_rates - neutral).astype(np.float32))
    target = torch.from_numpy(timings.log_latency.astype(np.float32))
    names, owners, counts = np.unique(timings.device, return_inverse=True, return_counts=True)
    weight = torch.from_numpy((len(timings) / len(names) / counts)[owners].astype(np.float32))

    def made(rows: int, columns: int, size: float) -> torch.Tensor:
        return torch.randn(members, rows, columns, generator=generator).mul_(size / rows**0.5).requires_grad_()

    start = float((target - torch.logsumexp(logs, 1)).median())
    gain = torch.full((members, logs.shape[1]), start).requires_grad_()
    weights = [made(inputs.shape[1], _HIDDEN, 1.4), made(_HIDDEN, _HIDDEN, 1.4), made(_HIDDEN, logs.shape[1], 0.1)]
    biases = [torch.zeros(members, 1, matrix.shape[2], requires_grad=True) for matrix in weights]
    exponent = torch.zeros(2, requires_grad=len(names) >= _FEWEST_DEVICES)

    def predicted(rows: torch.Tensor) -> torch.Tensor:
        hidden = inputs[rows][None]
        for matrix, bias in itertools.islice(zip(weights, biases, strict=True), 2):
            hidden = torch.relu(hidden @ matrix + bias)
        factors = gain[:, None] + RANGE * torch.tanh(hidden @ weights[2] + biases[2])
        slower = exponent * rates[rows]
        longer = torch.stack([slower[:, 0], slower[:, 1], slower[:, 1], torch.zeros(len(rows))], dim=1)
        return torch.logsumexp(factors + logs[rows] + longer, dim=2)

    optimizer = torch.optim.AdamW(
        [
            {"params": weights, "weight_decay": 1e-2, "lr": 3e-3},
            {"params": [*biases, gain, exponent], "weight_decay": 0.0, "lr": 1e-2},
        ]
    )
    batch = 512
    steps = epochs * -(-len(timings) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [3e-3, 1e-2], total_steps=steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(timings), generator=generator).split(batch):
            errors = predicted(rows) - target[rows]
            loss = torch.nn.functional.smooth_l1_loss(errors, torch.zeros_like(errors), beta=0.1, reduction="none")
            optimizer.zero_grad()
            penalty = members * _RATE_PENALTY * exponent.square().sum()
            ((loss * weight[rows]).mean(dim=1).sum() + penalty).backward()
            optimizer.step()
            schedule.step()
    learned = tuple((w.detach().numpy(), b.detach().numpy()) for w, b in zip(weights, biases, strict=True))
    ends = timings.log_rates.min(axis=0), timings.log_rates.max(axis=0)
    bent = np.stack([exponent.detach().numpy(), *ends, neutral]).astype(np.float32)
    return Utilisation(mean.astype(np.float32), scale.astype(np.float32), gain.detach().numpy(), learned, bent)


def residuals_of(utilisation: Utilisation, timings: Timings) -> np.ndarray:
    """log(measured / predicted) of timings by the common prediction, `[R]`."""
    scaled = utilisation.scaled(timings.features)
    times = timings.times * utilisation.rate_factors(timings.log_rates)
    return timings.log_latency - utilisation.log_latency(scaled, times, timings.settings)


def device_levels(utilisation: Utilisation, timings: Timings) -> dict[str, np.ndarray]:
    """What each device's own timings add to the common prediction: a constant and slopes, by ridge regression."""
    scaled = utilisation.scaled(timings.features)
    residuals = residuals_of(utilisation, timings)
    levels = {}
    for device in np.unique(timings.device):
        own = timings.device == device
        design = np.concatenate([np.ones((own.sum(), 1), np.float32), scaled[own]], axis=1)
        ridge = np.diag(np.r_[1.0, np.full(FEATURE_DIM, _LEVEL_RIDGE)])
        levels[str(device)] = np.linalg.solve(design.T @ design + ridge, design.T @ residuals[own]).astype(np.float32)
    return levels


@dataclass(frozen=True)
class LeftOut:
    """Devices that were left out in turn: scaled features `[R, d]`, log residuals, device and run `[R]`."""

    scaled: np.ndarray
    residuals: np.ndarray
    device: np.ndarray
    run: np.ndarray


def leave_devices_out(timings: Timings, *, members: int = _MEMBERS, epochs: int = _EPOCHS, seed: int = 0) -> LeftOut:
    """The residuals of each device by a utilisation learned from the others."""
    parts = []
    for device in np.unique(timings.device):
        held = timings.device == device
        learned = fit_utilisation(timings.take(~held), members=members, epochs=epochs, seed=seed)
        own = timings.take(held)
        parts.append((learned.scaled(own.features), residuals_of(learned, own), own.device, own.run))
    return LeftOut(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def fit_spread(left_out: LeftOut, *, anchors: int = 10, draws: int = 3, seed: int = 0) -> Spread:
    """The process whose predictions from a few anchors err least on the devices that were left out.

    The device's own part is the root mean square of the devices' median residuals; with so few devices it is widened
    by the t distribution's 84 % quantile over the normal's.
    """
    from scipy.stats import t

    devices = np.unique(left_out.device)
    levels = [np.median(left_out.residuals[left_out.device == device]) for device in devices]
    device = max(0.1, float(np.sqrt(np.mean(np.square(levels)))) * float(t.ppf(0.841, len(devices))))
    best: tuple[float, Spread] | None = None
    for slope, likeness, length, noise in itertools.product((0.05, 0.1, 0.2), (0.05, 0.1), (0.7, 1.5), (0.05, 0.1)):
        spread = Spread(device, slope, likeness, length, noise)
        errors = np.concatenate([np.abs(rest) for rest, _ in anchored_errors(spread, left_out, anchors, draws, seed)])
        error = float(np.median(errors))
        if best is None or error < best[0]:
            best = (error, spread)
    assert best is not None
    return best[1]


def anchored_errors(
    spread: Spread, left_out: LeftOut, anchors: int, draws: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(remaining log residuals, deviations) per run and draw of so many random anchors; at most 1500 models each."""
    generator = np.random.default_rng(seed)
    found = []
    for run in np.unique(left_out.run):
        rows = np.flatnonzero(left_out.run == run)
        for _ in range(draws):
            drawn = generator.permutation(rows)
            chosen, rest = drawn[:anchors], drawn[anchors : anchors + 1500]
            mean, deviation = condition(
                spread, left_out.scaled[chosen], left_out.residuals[chosen], left_out.scaled[rest]
            )
            found.append((left_out.residuals[rest] - mean, deviation))
    return found


def conformal_factors(spread: Spread, left_out: LeftOut, *, seed: int = 1) -> dict[str, np.ndarray]:
    """Factors on the deviations by case: `unseen` without anchors, `anchored` by their number (`ANCHOR_COUNTS`)."""
    counts = {device: (left_out.device == device).sum() for device in np.unique(left_out.device)}
    weighed = np.concatenate(
        [
            np.random.default_rng(seed).choice(np.flatnonzero(left_out.device == d), min(counts.values()))
            for d in counts
        ]
    )
    deviation = spread.prior_deviation(left_out.scaled[weighed])
    anchored = [_anchored_factor(spread, left_out, count, seed) for count in ANCHOR_COUNTS]
    return {
        "unseen": np.array([conformal_factor(left_out.residuals[weighed], deviation)], np.float32),
        "anchored": np.array(anchored, np.float32),
    }


def listed_factor(timings: Timings, *, members: int = _MEMBERS, epochs: int = _EPOCHS, folds: int = 5) -> np.ndarray:
    """The log error that holds `LEVEL` of the models of left-out families on devices that were not left out, `[1]`."""
    return np.array(
        [conformal_factor(errors := families_left_out(timings, members, epochs, folds), np.ones_like(errors))]
    )


def families_left_out(timings: Timings, members: int = _MEMBERS, epochs: int = _EPOCHS, folds: int = 5) -> np.ndarray:
    """Log residuals `[R]` of each timing by what was learned on the same devices from other families."""
    residuals = np.empty(len(timings))
    for held in family_folds(timings.family, folds):
        learned = fit_utilisation(timings.take(~held), members=members, epochs=epochs)
        levels = device_levels(learned, timings.take(~held))
        own = timings.take(held)
        residuals[held] = residuals_of(learned, own) - level_of(learned, levels, own)
    return residuals


def level_of(utilisation: Utilisation, levels: dict[str, np.ndarray], timings: Timings) -> np.ndarray:
    """What the devices' own levels add to the common prediction of timings, `[R]`."""
    scaled = utilisation.scaled(timings.features)
    slopes = np.stack([levels[device] for device in timings.device.tolist()])
    return slopes[:, 0] + np.einsum("rd,rd->r", scaled, slopes[:, 1:])


def _anchored_factor(spread: Spread, left_out: LeftOut, count: int, seed: int) -> float:
    errors, deviations = zip(*anchored_errors(spread, left_out, count, 5, seed), strict=True)
    return conformal_factor(np.concatenate(errors), np.concatenate(deviations))


def family_folds(families: np.ndarray, folds: int = 5, seed: int = 0) -> Sequence[np.ndarray]:
    """Masks `[R]` of the rows held out per fold, whole families together, folds of about the same size."""
    names, counts = np.unique(families, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-counts[order], kind="stable")]
    sizes, fold_of = np.zeros(folds), {}
    for index in order:
        fold = int(sizes.argmin())
        fold_of[names[index]] = fold
        sizes[fold] += counts[index]
    owner = np.array([fold_of[name] for name in families])
    return [owner == fold for fold in range(folds)]


def settings_array(**known: np.ndarray | bool) -> np.ndarray:
    """float32 `[..., len(SETTINGS)]` of named settings; those not named are off."""
    columns = [np.asarray(known.get(name, False), np.float32) for name in SETTINGS]
    return np.stack(np.broadcast_arrays(*columns), axis=-1)
