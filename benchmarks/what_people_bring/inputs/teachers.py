"""Teachers as people bring them: each function makes one network, and its docstring says what is particular about it.

Where nothing else is said the network is the shipped LeNet-5 (1 x 32 x 32, 10 classes), so that a student's accuracy
tells whether a wrapper spoils the run.  `rdskd-lab distill --teacher teachers:NAME` uses one of them.
"""

import functools
import time
import warnings
from collections import UserDict, namedtuple
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import nn

MEAN, STD = 0.1307, 0.3081  # of MNIST


def trained():
    """The shipped LeNet-5 as somebody's own network: nothing is wrong with it."""
    from rdskd_lab import LeNet5, load_weights

    return load_weights(LeNet5(), "lenet5")


class Wrapped(nn.Module):
    """A network with something before its images and something after its answer."""

    def __init__(self, after=lambda z: z, before=lambda x: x, net=None):
        super().__init__()
        self.net, self.after, self.before = trained() if net is None else net, after, before

    def forward(self, x):
        return self.after(self.net(self.before(x)))


def small(channels=1, size=32, classes=10):
    """A network of one linear layer, with random weights that are always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(channels * size**2, classes))


def convolutional(norm=nn.Identity, channels=1, classes=10):
    """A network of any size: convolution, `norm`, ReLU, mean over the picture, linear head."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        body = nn.Conv2d(channels, 8, 3, 2, 1), norm(8), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()
        return nn.Sequential(*body, nn.Linear(32, classes))


# ---- the form of the answer ------------------------------------------------------------------------------------------


def tuple_logits_first():
    """Answers (logits, features)."""
    return Wrapped(lambda z: (z, z.relu()))


def tuple_features_first():
    """Answers (features of 84 numbers, logits)."""
    return Wrapped(lambda z: (z.repeat(1, 9)[:, :84], z))


def list_of_logits():
    """Answers [logits]."""
    return Wrapped(lambda z: [z])


def dict_logits():
    """Answers {"logits": ..., "features": ...}."""
    return Wrapped(lambda z: {"logits": z, "features": z.relu()})


def dict_out():
    """Answers {"out": ..., "aux": ...}, as torchvision's segmentation networks do."""
    return Wrapped(lambda z: {"out": z, "aux": z})


def object_logits():
    """Answers an object with .logits and .hidden_states."""
    return Wrapped(lambda z: SimpleNamespace(logits=z, hidden_states=(z.relu(),)))


def mapping_logits():
    """Answers a mapping that is no dict and has the key "logits"."""
    return Wrapped(lambda z: UserDict(loss=None, logits=z))


def named_tuple():
    """Answers a namedtuple (logits, aux_logits), as Inception and GoogLeNet do."""
    return Wrapped(lambda z: namedtuple("InceptionOutputs", "logits aux_logits")(z, None))


def one_sequence():
    """Answers (N, 1, K): a sequence of length one."""
    return Wrapped(lambda z: z[:, None])


def unflattened():
    """Answers (N, K, 1, 1): a convolutional head that nobody flattened."""
    return Wrapped(lambda z: z[:, :, None, None])


def map_of_classes():
    """Answers (N, K, H, W): it segments."""
    return nn.Conv2d(1, 10, 3)


def one_logit():
    """Answers (N, 1): one logit, trained with binary cross-entropy (is the digit below 5?)."""
    return Wrapped(lambda z: z[:, :5].logsumexp(1, True) - z[:, 5:].logsumexp(1, True))


def one_logit_squeezed():
    """Answers (N,): one logit, squeezed."""
    return Wrapped(lambda z: z[:, :5].logsumexp(1) - z[:, 5:].logsumexp(1))


def one_sigmoid():
    """Answers (N, 1): a sigmoid, the probability of the second class."""
    return Wrapped(lambda z: (z[:, :5].logsumexp(1, True) - z[:, 5:].logsumexp(1, True)).sigmoid())


def softmax():
    """Ends in a softmax."""
    return nn.Sequential(trained(), nn.Softmax(1))


def softmax_underflow():
    """Ends in a softmax of logits ten times as large: most probabilities are exactly 0."""
    return Wrapped(lambda z: (10 * z).softmax(1))


