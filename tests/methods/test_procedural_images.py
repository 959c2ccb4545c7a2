"""Procedural images: the same from the same seed, in range, of any size and channels, and with shapes in them."""

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt, label

from rdskd_lab.methods.procedural_images import dead_leaves, scaled_leaves, scaled_things, strokes, things


@pytest.mark.parametrize(("channels", "size"), [(1, 32), (3, 9)])
def test_dead_leaves_are_pictures_that_a_seed_decides(channels, size):
    a, b = (dead_leaves(20, channels, size, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(a, b) and a.shape == (20, channels, size, size) and 0 <= a.min() and a.max() <= 1
    assert not torch.equal(a, dead_leaves(20, channels, size, torch.Generator().manual_seed(4)))


def test_they_are_flat_with_edges_unlike_noise():
    """Half of all neighbours are the same pixel for pixel, which never happens in noise, and no two images are alike."""
    images = dead_leaves(50, 1, 32, torch.Generator().manual_seed(0))
    assert 0.2 < (images.diff(dim=3) == 0).float().mean() < 0.95
    assert len({tuple(image.flatten().tolist()) for image in images}) == 50


def test_a_batch_has_the_scale_of_normalised_data():
    images = scaled_leaves(64, 3, 16, torch.Generator().manual_seed(0))
    assert images.mean((0, 2, 3)).abs().max() < 1e-5 and (images.std((0, 2, 3)) - 1).abs().max() < 1e-5


def test_things_lie_on_a_plain_ground_and_half_of_them_are_alike_left_and_right():
    images = things(400, 1, 32, torch.Generator().manual_seed(0))
    assert torch.equal(images, things(400, 1, 32, torch.Generator().manual_seed(0)))
    assert 0 <= images.min() and images.max() <= 1
    border = torch.cat([images[..., 0, :], images[..., -1, :], images[..., 0], images[..., -1]], -1)
    assert (border == 0).float().mean() > 0.8 > (images[..., 8:24, 8:24] == 0).float().mean()
    alike = (images - images.flip(3)).abs().flatten(1).amax(1) < 1e-4
    assert 0.4 < alike.float().mean() < 0.7  # a few are empty


def test_the_source_of_things_shows_dark_and_bright_grounds():
    images = scaled_things(300, 1, 32, torch.Generator().manual_seed(0))
    corner = images[:, 0, 0, 0]
    assert 0.4 < (corner < 0).float().mean() < 0.6 and images.abs().std() < 1.5


def test_strokes_are_one_to_three_lines_of_a_pens_width_on_black():
    images = strokes(300, 3, 32, torch.Generator().manual_seed(0))
    assert torch.equal(images, strokes(300, 3, 32, torch.Generator().manual_seed(0)))
    assert images.min() == 0 and images.max() == 1 and (images == images[:, :1]).all()
    ink = images[:, 0].numpy() > 0.5
    assert {label(one, np.ones((3, 3)))[1] for one in ink} <= {1, 2, 3}  # pieces that hang together
    assert 1 < np.median([distance_transform_edt(one).max() for one in ink]) < 0.16 * 16 + 1  # half a width
