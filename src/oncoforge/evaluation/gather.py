"""Put what was scored case by case together: the same structures in every case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from oncoforge.anatomy import NAMES, ORGANS
from oncoforge.errors import InputError
from oncoforge.evaluation.cases import CaseScores, Rules, absent
from oncoforge.evaluation.pairs import Pair
from oncoforge.evaluation.rows import LesionScore, ScoreRow
from oncoforge.parallel import Failure
from oncoforge.reports.wording import count


@dataclass(frozen=True)
class Gathered:
    """The rows of all cases.

    Parameters
    ----------
    scores, lesions
        In the order of the cases, then of the models, then of the structures.
    failures, remarks
        One sentence each.
    likely
        Largest tumour probability by model, case and organ, where there are maps of it.
    """

    scores: list[ScoreRow]
    lesions: list[LesionScore]
    failures: list[str]
    remarks: list[str]
    likely: dict[tuple[str, str, str], float]


def gather(
    pairs: Sequence[Pair],
    scored: Sequence[CaseScores | Failure],
    models: Sequence[str],
    rules: Rules,
) -> Gathered:
    """Put the cases together.

    Organs are scored that are in any truth (or that were asked for): in every case, so that one
    that holds neither organ nor tumour is a row too. A model that predicts tumours and never the
    organ around them has no row of the organ.

    Parameters
    ----------
    pairs, scored
        The cases, and what `score_case` said of each.
    models
        Their names, in order.
    rules
        How they were scored.

    Raises
    ------
    InputError
        If no organ is in any truth, or not the one that was asked for although others are; or no
        case could be scored.
    """
    good = [one for one in scored if isinstance(one, CaseScores)]
    _check_organs(good, rules)
    scope = _Scope.of(good, models, rules)
    scores: list[ScoreRow] = []
    lesions: list[LesionScore] = []
    failures: list[str] = []
    likely: dict[tuple[str, str, str], float] = {}
    for pair, one in zip(pairs, scored, strict=True):
        if isinstance(one, Failure):
            failures.append(_with_case(one.sentence, pair))
            continue
        failures += one.failures
        likely |= {(model, pair.case, organ): p for (model, organ), p in one.likely.items()}
        there = {(row.model, row.structure): row for row in one.scores}
        for model in one.predicted:
            for organ, structure in scope.structures:
                if structure != organ or (model, organ) not in scope.without_organ:
                    row = there.get((model, structure))
                    scores.append(row or absent(pair, model, organ, structure))
        scored_organs = {organ for organ, _ in scope.structures}
        lesions += [row for row in one.lesions if row.organ in scored_organs]
    if not scores:
        raise InputError(_none(failures, len(pairs)) if failures else _nothing(rules))
    remarks = _failed(pairs, scores, models) + _remarks(scope, scores, models)
    return Gathered(scores, lesions, failures, remarks, likely)


@dataclass(frozen=True)
class _Scope:
    """Which structures are scored, of which models.

    Parameters
    ----------
    structures
        Organ and structure, in the order of the tables.
    without_organ
        Models and organs of which they predict tumours and never the organ itself.
    beyond
        Organs that are predicted and in no truth.
    """

    structures: tuple[tuple[str, str], ...]
    without_organ: frozenset[tuple[str, str]]
    beyond: tuple[str, ...]

    @classmethod
    def of(cls, scored: Sequence[CaseScores], models: Sequence[str], rules: Rules) -> _Scope:
        """Look at which labels are in truths and predictions."""
        truth = frozenset[int]().union(*(one.truth for one in scored))
        predicted = {
            model: frozenset[int]().union(*(one.predicted.get(model, ()) for one in scored))
            for model in models
        }
        any_predicted = frozenset[int]().union(*predicted.values())
        structures, without, beyond = [], [], []
        for name, organ in ORGANS.items():
            if organ.tumor_label is None or (rules.organs and name not in rules.organs):
                continue
            both = {organ.label, organ.tumor_label}
            if not (both & truth or rules.organs):
                beyond += [name] * bool(both & any_predicted)
                continue
            if organ.label in truth:
                structures.append((name, name))
            if rules.organs or organ.tumor_label in truth | any_predicted:
                structures.append((name, f"{name}_tumor"))
            without += [
                (model, name) for model, own in predicted.items() if both & own == {organ.label + 1}
            ]
        return cls(tuple(structures), frozenset(without), tuple(beyond))


def _with_case(sentence: str, pair: Pair) -> str:
    """Make sure that a sentence names the file that it is about."""
    return sentence if str(pair.truth) in sentence else f"{pair.truth}: {sentence}"


def _check_organs(scored: Sequence[CaseScores], rules: Rules) -> None:
    """Refuse an organ that no truth holds; truths without a label are of healthy scans."""
    truth = frozenset[int]().union(*(one.truth for one in scored))
    for name in rules.organs or ():
        label = ORGANS[name].label
        if truth and not truth & {label, label + 1}:
            held = ", ".join(NAMES[other].replace("_", " ") for other in sorted(truth))
            raise InputError(
                f"No truth holds the {name.replace('_', ' ')} or its tumours, read as "
                f"{rules.convention.name!r}; they hold {held}."
            )


def _none(failures: Sequence[str], cases: int) -> str:
    """Say that nothing could be scored, and why."""
    if cases == 1:
        return failures[0]
    return f"None of {cases} cases could be scored; the first: {failures[0]}"


def _failed(pairs: Sequence[Pair], scores: Sequence[ScoreRow], models: Sequence[str]) -> list[str]:
    """Name models without a row beside others that have some."""
    there = {row.model for row in scores}
    return [
        f"None of {count(sum(model in pair.predictions for pair in pairs), 'case')} of {model} "
        "could be scored."
        for model in models
        if model not in there
    ]


def _nothing(rules: Rules) -> str:
    return (
        f"No organ has a voxel in any truth, read as {rules.convention.name!r}, so there is "
        "nothing to score. Is the convention right? Where all scans are healthy and unlabelled, "
        "name the organ."
    )


def _remarks(scope: _Scope, scores: Sequence[ScoreRow], models: Sequence[str]) -> list[str]:
    said = [
        f"{model} predicts tumours of the {organ.replace('_', ' ')} and never the organ itself, "
        "so the organ is not scored."
        for model, organ in sorted(scope.without_organ)
    ]
    if scope.beyond:
        named = ", ".join(name.replace("_", " ") for name in scope.beyond)
        said.append(f"Predicted, but in no truth, and so not scored: {named}.")
    cases = {model: {row.case for row in scores if row.model == model} for model in models}
    if len(set(map(frozenset, cases.values()))) > 1:
        numbers = ", ".join(f"{model} {count(len(own), 'case')}" for model, own in cases.items())
        said.append(
            f"The models were scored on different cases ({numbers}): their means are not of the "
            "same patients, but their paired differences are."
        )
    return said
