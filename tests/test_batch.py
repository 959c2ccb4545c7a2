"""Reading a teacher: any network, features and BatchNorm statistics through hooks, and nothing left changed."""

from contextlib import nullcontext
from functools import partial

import pytest
import torch
from torch import nn
from toys import CLASSES, F64, SIZE, PlainNet, ToyTeacher, copied, leaves, same, seeded

from rdskd_lab.batch import Batch, find_head, read, watch
from rdskd_lab.networks.architectures import LeNet5
from rdskd_lab.torch_state import buffers_kept, frozen, train_mode


def images(n=6, channels=1, seed=0, size=SIZE, dtype=F64, grad=False):
    return torch.randn(n, channels, size, size, generator=seeded(seed), dtype=dtype).requires_grad_(grad)


class TwoNorms(nn.Module):
    """Two BatchNorm2d and a BatchNorm1d, called in another order than they were defined."""

    def __init__(self):
        super().__init__()
        self.second = nn.BatchNorm2d(3)
        self.first = nn.BatchNorm2d(1)
        self.conv = nn.Conv2d(1, 3, 3)
        self.flat = nn.BatchNorm1d(3)
        self.fc = nn.Linear(3, CLASSES)

    def forward(self, x):
        x = self.second(self.conv(self.first(x))).relu().mean((2, 3))
        return self.fc(self.flat(x))


def snapshot(net):
    return (
        [(n, m.training, len(m._forward_pre_hooks), len(m._forward_hooks)) for n, m in net.named_modules()],
        [(n, p.requires_grad, p.grad) for n, p in net.named_parameters()],
        [(n, b.tolist()) for n, b in net.named_buffers()],
    )


# ---- what is read ----------------------------------------------------------------------------------------------------


def test_the_logits_are_the_teachers_eval_mode_answer():
    teacher, x = ToyTeacher().double(), images()
    want = teacher.eval()(x)
    teacher.train()
    assert torch.equal(read(teacher, Batch(x)).logits, want)


def test_any_module_can_teach():
    net, x = PlainNet().double(), images()
    assert torch.equal(read(net, Batch(x)).logits, net(x))
    linear = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).double()
    assert read(linear, Batch(x)).logits.shape == (6, 3)


def test_what_was_in_the_batch_stays_and_what_nobody_needs_stays_empty():
    teacher, x, z, y = ToyTeacher().double(), images(), torch.randn(6, 2), torch.arange(6)
    got = read(teacher, Batch(x, z=z, targets=y))
    assert got.images is x and got.z is z and got.targets is y
    assert got.features is None and got.bn == () and got.student is None


def test_probs_are_the_softmax_at_temperature_1():
    got = read(ToyTeacher().double(), Batch(images()))
    want = got.logits.exp() / got.logits.exp().sum(1, keepdim=True)
    assert torch.allclose(got.probs, want, rtol=1e-12)


def test_the_feature_is_what_enters_the_last_linear_layer():
    teacher, x = ToyTeacher().double(), images()
    got = read(teacher, Batch(x), ["features"])
    entering = nn.Sequential(*list(teacher)[:-1])(x)
    assert torch.equal(got.features, entering)
    assert torch.allclose(got.features @ teacher[-1].weight.T + teacher[-1].bias, got.logits)


def test_the_head_can_be_named_with_dots():
    net, x = PlainNet().double(), images()
    assert torch.equal(read(net, Batch(x), ["features"], head="body.inner").features, x.flatten(1))
    assert torch.equal(read(net, Batch(x), ["features"], head="head").features, net.body["inner"](x.flatten(1)).tanh())


def test_lenets_published_feature_is_the_120_vector_that_enters_fc1():
    # methods.md 0.2: flatten 120 (= "feature"); its last linear layer has 84 inputs
    x = torch.randn(2, 1, 32, 32, generator=seeded(0))
    assert read(LeNet5(), Batch(x), ["features"], head="fc1").features.shape == (2, 120)
    assert read(LeNet5(), Batch(x), ["features"]).features.shape == (2, 84)


