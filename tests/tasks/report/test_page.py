import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from tasks.report import wording
from tasks.report.content import Accounting, Curve, Difference, Estimate, Excluded, Fold, LeftOut, Metric, ReportInput
from tasks.report.drawn import Outcome
from tasks.report.page import render_page
from tasks.report.panel import draw_case
from tasks.report.selected import FoldSelection, KeptFeature, SelectionStep, selected_features
from tasks.report.settings import Settings
from tasks.report.targets import CasePanel

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }}'

SELECTION = FoldSelection(
    steps=(SelectionStep(name=HOSTILE, measure=HOSTILE, offered=9, kept=1),),
    features=(KeptFeature(name=HOSTILE, scores=(None,), frequency=0.6),),
    folds=5,
    stability=0.4,
)


class Page(HTMLParser):
    """Tags, attributes and the text of a page; refuses tags that do not nest."""

    VOID = frozenset({"meta", "link", "image", "path", "circle", "rect", "polyline", "br", "img"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["script"] and self.open[-1:] != ["style"]:
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def full(panel) -> ReportInput:
    """A report in which every part holds something, hostile where text comes from outside."""
    return ReportInput(
        study=HOSTILE,
        subtitle=HOSTILE,
        accounting=Accounting(
            series_seen=7,
            used=3,
            set_aside=tuple(LeftOut(series=f"S-{i}", modality=m, reason=HOSTILE) for i, m in enumerate(("MR", "CT"))),
            quarantined=(LeftOut(series=HOSTILE, reason="truncated"),),
            waiting=1,
            received=3,
            analysed=2,
            excluded=(Excluded(case="C-9", stage="ingest", reason=HOSTILE),),
        ),
        metrics={
            "hits_iou_0.3": Metric(
                value=23 / 24, low=0.79, high=1, n=24, rule=HOSTILE, analysed=Estimate(value=1, low=0.85, high=1, n=23)
            ),
            "cpm": Metric(value=float("nan"), n=24),
        },
        baselines={
            "suv_2.0": {"hits_iou_0.3": Estimate(value=20 / 24, low=0.6, high=0.9, n=24)},
            HOSTILE: {"dice": Estimate(value=0.4)},
        },
        differences=(
            Difference(baseline="suv_2.0", metric="hits_iou_0.3", difference=0.125, low=-0.02, high=0.27, p=0.25),
        ),
        baseline_rules={"suv_2.0": HOSTILE},
        curves=(Curve(name=HOSTILE, fp_per_scan=(0.5, 1), sensitivity=(0.5, 0.9), operating_point=(1, 0.9)),),
        folds=(
            Fold(
                name="1",
                model=HOSTILE,
                score=0.8,
                top_features=((HOSTILE, 0.5),),
                scores={HOSTILE: {"cpm": 0.8, "auc": 0.9}, "other": {"cpm": 0.7, "auc": 0.6}},
                selection=SELECTION,
            ),
        ),
        selected=selected_features([SELECTION]),
        cases=(draw_case(panel, Settings()), draw_case(CasePanel(HOSTILE, HOSTILE, HOSTILE, panel.volume), Settings())),
        settings_text=HOSTILE,
        versions={HOSTILE: "1"},
        keys={"evaluate": "f" * 64},
        notes=(HOSTILE,),
    )


def test_the_page_asks_nothing_of_the_network(full):
    page = Page(render_page(full))
    addresses = [v for _, a in page.tags for k, v in a.items() if k in {"src", "href", "xlink:href", "srcset", "data"}]
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert not re.search(r"url\(|@import|https?://", render_page(full))


def test_the_only_script_is_the_one_that_the_policy_names(full):
    html = render_page(full)
    page = Page(html)
    assert len(page.all("script")) == 1
    script = re.search(r"<script>(.*)</script>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert f"script-src 'sha256-{digest}';" in policy
    assert "default-src 'none'" in policy


def test_hostile_text_is_shown_and_never_becomes_markup(full):
    page = Page(render_page(full))
    assert page.text.count(HOSTILE) >= 10
    assert page.all("img") == []
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)


def test_equal_reports_give_equal_bytes(full):
    assert render_page(full) == render_page(ReportInput.model_validate_json(full.model_dump_json()))


def test_every_anchor_is_unique_and_every_link_has_its_anchor(full):
    page = Page(render_page(full))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for a in page.all("a")} <= set(ids)
    assert "C-1" in ids


def test_every_picture_has_a_description(full):
    pictures = [a for a in Page(render_page(full)).all("svg") if "viewbox" in a]
    assert pictures
    assert all(picture.get("aria-label") for picture in pictures)


def test_an_excluded_case_is_named_with_stage_and_reason(full):
    rows = re.findall(r"<tr>.*?</tr>", render_page(full), re.DOTALL)
    assert any("C-9" in row and "ingest" in row for row in rows)


def test_a_model_of_the_study_is_no_baseline_beside_the_headline():
    report = ReportInput(
        study="two models",
        headline="accuracy",
        metrics={"accuracy": Metric(value=0.9)},
        baselines={"svm": {"accuracy": Estimate(value=0.8)}, "majority": {"accuracy": Estimate(value=0.25)}},
        folds=(Fold(name="1", model="svm"),),
    )
    assert "Best baseline: Majority class 0.25" in " ".join(Page(render_page(report)).text.split())


def test_the_headline_stands_beside_the_best_baseline(full):
    text = " ".join(Page(render_page(full)).text.split())
    assert "0.96 0.79–1.00 23 of 24 · over received, with 95 % interval Best baseline: SUV > 2.0 0.83" in text
    assert "Δ +0.12 [-0.02 to 0.27] p 0.25" in text


def test_series_left_out_for_one_reason_are_one_row(full):
    text = " ".join(Page(render_page(full)).text.split())
    assert "CT 1, MR 1" in text


@pytest.mark.parametrize(
    "report",
    [
        ReportInput(study="nothing at all"),
        ReportInput(study="x", accounting=Accounting(series_seen=1, waiting=1)),
        ReportInput(
            study="all excluded",
            accounting=Accounting(received=1, excluded=(Excluded(case="C-1", stage="ingest", reason="r"),)),
            metrics={"hits_iou_0.3": Metric(value=0, low=0, high=0.9, n=1, rule="r")},
        ),
        ReportInput(study="undefined", metrics={"dice": Metric()}, baselines={"centre": {"dice": Estimate()}}),
        ReportInput(study="curve", curves=(Curve(name="none", fp_per_scan=(), sensitivity=()),)),
        ReportInput(study="bad headline", headline="unknown", baselines={"box": {"fp_per_scan": Estimate(value=3)}}),
    ],
    ids=lambda report: report.study,
)
def test_a_poor_night_still_has_a_page(report):
    page = Page(render_page(report))
    assert report.study in page.text
    assert "not a medical device" in page.text
    assert "nan" not in page.text.lower().split()


def test_a_study_without_annotations_says_that_nothing_was_scored(panel):
    case = draw_case(
        CasePanel("C-1", "P-1", "ct", panel.volume, panel.finding_labels, None, panel.findings), Settings()
    )
    text = Page(render_page(ReportInput(study="night", cases=(case,)))).text
    assert "Without annotations nothing can be scored." in text
    assert "not annotated" in text


def test_sums_that_do_not_come_out_are_said_aloud():
    text = Page(render_page(ReportInput(study="x", accounting=Accounting(series_seen=5, used=4)))).text
    assert "series seen: 5, but the parts add up to 4" in text
    assert Accounting(series_seen=5, used=4, waiting=1).faults == ()


def test_two_images_of_one_case_have_two_anchors(panel):
    case = draw_case(panel, Settings())
    page = Page(render_page(ReportInput(study="x", cases=(case, case))))
    assert [a["id"] for a in page.all("article")] == ["C-1", "section-case-2"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (wording.number(-0.001), "0.00"),
        (wording.number(None), "—"),
        (wording.interval(-0.05, 0.2), "-0.05 to 0.20"),
        (wording.interval(0.05, None), ""),
        (wording.significant(331.4), "331"),
        (wording.significant(0.04123), "0.0412"),
        (wording.significant(2339.0), "2339"),
        (wording.of_n("hits_overlap", Estimate(value=0.5, n=8)), "4 of 8"),
        (wording.of_n("hits_overlap", Estimate(value=0.51, n=8)), "n 8"),
        (wording.of_n("dice", Estimate(value=0.5, n=8)), "n 8"),
        (wording.p_value(0.0004), "p < 0.001"),
        (wording.p_value(0.0421), "p 0.042"),
        (wording.outcome_text(Outcome(lesions=2, missed=(1,), verdicts={1: "hit"}), 1), "1 of 2 lesions found"),
        (wording.outcome_text(Outcome(), 0), "no annotated lesion, no finding"),
        (wording.outcome_text(Outcome(verdicts={1: "near"}), 1), "no annotated lesion"),
        (wording.outcome_text(None, 3), "not annotated"),
    ],
)
def test_numbers_and_outcomes_are_written_one_way(written, expected):
    assert written == expected
