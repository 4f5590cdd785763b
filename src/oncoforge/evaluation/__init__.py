"""How good masks are: overlap, surfaces, lesions, patients; models against each other."""

from __future__ import annotations
