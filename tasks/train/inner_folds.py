"""Folds of patients inside the training patients, which choose models and thresholds."""

from __future__ import annotations

from collections.abc import Sequence

from storage.keys import digest


def deal_inner_folds(
    patients: Sequence[str], digests: Sequence[str], lesions: Sequence[bool], *, count: int, seed: int
) -> list[int]:
    """Inner fold of each case; patients with lesions are dealt first, in an order of digests and the seed.

    Parameters
    ----------
    patients, digests, lesions
        Of each case, in an order of the digests: whose it is, of its images, and whether it has a lesion.
    count
        Folds; fewer where there are fewer patients.
    """
    first = dict(reversed(list(zip(patients, digests, strict=True))))
    ill = {patient for patient, lesion in zip(patients, lesions, strict=True) if lesion}
    dealt = sorted(first, key=lambda patient: (patient not in ill, digest([first[patient], seed, "inner"])))
    fold = {patient: position % min(count, len(dealt)) for position, patient in enumerate(dealt)}
    return [fold[patient] for patient in patients]
