"""Weights as people have them: each function writes one file of LeNet-5's weights, and its docstring says which.

`rdskd-lab distill --teacher lenet5 --weights FILE` uses one of them.
"""

import argparse
import collections
import io
import json
import os
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from teachers import trained


def state(prefix="", change=lambda t: t):
    return {prefix + name: change(t).clone() for name, t in trained().state_dict().items()}


# ---- safetensors -----------------------------------------------------------------------------------------------------


def safetensors_plain():
    """A safetensors file as it should be."""
    save_file(state(), "net.safetensors")


def safetensors_half():
    """A safetensors file in half precision."""
    save_file(state(change=torch.Tensor.half), "net.safetensors")


def safetensors_bfloat16():
    """A safetensors file in bfloat16."""
    save_file(state(change=torch.Tensor.bfloat16), "net.safetensors")


def safetensors_double():
    """A safetensors file in double precision."""
    save_file(state(change=torch.Tensor.double), "net.safetensors")


def safetensors_module():
    """A safetensors file with the prefix "module." (DataParallel)."""
    save_file(state("module."), "net.safetensors")


def safetensors_model():
    """A safetensors file with the prefix "model." (Lightning)."""
    save_file(state("model."), "net.safetensors")


def safetensors_compiled():
    """A safetensors file with the prefix "_orig_mod." (torch.compile)."""
    save_file(state("_orig_mod."), "net.safetensors")


def safetensors_student():
    """A safetensors file with the prefix "student." (a distillation framework)."""
    save_file(state("student."), "net.safetensors")


def safetensors_two_prefixes():
    """A safetensors file with the prefix "_orig_mod.module."."""
    save_file(state("_orig_mod.module."), "net.safetensors")


def safetensors_two_networks():
    """A safetensors file with two networks, "teacher." and "student."."""
    save_file(state("teacher.") | state("student."), "net.safetensors")


def safetensors_shards():
    """The index file of a safetensors model that was saved in shards."""
    save_file(state(), "net-00001-of-00001.safetensors")
    index = {"metadata": {}, "weight_map": {name: "net-00001-of-00001.safetensors" for name in state()}}
    Path("net.safetensors.index.json").write_text(json.dumps(index))


# ---- torch.save ------------------------------------------------------------------------------------------------------


def pt_plain():
    """torch.save(net.state_dict(), "net.pt")"""
    torch.save(state(), "net.pt")


def pt_old_format():
    """A .pth in the format before torch 1.6."""
    torch.save(state(), "net.pth", _use_new_zipfile_serialization=False)


def pt_parameters():
    """A state dict whose values are nn.Parameter, in an OrderedDict."""
    torch.save(collections.OrderedDict(trained().named_parameters()), "net.pth")


def nested(key, prefix="", **more):
    torch.save({key: state(prefix), **more}, "net.pth")


def pt_state_dict():
    """A .pth with {"epoch", "state_dict", "optimizer"}."""
    net = trained()
    adam = torch.optim.Adam(net.parameters())
    net(torch.zeros(2, 1, 32, 32)).sum().backward()
    adam.step()
    nested("state_dict", epoch=3, optimizer=adam.state_dict(), best_acc=99.1)


def pt_model():
    """A .pth with {"model": state dict}."""
    nested("model", epoch=3)


def pt_model_state_dict():
    """A .pth with {"model_state_dict": state dict, "loss"}."""
    nested("model_state_dict", loss=torch.tensor(0.1))


def pt_net():
    """A .pth with {"net": state dict, "acc"}, prefix "module." (the well-known CIFAR-10 repository)."""
    nested("net", "module.", acc=99.0)


def pt_teacher():
    """A .pth with {"teacher": state dict, "student": state dict}."""
    torch.save({"teacher": state(), "student": state()}, "net.pth")


def pt_ema():
    """A .pth with {"model": ..., "ema": ...} where the two differ."""
    torch.save({"model": state(change=lambda t: t + 0.001), "ema": state("module.")}, "net.pth")


def pt_tar():
    """checkpoint.pth.tar with {"arch", "state_dict"} and the prefix "module." (the ImageNet example)."""
    torch.save({"arch": "lenet5", "state_dict": state("module.")}, "checkpoint.pth.tar")


