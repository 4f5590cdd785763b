from __future__ import annotations

import base64
import dataclasses
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from oncoforge.reports.synthesis import render

VOID = {"meta", "img", "br", "link", "hr", "input"}


class Reader(HTMLParser):
    """Check that tags nest, and collect the page's text, tags and attributes."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text, self.attributes = [], set(), [], []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(html):
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def view(make_view):
    return make_view(centres=((30, 15, 10), (45, 35, 30)))


@pytest.fixture(scope="module")
def rendered(view):
    return render(view)


def test_same_view_gives_same_bytes(view, rendered):
    assert render(view) == rendered


def test_the_page_is_one_well_formed_file_that_refers_to_nothing(rendered):
    html, _ = rendered
    page = read(html)
    assert html.startswith("<!DOCTYPE html>")
    assert page.tags.isdisjoint({"script", "link", "iframe", "object"})
    assert "http://" not in html
    assert "https://" not in html
    assert "url(" not in html
    links = [value for _, name, value in page.attributes if name in ("src", "href")]
    assert all(link.startswith("data:image/png;base64,") for link in links)


def test_the_page_carries_the_picture(rendered):
    html, png = rendered
    carried = re.search(r'src="data:image/png;base64,([^"]+)"', html).group(1)
    assert base64.b64decode(carried) == png
    assert re.search(r'<img [^>]*alt="[^"]{20,}"', html)


def test_every_lesion_has_a_row_with_its_numbers(view, rendered):
    html, _ = rendered
    rows = [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in re.findall(r"<tr>.*?</tr>", html)]
    by_id = {row[0]: row for row in rows if len(row) == 9}
    for lesion in view.lesions:
        row = by_id[str(lesion["id"])]
        assert row[1] == lesion["kind"]
        assert row[2] == f"{lesion['diameter_mm']:.1f}"
        assert row[3] == f"{lesion['volume_mm3']:,.0f}"
        assert row[4] == str(lesion["voxels"])
        assert row[5] == f"{lesion['mean_hu']:.1f}".replace("-", "−")
        assert row[6] == f"{lesion['contrast_hu']:.1f}".replace("-", "−")
    total = sum(lesion["volume_mm3"] for lesion in view.lesions)
    assert f"<td>{total:,.0f}</td>" in html


def test_the_lead_counts_lesions_and_adds_their_volumes(view, rendered):
    total = sum(lesion["volume_mm3"] for lesion in view.lesions)
    lead = re.search(r'<p class="lead">(.*?)</p>', rendered[0]).group(1)
    largest = view.lesions[1]["diameter_mm"]
    expected = f"2 synthetic lesions, {total / 1000:.1f} mL together"
    assert lead == f"{expected}; the largest is {largest:.1f} mm in diameter."


@pytest.mark.parametrize("unknown", [float("nan"), None, np.float32("nan")])
def test_an_unknown_contrast_is_a_dash(view, unknown):
    row = dict(view.lesions[0]) | {"contrast_hu": unknown}
    html, _ = render(dataclasses.replace(view, lesions=[row]))
    assert "<td>–</td>" in html
    assert "nan" not in html.split("<h2>Lesions</h2>")[1].lower()


def test_whatever_the_user_gives_is_escaped(view):
    attack = "<script>alert('x')</script>&\""
    row = dict(view.lesions[0]) | {"kind": attack}
    html, _ = render(
        dataclasses.replace(
            view, title=attack, facts={attack: attack}, skipped=[attack], lesions=[row]
        )
    )
    assert "<script" not in html
    assert "".join(read(html).text).count(attack) == 6


def test_zero_lesions_say_so_and_why(make_view):
    why = ["Lesion 1 (small, 13 mm) found no place 5 mm clear of the others."]
    html, _ = render(make_view(centres=(), skipped=why))
    page = read(html)
    assert "No lesion was placed" in html
    assert why[0] in "".join(page.text)
    assert "<h2>Lesions</h2>" not in html


def test_without_an_organ_there_is_no_histogram(make_view):
    html, _ = render(make_view(centres=(), box=(slice(0, 0),) * 3, facts={}))
    assert "<svg" not in html
    read(html)


def grown(row, last=20, **others):
    """A lesion's row with a growth of one mm in four steps."""
    growth = [{"step": n, "volume_mm3": n**3 / 2, "diameter_mm": n / 4} for n in range(last + 1)]
    return dict(row) | {"growth": growth, "necrotic_fraction": 0.0} | others


def growth_section(html):
    return re.search(r"<h2>Growth</h2>.*?(?=<h2>|</main>)", html, re.DOTALL).group()


def test_only_lesions_that_grew_have_a_growth_section(view, rendered):
    assert "<h2>Growth</h2>" not in rendered[0]
    first, second = view.lesions
    html, _ = render(dataclasses.replace(view, lesions=[grown(first), second]))
    section = growth_section(html)
    read(html)
    assert section.count('<path class="growth"') == 1
    assert "one update of the cellular automaton" in section
    assert "ecrotic" not in section


def test_necrosis_is_told_with_its_numbers(view):
    first, second = view.lesions
    rows = [grown(first, necrotic_fraction=0.123), grown(second, necrotic_fraction=0.001)]
    section = growth_section(render(dataclasses.replace(view, lesions=rows))[0])
    told = "12\N{NO-BREAK SPACE}% of lesion 1 and under 1\N{NO-BREAK SPACE}% of lesion 2"
    assert told in section


def test_the_strip_of_the_growth_is_in_its_section(view, rendered):
    strip = rendered[1]
    rows = [grown(row) for row in view.lesions]
    assert "<img" not in growth_section(render(dataclasses.replace(view, lesions=rows))[0])
    html, _ = render(dataclasses.replace(view, lesions=rows, strip=strip))
    assert base64.b64encode(strip).decode() in growth_section(html)
    assert render(dataclasses.replace(view, strip=strip))[0] == rendered[0]


def test_ids_of_grown_lesions_are_escaped(view):
    attack = "<script>alert('x')</script>&\""
    row = grown(view.lesions[0], id=attack, necrotic_fraction=0.5)
    html, _ = render(dataclasses.replace(view, lesions=[row]))
    assert "<script" not in html
    # On the line, in its tooltip and in the caption; beside the table.
    assert "".join(read(html).text).count(attack) >= 3


def test_facts_keep_their_order(view):
    html, _ = render(dataclasses.replace(view, facts={"Zeta": "1", "Alpha": "2"}))
    assert html.index("Zeta") < html.index("Alpha")


def test_it_warns_that_it_is_synthetic(rendered):
    assert "Synthetic. Not for diagnosis." in rendered[0]


def test_reports_leave_pyplot_alone_and_oncoforge_leaves_matplotlib_alone():
    code = (
        "import sys, oncoforge; assert 'matplotlib' not in sys.modules; "
        "import oncoforge.reports.synthesis; assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
