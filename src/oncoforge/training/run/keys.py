"""The keys of a recipe: their names, types, defaults and meanings, as the code has them."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import yaml  # type: ignore[import-untyped]

from oncoforge.errors import InputError, UnknownNameError

REQUIRED: Final = inspect.Parameter.empty
"""Default of a key that has none."""


@dataclass(frozen=True)
class Key:
    """One key of a recipe.

    Parameters
    ----------
    name
        With dots, such as ``"model.network.name"``; for keys of a list's entries too.
    hint
        Its type.
    default
        `REQUIRED` if it must be given.
    meaning
        In words.
    """

    name: str
    hint: Any
    default: Any
    meaning: str

    @property
    def open(self) -> bool:
        """Whether any names may follow: it holds a mapping, or settings of a class."""
        parts = [part for part in _flat(self.hint) if not is_dataclass(part)]
        return any(
            part is dict or get_origin(part) is dict or (isinstance(part, type) and _is_own(part))
            for part in parts
        )


Keys = Mapping[str, Key]


def keys_of(
    group: str,
    kind: Callable[..., Any],
    *,
    skip: Collection[str] = (),
    meanings: Mapping[str, str] | None = None,
) -> Iterator[Key]:
    """Yield the keys of a group: the arguments of a class, and their fields in turn.

    Parameters
    ----------
    group
        Name in front, such as ``"model"``.
    kind
        A class whose arguments are annotated.
    skip
        Arguments that are no keys.
    meanings
        Words by argument; by default those of the docstring.
    """
    said = _docstring(kind) if meanings is None else meanings
    hints = get_type_hints(kind if is_dataclass(kind) else kind.__init__)
    for name, parameter in inspect.signature(kind).parameters.items():
        if name in skip:
            continue
        default = parameter.default
        if is_dataclass(kind):
            default = _default_of(kind, name)
        yield from _keys(f"{group}.{name}", hints[name], default, said.get(name, ""))


def _keys(name: str, hint: Any, default: Any, meaning: str) -> Iterator[Key]:
    yield Key(name, hint, default, meaning)
    kind = fields_of(hint)
    if kind is not None:
        for key in keys_of(name, kind):
            # What the argument says by default, where it is another than the class says.
            given = getattr(default, key.name.removeprefix(f"{name}."), key.default)
            yield dataclasses.replace(key, default=given)


def fields_of(hint: Any) -> Any:
    """Return the dataclass whose fields a value of this type has, or of which it is a list."""
    return next((part for part in _flat(hint) if is_dataclass(part)), None)


def is_list(hint: Any) -> bool:
    """Tell whether a value of this type is a list, if there is one."""
    return any(get_origin(part) is list for part in (hint, *get_args(hint)))


def check_names(values: Any, hint: Any, name: str, known: Keys) -> None:
    """Raise if a mapping has keys that are none.

    Parameters
    ----------
    values
        What a file holds under `name`; anything.
    hint
        The type that belongs there.
    name
        With dots; empty at the top.
    known
        All keys by name.

    Raises
    ------
    UnknownNameError
        With the nearest key.
    InputError
        If there are no keys where they should be.
    """
    kind = fields_of(hint)
    if kind is None:
        return
    if isinstance(values, Sequence) and not isinstance(values, str) and is_list(hint):
        for value in values:
            if not isinstance(value, Mapping):
                first = dataclasses.fields(kind)[0].name
                raise InputError(
                    f"Entries of {name} are groups of settings, and {value!r} is none; write "
                    f"[{{{first}: {value}}}]."
                )
            check_names(value, hint, name, known)
    elif is_dataclass(hint) and not isinstance(values, Mapping):
        raise InputError(f"{name} is {words_of(hint)}, and {values!r} is none.")
    elif isinstance(values, Mapping):
        for word, value in values.items():
            full = f"{name}.{word}"
            if full not in known:
                raise unknown(full, known)
            check_names(value, known[full].hint, full, known)


def unknown(name: str, known: Collection[str]) -> UnknownNameError:
    """Return an error that names the nearest of many names; all are too many to be named."""
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    groups = dict.fromkeys(one.partition(".")[0] for one in known)
    return UnknownNameError("setting", name, near or groups)


def check_options(words: Sequence[str], known: Keys, extra: Collection[str]) -> None:
    """Raise if options of a command line are no keys.

    Parameters
    ----------
    words
        Such as ``["--model.network.name", "unet", "--seed=3"]``.
    known
        All keys by name.
    extra
        Names of options beside them.

    Raises
    ------
    UnknownNameError
        With the nearest key.
    InputError
        If a word belongs to no option.
    """
    waiting = ""
    for word in words:
        if word.startswith("--"):
            name, equals, value = word.removeprefix("--").partition("=")
            waiting = name.removesuffix("+")
            _check_option(waiting, known, extra)
            if not equals:
                continue
        elif waiting:
            value = word
        else:
            raise InputError(f"{word!r} belongs to no option; write --KEY VALUE or --KEY=VALUE.")
        if waiting in known:
            check_names(_value(value), known[waiting].hint, waiting, known)
        waiting = ""


def _check_option(name: str, known: Keys, extra: Collection[str]) -> None:
    parts = name.split(".")
    above = (".".join(parts[:count]) for count in range(1, len(parts)))
    if name in extra or name in known or any(known[up].open for up in above if up in known):
        return
    raise unknown(name, [*known, *extra])


def _value(written: str) -> Any:
    """Return what a word of a command line stands for; None if that cannot be told."""
    try:
        return yaml.safe_load(written)
    except yaml.YAMLError:
        return None


def words_of(hint: Any) -> str:
    """Say a type in words."""
    parts = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        return _either(parts)
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, parts))}"
    if get_origin(hint) is tuple and parts[-1] is not ...:
        return f"{len(parts)} {'whole ' if parts[0] is int else ''}numbers"
    if get_origin(hint) in (list, tuple):
        return f"a list of {_many(parts[0])}"
    if get_origin(hint) is dict:
        return "names and values"
    if is_dataclass(hint):
        return "a group of settings"
    plain: Mapping[Any, str] = {
        float: "a number", int: "a whole number", bool: "true or false", str: "a word",
        NoneType: "none",
    }  # fmt: skip
    return plain.get(hint, "a class")


def _either(parts: Sequence[Any]) -> str:
    """Say alternatives in words, none at the end."""
    named = [str(word) for part in parts if get_origin(part) is Literal for word in get_args(part)]
    others = [
        part
        for part in parts
        if get_origin(part) is not Literal and not (part is int and float in parts)
    ]
    said = [words_of(part) for part in others if part is not NoneType]
    if named:
        said.append(f"one of {', '.join(dict.fromkeys(named))}")
    return " or ".join([*said, *(["none"] if NoneType in parts else [])])


def _many(hint: Any) -> str:
    plain: Mapping[Any, str] = {float: "numbers", int: "whole numbers", str: "words"}
    return "groups of settings" if is_dataclass(hint) else plain.get(hint, words_of(hint))


def _flat(hint: Any) -> Iterator[Any]:
    """Yield the alternatives of a type, and what lists of them hold."""
    parts = get_args(hint)
    if get_origin(hint) in (Union, UnionType, list):
        for part in parts:
            yield from _flat(part)
    else:
        yield hint


def _is_own(kind: type) -> bool:
    """Whether values of a class are described by its name and its arguments."""
    return kind.__module__.partition(".")[0] not in ("builtins", "types", "typing")


def _default_of(kind: Any, name: str) -> Any:
    """Return the default of a dataclass's field as a value."""
    field = kind.__dataclass_fields__[name]
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return REQUIRED


def _docstring(kind: Any) -> dict[str, str]:
    """Return what a class's docstring says of each argument."""
    import docstring_parser  # comes with jsonargparse

    found: dict[str, str] = {}
    for part in docstring_parser.parse(inspect.getdoc(kind) or "").params:
        for name in part.arg_name.split(","):
            found[name.strip()] = " ".join((part.description or "").replace("``", "`").split())
    return found