def sigmoid_each():
    """Ends in a sigmoid for each class."""
    return nn.Sequential(trained(), nn.Sigmoid())


def log_softmax():
    """Ends in a log-softmax, as PyTorch's own MNIST example does."""
    return nn.Sequential(trained(), nn.LogSoftmax(1))


def percent():
    """Answers percentages: a softmax times 100."""
    return Wrapped(lambda z: 100 * z.softmax(1))


def cosine():
    """Answers cosines in [-1, 1] that nobody multiplied by a scale (a metric-learning head, CLIP without its scale)."""
    return Wrapped(lambda z: F.normalize(z))


def distances():
    """Answers distances to prototypes: the smallest is the best."""
    return Wrapped(lambda z: -z)


def saturated():
    """Answers logits a thousand times as large."""
    return Wrapped(lambda z: 1000 * z)


def constant():
    """Answers the same for every image: its last bias is all that is left."""
    return Wrapped(lambda z: 0 * z + torch.arange(10.0))


def not_a_number():
    """Has NaN among its weights, after a training that diverged."""
    net = trained()
    net.fc1.weight.data[0, 0] = float("nan")
    return net


def masked():
    """Gives classes that it may not name a logit of minus infinity."""
    return Wrapped(lambda z: z.masked_fill(torch.arange(10) >= 8, float("-inf")))


def class_numbers():
    """Answers class numbers (N,), int64."""
    return Wrapped(lambda z: z.argmax(1))


def hard_one_hot():
    """Answers a one-hot vector of its decision."""
    return Wrapped(lambda z: F.one_hot(z.argmax(1), 10).float())


def class_names():
    """Answers a list of strings."""
    return Wrapped(lambda z: [str(k) for k in z.argmax(1).tolist()])


def numpy_array():
    """Answers a numpy array."""
    return Wrapped(lambda z: z.detach().numpy())


def nothing():
    """Its forward forgot the return."""
    return Wrapped(lambda z: None)


def never_fine_tuned():
    """Answers 1,000 classes, although --classes says 10 (trained on ImageNet, never fine-tuned)."""
    return small(classes=1000)


def more_rows():
    """Answers 2 N rows for N images (it flips each image, too, and forgot to average)."""
    return Wrapped(before=lambda x: torch.cat([x, x.flip(3)]))


def mean_row():
    """Answers one row for all images (it averages over the wrong dimension)."""
    return Wrapped(lambda z: z.mean(0, keepdim=True))


def integers():
    """Answers logits rounded to int32 (an accelerator's output)."""
    return Wrapped(lambda z: (z * 16).round().int())


# ---- the gradient ----------------------------------------------------------------------------------------------------


class NoGrad(Wrapped):
    @torch.no_grad()
    def forward(self, x):
        return super().forward(x)


def no_grad():
    """Its forward is decorated with torch.no_grad, as distillation tutorials tell people to do."""
    return NoGrad()


class Inference(Wrapped):
    def forward(self, x):
        with torch.inference_mode():
            return super().forward(x)


def inference_mode():
    """Its forward runs in torch.inference_mode."""
    return Inference()


def detach():
    """Returns logits.detach()."""
    return Wrapped(lambda z: z.detach())


def data_of_input():
    """Takes x.data."""
    return Wrapped(before=lambda x: x.data)


def through_numpy():
    """Goes through numpy and back, as with an ONNX session."""
    return Wrapped(before=lambda x: torch.from_numpy(x.detach().cpu().numpy().copy()))


def rounds():
    """Rounds the image to bytes first: the gradient is there, and is exactly zero."""
    return Wrapped(before=lambda x: (((x * STD + MEAN) * 255).round() / 255 - MEAN) / STD)