def test_without_a_linear_layer_the_head_must_be_named():
    net = nn.Sequential(nn.Conv2d(1, 4, 8), nn.Flatten())
    with pytest.raises(ValueError, match="no linear layer.*; name the layer"):
        read(net, Batch(images(dtype=torch.float32)), ["features"])
    assert read(net, Batch(images(dtype=torch.float32)), ["features"], head="0").features.shape == (6, 1, 8, 8)
    assert find_head(nn.Flatten()) is None


class Written(nn.Module):
    """A head that was written down before its body, and a layer after it that nothing runs."""

    def __init__(self):
        super().__init__()
        self.head, self.body, self.spare = nn.Linear(5, 3), nn.Linear(64, 5), nn.Linear(64, 3)

    def forward(self, x):
        return self.head(self.body(x.flatten(1)).relu())


def test_the_head_is_found_by_running_not_by_the_order_in_which_layers_were_written():
    net, x = Written().double(), images()
    assert torch.equal(read(net, Batch(x), ["features"]).features, net.body(x.flatten(1)).relu())
    tokens = nn.Sequential(nn.Flatten(2), nn.Linear(64, 5), nn.Linear(5, 3), nn.Flatten(1)).double()
    with pytest.raises(ValueError, match="answers its"):  # 3 numbers, but of each of the tokens
        read(tokens, Batch(x.expand(-1, 2, -1, -1)), ["features"])


def test_of_two_layers_with_a_number_per_class_the_last_that_runs_is_the_head():
    net = nn.Sequential(nn.Flatten(), nn.Linear(SIZE**2, CLASSES), nn.ReLU(), nn.Linear(CLASSES, CLASSES)).to(F64)
    x = images()
    expected = net[2](net[1](net[0](x)))
    assert torch.equal(read(net, Batch(x), {"features"}).features, expected)


def test_the_feature_of_a_head_that_runs_on_tokens_is_their_mean():
    body, head, x = nn.Linear(8, 5).double(), nn.Linear(5, 3).double(), images()

    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = body, head

        def forward(self, x):
            return self.head(self.body(x[:, 0])).mean(1)

    found = read(Tokens(), Batch(x), ["features"])
    assert torch.allclose(found.features, body(x[:, 0]).mean(1)) and torch.allclose(head(found.features), found.logits)


def test_a_head_that_is_not_there_is_named():
    with pytest.raises(AttributeError, match="nowhere"):
        read(ToyTeacher().double(), Batch(images()), ["features"], head="nowhere")


def test_bn_statistics_are_those_that_torch_computes_itself():
    net = TwoNorms().double()
    with torch.no_grad():
        for m in (net.first, net.second):
            m.running_mean.normal_(generator=seeded(1)), m.running_var.uniform_(1, 2, generator=seeded(2))
    x = images()
    got = read(net, Batch(x), ["bn"]).bn
    assert len(got) == 2  # one per BatchNorm2d, in the order in which they were called; BatchNorm1d is none
    net.eval()
    for (mean, var, running_mean, running_var), layer, entering in zip(
        got, (net.first, net.second), (x, net.conv(net.first(x))), strict=True
    ):
        assert torch.equal(running_mean, layer.running_mean) and torch.equal(running_var, layer.running_var)
        # torch's own: one training pass with momentum 1 makes the running statistics those of the batch (var unbiased)
        probe = nn.BatchNorm2d(layer.num_features, momentum=1.0).double().train()
        probe(entering)
        n = entering.numel() / layer.num_features
        assert torch.allclose(mean, probe.running_mean, rtol=1e-12, atol=1e-14)
        assert torch.allclose(var * n / (n - 1), probe.running_var, rtol=1e-12)


# ---- where gradients go ----------------------------------------------------------------------------------------------


def test_a_student_that_is_watched_gets_no_gradient_and_the_images_do():
    student, x = PlainNet().to(F64), images(grad=True)
    watch(student, Batch(x), training=True).student.square().sum().backward()
    assert x.grad.abs().sum() > 0 and all(p.grad is None for p in student.parameters())


