"""Numbers as people read them: rounded, grouped, with a true minus sign and a dash for nothing."""

from __future__ import annotations

import math

DASH = "–"
_MINUS = "−"


def number(value: float | None, digits: int = 0) -> str:
    """Write a number with `digits` decimals, or a dash for None, NaN and infinities.

    Examples
    --------
    >>> number(-1234.56, 1), number(None)
    ('−1,234.6', '–')
    """
    if value is None or not math.isfinite(value):
        return DASH
    # Adding zero after rounding turns -0.0 into 0.0.
    return f"{round(float(value), digits) + 0.0:,.{digits}f}".replace("-", _MINUS)


def volume(mm3: float) -> str:
    """Write a volume, given in mm³, to about three digits in the unit that suits its size.

    Examples
    --------
    >>> volume(271), volume(4131), volume(75577)
    ('271 mm³', '4.13 mL', '75.6 mL')
    """
    value, unit = (mm3 / 1000, "mL") if mm3 >= 1000 else (mm3, "mm³")
    return f"{number(value, 2 if value < 10 else 1 if value < 100 else 0)} {unit}"


def count(n: int, one: str, many: str | None = None) -> str:
    """Write a count with its noun: ``"1 lesion"``, ``"3 lesions"``, ``"no lesions"``."""
    noun = one if n == 1 else many or f"{one}s"
    return f"{n if n else 'no'} {noun}"
