"""A `Split`: normalised as its numbers say, handed out once in batches, resized as PIL does."""

import numpy as np
import pytest
import torch
from PIL import Image

from rdskd_lab.datasets import Split
from rdskd_lab.datasets.digits import ASSETS
from rdskd_lab.datasets.split import resize


def tiny(count: int = 10) -> Split:
    """Two channels with statistics of their own; image i is i all over in one, 255 - i in the other; its label is i."""
    values = torch.arange(count, dtype=torch.uint8)
    images = torch.stack([values, 255 - values], 1)[:, :, None, None].expand(-1, -1, 4, 4)
    return Split(images, values.long(), (0.5, 0.25), (0.5, 0.125), tuple(map(str, range(count))), "tiny test")


@pytest.mark.parametrize("size", [32, 16])
def test_resizing_is_pils_bilinear_to_within_one_grey_level(size):
    chosen = np.load(ASSETS / "digits.npz")["images"][::25]  # 200 digits, 20 of each class
    ours = resize(torch.from_numpy(chosen)[:, None], size)
    pils = [np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)) for image in chosen]
    assert ours.dtype == torch.uint8
    assert np.abs(ours[:, 0].numpy().astype(int) - np.stack(pils).astype(int)).max() <= 1


def test_normalising_subtracts_the_mean_and_divides_by_the_std_of_each_channel():
    split = tiny()
    out = split.normalise(split.images)
    assert out.dtype == torch.float32 and out.shape == split.images.shape
    for i in range(len(split)):
        assert out[i, 0, 0, 0].item() == pytest.approx((i / 255 - 0.5) / 0.5, abs=1e-6)
        assert out[i, 1, 3, 3].item() == pytest.approx(((255 - i) / 255 - 0.25) / 0.125, abs=1e-6)


def test_batches_pass_once_over_everything_in_order_and_on_the_device_asked_for():
    split = tiny()
    images, labels = zip(*split.batches(4), strict=True)
    assert [len(batch) for batch in labels] == [4, 4, 2] and torch.cat(labels).tolist() == list(range(10))
    assert torch.equal(torch.cat(images), split.normalise(split.images))
    assert {tensor.device.type for tensor in next(split.batches(4, device="meta"))} == {"meta"}
    with pytest.raises(ValueError, match="at least 1 image"):
        next(split.batches(0))


def test_batches_with_a_generator_are_shuffled_reproducibly_and_images_keep_their_labels():
    split = tiny()

    def one_pass(rng):
        images, labels = map(torch.cat, zip(*split.batches(4, rng=rng), strict=True))
        assert torch.equal(images, split.normalise(split.images[labels]))
        return labels.tolist()

    rng = torch.Generator().manual_seed(0)
    first, second = one_pass(rng), one_pass(rng)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second and first != list(range(10))
    assert one_pass(torch.Generator().manual_seed(0)) == first


def test_only_one_batch_at_a_time_is_ever_float(monkeypatch):
    seen = []
    monkeypatch.setattr(Split, "normalise", lambda self, images: seen.append((len(images), images.dtype)) or images)
    next(tiny().batches(4))
    assert seen == [(4, torch.uint8)]


@pytest.mark.parametrize(
    "which, labels",
    [(slice(2, 5), [2, 3, 4]), (torch.tensor([7, 1]), [7, 1]), (torch.arange(10) > 7, [8, 9]), (3, [3]), (-1, [9])],
)
def test_indexing_a_split_gives_a_split(which, labels):
    part = tiny()[which]
    assert isinstance(part, Split) and part.labels.tolist() == labels
    assert part.images[:, 0, 0, 0].tolist() == labels and part.images.ndim == 4
    assert (part.name, part.mean, len(part)) == ("tiny test", (0.5, 0.25), len(labels))


def test_numbering_classes_otherwise_keeps_every_images_name():
    split, other = tiny(), tuple("9876543210")
    renumbered = split.numbered_as(other)
    assert renumbered.classes == other and renumbered.labels[0] == 9
    assert [other[k] for k in renumbered.labels] == [split.classes[k] for k in split.labels]
