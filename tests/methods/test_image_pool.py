"""The pool: what it keeps, the lessons it gives, and how far a warp moves an image."""

import math
from itertools import islice

import pytest
import torch
from toys import CLASSES, SIZE, ToyTeacher, seeded

from rdskd_lab.batch import Batch
from rdskd_lab.methods.image_pool import Pool, warp


def batch(n=4, seed=0, size=SIZE):
    rng = seeded(seed)
    return Batch(torch.randn(n, 1, size, size, generator=rng), logits=torch.randn(n, CLASSES, generator=rng))


def full(n=20, seed=0):
    pool = Pool(n, 1, SIZE, CLASSES)
    pool.add(batch(n, seed))
    return pool


def take(pool, n, **settings):
    lessons = pool.batches(ToyTeacher(), settings.pop("batch_size", 4), **settings)
    return [(b.images, b.logits) for b in islice(lessons, n)]


def equal(a, b):
    return len(a) == len(b) and all(
        torch.equal(x, y) for p, q in zip(a, b, strict=True) for x, y in zip(p, q, strict=True)
    )


def test_a_batch_may_be_larger_than_a_round():
    assert len(take(full(20), 1, batch_size=16, round_size=10, augment=0.0)[0][0]) == 16


def test_it_keeps_batches_in_order_of_arrival_images_in_half_precision_until_it_is_full():
    pool, batches = Pool(10, 1, SIZE, CLASSES), [batch(4, i) for i in range(4)]
    for b, many in zip(batches, (4, 8, 10, 10), strict=True):
        pool.add(b)
        assert len(pool) == many
    assert torch.equal(pool.images, torch.cat([b.images for b in batches])[:10].half())
    assert torch.equal(pool.logits, torch.cat([b.logits for b in batches])[:10])


def test_what_it_keeps_has_no_graph_and_is_its_own():
    pool, images, logits = Pool(8, 1, SIZE, CLASSES), torch.randn(4, 1, SIZE, SIZE), torch.randn(4, CLASSES)
    images.requires_grad_(), logits.requires_grad_()
    pool.add(Batch(images * 1, logits=logits * 1))
    before = pool.images[:4].clone()
    with torch.no_grad():
        images.zero_()
    assert torch.equal(pool.images[:4], before) and not pool.images.requires_grad and not pool.logits.requires_grad


def test_the_histogram_counts_the_teachers_classes_of_what_is_filled():
    pool = Pool(10, 1, SIZE, CLASSES)
    pool.logits.fill_(0.0)
    pool.logits[:, 4] = 99.0  # rows that nobody filled must not count
    logits = torch.eye(CLASSES)[[0, 1, 1, 3, 3, 3]]
    pool.add(Batch(torch.zeros(6, 1, SIZE, SIZE), logits=logits))
    assert pool.histogram().tolist() == [1, 2, 0, 3, 0]


# ---- lessons ---------------------------------------------------------------------------------------------------------

# 20 images, 4 a lesson, rounds of at most 12 images: 3 lessons a pass, 3 * reuse lessons a round
SETTINGS = [dict(reuse=1, round_size=12), dict(reuse=3, round_size=12), dict(reuse=2, round_size=14), dict(reuse=1)]


@pytest.mark.parametrize("augment", [0.0, 1.0])
@pytest.mark.parametrize("settings", SETTINGS)
def test_lessons_from_the_kth_on_are_the_tail_of_all_lessons(settings, augment):
    pool = full()
    every = take(pool, 24, seed=3, augment=augment, **settings)
    for k in 0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 17, 18, 19:
        assert equal(take(pool, 24 - k, seed=3, augment=augment, start=k, **settings), every[k:]), k