def test_a_student_that_is_watched_answers_in_the_mode_asked_for_and_keeps_its_statistics():
    student, x = TwoNorms().to(F64), images()
    before = snapshot(student)
    training, still = (watch(student, Batch(x), training=mode).student for mode in (True, False))
    assert snapshot(student) == before
    assert torch.allclose(still, student.eval()(x)) and torch.allclose(training, student.train()(x))
    assert not torch.allclose(training, still)


def test_gradients_flow_to_the_images_through_logits_features_and_bn_and_never_to_the_teacher():
    teacher, x = ToyTeacher().double(), images(grad=True)
    got = read(teacher, Batch(x), ["features", "bn"])
    for output in (got.logits.sum(), got.features.sum(), got.bn[0][0].sum(), got.bn[0][1].sum()):
        assert leaves(output) == {x}
        (g,) = torch.autograd.grad(output, x, retain_graph=True)
        assert g.abs().max() > 0
    got.logits.sum().backward()
    assert all(p.grad is None and p.requires_grad for p in teacher.parameters())


def test_the_gradient_of_the_images_equals_that_of_an_unfrozen_teacher():
    teacher, x = ToyTeacher().double(), images(grad=True)
    (g,) = torch.autograd.grad(read(teacher, Batch(x)).logits.square().sum(), x)
    (want,) = torch.autograd.grad(teacher(x).square().sum(), x)
    assert torch.equal(g, want)


def test_images_without_a_graph_give_answers_without_a_graph():
    got = read(ToyTeacher().double(), Batch(images()), ["features", "bn"])
    assert not any(t.requires_grad for t in (got.logits, got.features, *got.bn[0]))


# ---- what is left behind: nothing ------------------------------------------------------------------------------------


class Bomb(nn.Module):
    def forward(self, x):
        raise RuntimeError("bang")


@pytest.mark.parametrize("fails", [False, True])
def test_modes_frozen_parameters_and_hooks_are_as_before_also_after_an_exception(fails):
    net = nn.Sequential(ToyTeacher(), *([Bomb()] if fails else []), nn.Linear(CLASSES, CLASSES)).double()
    net.train()
    net[0][1].eval()  # a mixture, as in fine-tuning
    net[0][0].weight.requires_grad_(False)
    net[0][2].register_forward_hook(lambda *_: None)
    before = snapshot(net)
    with pytest.raises(RuntimeError, match="bang") if fails else nullcontext():
        read(net, Batch(images()), ["features", "bn"])
    assert snapshot(net) == before


@pytest.mark.parametrize("hold", [partial(train_mode, training=True), partial(train_mode, training=False), frozen])
def test_modes_and_gradients_are_each_submodules_own_again(hold):
    net = ToyTeacher().train()
    net[1].eval()
    net[0].bias.requires_grad_(False)
    before = snapshot(net)
    with pytest.raises(KeyError), hold(net):
        training = hold is not frozen and hold.keywords["training"]
        assert all(m.training is training for m in net.modules())
        assert hold is not frozen or not any(p.requires_grad for p in net.parameters())
        raise KeyError
    assert snapshot(net) == before


def test_buffers_kept_lets_running_statistics_move_and_puts_them_back():
    net = ToyTeacher().double().train()
    before = copied(net)
    with pytest.raises(KeyError), buffers_kept(net):
        net(images())
        assert not same(net.state_dict(), before)
        raise KeyError
    assert same(net.state_dict(), before)


def test_detach_drops_every_graph_and_keeps_every_number():
    x = images(grad=True)
    full = read(ToyTeacher().double(), Batch(x * 1, z=x.flatten(1) * 2, targets=torch.arange(6)), ["features", "bn"])
    bare = full.detach()
    for name in "images", "z", "targets", "logits", "features":
        assert torch.equal(getattr(bare, name), getattr(full, name)) and not getattr(bare, name).requires_grad
    for mine, theirs in zip(sum(bare.bn, ()), sum(full.bn, ()), strict=True):
        assert torch.equal(mine, theirs) and not mine.requires_grad
    assert bare.student is None
    assert full.logits.requires_grad
