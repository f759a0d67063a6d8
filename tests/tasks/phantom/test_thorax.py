"""The chest: what a radiologist, and a detector, may expect of it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from tasks.phantom.thorax import thorax

GRID = {"shape": (40, 112, 112), "spacing_mm": (5.0, 2.5, 2.5)}


@pytest.fixture(scope="module")
def chest():
    return thorax(np.random.default_rng(3), nodules=3, diameter_mm=(9.0, 20.0), center_mm=(5.0, -150.0, -90.0), **GRID)


def test_it_is_int16_hu_from_air_to_bone(chest):
    assert chest.hu.dtype == np.int16
    assert chest.hu.shape == GRID["shape"]
    assert chest.hu.min() >= -1024
    assert 400 < chest.hu.max() <= 3071
    assert chest.volume.unit == "HU"


def test_lungs_are_two_aerated_organs_of_plausible_size(chest):
    _, parts = ndimage.label(chest.lungs)
    assert parts == 2
    assert -900 < np.median(chest.hu[chest.lungs]) < -800
    assert 0.07 < chest.lungs.mean() < 0.2


def test_the_left_lung_is_the_one_with_the_heart(chest):
    """Index x grows to the patient's left; the heart takes room there."""
    middle = GRID["shape"][2] // 2
    right, left = chest.lungs[:, :, :middle].sum(), chest.lungs[:, :, middle:].sum()
    assert left < right


def test_the_spine_lies_behind_and_the_air_of_the_room_in_front(chest):
    bone = chest.hu > 350
    middle = GRID["shape"][2] // 2
    column = np.nonzero(bone[:, :, middle - 4 : middle + 5])[1]
    assert np.median(column) > GRID["shape"][1] / 2
    assert np.median(chest.hu[:, :4]) < -950


def test_noise_in_soft_tissue_has_the_asked_deviation():
    quiet, noisy = (
        thorax(np.random.default_rng(8), nodules=0, couch=False, noise_hu=noise, **GRID).hu.astype(float)
        for noise in (0.0, 30.0)
    )
    tissue = ndimage.binary_erosion((quiet > 20) & (quiet < 80), iterations=2)
    assert 20.0 < (noisy - quiet)[tissue].std() < 36.0


def test_every_nodule_has_its_attenuation_at_its_exact_place():
    chest = thorax(np.random.default_rng(5), nodules=3, diameter_mm=(12.0, 20.0), noise_hu=0.0, **GRID)
    for nodule in chest.nodules:
        body = nodule.ellipsoid
        core = body.radius(chest.volume.to_world_mm(np.moveaxis(np.indices(chest.hu.shape), 0, -1))) < 0.4
        assert core.any()
        assert chest.hu[core].mean() == pytest.approx(nodule.hu, abs=25.0)


def test_a_solitary_nodule_adds_exactly_its_own_volume_at_its_own_place():
    """The same patient without nodules is the background; what is left is the nodule's share of each voxel."""
    options = {"diameter_mm": (8.0, 18.0), "noise_hu": 0.0, **GRID}
    for seed in range(3):
        chest, healthy = (thorax(np.random.default_rng(seed), nodules=n, **options) for n in (3, 0))
        nodule = next(n for n in chest.nodules if n.kind == "solitary")
        body = nodule.ellipsoid
        near = body.radius(chest.volume.to_world_mm(np.moveaxis(np.indices(chest.hu.shape), 0, -1))) < 2.0
        gain = np.where(near, chest.hu.astype(float) - healthy.hu, 0.0)
        share = np.where(healthy.hu < -600, gain / (nodule.hu - healthy.hu), 0.0)
        assert share.sum() * chest.volume.voxel_ml == pytest.approx(body.volume_ml, rel=0.06)
        centroid = np.indices(share.shape).reshape(3, -1) @ share.ravel() / share.sum()
        assert np.linalg.norm(chest.volume.to_world_mm(centroid) - body.center_mm) < 0.3


def test_the_same_patient_with_and_without_nodules_differs_in_the_nodules_only(chest):
    healthy = thorax(np.random.default_rng(3), nodules=0, center_mm=(5.0, -150.0, -90.0), **GRID)
    changed = chest.hu != healthy.hu
    world = chest.volume.to_world_mm(np.argwhere(changed))
    nearest = np.min([np.linalg.norm(world - n.ellipsoid.center_mm, axis=1) for n in chest.nodules], axis=0)
    assert changed.any()
    assert nearest.max() < 10.0 * 1.2 + 5.0


def test_nodules_lie_in_the_lungs_within_the_grid_and_apart(chest):
    assert len(chest.nodules) == 3
    assert {n.kind for n in chest.nodules} == {"solitary", "juxtapleural", "vessel"}
    for nodule in chest.nodules:
        z, y, x = np.rint(chest.volume.to_index(nodule.ellipsoid.center_mm)).astype(int)
        assert chest.lungs[z, y, x]
        assert 9.0 <= nodule.ellipsoid.diameter_mm <= 20.0
        assert -50.0 <= nodule.hu <= 80.0
    for a in chest.nodules:
        for b in chest.nodules:
            if a is not b:
                gap = np.linalg.norm(np.subtract(a.ellipsoid.center_mm, b.ellipsoid.center_mm))
                assert gap > max(a.ellipsoid.semi_axes_mm) + max(b.ellipsoid.semi_axes_mm)


def test_a_juxtapleural_nodule_crosses_the_pleura_and_a_solitary_one_does_not(chest):
    field = ndimage.distance_transform_edt(chest.lungs, sampling=chest.volume.spacing_mm)
    for nodule in chest.nodules:
        index = np.rint(chest.volume.to_index(nodule.ellipsoid.surface())).astype(int)
        outside = bool(np.any(field[tuple(index.T)] == 0.0))
        if nodule.kind != "vessel":
            assert outside == (nodule.kind == "juxtapleural")


def test_same_generator_same_chest_and_another_seed_another(chest):
    options = {"nodules": 1, "shape": (12, 48, 48), "spacing_mm": (12.0, 5.0, 5.0), "diameter_mm": (14.0, 20.0)}
    one, same, other = (thorax(np.random.default_rng(s), **options) for s in (1, 1, 2))
    assert np.array_equal(one.hu, same.hu)
    assert one.nodules == same.nodules
    assert not np.array_equal(one.hu, other.hu)


def test_an_oblique_grid_shows_the_same_patient_along_its_own_axes():
    c, s = np.cos(0.25), np.sin(0.25)
    turned = ((s, 0.0, c), (0.0, 1.0, 0.0), (c, 0.0, -s))
    options = {"nodules": 0, "noise_hu": 0.0, "couch": False, **GRID}
    straight = thorax(np.random.default_rng(6), **options)
    oblique = thorax(np.random.default_rng(6), direction=turned, **options)
    index = straight.volume.to_index(oblique.volume.to_world_mm(np.moveaxis(np.indices(GRID["shape"]), 0, -1)))
    resampled = ndimage.map_coordinates(straight.lungs.astype(float), np.moveaxis(index, -1, 0), order=1)
    overlap = 2.0 * np.sum(oblique.lungs & (resampled > 0.5)) / (oblique.lungs.sum() + (resampled > 0.5).sum())
    assert overlap > 0.93
    assert not np.array_equal(oblique.lungs, straight.lungs)


def test_lungs_without_room_for_the_nodules_are_refused():
    with pytest.raises(ValueError, match="expected room for 3 nodules"):
        thorax(np.random.default_rng(0), nodules=3, diameter_mm=(150.0, 160.0), **GRID)