def test_lessons_depend_on_the_pool_and_the_seed_and_on_nothing_else():
    pool = full()
    first = take(pool, 8, seed=1)
    before = torch.get_rng_state()
    torch.manual_seed(99)
    assert equal(take(pool, 8, seed=1), first)
    assert not equal(take(pool, 8, seed=2), first)
    assert not equal(take(full(seed=5), 8, seed=1), first)
    torch.set_rng_state(before)
    take(pool, 8, seed=1)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("reuse", [1, 3])
def test_a_round_gives_each_of_its_images_reuse_times_once_a_pass(reuse):
    pool = full(12)
    lessons = take(pool, 3 * reuse, augment=0.0, reuse=reuse)
    passes = [torch.cat([x for x, _ in lessons[i : i + 3]]).flatten(1) for i in range(0, 3 * reuse, 3)]
    want = sorted(pool.images.float().flatten(1).tolist())
    assert all(sorted(p.tolist()) == want for p in passes)
    assert all(not torch.equal(passes[0], p) for p in passes[1:])  # in another order


def test_within_a_round_a_warped_image_is_the_same_one_in_every_pass_and_the_next_round_warps_anew():
    pool = full(12)
    lessons = take(pool, 9, augment=1.0, reuse=2, batch_size=4)
    passes = [sorted(torch.cat([x for x, _ in lessons[i : i + 3]]).flatten(1).tolist()) for i in (0, 3, 6)]
    assert passes[0] == passes[1] != passes[2]


def test_with_augment_the_answers_are_the_teachers_to_the_images_of_the_lesson():
    teacher = ToyTeacher()
    for images, logits in take(full(), 10, augment=1.0, reuse=2):
        assert torch.allclose(logits, teacher(images), rtol=1e-5, atol=1e-5)
        assert images.dtype == torch.float32


def test_a_large_round_is_answered_in_parts_and_no_image_is_forgotten():
    pool = full(2500)
    teacher = ToyTeacher()
    lessons = take(pool, 2, augment=1.0, batch_size=1250)
    for images, logits in lessons:
        assert torch.allclose(logits, teacher(images), rtol=1e-5, atol=1e-5)
    seen = torch.cat([x for x, _ in lessons])
    kept = {tuple(x) for x in pool.images.float().flatten(1).tolist()}
    assert not any(tuple(x) in kept for x in seen.flatten(1).tolist())  # every one was warped


def test_without_augment_images_and_answers_are_those_that_were_kept():
    class Silent(torch.nn.Module):
        def forward(self, x):
            raise AssertionError("the teacher need not be asked")

    pool = full()
    rows = {tuple(x): t for x, t in zip(pool.images.float().flatten(1).tolist(), pool.logits, strict=True)}
    for b in islice(pool.batches(Silent(), 4, augment=0.0), 10):
        for image, answer in zip(b.images.flatten(1).tolist(), b.logits, strict=True):
            assert torch.equal(rows[tuple(image)], answer)


def test_lessons_leave_the_pool_as_it_was_and_have_no_graph():
    pool = full()
    images, logits = pool.images.clone(), pool.logits.clone()
    lessons = take(pool, 12, augment=1.0, reuse=2)
    assert torch.equal(pool.images, images) and torch.equal(pool.logits, logits)
    assert all(t.grad_fn is None and not t.requires_grad for pair in lessons for t in pair)


def test_rows_that_nobody_filled_are_never_taught():
    pool = Pool(50, 1, SIZE, CLASSES)
    pool.images.fill_(7.0)
    pool.add(batch(9))
    assert not any((x == 7.0).all() for images, _ in take(pool, 12, augment=0.0) for x in images)


def test_a_lesson_larger_than_the_pool_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="21 images.*pool of 20"):
        take(full(), 1, batch_size=21)


# ---- the warp --------------------------------------------------------------------------------------------------------


def test_at_strength_0_nothing_moves():
    x = torch.randn(5, 2, 32, 32, generator=seeded(0), dtype=torch.float64)
    assert (warp(x, 0.0, seeded(1)) - x).abs().max() < 1e-4
    assert torch.equal(warp(x, 1.0, seeded(1)), warp(x, 1.0, seeded(1)))
    assert not torch.equal(warp(x, 1.0, seeded(1)), warp(x, 1.0, seeded(2)))


