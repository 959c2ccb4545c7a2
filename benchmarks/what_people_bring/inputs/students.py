"""Students as people bring them, for images of 1 x 32 x 32 and 10 classes."""

from types import SimpleNamespace

import torch
from teachers import Wrapped, convolutional, small
from torch import nn


def plain():
    """One linear layer."""
    return small()


def seven_classes():
    """Answers 7 classes where the teacher has 10."""
    return small(classes=7)


def hundred_classes():
    """Answers 100 classes where the teacher has 10."""
    return small(classes=100)


def colour():
    """Takes three channels where the teacher takes one."""
    return convolutional(channels=3)


def other_size():
    """Takes 28 x 28 where the teacher takes 32 x 32."""
    return small(1, 28)


def answers_tuple():
    """Answers (logits, features)."""
    return Wrapped(lambda z: (z, z.relu()), net=small())


def answers_object():
    """Answers an object with .logits, as a Hugging Face network does."""
    return Wrapped(lambda z: SimpleNamespace(logits=z), net=small())


class TupleInTraining(Wrapped):
    def forward(self, x):
        z = super().forward(x)
        return (z, z) if self.training else z


def tuple_in_training():
    """Answers (logits, aux) in train mode and logits in eval mode, as GoogLeNet, Inception and DeiT do."""
    return TupleInTraining(net=small())


def answers_none():
    """Its forward forgot the return."""
    return Wrapped(lambda z: None, net=small())


def half():
    """Comes in half precision."""
    return small().half()


def double():
    """Comes in double precision."""
    return small().double()


def frozen():
    """Has requires_grad=False on all parameters (fine-tuning was the plan)."""
    return small().requires_grad_(False)


def body_frozen():
    """Has a frozen body; its head learns."""
    net = convolutional()
    net[0].requires_grad_(False)
    return net


def detached():
    """Returns logits.detach()."""
    return Wrapped(lambda z: z.detach(), net=small())


def softmax():
    """Ends in a softmax."""
    return nn.Sequential(small(), nn.Softmax(1))


def no_parameters():
    """Has no parameters at all."""
    return nn.Sequential(nn.AdaptiveAvgPool2d((1, 10)), nn.Flatten())


def lazy():
    """Has a LazyLinear that has never seen an image."""
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(10))


def not_a_number():
    """Starts with NaN among its weights."""
    net = small()
    net[1].weight.data[0, 0] = float("nan")
    return net


class TwoNames(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = small()
        self.fc = self.body[1]

    def forward(self, x):
        return self.body(x)


def two_names():
    """Has one layer under two names."""
    return TwoNames()


def tied():
    """Has two layers with one and the same weight."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(1024, 16), nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 10))
    net[3].weight = net[2].weight
    return net


class Extra(Wrapped):
    def get_extra_state(self):
        return {"version": 3}

    def set_extra_state(self, state):
        pass


def extra_state():
    """Keeps extra state that is no tensor."""
    return Extra(net=small())


def views():
    """Keeps two views of one tensor as parameters."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(1024, 10), nn.Linear(10, 10))
    both = torch.randn(20, 10) / 4
    net[2].weight = nn.Parameter(both[:10])
    net.register_buffer("spare", both[10:])
    return net


def larger():
    """Is larger than its teacher."""
    return nn.Sequential(nn.Flatten(), nn.Linear(1024, 500), nn.ReLU(), nn.Linear(500, 10))


def batch_norm():
    """Has BatchNorm1d, which cannot learn from a batch of one."""
    return nn.Sequential(small(classes=16), nn.BatchNorm1d(16), nn.Linear(16, 10))


def batch_norm_pooled():
    """Has BatchNorm2d, which can learn from a batch of one as long as pictures are larger than one pixel."""
    return convolutional(nn.BatchNorm2d)


def scripted():
    """torch.jit.script(net)."""
    return torch.jit.script(small())


def compiled():
    """torch.compile(net)."""
    return torch.compile(small(), backend="eager")


def data_parallel():
    """nn.DataParallel(net)."""
    return nn.DataParallel(small())


def dropout():
    """Has dropout."""
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(1024, 10))


def in_place():
    """Changes its input in place."""
    return Wrapped(before=lambda x: x.mul_(0.5), net=small())


def weight_norm():
    """weight_norm on its layer: other names in its state dict."""
    net = small()
    nn.utils.parametrizations.weight_norm(net[1])
    return net
