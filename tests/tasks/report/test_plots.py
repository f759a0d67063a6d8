import re
import xml.etree.ElementTree as ET

import pytest

from tasks.report.content import Curve, Estimate
from tasks.report.plots import forest_svg, froc_svg


def test_the_free_response_axis_runs_from_an_eighth_to_eight():
    curve = Curve(name="This study", fp_per_scan=(0.125, 1.0, 8.0), sensitivity=(0.0, 0.5, 1.0))
    svg = froc_svg([curve])
    points = [tuple(map(float, pair.split(","))) for pair in re.search(r'points="([^"]+)"', svg)[1].split()]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    # 1 lies half way between 1/8 and 8 on a logarithmic axis; the staircase rises there and nowhere between.
    assert xs[1] == pytest.approx((xs[0] + xs[-1]) / 2)
    assert ys[0] == ys[1] > ys[2] == ys[3] > ys[-1]
    assert ys[2] == pytest.approx((ys[0] + ys[-1]) / 2)


def test_a_rule_without_confidence_is_a_point_and_undefined_points_are_left_out():
    nan = float("nan")
    svg = froc_svg([Curve(name="Rule", fp_per_scan=(2.0, nan), sensitivity=(0.8, 0.9), operating_point=(nan, 0.5))])
    assert "<circle" in svg
    assert "<polyline" not in svg
    assert "nan" not in svg


def test_only_the_studys_own_curve_has_its_colour():
    curves = [Curve(name=f"rule {n}", fp_per_scan=(0.5, 1.0), sensitivity=(0.5, 0.9)) for n in range(12)]
    styles = re.findall(r'<polyline class="line ([^"]+)"', froc_svg(curves))
    assert styles.count("s0 own") == 1
    assert len(set(styles)) == 12


def test_a_curve_with_unequal_lengths_is_refused():
    with pytest.raises(ValueError, match="got 1 and 2"):
        Curve(name="x", fp_per_scan=(1.0, 2.0), sensitivity=(0.5,))


def test_an_undefined_estimate_keeps_its_row_without_a_mark():
    svg = forest_svg([("Model", Estimate(value=0.5, low=0.25, high=0.75, n=8)), ("None", Estimate())], title="Dice")
    assert svg.count("<rect") == 1
    assert svg.count("whisker") - svg.count(".whisker") == 1
    assert "0.50 [0.25–0.75]" in svg
    assert "—" in svg


def test_figures_are_files_of_their_own_on_request_and_escape_names():
    svg = froc_svg([Curve(name="<script>", fp_per_scan=(1.0,), sensitivity=(0.5,))], standalone=True)
    assert ET.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert "<script>" not in svg
    assert "xmlns" not in forest_svg([], title="x")