def pt_lightning_layout():
    """A Lightning checkpoint written by hand: "state_dict" with "model.", hyper_parameters, loops, callbacks."""
    more = {"pytorch-lightning_version": "2.4.0", "loops": {}, "callbacks": {}, "hyper_parameters": {"lr": 0.001}}
    torch.save({"state_dict": state("model."), "epoch": 1, **more}, "last.ckpt")


def pt_half():
    """A .pt in half precision."""
    torch.save(state(change=torch.Tensor.half), "net.pt")


def pt_of_gpu():
    """A .pt that was saved on a GPU: its tensors say cuda:0."""
    import zipfile

    content = io.BytesIO()
    torch.save(state(), content)
    source = zipfile.ZipFile(content)
    with zipfile.ZipFile("net.pt", "w") as target:
        for entry in source.namelist():  # the pickle's string "cpu" becomes "cuda:0"
            target.writestr(entry, source.read(entry).replace(b"X\3\0\0\0cpu", b"X\6\0\0\0cuda:0"))


def pt_namespace():
    """A .pth with {"args": argparse.Namespace, "model": state dict}: nothing but weights_only=False reads it."""
    nested("model", args=argparse.Namespace(lr=0.1, data="/data"))


def pt_numpy_scalar():
    """A .pth with {"best_acc": numpy.float64, "model": state dict}."""
    nested("model", best_acc=np.float64(99.1))


def pt_whole_module():
    """torch.save(net): a whole pickled module."""
    torch.save(trained(), "net.pt")


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def pt_bomb():
    """A pickle that would run a command."""
    torch.save({"model": state(), "x": Touch("EXECUTED")}, "net.pt")


def pt_list():
    """A list of tensors without names."""
    torch.save(list(state().values()), "net.pt")


def pt_optimizer_only():
    """The optimizer's state dict instead of the network's."""
    torch.save(torch.optim.SGD(trained().parameters(), 0.1).state_dict(), "net.pt")


# ---- other formats ---------------------------------------------------------------------------------------------------


def torchscript():
    """A TorchScript file."""
    torch.jit.script(trained()).save("net.pt")


def exported_program():
    """A file of torch.export.save."""
    torch.export.save(torch.export.export(trained(), (torch.zeros(2, 1, 32, 32),)), "net.pt2")


def onnx_file():
    """An ONNX file, made by onnx."""
    import onnx
    from onnx import TensorProto, helper

    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 32, 32])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1024])
    graph = helper.make_graph([helper.make_node("Flatten", ["x"], ["y"])], "net", [x], [y])
    onnx.save(helper.make_model(graph), "net.onnx")


def numpy_npz():
    """numpy.savez of the state dict."""
    np.savez("net.npz", **{name: t.numpy() for name, t in state().items()})


def keras_h5():
    """A Keras-like .h5, made by h5py."""
    import h5py

    with h5py.File("net.h5", "w") as file:
        for name, t in state().items():
            file[name.replace(".", "/")] = t.numpy()


def tensorflow_folder():
    """A TensorFlow SavedModel: a folder."""
    Path("net/variables").mkdir(parents=True)
    Path("net/saved_model.pb").write_bytes(b"\x08\x01")


def empty():
    """A file of no bytes."""
    Path("net.safetensors").touch()


