import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from storage.volume import Volume
from tasks.report.drawn import DrawnCase, Outcome
from tasks.report.panel import draw_case
from tasks.report.settings import Settings
from tasks.report.targets import CasePanel


def decode(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def weight(case: DrawnCase) -> int:
    return sum(len(layer.uri) for view in case.views for plane in view.planes for layer in plane.layers)


def test_each_finding_and_each_missed_lesion_is_shown(panel):
    case = draw_case(panel, Settings())
    assert [(view.kind, view.number) for view in case.views] == [("finding", 1), ("finding", 2), ("missed", 2)]
    assert case.undrawn == 0
    for view in case.views:
        assert [plane.title for plane in view.planes] == ["Axial", "Coronal", "Sagittal", "Axial, close-up"]
        assert not view.outside


def test_each_plane_has_one_picture_per_window(panel):
    plane = draw_case(panel, Settings()).views[0].planes[0]
    assert [layer.window for layer in plane.layers] == ["Lung", "Soft tissue", "Bone"]
    lung, soft, _ = (np.asarray(decode(layer.uri)) for layer in plane.layers)
    assert lung.shape == (60, 60)
    # -800 HU is 550/1500 of the lung window, and below the soft tissue window.
    assert lung.mean() == pytest.approx(255 * 550 / 1500, abs=2)
    assert soft.max() == 0


def test_only_the_finding_in_question_is_in_focus(panel):
    axial = draw_case(panel, Settings()).views[0].planes[0]
    assert [(outline.number, outline.focus) for outline in axial.findings] == [(1, True)]
    assert [(outline.number, outline.focus) for outline in axial.lesions] == [(1, False)]
    assert axial.findings[0].path.startswith("M")
    assert axial.findings[0].path.endswith("Z")


def test_missed_lesions_keep_half_of_the_room(panel):
    case = draw_case(panel, Settings(maximum_overlays_per_case=2))
    assert [view.kind for view in case.views] == ["finding", "missed"]
    assert case.undrawn == 1
    assert [view.kind for view in draw_case(panel, Settings(maximum_overlays_per_case=1)).views] == ["finding"]


def test_a_missed_lesion_that_is_not_in_the_image_is_counted_as_undrawn(panel):
    gone = replace(panel, outcome=Outcome(lesions=3, missed=(2, 3), verdicts={}))
    assert draw_case(gone, Settings()).undrawn == 1


def test_a_case_without_findings_shows_its_middle(panel):
    empty = CasePanel("C-2", "P-2", "ct", panel.volume)
    case = draw_case(empty, Settings())
    assert [view.kind for view in case.views] == ["middle"]
    assert case.views[0].planes[0].mark is None


def test_a_finding_outside_the_image_says_so(panel, finding):
    far = replace(panel, findings=(finding(position_mm=(900.0, 0.0, 0.0)),), outcome=None, finding_labels=None)
    (view,) = draw_case(far, Settings()).views
    assert view.outside
    assert all(plane.mark is None for plane in view.planes[:2])


def test_pet_has_a_projection_and_ct_has_none(panel):
    pet = replace(panel, volume=replace(panel.volume, array=np.abs(panel.volume.array) / 100, unit="SUV"))
    drawn = draw_case(pet, Settings())
    assert drawn.overview is not None
    assert drawn.windows == ("SUV 0–10", "SUV 0–5")
    assert draw_case(panel, Settings()).overview is None


def test_a_heavy_case_is_made_lighter(panel):
    rng = np.random.default_rng(1)
    noisy = Volume(rng.normal(0, 400, (40, 300, 300)).astype(np.float32), (2.0, 1.0, 1.0), unit="HU")
    case = CasePanel("C-3", "P-3", "ct", noisy)
    full, light = (draw_case(case, Settings(case_kilobytes=kilobytes)) for kilobytes in (5000, 100))
    assert weight(light) < weight(full) / 2
    assert light.views[0].planes[0].width == full.views[0].planes[0].width == 300


def test_a_drawn_case_survives_json_and_repeats_byte_for_byte(panel):
    text = draw_case(panel, Settings()).model_dump_json()
    assert DrawnCase.model_validate_json(text) == draw_case(panel, Settings())
    assert draw_case(panel, Settings()).model_dump_json() == text
