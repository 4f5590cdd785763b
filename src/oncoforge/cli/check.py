"""``oncoforge check``: open every case of a list once and say what is wrong with it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table

from oncoforge.cli import show
from oncoforge.datasets.check import MODALITIES, Checked, check_list
from oncoforge.datasets.check_files import FILES, write_check
from oncoforge.datasets.findings import KINDS, Finding
from oncoforge.errors import OutputError
from oncoforge.lists import CaseList, read_list

_EXAMPLES = """
\b
Examples:
  oncoforge check dataset.json --convention msd-liver --out checked
  oncoforge check lits_fold0.json --root /data/LiTS --organ liver --convention lits
  oncoforge check train.json --against external_test.csv --against pool.txt
  oncoforge check nnUNet_raw/Dataset003_Liver --workers 8 --json > check.json

Exit code: 0 if there are no errors (warnings and notes are allowed), 1 if some
cases failed or leak, 2 if the list itself cannot be used.
"""
_SHOWN_CASES = 3
_STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}


@click.command(name="check", epilog=_EXAMPLES)
@click.argument("cases", metavar="LIST", type=click.Path(path_type=Path))
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the data, for a list of another machine.",
)
@click.option(
    "--convention",
    help="How the label maps number their organs: msd-liver, kits, totalsegmentator, ... "
    "By default the list's own label names count.",
)
@click.option("--organ", help="Organ that every label map must have.")
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Another list that must share no patient with this one; repeat for more.",
)
@click.option(
    "--modality",
    help=f"{' or '.join(MODALITIES)}; MR has no HU to check. By default what the list says, or ct.",
)
@click.option(
    "--workers", type=click.IntRange(1), help="Number of processes; by default one for each core."
)
@click.option("--out", type=click.Path(path_type=Path), help=f"Folder for {', '.join(FILES)}.")
@click.option("--overwrite", is_flag=True, help="Replace the files of an earlier check.")
@click.option("--json", "as_json", is_flag=True, help="Print everything for machines.")
@click.option(
    "--no-content", is_flag=True, help="Compare cases by name and path only, not by what they show."
)
def command(
    cases: Path,
    root: Path | None,
    convention: str | None,
    organ: str | None,
    against: tuple[Path, ...],
    modality: str | None,
    workers: int | None,
    out: Path | None,
    overwrite: bool,
    as_json: bool,
    no_content: bool,
) -> int:
    """Open every case of a list once and say what is wrong with it.

    LIST is a Decathlon JSON, a raw folder of nnU-Net, a CSV or a text file. It may hold images,
    label maps, or both.
    """
    _check_out(out, overwrite)
    listed = read_list(cases, root)
    others = [_other(path, root) for path in against]
    with show.progress("Checking") as progress:
        checked = check_list(
            listed,
            convention,
            organ,
            others,
            modality,
            content=not no_content,
            tiles=out is not None,
            workers=workers,
            progress=progress,
        )
    if out is not None:
        write_check(checked, out, _options(convention, organ, against, no_content), overwrite)
    if as_json:
        click.echo(json.dumps(checked.as_json(), indent=2))
    else:
        _print(checked, out)
    return 0 if checked.fine else 1


def _check_out(out: Path | None, overwrite: bool) -> None:
    """Refuse before hours of reading what could not be written after them."""
    there = [name for name in FILES if out is not None and (out / name).exists()]
    if there and not overwrite:
        raise OutputError(
            f"{out} already holds {there[0]}; choose another folder, or --overwrite to replace it."
        )


def _other(path: Path, root: Path | None) -> CaseList:
    """Read a list to compare with: from its own place, or below the same root."""
    found = read_list(path)
    files = [file for entry in found for file in (entry.image, entry.label) if file is not None]
    if root is None or any(map(os.path.exists, files)):
        return found
    return read_list(path, root)


def _options(
    convention: str | None, organ: str | None, against: tuple[Path, ...], no_content: bool
) -> dict[str, str]:
    given = {
        "Label convention": convention or "",
        "Organ": organ or "",
        "Against": ", ".join(str(path) for path in against),
        "Compared by": "name and path" if no_content else "name, path and content",
    }
    return {name: words for name, words in given.items() if words}


def _print(checked: Checked, out: Path | None) -> None:
    console = Console()
    parts = ", ".join(f"{n} {part}" for part, n in checked.as_json()["parts"].items() if n)
    total = len(checked.places)
    verdict = f"{checked.failed} failed" if checked.failed else "none failed"
    console.print(
        f"{total} case{'s' * (total != 1)} ({parts}): {verdict}.", highlight=False, markup=False
    )
    groups: dict[str, list[Finding]] = {}
    for found in checked.findings:
        groups.setdefault(found.kind, []).append(found)
    if groups:
        console.print(_table(groups))
    for kind, group in groups.items():
        if KINDS[kind].severity == "error":
            more = f" (and {len(group) - 1} more)" if len(group) > 1 else ""
            title = KINDS[kind].title
            console.print(
                f"{title[0].upper()}{title[1:]}: {group[0].sentence}{more}",
                highlight=False,
                markup=False,
            )
    if out is not None:
        click.echo(f"Report: {out / 'check.html'}")


def _table(groups: dict[str, list[Finding]]) -> Table:
    table = Table(box=box.SIMPLE)
    table.add_column("number", justify="right", no_wrap=True)
    table.add_column("severity", no_wrap=True)
    table.add_column("what")
    table.add_column("cases", overflow="fold")
    for kind, group in groups.items():
        severity = KINDS[kind].severity
        names = list(dict.fromkeys(found.case for found in group if found.case))
        more = f" and {len(names) - _SHOWN_CASES} more" if len(names) > _SHOWN_CASES else ""
        cases = ", ".join(names[:_SHOWN_CASES]) + more
        # Case ids are anybody's text: "[x]" in one is no markup.
        table.add_row(
            str(len(group)),
            f"[{_STYLES[severity]}]{severity}[/]",
            KINDS[kind].title,
            cases.replace("[", r"\["),
        )
    return table
