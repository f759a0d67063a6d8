"""``lesionflow families``: what can be measured, and how it is set."""

from __future__ import annotations

from typer.testing import CliRunner, Result

from flows.cli import app


def families(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["families", *arguments])


def test_all_families_and_filters_are_listed_with_what_they_are() -> None:
    said = families().stdout
    assert "glcm" in said
    assert "25" in said
    assert "simoncelli" in said
    assert "[[extract.filters]]" in said


def test_a_family_is_shown_with_settings_and_coded_features() -> None:
    said = families("ngtdm").stdout
    assert "aggregations" in said
    assert "coarseness_3D" in said
    assert "QCDE" in said


def test_families_of_pictures_are_listed_and_shown_beside_those_of_volumes() -> None:
    volumes, _, pictures = families().stdout.partition("Feature families of pictures")
    assert "block_histogram" in pictures
    assert "block_histogram" not in volumes
    said = families("scattering").stdout
    assert "directions" in said
    assert "y0_x3_s0_d2" in said
    both = families("haar_like").stdout
    assert both.index("haar_like of volumes") < both.index("block_z0_y0_x0_two_x") < both.index("haar_like of pictures")
    assert "two_x_8px_y0_x3_above" in both.partition("haar_like of pictures")[2]


def test_a_filter_is_shown_with_its_settings() -> None:
    said = families("log").stdout
    assert "sigma_mm" in said
    assert '"mirror"' in said


def test_an_unknown_name_is_told_with_the_choices() -> None:
    result = families("glmc")
    assert result.exit_code == 2
    assert "choose from: autocorrelation" in " ".join(result.stderr.replace("│", " ").split())