class Rounded(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        return x.clone()


def no_backward():
    """Holds a torch.autograd.Function without a backward."""
    return Wrapped(before=Rounded.apply)


def checkpointed():
    """Recomputes its activations (torch.utils.checkpoint)."""
    from torch.utils.checkpoint import checkpoint

    return Wrapped(before=lambda x: checkpoint(torch.nn.Identity(), x, use_reentrant=False))


def grad_switched_off():
    """Its module switches gradients off for good (torch.set_grad_enabled(False)), as a demo script does."""
    torch.set_grad_enabled(False)
    return trained()


def half_of_image():
    """Sees the upper half of the image only."""
    return Wrapped(before=lambda x: torch.cat([x[:, :, :16], x[:, :, :16].flip(2).detach()], 2))


# ---- what it does to, and expects of, the image ----------------------------------------------------------------------


def in_place():
    """Changes its input in place (x.mul_(std)) and works with what it made of it."""
    return Wrapped(before=lambda x: x.mul_(STD) / STD)


def normalises_inside():
    """Takes pixels in [0, 1] and normalises them itself."""
    return Wrapped(before=lambda x: (x - MEAN) / STD)


def undone():
    """Normalises inside, in a wrapper that undoes what was done outside."""
    return Wrapped(before=lambda x: (x * STD + MEAN - MEAN) / STD)


def bytes_inside():
    """Takes pixels from 0 to 255 and divides them itself."""
    return Wrapped(before=lambda x: (x / 255 - MEAN) / STD)


def standardises():
    """Gives each image mean 0 and spread 1 itself (TensorFlow's per_image_standardization)."""
    return Wrapped(before=lambda x: (x - x.mean((1, 2, 3), True)) / x.std((1, 2, 3), keepdim=True).clamp_min(1e-3))


def clamps():
    """Clamps its images to what real pixels can be."""
    return Wrapped(before=lambda x: x.clamp(-MEAN / STD, (1 - MEAN) / STD))


def channels_last():
    """Expects (N, H, W, C), as networks that were ported from TensorFlow do."""
    return Wrapped(before=lambda x: x.permute(0, 3, 1, 2))


def list_of_images():
    """Expects a list of images and asserts that it gets one, as detectors do."""

    def before(x):
        assert isinstance(x, list), "images is expected to be a list of 3d tensors"
        return torch.stack(x)

    return Wrapped(before=before)


def wants_bytes():
    """Expects uint8 and raises TypeError."""

    def before(x):
        if x.dtype != torch.uint8:
            raise TypeError(f"Input image tensor should be uint8, got {x.dtype}")
        return x

    return Wrapped(before=before)


def asserts_range():
    """Asserts that no pixel is below 0."""

    def before(x):
        assert x.min() >= 0, "expects pixels in [0, 1]"
        return x

    return Wrapped(before=before)


def asserts_size():
    """Asserts 64 x 64, where --size says 32."""

    def before(x):
        assert x.shape[-2:] == (64, 64), f"Wrong image height! Expected 64 but got {x.shape[-1]}!"
        return x

    return Wrapped(before=before)


def key_error():
    """Raises KeyError in forward: it looks a size up in a table."""
    return Wrapped(before=lambda x: {28: x, 64: x}[x.shape[-1]])


def not_implemented():
    """Has no forward: its author called the method `predict`."""
    net = nn.Module()
    net.net = trained()
    return net


class TwoArguments(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = trained()

    def forward(self, x, mask):
        return self.net(x * mask)


def two_arguments():
    """Its forward needs a mask beside the image."""
    return TwoArguments()


class Keyword(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = trained()

    def forward(self, *, pixel_values):
        return self.net(pixel_values)


def keyword_only():
    """Its forward takes pixel_values by name only."""
    return Keyword()


class FailsLater(Wrapped):
    calls = 0

    def forward(self, x):
        FailsLater.calls += 1
        if FailsLater.calls > 6:
            raise IndexError("list index out of range")
        return super().forward(x)


def fails_later():
    """Works six times, then raises IndexError (a list that its author filled and empties)."""
    return FailsLater()


def fixed_batch():
    """Works for 2 images only: its view has the batch size written into it."""
    return Wrapped(before=lambda x: x.view(2, 1, 32, 32))


# ---- state, modes, side effects --------------------------------------------------------------------------------------


def dropout_training():
    """Comes in train mode, with dropout."""
    return nn.Sequential(nn.Dropout2d(0.3), trained()).train()


class AlwaysTraining(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.net = nn.BatchNorm2d(1), trained()

    def forward(self, x):
        self.train()
        return self.net(self.norm(x))


def always_training():
    """Its forward calls self.train(): its BatchNorm statistics move with every batch of generated images."""
    return AlwaysTraining()


class Counting(Wrapped):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))

    def forward(self, x):
        self.calls += 1
        return super().forward(x)


def counts_calls():
    """Keeps a counter of its calls in a buffer."""
    return Counting()


def random_forward():
    """Adds noise in forward, in eval mode too (a Bayesian network, a defence against attacks)."""
    return Wrapped(lambda z: z + 0.1 * torch.randn_like(z))


def prints():
    """Prints the shape in every forward."""
    return Wrapped(before=lambda x: print("forward", tuple(x.shape)) or x)


def warns():
    """Warns in every forward."""
    return Wrapped(before=lambda x: warnings.warn("deprecated", FutureWarning, stacklevel=1) or x)


def half():
    """Comes in half precision: net.half()."""
    return trained().half()


def bfloat16():
    """Comes in bfloat16."""
    return trained().bfloat16()


def double():
    """Comes in double precision: net.double()."""
    return trained().double()


def half_answer():
    """Answers in half precision (autocast inside)."""
    return Wrapped(lambda z: z.half())


def default_double():
    """Its module calls torch.set_default_dtype(torch.float64)."""
    torch.set_default_dtype(torch.float64)
    return trained().double()


def meta():
    """Was built on the device "meta" (init_empty_weights) and never filled."""
    return trained().to("meta")


def lazy():
    """Has a LazyLinear that has never seen an image."""
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(10))


def other_device():
    """Its factory calls .cuda() where there is none."""
    return trained().cuda()


class Tensors(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = small()[1].weight.detach()

    def forward(self, x):
        return x.flatten(1) @ self.weight.T


def no_parameters():
    """Keeps its weights as plain tensors: it has no parameters."""
    return Tensors()


def all_frozen():
    """Has requires_grad=False on all parameters."""
    return trained().requires_grad_(False)


# ---- compiled, scripted, wrapped -------------------------------------------------------------------------------------


def compiled():
    """torch.compile(net)."""
    return torch.compile(trained(), backend="eager")


def scripted():
    """torch.jit.script(net)."""
    return torch.jit.script(small())


def scripted_norm():
    """torch.jit.script of a network with BatchNorm."""
    return torch.jit.script(convolutional(nn.BatchNorm2d).eval())


def traced():
    """torch.jit.trace with one image."""
    return torch.jit.trace(trained().eval(), torch.zeros(1, 1, 32, 32))


def fx():
    """torch.fx.symbolic_trace(net)."""
    return torch.fx.symbolic_trace(trained())


def data_parallel():
    """nn.DataParallel(net)."""
    return nn.DataParallel(trained())


def exported():
    """torch.export.export(net).module(), for batches of 2."""
    return torch.export.export(trained(), (torch.zeros(2, 1, 32, 32),)).module()


def quantised():
    """Dynamic int8 quantisation of the linear layers."""
    return torch.ao.quantization.quantize_dynamic(small(), {nn.Linear}, dtype=torch.qint8)


def weight_norm():
    """weight_norm on its head."""
    net = trained()
    nn.utils.parametrizations.weight_norm(net.fc2)
    return net


def pruned():
    """torch.nn.utils.prune on its head."""
    from torch.nn.utils import prune

    net = trained()
    prune.l1_unstructured(net.fc2, "weight", 0.3)
    return net


# ---- normalisation layers --------------------------------------------------------------------------------------------


def batch_norm():
    """BatchNorm2d, as usual."""
    return convolutional(nn.BatchNorm2d)


def batch_norm_without_statistics():
    """BatchNorm2d with track_running_stats=False."""
    return convolutional(functools.partial(nn.BatchNorm2d, track_running_stats=False))


def batch_norm_1d():
    """BatchNorm1d and nothing else."""
    return nn.Sequential(small(classes=16), nn.BatchNorm1d(16), nn.Linear(16, 10))


def sync_batch_norm():
    """SyncBatchNorm, from training on several GPUs."""
    return nn.SyncBatchNorm.convert_sync_batchnorm(convolutional(nn.BatchNorm2d))


def frozen_batch_norm():
    """torchvision's FrozenBatchNorm2d, from a detector's backbone."""
    from torchvision.ops import FrozenBatchNorm2d

    return convolutional(FrozenBatchNorm2d)


def group_norm():
    """GroupNorm."""
    return convolutional(functools.partial(nn.GroupNorm, 4))


def instance_norm():
    """InstanceNorm2d with running statistics."""
    return convolutional(functools.partial(nn.InstanceNorm2d, track_running_stats=True))


def layer_norm():
    """LayerNorm before the head."""
    return nn.Sequential(small(classes=16), nn.LayerNorm(16), nn.Linear(16, 10))


# ---- heads -----------------------------------------------------------------------------------------------------------


class Heads(nn.Module):
    """A body of 32 features; `order` is how the author happened to write the layers down."""

    def __init__(self, order, answer):
        super().__init__()
        made = {"body": nn.Linear(1024, 32), "head": nn.Linear(32, 10), "aux": nn.Linear(32, 5)}
        for name in order.split():
            self.add_module(name, made[name])
        self.answer = answer

    def forward(self, x):
        return self.answer(self, self.body(x.flatten(1)).relu())


def head_first():
    """Defines its head before its body."""
    return Heads("head body", lambda net, h: net.head(h))


def aux_last():
    """Defines an auxiliary linear layer after its head and does not run it in eval mode."""
    return Heads("body head aux", lambda net, h: net.head(h))


def aux_run_last():
    """Runs an auxiliary linear layer of 5 numbers after its head."""
    return Heads("body head aux", lambda net, h: (net.head(h), net.aux(h))[0])


def shared_head():
    """Runs its head twice (two views of the features) and averages."""
    return Heads("body head", lambda net, h: (net.head(h) + net.head(0.9 * h)) / 2)


class ConvHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Conv2d(1, 8, 3, 2), nn.Conv2d(8, 10, 1)

    def forward(self, x):
        return self.head(self.body(x).relu()).mean((2, 3))


def conv_head():
    """Its head is a 1 x 1 convolution and a mean: no linear layer (SqueezeNet)."""
    return ConvHead()


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Linear(64, 16), nn.Linear(16, 10)

    def forward(self, x):
        return self.head(self.embed(x.unflatten(2, (-1, 8)).flatten(2).unflatten(2, (-1, 64)).flatten(1, 2))).mean(1)


def head_of_tokens():
    """Runs its head on each token and averages the logits."""
    return Tokens()


def matrix_head():
    """Multiplies by a parameter instead of having a linear layer as its head."""
    net = Heads("body", lambda net, h: h @ net.matrix)
    net.matrix = nn.Parameter(torch.randn(32, 10, generator=torch.Generator().manual_seed(0)))
    return net


# ---- sizes, channels, classes ----------------------------------------------------------------------------------------


def grey_28():
    """28 x 28, grey."""
    return small(1, 28)


def grey_30():
    """30 x 30, grey: no multiple of 4."""
    return small(1, 30)


def grey_33():
    """33 x 33, grey."""
    return small(1, 33)


def grey_8():
    """8 x 8, grey (scikit-learn's digits)."""
    return small(1, 8)


def grey_6():
    """6 x 6, grey: below what the generator can make."""
    return small(1, 6)


def colour():
    """32 x 32, colour."""
    return small(3)


def colour_224():
    """224 x 224, colour."""
    return convolutional(channels=3)


def two_channels():
    """Two channels (radar)."""
    return small(2)


def four_channels():
    """Four channels (RGB and infrared)."""
    return small(4)


def rectangular():
    """Takes 32 x 48."""
    return nn.Sequential(nn.Flatten(), nn.Linear(32 * 48, 10))


def two_classes():
    """Two classes."""
    return small(classes=2)


def three_classes():
    """Three classes."""
    return small(classes=3)


def seven_classes():
    """Seven classes."""
    return small(1, 28, 7)


def hundred_classes():
    """A hundred classes."""
    return small(classes=100)


def thousand_classes():
    """A thousand classes."""
    return small(classes=1000)


# ---- factories that are none -----------------------------------------------------------------------------------------


def with_arguments(depth, classes):
    """The factory needs two arguments."""
    return small(classes=classes)


def returns_class():
    """The factory returns the class, not a network."""
    return Tensors


def returns_state_dict():
    """The factory returns net.state_dict()."""
    return trained().state_dict()


def returns_none():
    """The factory builds the network and forgets to return it."""
    trained()


def returns_pair():
    """The factory returns (network, transform), as open_clip and Hugging Face examples do."""
    return trained(), nn.Identity()


def runtime_error():
    """The factory raises RuntimeError: no configuration."""
    raise RuntimeError("config.yaml not found")


def wrong_key():
    """The factory asks a checkpoint for a key that it has not."""
    return {}["state_dict"]


def file_not_found():
    """The factory opens a file that is not there."""
    return open("best.pth", "rb")


def no_network():
    """The factory downloads its weights, and there is no network."""
    from urllib.error import URLError

    raise URLError("Temporary failure in name resolution")


def quits():
    """The factory calls sys.exit: it was written for a script."""
    raise SystemExit("please set DATA_ROOT")


def moves():
    """The factory changes the working directory, to load relative files."""
    import os
    import tempfile

    os.chdir(tempfile.mkdtemp(dir=os.getcwd()))
    return trained()


INSTANCE = trained


class Module(nn.Module):
    """A class as factory, which needs no argument."""

    def __init__(self):
        super().__init__()
        self.net = trained()

    def forward(self, x):
        return self.net(x)


ONCE = functools.cache(trained)  # returns one and the same network each time


def random_weights():
    """The factory draws other weights at each start."""
    net = small()
    nn.init.normal_(net[1].weight, generator=torch.Generator().manual_seed(time.time_ns() % 2**31))
    return net


def changing():
    """The factory reads weights that change between two starts (here by the variable BEST)."""
    import os

    torch.manual_seed(int(os.environ.get("BEST", "0")))
    return nn.Sequential(nn.Flatten(), nn.Linear(1024, 10))


# ---- of libraries ----------------------------------------------------------------------------------------------------


def torchvision_vit():
    """torchvision's vit_b_16 asked for 32 x 32."""
    import torchvision

    return torchvision.models.vit_b_16(weights=None)


def torchvision_resnet():
    """torchvision's resnet18 with 10 classes."""
    import torchvision

    return torchvision.models.resnet18(weights=None, num_classes=10)


def torchvision_googlenet():
    """torchvision's googlenet, which answers a namedtuple in train mode and a tensor in eval mode."""
    import torchvision

    return torchvision.models.googlenet(weights=None, num_classes=10, init_weights=False)


def torchvision_squeezenet():
    """torchvision's squeezenet1_1: its head is a convolution."""
    import torchvision

    return torchvision.models.squeezenet1_1(weights=None, num_classes=10)


def torchvision_mobilenet():
    """torchvision's mobilenet_v3_small: two linear layers and hardswish in place."""
    import torchvision

    return torchvision.models.mobilenet_v3_small(weights=None, num_classes=10)


def timm_resnet():
    """timm's resnet10t with 10 classes."""
    import timm

    return timm.create_model("resnet10t", num_classes=10)


def timm_vit():
    """timm's vit_tiny_patch16_224 at 32 x 32, which asserts its size."""
    import timm

    return timm.create_model("vit_tiny_patch16_224", num_classes=10)


def timm_features():
    """timm's network with num_classes=0: it gives features."""
    import timm

    return timm.create_model("resnet10t", num_classes=0)


def timm_features_only():
    """timm's features_only=True: a list of maps."""
    import timm

    return timm.create_model("resnet10t", features_only=True)


def hugging_face_vit():
    """A tiny ViT of transformers: answers an ImageClassifierOutput."""
    from transformers import ViTConfig, ViTForImageClassification

    sizes = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    return ViTForImageClassification(ViTConfig(**sizes, image_size=32, patch_size=8, num_channels=3, num_labels=10))


def hugging_face_resnet():
    """A tiny ResNet of transformers, two classes."""
    from transformers import ResNetConfig, ResNetForImageClassification

    sizes = dict(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    return ResNetForImageClassification(ResNetConfig(**sizes, num_channels=3, num_labels=10))


def hugging_face_base():
    """transformers' ViTModel: a body without a head."""
    from transformers import ViTConfig, ViTModel

    sizes = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    return ViTModel(ViTConfig(**sizes, image_size=32, patch_size=8, num_channels=3))


def lightning_module():
    """A LightningModule around the network."""
    import lightning

    class Lit(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.model = trained()

        def forward(self, x):
            return self.model(x)

        def training_step(self, batch, i):
            return F.cross_entropy(self(batch[0]), batch[1])

    return Lit()
