"""Lists of cases: the files in which the field keeps them, and how they are split."""

from __future__ import annotations

from oncoforge.lists.entry import SPLITS, CaseList, Entry

__all__ = ["SPLITS", "CaseList", "Entry"]