def truncated_safetensors():
    """Half a safetensors file."""
    save_file(state(), "net.safetensors")
    content = Path("net.safetensors").read_bytes()
    Path("net.safetensors").write_bytes(content[: len(content) // 2])


def truncated_pt():
    """Half a .pt file."""
    torch.save(state(), "net.pt")
    content = Path("net.pt").read_bytes()
    Path("net.pt").write_bytes(content[: len(content) // 2])


def folder():
    """A folder that holds the file."""
    Path("net").mkdir()
    save_file(state(), "net/model.safetensors")


def dangling():
    """A symbolic link to nothing."""
    Path("net.safetensors").symlink_to("elsewhere/net.safetensors")


def lfs_pointer():
    """A Git LFS pointer: the repository was cloned without git-lfs."""
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:" + 64 * "0" + "\nsize 44426\n"
    Path("net.safetensors").write_text(text)


def html_page():
    """A web page that was saved in the file's place."""
    Path("net.pth").write_text("<!DOCTYPE html><html><title>Sign in</title></html>")


def zipped():
    """A safetensors file inside a .zip."""
    import zipfile

    save_file(state(), "net.safetensors")
    with zipfile.ZipFile("net.zip", "w") as archive:
        archive.write("net.safetensors")


# ---- misfits ---------------------------------------------------------------------------------------------------------


def other_architecture():
    """The weights of another architecture (ResNet-like names)."""
    save_file({"layer1.0.conv1.weight": torch.zeros(4, 1, 3, 3), "fc.weight": torch.zeros(10, 4)}, "net.safetensors")


def renamed():
    """The right tensors under other names (features.0.weight ...)."""
    names = "features.0 features.3 classifier.0 classifier.2 classifier.4".split()
    own = list(dict.fromkeys(name.rpartition(".")[0] for name in state()))
    to = dict(zip(own, names, strict=False))
    changed = {".".join([to.get(n.rpartition(".")[0], "x"), n.rpartition(".")[2]]): t for n, t in state().items()}
    save_file(changed, "net.safetensors")


def extra_keys():
    """The right tensors, and an auxiliary head."""
    save_file(state() | {"aux.weight": torch.zeros(2, 2), "aux.bias": torch.zeros(2)}, "net.safetensors")


def missing_keys():
    """Without the head: fc2 was left out for fine-tuning."""
    save_file({name: t for name, t in state().items() if not name.startswith("fc2")}, "net.safetensors")


def one_shape():
    """One layer has 7 instead of 10 rows."""
    save_file({name: t[:7].clone() if name.startswith("fc2") else t for name, t in state().items()}, "net.safetensors")


def not_a_number():
    """NaN in one layer."""
    save_file(state() | {"fc2.bias": torch.full((10,), float("nan"))}, "net.safetensors")


def integers():
    """Tensors of int8 (a quantised export)."""
    save_file(state(change=lambda t: (t * 127).to(torch.int8)), "net.safetensors")


def without_counts():
    """lenet5-bn without num_batches_tracked, as old or converted files are."""
    from safetensors.torch import load_file

    from rdskd_lab.networks.weights import SHIPPED

    tensors = load_file(SHIPPED["lenet5-bn"])
    save_file({name: t for name, t in tensors.items() if "num_batches" not in name}, "net.safetensors")


# ---- made by libraries -----------------------------------------------------------------------------------------------


def hugging_face_safetensors():
    """save_pretrained of a tiny ViT: model.safetensors beside config.json."""
    from teachers import hugging_face_vit

    hugging_face_vit().save_pretrained("hf")


def hugging_face_bin():
    """pytorch_model.bin of a tiny ViT, as older models are."""
    from teachers import hugging_face_vit

    Path("hf").mkdir()
    torch.save(hugging_face_vit().state_dict(), "hf/pytorch_model.bin")


def timm_pth():
    """timm's checkpoint: {"arch", "args": Namespace, "state_dict", "state_dict_ema", "version"}."""
    from teachers import timm_resnet

    weights = timm_resnet().state_dict()
    torch.save({"arch": "resnet10t", "state_dict": weights, "state_dict_ema": weights, "version": 2}, "net.pth.tar")


def torchvision_pth():
    """A resnet18's state dict as download.pytorch.org keeps it."""
    from teachers import torchvision_resnet

    torch.save(torchvision_resnet().state_dict(), "resnet18-f37072fd.pth")


def torchvision_reference():
    """The checkpoint of torchvision's own training script: {"model", "optimizer", "args": Namespace}."""
    from teachers import torchvision_resnet

    torch.save({"model": torchvision_resnet().state_dict(), "args": argparse.Namespace(lr=0.1)}, "model_89.pth")


def lightning_ckpt():
    """trainer.save_checkpoint of a LightningModule around LeNet-5."""
    import lightning
    from teachers import lightning_module

    quiet = dict(logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
    trainer = lightning.Trainer(max_steps=0, accelerator="cpu", **quiet)
    trainer.strategy.connect(lightning_module())
    trainer.save_checkpoint("last.ckpt")
