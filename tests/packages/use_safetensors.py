"""safetensors: files of every element type, slices, models, refused tensors."""

import hashlib
import os
import sys

import torch
from safetensors import safe_open
from safetensors.torch import load, load_file, load_model, save, save_file, save_model
from torch import nn

torch.manual_seed(0)
path = os.path.join(sys.argv[1], "m.safetensors")


def network():
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))


model = network()
tensors = dict(model.state_dict())
for name in ("float64", "float16", "bfloat16", "complex64"):
    tensors[name] = torch.randn(2, 2, dtype=getattr(torch, name))
for name in ("uint8", "int8", "int16", "int32", "int64", "bool"):
    tensors[name] = torch.arange(4).to(getattr(torch, name))
tensors.update(empty=torch.zeros(0, 3), single=torch.tensor(3.5))
save_file(tensors, path, metadata={"format": "pt"})
back = load_file(path)
print(sorted(back))
print(all(torch.equal(back[k], v) and back[k].dtype == v.dtype for k, v in tensors.items()))
with safe_open(path, framework="pt", device="cpu") as file:
    print(file.metadata(), file.get_tensor("0.weight"), sorted(file.keys())[:3])
    part = file.get_slice("0.weight")
    print(part[1:, :2], part.get_shape(), part.get_dtype())
print(load(save(tensors))["bfloat16"], hashlib.md5(save(tensors)).hexdigest())
save_model(model, path)
other = network()
print(load_model(other, path), torch.equal(other[0].weight, model[0].weight))
tied = nn.Module()
tied.a = nn.Linear(2, 2)
tied.b = tied.a
try:
    save_file(tied.state_dict(), path)
except RuntimeError as error:
    print(str(error)[:120])
save_model(tied, path)
print(sorted(load_file(path)))
try:
    save_file({"t": torch.ones(3, 2).t()}, path)
except ValueError as error:
    print(error)
