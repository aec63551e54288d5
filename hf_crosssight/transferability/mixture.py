"""Gaussian mixtures on reduced features: the cluster posteriors that stand in for source classes in N-LEEP."""

from __future__ import annotations

import numpy as np

from .inputs import Array
from .principal import leading_components

# Share of the variance that the projection keeps.
ENERGY = 0.8


def public_posteriors(features: Array, components: int, seed: int) -> Array:
    """Posteriors `[N, K]` as public N-LEEP codes draw them: PCA to 80 % of the variance, then full covariances.

    They draw from numpy's global state; a state of its own with the same seed gives the same draws.
    """
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture

    state = np.random.RandomState(seed)
    reduced = PCA(n_components=ENERGY, random_state=state).fit_transform(features)
    mixture = _fit_quietly(GaussianMixture(n_components=components, random_state=state), reduced)
    return np.asarray(mixture.predict_proba(reduced))


def stable_posteriors(features: Array, num_classes: int, seed: int) -> Array:
    """Posteriors `[N, K]` of a mixture that cannot collapse: diagonal covariances, at least 1 % of the mean variance.

    K is five components a class, but no more than one for five images (and at least two). The projection keeps 80 % of
    the variance, in units of its own mean variance, so that the features' scale is of no account.
    """
    from sklearn.mixture import GaussianMixture

    reduced = leading_components(features, energy=ENERGY)
    reduced = reduced / np.sqrt((reduced**2).mean())
    components = max(2, min(5 * num_classes, len(features) // 5))
    mixture = GaussianMixture(
        n_components=min(components, len(np.unique(reduced, axis=0))),
        covariance_type="diag",
        reg_covar=1e-2,
        random_state=seed,
    )
    return np.asarray(_fit_quietly(mixture, reduced).predict_proba(reduced))


def _fit_quietly(mixture: object, rows: Array):  # type: ignore[no-untyped-def]
    """EM's answer after its 100 rounds is used as it is: a warning would say no more than that."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(rows)  # type: ignore[attr-defined]
