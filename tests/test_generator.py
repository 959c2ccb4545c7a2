"""The generator, layer by layer as in methods.md 0.2; its lean form; pixels."""

import pytest
import torch
from torch import nn
from toys import F64, SpecGenerator, apart, copied, same, seeded

from rdskd_lab.generator import Generator
from rdskd_lab.methods.fast_generator import UpsampledConv2d, lean
from rdskd_lab.methods.image_optimization import Pixels


def small(seed=0, latent=5, channels=2, size=12, width=6, dtype=F64):
    torch.manual_seed(seed)
    generator = Generator(latent, channels, size, width).to(dtype)
    with torch.no_grad():  # so that no layer is at its identity
        for p in generator.parameters():
            p.add_(0.3 * torch.randn_like(p))
        for b in generator.buffers():
            b.add_(torch.rand_like(b.double()).to(b.dtype))
    return generator


def latents(n, d, seed=0):
    return torch.randn(n, d, generator=seeded(seed), dtype=F64)


# ---- the published network -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("d", "channels", "count"), [(100, 1, 1_049_985), (100, 3, 1_051_139), (1000, 3, 8_423_939)])
def test_it_has_as_many_parameters_as_published(d, channels, count):
    assert sum(p.numel() for p in Generator(d, channels).parameters()) == count


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("form", [lambda g: g, lean])
@pytest.mark.parametrize("sizes", [{}, {"size": 4, "width": 2, "channels": 1}, {"size": 16, "width": 8, "channels": 3}])
def test_it_computes_the_specification_values_gradients_and_running_statistics(sizes, form, training):
    generator = form(small(**sizes).train(training))
    spec, z = SpecGenerator(copied(generator)), latents(7, 5)
    got, want = generator(z), spec(z, training)
    assert torch.allclose(got, want, rtol=0, atol=1e-12)
    direction = torch.randn(got.shape, generator=seeded(9), dtype=F64)
    names, params = zip(*generator.named_parameters(), strict=True)
    for name, a in zip(names, torch.autograd.grad((got * direction).sum(), params), strict=True):
        (b,) = torch.autograd.grad((want * direction).sum(), spec.w[name], retain_graph=True)
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-11), name
    assert apart(generator.state_dict(), spec.state()) < 1e-12


def test_the_published_size_computes_the_specification():
    torch.manual_seed(0)
    generator = Generator().double()
    spec, z = SpecGenerator(copied(generator)), latents(4, 100)
    with torch.no_grad():
        assert torch.allclose(generator(z), spec(z, training=True), rtol=0, atol=1e-12)


def test_its_images_are_standardised_like_normalised_data():
    with torch.no_grad():
        x = small(channels=3).train()(latents(16, 5))
    assert x.shape == (16, 3, 12, 12)
    assert torch.allclose(x.mean((0, 2, 3)), torch.zeros(3, dtype=F64), atol=1e-12)
    assert torch.allclose(x.var((0, 2, 3), unbiased=False), torch.ones(3, dtype=F64), rtol=1e-3)  # eps 1e-5


