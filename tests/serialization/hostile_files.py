"""Files as an attacker would write them: pickles by hand, archives with a broken directory."""

import io
import struct
import zipfile


def archive(records, compression=zipfile.ZIP_STORED):
    """The bytes of a zip with these (name, content) records."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as out:
        for name, content in records:
            out.writestr(name, content)
    return file.getvalue()


def checkpoint(pickled, *records):
    """The bytes of a checkpoint with this `data.pkl`."""
    return archive([("a/data.pkl", pickled), ("a/version", b"3\n"), *records])


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value):
    raw = value.to_bytes(max(1, (value.bit_length() + 8) // 8), "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def numbers(values):
    return b"(" + b"".join(map(number, values)) + b"t"


def called(path, arguments):
    """REDUCE of a global."""
    module, _, name = path.rpartition(".")
    return f"c{module}\n{name}\n".encode() + arguments + b"R"


def storage(count, kind="FloatStorage", key="0", location="cpu"):
    head = b"(" + text("storage") + f"ctorch\n{kind}\n".encode() + text(key) + text(location)
    return head + number(count) + b"tQ"


HOOKS = called("collections.OrderedDict", b")")


def tensor(count=2, offset=0, size=(2,), stride=(1,), hooks=HOOKS, function="v2", extra=b""):
    """The pickle of a tensor over a storage that claims `count` elements."""
    arguments = storage(count) + number(offset) + numbers(size) + numbers(stride) + b"\x89" + hooks
    name = f"torch._utils._rebuild_tensor_{function}"
    return called(name, b"(" + arguments + extra + b"t")


def program(body):
    return b"\x80\x02" + body + b"."


def nested_key(depth):
    """A tuple in a tuple in ..., each twice: hashing it takes 2**depth steps."""
    body = b")"
    for i in range(depth):
        body += b"q" + bytes([i]) + b"h" + bytes([i]) + b"\x86"
    return body
