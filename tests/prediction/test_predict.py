"""One scan: the pipeline of the predecessors, on the grid of the scan, gated, by one or several."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

import oncoforge as of
from oncoforge.errors import InputError, UnknownNameError
from oncoforge.formats import Volume
from oncoforge.grid import Grid
from oncoforge.networks import Config, Pipeline
from oncoforge.prediction import predict
from oncoforge.source import Source


def _reference(volume, network, postprocess=False):
    """The published pipeline with MONAI's transforms: labels and probabilities on the scan."""
    from monai.data import MetaTensor
    from monai.inferers import sliding_window_inference
    from monai.transforms import ScaleIntensityRange, Spacing, SpatialPad

    pipe = network.config.pipeline
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        image = MetaTensor(torch.from_numpy(volume.array[None]), affine=volume.affine)
        spacing = Spacing(pipe.spacing_mm, mode="bilinear")
        pad = SpatialPad(pipe.patch, mode="minimum")
        scale = ScaleIntensityRange(*pipe.window_hu, *pipe.values, clip=True)
        made = pad(scale(spacing(image)))
        logits = sliding_window_inference(
            made.as_tensor()[None].float(), pipe.patch, 1, network, pipe.overlap, mode="gaussian"
        )[0]
        logits = MetaTensor(logits, affine=made.affine, applied_operations=made.applied_operations)
        logits = spacing.inverse(pad.inverse(logits)).as_tensor().float()
    return np.array(pipe.labels)[logits.argmax(0)], logits.softmax(0).numpy()


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [((40, 36, 20), (0.8, 0.9, 2.0)), ((30, 11, 40), (1.0, 1.0, 0.6)), ((9, 8, 7), (3, 3, 3))],
)
def test_the_pipeline_is_that_of_monais_transforms(at_random, scan, shape, spacing):
    network = at_random(overlap=0.5, window_hu=(-150, 200), values=(-1, 1))
    volume = scan(shape, spacing)
    labels, probabilities = _reference(volume, network)
    made = predict(volume, network, gate="none", probabilities=True)
    ours = made.probabilities["liver_tumor"].astype(np.float32)
    np.testing.assert_allclose(ours, probabilities[2], atol=1e-3)
    best, second = np.sort(probabilities, axis=0)[[-1, -2]]
    clear = best - second > 1e-4
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(made.labels[clear], labels[clear])


def test_hu_become_the_labels_that_they_should(by_hu, scan):
    volume = scan((30, 25, 41))
    made = predict(volume, by_hu(), gate="none")
    expected = np.where(volume.array > 100, 2, np.where(volume.array > 0, 1, 0))
    np.testing.assert_array_equal(made.labels, expected)
    assert made.labels.dtype == np.uint8
    sizes = made.volumes_mm3()
    assert sizes == {name: (expected == n).sum() for n, name in ((1, "liver"), (2, "liver_tumor"))}


def test_channels_become_oncoforge_labels_whatever_their_order(by_hu, scan):
    volume = scan((16, 16, 16))
    classes = ("kidney_tumor", "background", "lung")
    made = predict(volume, by_hu(classes=classes), gate="none", postprocess="none")
    expected = np.where(volume.array > 100, 7, np.where(volume.array > 0, 0, 6))
    np.testing.assert_array_equal(made.labels, expected)


@pytest.mark.parametrize("spacing", [(1, 1, 1), (0.7, 0.8, 2.5), (1.6, 1.3, 1.0)])
@pytest.mark.parametrize("flips", [(), (0, 2)])
def test_nothing_changes_in_the_organ_when_windows_are_skipped(at_random, scan, spacing, flips):
    volume = scan((50, 41, 38), spacing)
    organ = np.zeros(volume.array.shape, bool)
    organ[3:9, 30:37, 20:24] = organ[20:24, 25:30, 3:8] = True
    network = at_random(overlap=0.5)
    whole = predict(volume, network, gate="none", probabilities=True, flips=flips)
    gated = predict(volume, network, organ=organ, margin_mm=2, probabilities=True, flips=flips)
    assert gated.windows < gated.windows_without_gate == whole.windows
    np.testing.assert_array_equal(gated.labels[organ], whole.labels[organ])
    one, two = (p.probabilities["liver_tumor"] for p in (gated, whole))
    np.testing.assert_array_equal(one[organ], two[organ])
    # Outside of the gate there is nothing; inside it is what it was.
    near = one > 0
    np.testing.assert_array_equal(gated.labels, np.where(near, whole.labels, 0))
    np.testing.assert_array_equal(one[near], two[near])


def test_an_ensemble_is_the_mean_of_probabilities(at_random, scan):
    volume = scan((24, 24, 24), (1.5, 1, 1))
    networks = [at_random(seed) for seed in range(2)]
    networks.append(at_random(2, spacing_mm=(2.0, 1.0, 0.8), patch=(12, 20, 16), overlap=0.25))
    ways = [predict(volume, n, gate="none", probabilities=True) for n in networks]
    joint = predict(volume, networks, gate="none", probabilities=True)
    mean = np.mean([w.probabilities["liver_tumor"].astype(np.float32) for w in ways], axis=0)
    np.testing.assert_allclose(joint.probabilities["liver_tumor"], mean, atol=2e-3)
    assert joint.windows == sum(w.windows for w in ways)
    assert len({w.labels.tobytes() for w in (*ways, joint)}) == 4