def moved(monkeypatch, x, *numbers):
    """Warp x by these numbers, each in [-1, 1], instead of random ones: turn, zoom, shear, dx, dy."""
    drawn = ((torch.tensor(numbers) + 1) / 2).view(5, 1)
    monkeypatch.setattr("rdskd_lab.methods.image_pool.torch.rand", lambda five, n, **_: drawn.expand(five, n).clone())
    return warp(x)


def test_a_pure_shift_moves_by_a_tenth_of_the_half_width_and_the_border_fills_in(monkeypatch):
    # on 40 pixels half the width is 20, a tenth of it 2: the image at (row, column) comes from (row, column + 2)
    x = torch.randn(1, 1, 40, 40, generator=seeded(0), dtype=torch.float64)
    got = moved(monkeypatch, x, 0.0, 0.0, 0.0, 1.0, 0.0)
    assert torch.allclose(got[..., :38], x[..., 2:], atol=1e-4)
    assert torch.allclose(got[..., 38:], x[..., -1:].expand(-1, -1, -1, 2), atol=1e-4)


def plane(size=40):
    """An image whose two channels are the column and the row of each pixel, measured from the centre."""
    at = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    return torch.stack([at.expand(size, size), at.view(-1, 1).expand(size, size)])[None]


@pytest.mark.parametrize(
    "numbers", [(1.0, 0, 0, 0, 0), (0, -1.0, 0, 0, 0), (0, 0, 1.0, 0, 0), (0.5, -0.7, 0.4, 0.6, -0.9)]
)
def test_a_pixel_comes_from_where_the_formula_says(monkeypatch, numbers):
    # 15 degrees, a factor exp(0.15), 10 degrees, a tenth of the half width: each times the number drawn
    size, x, (turn, zoom, shear, dx, dy) = 40, plane(), numbers
    got = moved(monkeypatch, x, *numbers)[0]
    angle, scale, slope = math.radians(15 * turn), math.exp(0.15 * zoom), math.tan(math.radians(10 * shear))
    for row in range(12, 28, 5):  # well inside, so that no border comes in
        for column in range(12, 28, 5):
            u, v = column - (size - 1) / 2, row - (size - 1) / 2
            u = u + slope * v  # shear, then turn, then scale, then shift
            u, v = math.cos(angle) * u - math.sin(angle) * v, math.sin(angle) * u + math.cos(angle) * v
            want = u / scale + 0.1 * dx * size / 2, v / scale + 0.1 * dy * size / 2
            assert got[:, row, column].tolist() == pytest.approx(want, abs=1e-4)


def test_strength_scales_every_part_of_the_warp():
    x = plane().expand(200, -1, -1, -1)
    far = [(warp(x, s, seeded(0)) - x)[:, :, 10:30, 10:30].abs().amax() for s in (0.1, 0.5, 1.0)]
    assert far[0] < far[1] < far[2]
    # at strength 1 the middle of the image moves by a shift alone: uniform within two of 40 pixels
    middle = warp(x, 1.0, seeded(0))[:, :, 19:21, 19:21].mean((2, 3)) - x[:, :, 19:21, 19:21].mean((2, 3))
    assert 1.9 < middle.abs().max() <= 2.001 and abs(middle.mean()) < 0.2


def test_each_image_is_warped_in_its_own_way_and_keeps_its_range():
    x = torch.rand(1, 1, 16, 16, generator=seeded(0)).expand(6, -1, -1, -1)
    got = warp(x, 1.0, seeded(1))
    assert len({tuple(y.flatten().tolist()) for y in got}) == 6
    assert got.min() >= x.min() - 1e-6 and got.max() <= x.max() + 1e-6  # the border's colour fills in, not black
