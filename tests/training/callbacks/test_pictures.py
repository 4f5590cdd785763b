"""Pictures of a validation: when they are drawn, and where they go."""

from __future__ import annotations

import io
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from lightning.pytorch.loggers import MLFlowLogger, TensorBoardLogger, WandbLogger
from PIL import Image as Pillow
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from oncoforge.networks import Pipeline
from oncoforge.training.callbacks import Pictures, pictures
from oncoforge.training.callbacks.pictures import _hu, _shown, _spacing, _words

CLASSES = ("background", "liver", "liver_tumor")


def test_there_is_a_picture_of_every_validation(tiny, train, folder, shown):
    module = tiny([0.1] * 4, shown=shown)
    train(module, [Pictures(folder)], 4, check_val_every_n_epoch=2)
    names = sorted(path.name for path in (folder / "pictures").iterdir())
    assert names == ["epoch-0002.png", "epoch-0004.png"]
    with Pillow.open(folder / "pictures" / names[0]) as picture:
        assert picture.width > 900


def test_a_module_that_shows_nothing_has_no_pictures(tiny, train, folder):
    train(tiny([0.1]), [Pictures(folder)])
    assert list(folder.iterdir()) == []


def test_the_trial_before_training_is_not_drawn(tiny, train, folder, shown, monkeypatch):
    drawn = []
    monkeypatch.setattr(pictures, "draw", lambda *given: drawn.append(given) or b"")
    train(tiny([0.1], shown=shown), [Pictures(folder)], num_sanity_val_steps=1)
    assert len(drawn) == 1


def test_tensorboard_holds_the_same_picture(tiny, train, folder, shown):
    logger = TensorBoardLogger(folder, name="", version="tensorboard")
    train(tiny([0.1], shown=shown), [Pictures(folder)], logger=logger, log_every_n_steps=1)
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"images": 0}).Reload()
    (image,) = events.Images("val/pictures")
    assert image.step == events.Scalars("val/tumor_dice")[0].step == 2
    held = Pillow.open(io.BytesIO(image.encoded_image_string)).convert("RGB")
    with Pillow.open(folder / "pictures" / "epoch-0001.png") as picture:
        file = picture.convert("RGB")
    np.testing.assert_array_equal(held, file)


def test_trackers_are_given_the_file(tmp_path):
    given = []
    path = tmp_path / "epoch-0001.png"

    class Weave(WandbLogger):
        def __init__(self):
            pass

        def log_image(self, key, images, step=None, **_):
            given.append((key, images, step))

    class Flow(MLFlowLogger):
        def __init__(self):
            pass

        run_id = "run"
        experiment = SimpleNamespace(log_artifact=lambda *what: given.append(what))

    pictures._hand_over(Weave(), path, b"", 7)
    pictures._hand_over(Flow(), path, b"", 7)
    assert given == [("val/pictures", [str(path)], 7), ("run", str(path), "pictures")]


@pytest.mark.parametrize("values", [(0.0, 1.0), (-1.0, 1.0)])
def test_images_are_shown_in_hu(values):
    pipeline = Pipeline(CLASSES, window_hu=(-100.0, 300.0), values=values)
    hu = np.array([-100.0, 0.0, 300.0])
    seen = (hu + 100) / 400 * (values[1] - values[0]) + values[0]
    np.testing.assert_allclose(_hu(seen, pipeline), hu, atol=1e-4)


def test_tumours_are_outlined_and_organs_where_a_network_knows_no_tumours(shown):
    both, (_, _, truth, _), mm = Pipeline(CLASSES), shown[0], (1.0, 1.0, 1.0)
    case = _shown(shown[0], mm, both, [])
    np.testing.assert_array_equal(case.truth, truth == 2)
    np.testing.assert_array_equal(case.organ, truth > 0)
    organ = _shown(shown[0], mm, replace(both, classes=CLASSES[:2]), [])
    np.testing.assert_array_equal(organ.truth, truth == 1)


def test_a_network_for_any_spacing_is_shown_at_that_of_the_case():
    cases = [
        SimpleNamespace(case=name, spacing_mm=(1.0, 1.0, mm)) for name, mm in (("a", 2), ("b", 5))
    ]
    trainer = SimpleNamespace(datamodule=SimpleNamespace(validation_cases=cases))
    assert _spacing(trainer, Pipeline(CLASSES, spacing_mm=None), "b") == (1.0, 1.0, 5)
    assert _spacing(trainer, Pipeline(CLASSES, spacing_mm=(2.0, 2.0, 3.0)), "b") == (2.0, 2.0, 3.0)


def test_agreement_is_told_in_words():
    rows = [
        SimpleNamespace(class_name="liver", outcome="found", dice=0.951),
        SimpleNamespace(class_name="liver_tumor", outcome="missed", dice=0.0),
        SimpleNamespace(class_name="kidney_tumor", outcome="both_empty", dice=float("nan")),
    ]
    assert _words(rows) == (
        "Dice · liver 95.1 %, liver tumour 0.0 % (missed), kidney tumour none, rightly"
    )
    assert _words([]) == ""
