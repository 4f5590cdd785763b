"""Cases as training wants them: resampled and cropped once, then read patch by patch."""

from __future__ import annotations

from oncoforge.store.case import StoredCase
from oncoforge.store.keep import Size, default_folder, prune, size
from oncoforge.store.settings import CaseFiles, StoreSettings
from oncoforge.store.store import Store, absent, build_store

__all__ = [
    "CaseFiles",
    "Size",
    "Store",
    "StoreSettings",
    "StoredCase",
    "absent",
    "build_store",
    "default_folder",
    "prune",
    "size",
]
