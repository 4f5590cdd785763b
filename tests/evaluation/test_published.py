"""The table that papers print, letter by letter."""

from __future__ import annotations

from oncoforge.evaluation.published import published
from oncoforge.evaluation.rows import SummaryRow


def _row(model, structure, metric, mean, n=20, group="all", sd=0.123, ci=(0.4, 0.6)) -> SummaryRow:
    low, high = ci
    return SummaryRow(model, structure, metric, group, "cases", mean, sd, mean, low, high, n)


ROWS = [
    _row("unet", "liver", "dice", 0.9612, sd=0.0123, ci=(0.95, 0.97)),
    _row("unet", "liver", "nsd", 0.8, sd=None, ci=(None, None)),
    _row("unet", "liver_tumor", "dice", 0.5914),
    _row("unet", "liver_tumor", "nsd", 0.5),
    _row("unet", "liver_tumor", "lesion_sensitivity", 20 / 31, 31, "<20 mm"),
    _row("nn_unet", "liver", "dice", 0.96118, sd=0.02),
    _row("nn_unet", "liver", "nsd", 0.7),
    _row("nn_unet", "liver_tumor", "dice", 0.642),
    _row("nn_unet", "liver_tumor", "nsd", None, sd=None),
    _row("nn_unet", "liver_tumor", "lesion_sensitivity", 24 / 31, 31, "<20 mm"),
]
MODELS = ("unet", "nn_unet")


def test_markdown():
    head = (
        "| Model | Liver DSC | Liver NSD | Liver tumour DSC | Liver tumour NSD "
        "| Liver tumour Sens. d < 20 mm |"
    )
    assert published(ROWS, MODELS, note="A note.").markdown().splitlines() == [
        head,
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| unet | **96.1** ± 1.2 | **80.0** | 59.1 ± 12.3 | **50.0** ± 12.3 | 64.5 (20/31) |",
        "| nn\\_unet | **96.1** ± 2.0 | 70.0 ± 12.3 | **64.2** ± 12.3 | – | **77.4** (24/31) |",
        "",
        "A note.",
    ]


def test_latex():
    assert published(ROWS, MODELS, note="50 %.").latex().splitlines() == [
        "% 50 %.",
        r"\begin{tabular}{lccccc}",
        r"\toprule",
        r"& \multicolumn{2}{c}{Liver} & \multicolumn{3}{c}{Liver tumour} \\",
        r"\cmidrule(lr){2-3} \cmidrule(lr){4-6}",
        r"Model & DSC & NSD & DSC & NSD & Sens. d $<$ 20 mm \\",
        r"\midrule",
        r"unet & \textbf{96.1} $\pm$ 1.2 & \textbf{80.0} & 59.1 $\pm$ 12.3"
        r" & \textbf{50.0} $\pm$ 12.3 & 64.5 (20/31) \\",
        r"nn\_unet & \textbf{96.1} $\pm$ 2.0 & 70.0 $\pm$ 12.3 & \textbf{64.2} $\pm$ 12.3 & --"
        r" & \textbf{77.4} (24/31) \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_intervals_instead_of_deviations():
    text = published(ROWS, MODELS, "ci").markdown()
    assert "| unet | **96.1** [95.0, 97.0] | **80.0** | 59.1 [40.0, 60.0] |" in text
    assert "64.5 (20/31)" in text


def test_a_lone_model_is_not_the_best():
    text = published(ROWS, MODELS[:1]).markdown()
    assert "**" not in text
    assert "| unet | 96.1 ± 1.2 |" in text


def test_names_of_models_are_harmless():
    rows = [_row(r"a|b*c\_%&#~^{}$", "liver", "dice", 0.5)]
    table = published(rows, [r"a|b*c\_%&#~^{}$"])
    line = table.markdown().splitlines()[2]
    assert line == r"| a\|b\*c\\\_%&#~^{}$ | 50.0 ± 12.3 |"
    assert (
        r"a|b*c\textbackslash{}\_\%\&\#\textasciitilde{}\textasciicircum{}\{\}\$ & 50.0"
        in table.latex()
    )


def test_nothing_is_an_empty_table():
    assert published([], ["net"]).markdown().splitlines() == ["| Model |", "| --- |", "| net |"]