@pytest.mark.parametrize("size", [8, 9, 28, 30, 33, 63])
def test_any_size_from_8_is_standardised_and_an_odd_one_is_a_cut_of_the_next(size):
    torch.manual_seed(0)
    generator, z = lean(Generator(5, 1, size, width=4)).train(), latents(6, 5).float()
    with torch.no_grad():
        x = generator(z)
    assert x.shape == (6, 1, size, size)
    assert abs(x.mean().item()) < 1e-5 and abs(x.var().item() - 1) < 2e-2
    torch.manual_seed(0)
    whole = Generator(5, 1, -(-size // 4) * 4, width=4).train()
    cut = whole.paint[:-1](whole.project(z).view(-1, 4, whole.side, whole.side))[:, :, :size, :size]
    assert torch.allclose(x, (cut - cut.mean()) / (cut.var(unbiased=False) + 1e-5).sqrt(), atol=1e-4)


def test_a_size_below_4_is_refused():
    with pytest.raises(ValueError, match="4 x 4 pixels and more, not 3 x 3"):
        Generator(size=3)


# ---- latents and samples ---------------------------------------------------------------------------------------------


def test_one_seed_gives_one_set_of_latents_which_are_standard_normal():
    generator = small()
    z = generator.latents(4000, seeded(3))
    assert torch.equal(z, generator.latents(4000, seeded(3))) and z.shape == (4000, 5) and z.dtype == F64
    assert not torch.equal(z, generator.latents(4000, seeded(4)))
    assert abs(z.mean().item()) < 0.03 and abs(z.std().item() - 1) < 0.03


def test_a_sample_is_the_image_of_its_own_latents_and_takes_nothing_from_the_global_random_state():
    generator = small().eval()
    before = torch.get_rng_state()
    batch = generator.sample(3, seeded(0))
    assert torch.equal(batch.images, generator(batch.z)) and batch.logits is None and batch.targets is None
    assert torch.equal(torch.get_rng_state(), before)


# ---- the same generator, computed faster -----------------------------------------------------------------------------


def test_lean_replaces_both_doublings():
    layers = [type(m) for m in lean(small()).modules()]
    assert layers.count(UpsampledConv2d) == 2 and nn.Upsample not in layers


def test_lean_keeps_parameters_names_and_shapes_and_loads_both_ways():
    plain, other = small(seed=1), small(seed=2)
    ids = [id(p) for p in other.parameters()]
    keys = list(other.state_dict())
    fast = lean(other)
    assert fast is other and [id(p) for p in fast.parameters()] == ids and list(fast.state_dict()) == keys
    fast.load_state_dict(plain.state_dict())
    assert same(fast.state_dict(), plain.state_dict())
    third = small(seed=3)
    third.load_state_dict(fast.state_dict())
    assert same(third.state_dict(), plain.state_dict())
    z = latents(3, 5)
    want = fast(z)
    assert torch.allclose(third(z), want, rtol=0, atol=1e-12)
    assert torch.equal(lean(fast)(z), want)  # twice is once


def test_lean_takes_nothing_from_the_global_random_state():
    generator = small()
    before = torch.get_rng_state()
    lean(generator)
    assert torch.equal(torch.get_rng_state(), before)


def test_pixels_are_their_own_parameters_and_carry_their_targets():
    y = torch.tensor([3, 1, 2])
    pixels = Pixels(y, channels=2, size=8, rng=seeded(0))
    batch = pixels.sample()
    assert torch.equal(batch.images, pixels.images) and torch.equal(batch.targets, y)
    assert batch.images.data_ptr() != pixels.images.data_ptr()  # an alias would show what the optimiser made of it
    assert [n for n, _ in pixels.named_parameters()] == ["images"] and pixels.images.shape == (3, 2, 8, 8)
    assert torch.equal(pixels.images, Pixels(y, channels=2, size=8, rng=seeded(0)).images)
    assert "targets" in pixels.state_dict()


def test_a_draw_of_pixels_has_no_image_twice_and_keeps_images_with_their_targets():
    pixels = Pixels(torch.arange(10), size=4, rng=seeded(0))
    with torch.no_grad():
        pixels.images.copy_(torch.arange(10.0).view(10, 1, 1, 1).expand(10, 1, 4, 4))
    batch = pixels.sample(6, seeded(1))
    assert len(set(batch.targets.tolist())) == 6
    assert torch.equal(batch.images[:, 0, 0, 0], batch.targets.float())
    batch.images.sum().backward()
    assert (pixels.images.grad.amax((1, 2, 3)) > 0).sum() == 6  # only what was drawn is asked to move


def test_jitter_rolls_the_whole_sheet_while_training_and_never_otherwise():
    pixels = Pixels(torch.arange(3), size=8, jitter=2, rng=seeded(0))
    assert torch.equal(pixels.eval().sample(rng=seeded(5)).images, pixels.images)
    pixels.train()
    seen = set()
    for seed in range(60):
        got = pixels.sample(rng=seeded(seed)).images
        shifts = [
            (a, b) for a in range(-2, 3) for b in range(-2, 3) if torch.equal(got, pixels.images.roll((a, b), (2, 3)))
        ]
        assert len(shifts) == 1
        seen |= set(shifts)
    assert len(seen) > 15  # of 25, both directions, both signs
