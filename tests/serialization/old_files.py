"""Files as PyTorch wrote them before 0.4 and before 0.1.10; no PyTorch of today writes them."""

import collections
import io
import pickle
import struct
import tarfile

MAGIC = 0x1950A86A20F9469CFC6C


class Reference:
    """Stands for what the old picklers wrote as a persistent id."""

    def __init__(self, key):
        self.key = key


class Pickler(pickle.Pickler):
    def persistent_id(self, obj):
        return obj.key if isinstance(obj, Reference) else None


def tar_archive():
    """{"a": 2x3 floats 0..5, "b": [its second row, 1]}"""
    storages, tensors, content = io.BytesIO(), io.BytesIO(), io.BytesIO()
    pickle.dump(1, storages, protocol=2)
    storages.write(b"\x80\x02X\x02\x00\x00\x0042X\x03\x00\x00\x00cpuctorch\nFloatStorage\n\x87.")
    storages.write(struct.pack("<q6f", 6, *range(6)))
    pickle.dump([], storages, protocol=2)
    pickle.dump(2, tensors, protocol=2)
    for key, shape, stride, offset in ((7, (2, 3), (3, 1), 0), (8, (3,), (1,), 3)):
        head = b"\x80\x02K" + bytes([key]) + b"X\x02\x00\x00\x0042ctorch\nFloatTensor\n\x87."
        geometry = struct.pack(f"<ii{2 * len(shape) + 1}q", len(shape), 0, *shape, *stride, offset)
        tensors.write(head + geometry)
    Pickler(content, protocol=2).dump({"a": Reference("7"), "b": [Reference("8"), 1]})
    system = pickle.dumps({"protocol_version": 1000, "little_endian": True}, protocol=2)
    members = {"sys_info": system, "pickle": content.getvalue()}
    members.update(tensors=tensors.getvalue(), storages=storages.getvalue())
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=tarfile.PAX_FORMAT) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def with_views(torch):
    """[2x3 floats 0..5, two of them through a view of the storage]"""

    class Tensor:
        def __init__(self, *args):
            self.args = args

        def __reduce__(self):
            return torch._utils._rebuild_tensor_v2, self.args

    def storage(view):
        return Reference(("storage", torch.FloatStorage, "42", "cpu", 6, view))

    out, hooks = io.BytesIO(), collections.OrderedDict()
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
    for value in (MAGIC, 1001, system):
        pickle.dump(value, out, protocol=2)
    whole = Tensor(storage(None), 0, (2, 3), (3, 1), False, hooks)
    part = Tensor(storage(("99", 2, 4)), 1, (2,), (1,), False, hooks)
    Pickler(out, protocol=2).dump([whole, part])
    pickle.dump(["42"], out, protocol=2)
    out.write(struct.pack("<q6f", 6, *range(6)))
    return out.getvalue()
