"""The frame of every report: one HTML file that needs nothing but itself."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from oncoforge.reports import wording


@cache
def _environment() -> Environment:
    # Everything is escaped whatever the template's file name ends in, and a name that a template
    # uses but is not given is an error instead of a blank.
    environment = Environment(
        loader=PackageLoader("oncoforge.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = wording.number
    environment.filters["volume"] = wording.volume
    environment.filters["picture"] = picture
    return environment


def fill(template: str, content: Mapping[str, object]) -> str:
    """Fill a template of this package, as a rule one that extends ``page.html.j2``.

    Parameters
    ----------
    template
        File name in this package.
    content
        What the template names. Strings are escaped; only :class:`markupsafe.Markup` is not.
    """
    return _environment().get_template(template).render(**content)


def picture(png: bytes, description: str) -> Markup:
    """Return an ``<img>`` that carries a PNG inside itself.

    Parameters
    ----------
    png
        The file.
    description
        What it shows, for those who cannot see it.
    """
    # The size, which PNG keeps in its first chunk, holds the place while the page is laid out.
    width, height = struct.unpack(">II", png[16:24])
    return Markup('<img src="data:image/png;base64,{}" alt="{}" width="{}" height="{}">').format(
        base64.b64encode(png).decode("ascii"), description, width, height
    )
