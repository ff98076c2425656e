"""Datasets in their published formats, downloads from a server of the test, unsafe archives."""

import gzip
import hashlib
import http.server
import io
import pickle
import struct
import tarfile
import threading
import zipfile

import numpy
import pytest

import lampas
from lampas.vision import datasets, transforms
from lampas.vision.datasets import utils
from lampas.vision.datasets.download import DownloadError, download_any

Image = pytest.importorskip("PIL.Image", reason="images need Pillow")


def idx(array):
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(
        f">{array.ndim}I", *array.shape
    )
    return header + array.astype("uint8").tobytes()


@pytest.fixture
def server():
    """A web server on this machine: `files` by name, `log` of requests, `cut` breaks off once."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            state, name = self.server, self.path[1:]
            state.log.append((name, self.headers.get("Range")))
            if name not in state.files:
                self.send_error(404)
                return
            body, start = state.files[name], 0
            wish = self.headers.get("Range")
            if wish and state.ranges:
                start = int(wish.removeprefix("bytes=").rstrip("-"))
                if start >= len(body):
                    self.send_error(416)
                    return
                self.send_response(206)
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            end = state.cut if state.cut is not None else len(body)
            state.cut = None
            self.wfile.write(body[start:end])

        def log_message(self, *args):
            pass

    state = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.files, state.log, state.cut, state.ranges = {}, [], None, True
    state.url = f"http://127.0.0.1:{state.server_port}/"
    thread = threading.Thread(target=state.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield state
    state.shutdown()
    thread.join()
    state.server_close()


def md5(data):
    return hashlib.md5(data).hexdigest()


def test_download_resumes_and_is_checked(server, tmp_path):
    data = bytes(range(256)) * 50
    server.files["a.bin"] = data
    server.cut = 5000
    target = tmp_path / "deep" / "a.bin"
    with pytest.raises(DownloadError, match="cannot download"):
        utils.download_url(server.url + "a.bin", tmp_path / "deep", md5=md5(data))
    assert not target.exists() and (tmp_path / "deep" / "a.bin.part").stat().st_size == 5000
    utils.download_url(server.url + "a.bin", str(tmp_path / "deep"), md5=md5(data))
    assert target.read_bytes() == data and server.log[-1] == ("a.bin", "bytes=5000-")
    assert [path.name for path in target.parent.iterdir()] == ["a.bin"]
    utils.download_url(server.url + "a.bin", str(tmp_path / "deep"), md5=md5(data))
    assert len(server.log) == 2, "a file that is there is not fetched again"
    with pytest.raises(DownloadError, match="does not have the md5"):
        utils.download_url(server.url + "a.bin", str(tmp_path), "b.bin", md5=md5(b""))
    assert not list(tmp_path.glob("b.bin*"))


@pytest.mark.parametrize("ranges", [True, False])
def test_remains_of_another_file_do_no_harm(server, tmp_path, ranges):
    server.files["a.bin"], server.ranges = b"short", ranges
    (tmp_path / "a.bin.part").write_bytes(b"the remains of something longer")
    utils.download_url(server.url + "a.bin", tmp_path, md5=md5(b"short"))
    assert (tmp_path / "a.bin").read_bytes() == b"short"


def test_second_mirror(server, tmp_path):
    server.files["good/x"] = b"content"
    download_any([server.url + "bad/x", server.url + "good/x"], tmp_path, "x", md5(b"content"))
    assert (tmp_path / "x").read_bytes() == b"content"
    with pytest.raises(DownloadError, match="404.*404"):
        download_any([server.url + "bad/y", server.url + "worse/y"], tmp_path, "y")


def archive(kind, members):
    """An archive of (name, content) pairs."""
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as file:
            for name, content in members:
                file.writestr(name, content)
        return buffer.getvalue()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc"
                file.addfile(info)
                continue
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tgz"])
def test_extract(tmp_path, name):
    members = [("x.txt", b"one"), ("sub/y.txt", b"two")]
    (tmp_path / name).write_bytes(archive("zip" if name == "a.zip" else "tar", members))
    out = tmp_path / "out"
    assert utils.extract_archive(str(tmp_path / name), str(out), remove_finished=True) == str(out)
    assert (out / "x.txt").read_bytes() == b"one" and (out / "sub" / "y.txt").read_bytes() == b"two"
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("name", ["../evil.txt", "sub/../../evil.txt", "/tmp/evil-lampas.txt"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_archives_cannot_leave_their_folder(tmp_path, name, kind):
    path = tmp_path / ("a.zip" if kind == "zip" else "a.tar.gz")
    path.write_bytes(archive(kind, [("good.txt", b"x"), (name, b"evil")]))
    out = tmp_path / "deep" / "out"
    with pytest.raises(RuntimeError, match="lies outside the target folder"):
        utils.extract_archive(path, out)
    assert not list(tmp_path.rglob("evil*")) and not list(tmp_path.rglob("good*"))


def test_links_in_archives_are_refused(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(archive("tar", [("link", None), ("link/passwd", b"x")]))
    with pytest.raises(RuntimeError, match="neither file nor folder"):
        utils.extract_archive(tmp_path / "a.tar.gz")
    assert not (tmp_path / "link").is_symlink()
    (tmp_path / "a.rar").write_bytes(b"")
    with pytest.raises(RuntimeError, match="Unknown compression or archive type"):
        utils.extract_archive(tmp_path / "a.rar")


# --- the datasets ---

LABELS = numpy.array([5, 0, 9, 1])
IMAGES = numpy.random.default_rng(0).integers(0, 256, (4, 28, 28))


def mnist_files():
    files = {}
    for part in ("train", "t10k"):
        files[f"{part}-images-idx3-ubyte.gz"] = gzip.compress(idx(IMAGES))
        files[f"{part}-labels-idx1-ubyte.gz"] = gzip.compress(idx(LABELS))
    return files


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "KMNIST"])
def test_mnist_downloads(server, tmp_path, monkeypatch, name):
    kind = getattr(datasets, name)
    files = mnist_files()
    server.files.update(files)
    monkeypatch.setattr(kind, "mirrors", [server.url + "nothing/", server.url])
    monkeypatch.setattr(kind, "resources", [(n, md5(files[n])) for n, _ in kind.resources])
    data = kind(str(tmp_path), train=False, download=True, transform=transforms.ToTensor())
    assert (data.data.numpy() == IMAGES).all() and data.targets.tolist() == LABELS.tolist()
    assert data[2][1] == 9 and data[2][0].shape == (1, 28, 28) and len(data.classes) == 10
    assert (tmp_path / name / "raw" / "train-images-idx3-ubyte").is_file()
    fetched = len(server.log)
    kind(str(tmp_path), download=True)
    assert len(server.log) == fetched
    expected = f"Dataset {name}\n    Number of datapoints: 4\n    Root location: {tmp_path}\n    Split: Test\n    StandardTransform\nTransform: ToTensor()"
    assert repr(data) == expected
    with pytest.warns(UserWarning, match="test_labels has been renamed targets"):
        assert data.test_labels is data.targets


def test_missing_files_say_where_to_put_them(server, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.MNIST, "mirrors", [server.url])
    with pytest.raises(
        RuntimeError,
        match=r"Dataset not found. You can use download=True.*\n.*put train-images.* into .*MNIST",
    ):
        datasets.MNIST(str(tmp_path))
    with pytest.raises(
        RuntimeError, match=r"Error downloading train-images[\s\S]*404[\s\S]*put .*into"
    ):
        datasets.MNIST(str(tmp_path), download=True)
    monkeypatch.setattr(datasets.CIFAR10, "url", server.url + "cifar-10-python.tar.gz")
    with pytest.raises(RuntimeError, match=r"404[\s\S]*unpack cifar-10-python.tar.gz in"):
        datasets.CIFAR10(str(tmp_path), download=True)
    for kind, hint in (
        (datasets.STL10, "unpack stl10_binary"),
        (datasets.SVHN, "put train_32x32.mat"),
    ):
        with pytest.raises(RuntimeError, match=rf"not found or corrupted[\s\S]*{hint}"):
            kind(str(tmp_path))


def test_emnist(server, tmp_path, monkeypatch):
    members = [
        ("gzip/emnist-letters-train-images-idx3-ubyte.gz", gzip.compress(idx(IMAGES))),
        ("gzip/emnist-letters-train-labels-idx1-ubyte.gz", gzip.compress(idx(LABELS))),
    ]
    server.files["gzip.zip"] = archive("zip", members)
    monkeypatch.setattr(datasets.EMNIST, "url", server.url + "gzip.zip")
    monkeypatch.setattr(datasets.EMNIST, "md5", md5(server.files["gzip.zip"]))
    data = datasets.EMNIST(str(tmp_path), "letters", download=True)
    assert data[1][1] == 0 and data.classes[:3] == ["N/A", "a", "b"]
    sizes = {name: len(classes) for name, classes in datasets.EMNIST.classes_split_dict.items()}
    assert sizes == {
        "byclass": 62,
        "bymerge": 47,
        "balanced": 47,
        "letters": 27,
        "digits": 10,
        "mnist": 10,
    }
    with pytest.raises(ValueError, match="Unknown value 'all' for argument split"):
        datasets.EMNIST(str(tmp_path), "all")


def cifar_archive(folder, batches, meta):
    rows = numpy.random.default_rng(1).integers(0, 256, (3, 3072), dtype=numpy.uint8)
    label_key, names = meta[1]
    content = {"data": rows, label_key: [1, 0, 1]}
    members = [(f"{folder}/{name}", pickle.dumps(content, protocol=2)) for name in batches]
    members.append((f"{folder}/{meta[0]}", pickle.dumps(names, protocol=2)))
    return rows, archive("tar", members)


@pytest.mark.parametrize("name", ["CIFAR10", "CIFAR100"])
def test_cifar_downloads(server, tmp_path, monkeypatch, name):
    kind = getattr(datasets, name)
    label_key = "labels" if name == "CIFAR10" else "fine_labels"
    meta = (kind.meta["filename"], (label_key, {kind.meta["key"]: ["cat", "dog"]}))
    files = [file for file, _ in (*kind.train_list, *kind.test_list)]
    rows, packed = cifar_archive(kind.base_folder, files, meta)
    server.files[kind.filename] = packed
    monkeypatch.setattr(kind, "url", server.url + kind.filename)
    monkeypatch.setattr(kind, "tgz_md5", md5(packed))
    data = kind(str(tmp_path), train=False, download=True)
    assert isinstance(data.data, numpy.ndarray) and data.data.shape == (3, 32, 32, 3)
    assert (numpy.asarray(data[2][0]) == rows[2].reshape(3, 32, 32).transpose(1, 2, 0)).all()
    assert data.targets == [1, 0, 1] and data.class_to_idx == {"cat": 0, "dog": 1}
    assert len(kind(str(tmp_path))) == 3 * len(kind.train_list)


def test_stl10(tmp_path):
    folder = tmp_path / "stl10_binary"
    folder.mkdir()
    images = numpy.random.default_rng(1).integers(0, 256, (3, 3, 96, 96), dtype=numpy.uint8)
    for part in ("train", "unlabeled"):
        (folder / f"{part}_X.bin").write_bytes(images.transpose(0, 1, 3, 2).tobytes())
    (folder / "train_y.bin").write_bytes(bytes([3, 10, 1]))
    (folder / "class_names.txt").write_text("airplane\nbird\n")
    (folder / "fold_indices.txt").write_text("2 0\n" + "1\n" * 9)
    data = datasets.STL10(str(tmp_path), "train+unlabeled")
    assert (data.data[:3] == images).all() and data.labels.tolist() == [2, 9, 0, -1, -1, -1]
    assert (numpy.asarray(data[1][0]) == images[1].transpose(1, 2, 0)).all() and data[1][1] == 9
    assert datasets.STL10(str(tmp_path), folds=0).labels.tolist() == [0, 2]
    assert data.classes == ["airplane", "bird"]


def test_svhn(tmp_path):
    scipy_io = pytest.importorskip("scipy.io", reason="writes the MATLAB file")
    images = numpy.random.default_rng(1).integers(0, 256, (32, 32, 3, 4), dtype=numpy.uint8)
    scipy_io.savemat(
        tmp_path / "test_32x32.mat", {"X": images, "y": numpy.array([[10], [1], [9], [3]])}
    )
    data = datasets.SVHN(str(tmp_path), "test")
    assert data.labels.tolist() == [0, 1, 9, 3]
    assert (numpy.asarray(data[2][0]) == images[..., 2]).all() and data[0][1] == 0
    with pytest.raises(ValueError, match="Unknown value 'all'"):
        datasets.SVHN(str(tmp_path), "all")


def test_fake_data_is_that_of_pytorch():
    import torch

    data = datasets.FakeData(5, (3, 6, 7), num_classes=4, random_offset=2)
    before = lampas.get_rng_state()
    image, label = data[3]
    assert lampas.equal(lampas.get_rng_state(), before)
    torch.manual_seed(5)
    noise = torch.randn(3, 6, 7)
    assert label == torch.randint(0, 4, (1,)).item()
    expected = noise.mul(255).to(torch.uint8).permute(1, 2, 0)
    assert (numpy.asarray(image) == expected.numpy()).all()
    with pytest.raises(IndexError, match="FakeData index out of range"):
        data[5]


def test_folders_with_own_loader(tmp_path):
    for name in ("b/1.txt", "a/z/2.TXT", "a/3.dat"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    data = datasets.DatasetFolder(str(tmp_path), lambda path: open(path).read(), (".txt",))
    assert [data[i] for i in range(2)] == [("a/z/2.TXT", 0), ("b/1.txt", 1)]
    chosen = datasets.DatasetFolder(
        str(tmp_path), len, is_valid_file=lambda path: path.endswith("dat"), allow_empty=True
    )
    assert chosen.targets == [0]
    with pytest.raises(ValueError, match="Both extensions and is_valid_file"):
        datasets.DatasetFolder(str(tmp_path), len)
    (tmp_path / "none").mkdir()
    with pytest.raises(FileNotFoundError, match="Couldn't find any class folder"):
        datasets.ImageFolder(str(tmp_path / "none"))


def test_datasets_feed_a_loader(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, content in mnist_files().items():
        (raw / name).write_bytes(content)
    data = datasets.MNIST(str(tmp_path), transform=transforms.ToTensor(), target_transform=float)
    images, labels = next(iter(lampas.utils.data.DataLoader(data, batch_size=4)))
    assert images.shape == (4, 1, 28, 28) and labels.dtype is lampas.float64
    numpy.testing.assert_allclose(images[:, 0].numpy() * 255, IMAGES, atol=1e-4)