def test_an_ensemble_of_one_network_twice_is_that_network(at_random, scan):
    volume = scan((24, 24, 24), (1.5, 1, 1))
    one = predict(volume, at_random(), gate="none")
    two = predict(volume, [at_random(), at_random()], gate="none")
    assert (one.labels == two.labels).mean() > 0.9999  # but for ties that rounding makes


def test_a_coarse_run_finds_where_to_look(by_hu):
    image = np.full((64, 48, 48), -50.0, np.float32)
    image[40:46, 20:26, 20:26] = 60
    image[42:44, 22:24, 22:24] = 150
    volume = Volume(image, Source(Grid(image.shape, np.eye(4))))
    network = by_hu(overlap=0.75)
    whole = predict(volume, network, gate="none")
    coarse = predict(volume, network, gate="coarse", margin_mm=3)
    np.testing.assert_array_equal(coarse.labels, whole.labels)
    assert coarse.windows < whole.windows
    nothing = predict(volume, by_hu((500.0, 600.0)), gate="coarse")
    assert nothing.remarks == ("What the coarse run found is empty, so everything is background.",)
    assert not nothing.labels.any()


def test_a_mask_of_ones_own_is_a_gate(by_hu, scan):
    volume = scan((32, 32, 32))
    gate = np.zeros((32, 32, 32), bool)
    gate[:5, :5, :5] = True
    made = predict(volume, by_hu(overlap=0), gate=gate)
    assert (made.windows, made.windows_without_gate) == (1, 8)
    assert not made.labels[~gate].any()
    empty = predict(volume, by_hu(), gate=np.zeros_like(gate))
    assert (empty.windows, empty.labels.any()) == (0, False)
    assert empty.remarks == ("The gate is empty, so everything is background.",)


def test_post_processing_is_what_the_network_says_unless_told(by_hu):
    image = np.full((40, 20, 20), -50.0, np.float32)
    image[4:12, 4:12, 4:12] = 60
    image[30:36, 4:10, 4:10] = 150  # a tumour far away
    volume = Volume(image, Source(Grid(image.shape, np.eye(4))))
    network = by_hu(postprocess="oncoforge")
    treated = predict(volume, network, gate="none")
    assert not (treated.labels == 2).any()
    assert treated.remarks == ("The post-processing removed all of the liver tumour.",)
    assert (predict(volume, network, gate="none", postprocess="none").labels == 2).any()
    organ = image > 0
    taken = predict(volume, network, organ=organ, postprocess="difftumor")
    np.testing.assert_array_equal(taken.labels > 0, organ)


def test_a_case_and_a_path_are_scans_too(by_hu, tmp_path):
    case = of.make_phantom(spacing_mm=(6, 6, 6)).case()
    network = by_hu(patch=(32, 32, 32))
    made = predict(case, network)
    expected = np.where(case.image > 100, 2, np.where(case.image > 0, 1, 0))
    np.testing.assert_array_equal(made.labels, expected)
    of.write_image(tmp_path / "ct.nii.gz", case.image, case, dtype="float32")
    np.testing.assert_array_equal(predict(tmp_path / "ct.nii.gz", network).labels, made.labels)


def test_the_mode_of_a_network_and_the_scan_stay_as_they_are(at_random, scan):
    network = at_random().train()
    volume = scan((16, 16, 16))
    before = volume.array.copy()
    volume.array.flags.writeable = False
    predict(volume, network)
    assert network.training
    np.testing.assert_array_equal(volume.array, before)


def test_what_cannot_be_used_is_told(by_hu, scan):
    volume, network = scan((16, 16, 16)), by_hu()
    bare = torch.nn.Conv3d(1, 3, 1)
    with pytest.raises(InputError, match="Conv3d without a config"):
        predict(volume, bare)
    bare.config = Config("unet", 1, 3)
    with pytest.raises(InputError, match="--classes background,liver,liver_tumor"):
        predict(volume, bare)
    bare.config = Config("unet", 2, 3, pipeline=network.config.pipeline)
    with pytest.raises(InputError, match="takes 2 channels"):
        predict(volume, bare)
    bare.config = Config("unet", 1, 2, pipeline=Pipeline(("liver", "liver_tumor")))
    with pytest.raises(InputError, match="must be background"):
        predict(volume, bare)
    with pytest.raises(InputError, match="same classes in the same order"):
        predict(volume, [network, by_hu(classes=("background", "kidney", "kidney_tumor"))])
    with pytest.raises(InputError, match="at least one network"):
        predict(volume, [])
    with pytest.raises(InputError, match="gate 'organ' needs a mask"):
        predict(volume, network, gate="organ")
    with pytest.raises(UnknownNameError, match="did you mean 'organ'"):
        predict(volume, network, gate="organs")
    with pytest.raises(InputError, match="organ is a bool mask on the grid of the scan"):
        predict(volume, network, organ=np.zeros((16, 16, 15), bool))
    with pytest.raises(InputError, match="gate is a bool mask"):
        predict(volume, network, gate=np.zeros((16, 16, 16)))
    with pytest.raises(InputError, match="takes the organ from a mask"):
        predict(volume, network, postprocess="difftumor")
