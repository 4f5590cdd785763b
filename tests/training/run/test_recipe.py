"""Recipes: every key is typed, unknown ones are refused with the nearest, and text reads back."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # MONAI's and Lightning's own, on import
    pytest.importorskip("lightning.pytorch")
    pytest.importorskip("jsonargparse")

import yaml

from oncoforge.errors import InputError, UnknownNameError
from oncoforge.networks import Pipeline
from oncoforge.training.run import recipe
from oncoforge.training.run.shipped import locate, recipes
from oncoforge.training.settings import LoggerSettings, PhantomSettings, SynthesisSettings

CLASSES = "--model.pipeline.classes=[background,liver,liver_tumor]"


@pytest.fixture
def write(tmp_path):
    def write(text: str, name: str = "recipe.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_settings_become_what_they_describe(write):
    path = write(
        "seed: 7\n"
        "model:\n"
        "  pipeline: {classes: [background, liver, liver_tumor], window_hu: [-21, 189]}\n"
        "  network: {name: nnunet, options: {deep_supervision: true}}\n"
        "  ema_decay: 0.99\n"
        "data:\n"
        "  phantoms: {healthy: 3}\n"
        "  mix: [1, 2]\n"
        "  synthesis:\n"
        "  - {method: cellular, settings: {foci: 2}}\n"
        "trainer: {max_epochs: 12}\n"
        "run: {early_stop: 5}\n"
    )
    found = recipe.read([path])
    assert found.seed == 7
    assert found.model["pipeline"] == Pipeline(
        ("background", "liver", "liver_tumor"), window_hu=(-21.0, 189.0)
    )
    assert found.model["network"].options == {"deep_supervision": True}
    assert found.data["phantoms"] == PhantomSettings(healthy=3)
    assert found.data["synthesis"] == [SynthesisSettings("cellular", settings={"foci": 2})]
    assert (found.data["mix"], found.run.early_stop) == ((1.0, 2.0), 5)
    assert found.run.loggers == [LoggerSettings("tensorboard")]
    assert found.trainer["max_epochs"] == 12


def test_later_files_win_and_the_command_line_wins_over_all(write):
    first = write("trainer: {max_epochs: 1}\ndata: {batch_size: 3, patches_per_epoch: 5}\n")
    second = write("data: {batch_size: 4}\ntrainer: {max_epochs: 2}\n", "second.yaml")
    found = recipe.read([first, second], [CLASSES, "--trainer.max_epochs", "9"])
    assert found.trainer["max_epochs"] == 9
    assert (found.data["batch_size"], found.data["patches_per_epoch"]) == (4, 5)


def test_the_text_of_a_recipe_is_a_recipe_with_the_same_settings(write):
    words = [
        CLASSES, "--model.network.options.channels=[4, 8]", "--model.optimizer.lr=1e-4",
        "--data.synthesis=[{method: handcrafted, settings: {rim: 0.5}}]", "--data.mix=[1, 3]",
        "--data.phantoms.healthy=2", "--run.loggers=[{name: csv}]",
        "--trainer.strategy.class_path=lightning.pytorch.strategies.DDPStrategy",
        "--trainer.strategy.init_args.find_unused_parameters=true",
    ]  # fmt: skip
    found = recipe.read([], words)
    again = recipe.read([write(found.text)])
    assert again.text == found.text
    assert (again.model, again.data, again.run) == (found.model, found.data, found.run)
    assert found.trainer["strategy"]._ddp_kwargs["find_unused_parameters"] is True


def test_every_key_is_in_the_text_and_in_the_table():
    values = yaml.safe_load(recipe.read([], [CLASSES]).text)
    leaves = set(_leaves(values))
    named = {name for name, *_ in recipe.rows() if "[]" not in name}
    assert leaves - named == set()
    rest = named - leaves
    assert all(name.startswith("data.phantoms.") for name in rest), rest
    assert [name for name, _, _, meaning in recipe.rows() if not meaning] == []


def _leaves(values, name=""):
    for key, value in values.items():
        full = f"{name}.{key}".lstrip(".")
        if isinstance(value, dict) and value:
            yield from _leaves(value, full)
        else:
            yield full


@pytest.mark.parametrize("name", ["smoke", *sorted(recipes())[::12]])
def test_recipes_that_come_with_the_package_can_be_read(name):
    found = recipe.read([name])
    values = yaml.safe_load(locate(name).read_text("utf-8"))
    assert found.trainer["max_epochs"] == values["trainer"]["max_epochs"]
    assert list(found.model["pipeline"].classes) == values["model"]["pipeline"]["classes"]


@pytest.mark.parametrize(
    ("word", "nearest"),
    [
        ("--model.network.nam=unet", "model.network.name"),
        ("--data.batchsize=3", "data.batch_size"),
        ("--model.batch_size=3", "data.batch_size"),
        ("--trainer.epochs=3", "trainer.max_epochs"),
        ("--data.phantoms.helthy=3", "data.phantoms.healthy"),
        ("--data.synthesis=[{probabilty: 0.5}]", "data.synthesis.probability"),
        ("--run.earlystop=3", "run.early_stop"),
        ("--sed=3", "seed"),
        ("--rezume", "resume"),
    ],
)
def test_unknown_options_are_refused_with_the_nearest(word, nearest):
    with pytest.raises(UnknownNameError, match=f"did you mean '{nearest}'"):
        recipe.read([], [CLASSES, word])


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("modl: {}", "model"),
        ("model: {netwrk: {name: unet}}", "model.network"),
        ("model: {loss: {gama: 2}}", "model.loss.gamma"),
        ("data: {synthesis: [{method: cellular}, {metod: x}]}", "data.synthesis.method"),
        ("data: {phantoms: {spacing: [1, 1, 1]}}", "data.phantoms.spacing_mm"),
        ("run: {loggers: [{nam: csv}]}", "run.loggers.name"),
    ],
)
def test_unknown_keys_of_files_are_refused_with_file_and_nearest(write, text, nearest):
    path = write(text)
    with pytest.raises(InputError, match=f"did you mean '{nearest}'") as error:
        recipe.read([path], [CLASSES])
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("--data.batch_size=two", "data.batch_size is a whole number, and 'two' is not"),
        ("--model.ema_decay=x", "model.ema_decay is a number or none, and 'x' is not"),
        ("--data.mix=[1]", r"data.mix is 2 numbers or none, and '\[1\]' is not"),
        ("--model.loss.name=dice", "model.loss.name is one of dice_ce, dice_focal, and 'dice'"),
        ("--data.phantoms.healthy=x", "data.phantoms.healthy is a whole number, and 'x'"),
        ("--data.synthesis=[{weight: x}]", "data.synthesis.weight is a number, and 'x'"),
        ("--data.healthy.lists=a.json", "data.healthy.lists is a list of words, and 'a.json'"),
        (
            "--run.loggers=[csv]",
            r"Entries of run.loggers are .*'csv' is none; write \[{name: csv}\]",
        ),
        ("--model.network=unet", "model.network is a group of settings, and 'unet'"),
        ("--trainer.max_epochs=x", "trainer.max_epochs is a whole number or none, and 'x'"),
        ("--trainer.logger=csv", "use run.loggers"),
        ("--model.seed=3", "use seed"),
        ("--model.pipeline.overlap=2", "overlap is 2.0"),
        ("--model.pipeline.classes=[background,livr]", "did you mean 'liver'"),
        ("trainer.max_epochs=3", "belongs to no option"),
        ("--zzz=3", "choose one of: seed, model, data, trainer, run"),
    ],
)
def test_wrong_values_are_one_sentence_with_key_and_type(word, sentence):
    with pytest.raises(InputError, match=sentence) as error:
        recipe.read([], [CLASSES, word])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("model: [", "is no YAML"),
        ("- 3", "should hold names and values"),
        ("model: 3", "model is a group of settings, and 3 is none"),
        ("seed: 3", "lacks model.pipeline.classes"),
        ("model: {network: [1]}", "model.network is a group of settings"),
    ],
)
def test_files_that_are_no_recipes_are_told_so(write, text, sentence):
    words = [] if "lacks" in sentence else [CLASSES]
    with pytest.raises(InputError, match=sentence) as error:
        recipe.read([write(text)], words)
    assert "\n" not in str(error.value)


def test_one_batch_is_not_all_of_them():
    words = ["--trainer.limit_val_batches=1", "--trainer.limit_train_batches=0.5"]
    found = recipe.read(["smoke"], words).trainer
    for name, kind, value in (("limit_val_batches", int, 1), ("limit_train_batches", float, 0.5)):
        assert (type(found[name]), found[name]) == (kind, value)


def test_a_recipe_that_is_not_there_is_told_so(tmp_path):
    with pytest.raises(InputError, match=r"no recipe .*nope\.yaml"):
        locate(tmp_path / "nope.yaml")
    with pytest.raises(UnknownNameError, match="did you mean 'liver-unet-mixed'"):
        locate("liver-unet-mixd")
    assert locate("smoke").name == "smoke.yaml"


def test_reading_warns_of_nothing_and_leaves_the_filters_alone():
    before = list(warnings.filters)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recipe.read([], [CLASSES])
    assert warnings.filters == before
