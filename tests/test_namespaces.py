"""Namespaces beside the tensors: jit, distributed for one process, library, profiler, checks, foreach.

Expressions are compared with PyTorch; what Lampas does not do has to say so by name.
"""

import os
import re

import pytest
from agreement import agree

import lampas

CASES = """
t._assert(False, "m") | t._assert(True, "m") | t._check(True) | t._check(False) | t._check(False, lambda: "x") | t._check(1)
t._check(t.tensor(True)) | t._check(False, "x") | t._check_value(False, lambda: "x") | t._check_index(False)
t._check_type(False, lambda: 1) | t._check_not_implemented(False) | t._check_with(KeyError, False, lambda: "x")
t._check_tensor_all(b, lambda: "x") | t._check_tensor_all(3) | t._check_is_size(-1) | t._check_tensor_all_with(KeyError, b)
t._shape_as_tensor(t.ones(2, 3)) | t._assert_async(b[0]) | t._assert_async(b[1]) | t._assert_async(b[1], "hm")
t.sym_int(-2.7) | t.sym_float(2) | t.sym_max(1, 2.0) | t.sym_min(1, 2) | t.sym_not(True) | t.sym_ite(True, 1, 2)
t.sym_sum([1, 2]) | t.sym_sqrt(4) | t.get_device_module("cpu").current_device() | t.get_device_module("nope")
t.get_device_module(3) | t.cpu.device_count() | t.accelerator.current_accelerator() | t.accelerator.synchronize()
t.xpu.current_device() | t.xpu.device_count() | t.mps.empty_cache() | t.mps.device_count() | t.mtia.synchronize()
t._utils._element_size(t.float64) | t._utils._get_device_index("cpu") | t._utils._get_device_index("cuda:1")
t._utils._get_device_index(3) | t._utils._get_device_index("cuda", optional=True) | t._utils._get_device_index(None)
t._C._nn._parse_to("cpu") | t._C._nn._parse_to(t.float16, non_blocking=True) | t._C._nn._parse_to(t.ones(2))
t.autocast_increment_nesting() | t.autocast_decrement_nesting()
t.set_autocast_enabled("cpu", False) | t.hub.HASH_REGEX.search("a-5c106cde.pth").group(1)
t.hub.load("there", "model", source="elsewhere") | t.sparse.mm(t.eye(2), t.eye(2)) | t.sparse.sum(t.eye(2))
t.ops.aten.mul.Tensor(t.ones(2), 3) | t.ops.aten.mm.default(t.eye(2), t.eye(2)) | t.ops.aten.relu(t.tensor([-1.0, 2.0]))
t.ops.aten._to_copy.default(t.ones(2), dtype=t.float64) | t.ops.aten.slice.Tensor(t.eye(3), 1, 0, 2) | t.ops.aten.alias(t.ones(2))
t.ops.aten.sym_size.int(t.eye(3), 1) | t.ops.aten._unsafe_view(t.eye(2), [4]) | t.ops.aten.add.Tensor is t.ops.aten.add.Tensor
t.ops.aten._local_scalar_dense(t.tensor(2.5)) | t.ops.aten.max.dim(t.eye(2), 1) | t.ops.aten.clone.default(t.ones(2))
t.ops.aten.index_select.default(t.eye(3), 0, t.tensor([2])) | t.ops.aten.where.self(b, t.ones(2), t.zeros(2))
t.utils._pytree.tree_flatten_with_path([1, {"a": (2, 3)}])[0] | t.utils._pytree._dict_flatten({"a": 1})
[t.utils._pytree.keystr(p) for p, _ in t.utils._pytree.tree_leaves_with_path([1, {"a": (2,)}])]
t.utils._pytree.tree_map_with_path(lambda p, x, y: (len(p), x + y), [1, {"a": 2}], [10, {"a": 20}])
t.jit.annotate(int, 3) | t.jit.isinstance([1, 2], __import__("typing").List[int]) | t.jit.isinstance([1, "a"], __import__("typing").List[int])
t.jit.script(f)(t.ones(2)) | t.jit.ignore(f)(t.ones(1)) | t.jit.unused(f)(t.ones(1))
t.jit.script(3) | t.jit.wait(t.jit.fork(f, t.ones(2))) | t.fx.wrap("len") | t.fx.wrap(3)
t.futures.wait_all([done(t, 1), done(t, 2)]) | done(t, 3).then(lambda q: q.wait() + 1).wait() | done(t, 1).set_result(2)
t.onnx.is_in_onnx_export() | t.overrides.is_tensor_like(3) | t.overrides.is_tensor_like(t.ones(1))
t.overrides.is_tensor_method_or_property(t.Tensor.add) | t.overrides.resolve_name(t.nn.functional.relu)
t.overrides.has_torch_function((t.ones(1),)) | t.cuda.FloatTensor(3)
[t.profiler.schedule(wait=1, warmup=1, active=2, repeat=2, skip_first=1)(i).name for i in range(14)]
[t.profiler.schedule(wait=2, warmup=0, active=1, skip_first_wait=1)(i).name for i in range(8)]
[t.profiler.schedule(wait=0, warmup=2, active=1)(i).value for i in range(5)] | t.profiler.schedule(wait=0, warmup=0, active=1)(-1)
t.distributed.get_rank() | t.distributed.all_reduce(t.ones(2)) | t.distributed.destroy_process_group() | t.distributed.new_group()
t.distributed.init_process_group("gloo") | t.distributed.init_process_group("gloo", rank=0) | t.distributed.Backend("GLOO")
t.distributed.init_process_group("gloo", init_method="file:///nowhere") | str(t.distributed.ReduceOp.SUM)
t.nn.parallel.DistributedDataParallel(t.nn.Linear(1, 1)) | t.cuda.get_rng_state_all() | t.cuda.set_rng_state_all([])
t.autograd.forward_ad.unpack_dual(t.ones(2))._asdict() | C(t, "utils.flop_counter").FlopCounterMode(display=False).get_total_flops()
[(repr(p), str(p), p.is_shard(), p.is_shard(0), p.is_replicate(), p.is_partial(), p == T(t).Replicate()) for p in (T(t).Shard(0), T(t).Replicate(), T(t).Partial(), T(t).Partial("avg"))]
"""
FOREACH = """
add(a, b) | add(a, 2) | add(a, [1, 2]) | add(a, b, alpha=2) | add(a, s) | sub(a, b) | mul(a, b) | mul(a, s) | div(a, b)
lerp(a, b, 0.5) | lerp(a, b, b) | addcmul(a, b, b, value=2) | addcdiv(a, b, b) | addcdiv(a, b, b, [1.0, 2.0])
addcmul(a, b, b, values) | neg(a) | sqrt(a) | norm(a) | norm(a, 1) | norm(a, float("inf")) | pow(a, 2) | pow(2, a)
pow(a, b) | maximum(a, b) | maximum(a, 2) | minimum(a, [1, 2]) | clamp_max(a, 1) | clamp_min(a, b) | reciprocal(b)
sign(a) | exp(b) | abs(a) | max(a) | zero_(a) | add_(a, b) | copy_(a, b) | mul_(a, 3) | lerp_(a, b, 0.5) | neg_(a)
addcdiv_(a, b, b, value=2) | addcmul_(a, b, b) | sqrt_(a) | maximum_(a, b) | div_(a, [1, 2]) | pow_(a, 2)
add(a, b[:1]) | add([], []) | add(a, [1]) | sqrt([]) | add([1], 2)
"""


def done(t, value):
    future = t.futures.Future()
    future.set_result(value)
    return future


def part(t, path):
    import importlib

    return importlib.import_module(f"{t.__name__}.{path}")


def placements(t):
    return part(t, "distributed.tensor")


def double(x):
    return x * 2


def cases(table):
    return [case.strip() for line in table.strip().splitlines() for case in line.split(" | ")]


@pytest.mark.parametrize("case", cases(CASES))
def test_agrees(case, monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)

    def evaluate(t):
        return eval(
            case,
            {
                "t": t,
                "b": t.tensor([True, False]),
                "f": double,
                "done": done,
                "T": placements,
                "C": part,
            },
        )

    agree(evaluate)


@pytest.mark.parametrize("case", cases(FOREACH))
def test_foreach(case):
    def evaluate(t):
        a, b = [t.arange(3.0), t.ones(2) * 4], [t.ones(3), t.full((2,), 2.0)]
        names = {"a": a, "b": b, "s": t.tensor(2.0), "values": t.tensor([1.0, 2.0])}
        result = eval(f"t._foreach_{case}", {"t": t, **names})
        return result, a

    agree(evaluate)


COLLECTIVES = """
d.all_reduce(x), x | d.all_reduce(x, async_op=True).wait() | d.broadcast(x, 0) | d.broadcast(x, 1) | d.all_gather(l, x), l
d.all_gather([], x) | d.all_gather([y[:2]], x) | d.all_gather([y, y], x) | d.all_gather([y.long()], x)
d.all_gather_into_tensor(y, x), y | d.reduce(x, 0), x | d.gather(x, l, 0), l | d.gather(x) | d.scatter(y, [x + 1], 0), y
d.scatter(y) | d.reduce_scatter(y, [x * 2]), y | d.all_to_all(l, [x]), l | d.all_to_all_single(y, x), y | d.barrier()
d.all_gather_object(o, {"a": 1}), o | d.broadcast_object_list(o, 0), o | d.gather_object(5, o), o
d.scatter_object_list(o, [7], 0), o | d.send(x, 0) | d.new_group([0]).size() | d.get_rank(d.new_group([0]))
d.all_reduce(3) | d.all_reduce([x]) | d.get_rank(), d.get_world_size(), d.get_backend() | d.init_process_group("gloo")
d.group.WORLD.size() | d.get_process_group_ranks(None) | d.GroupMember.NON_GROUP_MEMBER | str(D(t.nn.Linear(2, 2)))
list(D(t.nn.Linear(2, 2)).state_dict()) | D(t.nn.ReLU()) | D(t.nn.Linear(2, 2), device_ids=[0, 1])
D(t.nn.Linear(2, 2), device_ids=[0]) | trained(t, D(t.nn.Linear(2, 2))) | d.is_initialized()
"""


def trained(t, model):
    t.nn.init.constant_(model.module.weight, 0.5)
    t.nn.init.constant_(model.module.bias, 0.0)
    with model.no_sync():
        synced = model.require_backward_grad_sync
    model(t.ones(1, 2)).sum().backward()
    return model.module.weight.grad, synced


@pytest.fixture(scope="module")
def world(torch, tmp_path_factory):
    """A process group of one process in both libraries; PyTorch's meets in a file."""
    place = tmp_path_factory.mktemp("world")
    for number, module in enumerate((lampas, torch)):
        module.distributed.init_process_group(
            "gloo", init_method=f"file://{place}/{number}", rank=0, world_size=1
        )
    yield
    for module in (lampas, torch):
        module.distributed.destroy_process_group()


@pytest.mark.parametrize("case", cases(COLLECTIVES))
def test_collectives_of_one_process(world, case):
    def evaluate(t):
        names = {"t": t, "d": t.distributed, "D": t.nn.parallel.DistributedDataParallel}
        tensors = {"x": t.arange(3.0), "y": t.zeros(3), "l": [t.zeros(3)], "o": ["b"]}
        return eval(case, {**names, **tensors, "trained": trained})

    agree(evaluate)


def test_a_larger_world_is_refused(monkeypatch):
    variables = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(lampas.distributed.world._state, "group", None)
    with pytest.raises(NotImplementedError, match="world_size=2"):
        lampas.distributed.init_process_group("gloo")
    assert not lampas.distributed.is_initialized()


@pytest.mark.parametrize(
    "path, arguments",
    [
        ("jit.save", ("m", "f")), ("onnx.export", ()), ("fx.symbolic_trace", (abs,)),
        ("fx.Tracer", ()), ("export.export", ()), ("sparse.spdiags", ()),
        ("distributed.fsdp.FullyShardedDataParallel", ()), ("distributed.tensor.DTensor", ()),
        ("distributed.tensor.DTensor.from_local", ()), ("distributed.checkpoint.save", ()),
        ("jit.ScriptModule", ()), ("nested.nested_tensor", ([],)),
        ("ao.quantization.prepare", ()), ("utils.cpp_extension.load", ()),
        ("nn.attention.flex_attention.flex_attention", ()), ("_dynamo.explain", ()),
        ("quantize_per_tensor", ()),
    ],
)  # fmt: skip
def test_what_is_not_done_says_so_by_name(path, arguments):
    import importlib

    parts = path.split(".")
    for i in range(1, len(parts)):  # submodules load when imported
        try:
            importlib.import_module("lampas." + ".".join(parts[:i]))
        except ModuleNotFoundError:
            break
    target = lampas
    for part in parts:
        target = getattr(target, part)
    with pytest.raises(NotImplementedError, match=re.escape(f"torch.{path} is not available")):
        target(*arguments)


def custom_operator(t, space):
    @t.library.custom_op(f"{space}::scaled", mutates_args=())
    def scaled(x: t.Tensor, factor: float) -> t.Tensor:
        return x * factor

    def setup(ctx, inputs, output):
        ctx.factor = inputs[1]

    scaled.register_autograd(lambda ctx, g: (g * ctx.factor, None), setup_context=setup)
    scaled.register_fake(lambda x, factor: t.empty_like(x))
    x = t.ones(2, requires_grad=True)
    y = scaled(x, 3.0)
    y.sum().backward()
    operator = getattr(t.ops, space).scaled
    return y, x.grad, operator(x.detach(), 2.0), scaled(t.ones(2, device="meta"), 1.0).shape


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "bool"])
def test_a_storage_is_read_as_elements(dtype):
    def read(t):
        storage = t.arange(8, dtype=t.uint8).untyped_storage()
        seen = t.asarray(storage, dtype=getattr(t, dtype))
        return seen, seen.data_ptr() == storage.data_ptr(), storage[1], t.asarray(storage).shape

    agree(read)


def test_a_storage_from_a_file(tmp_path):
    (tmp_path / "bytes").write_bytes(bytes(range(8)))

    def read(t, name="bytes", **options):
        return t.UntypedStorage.from_file(str(tmp_path / name), **options).tolist()

    agree(lambda t: read(t, shared=False, nbytes=4))
    agree(lambda t: read(t))
    agree(lambda t: read(t, nbytes=80))
    agree(lambda t: read(t, "absent", nbytes=1))
    agree(lambda t: read(t, "made" + t.__name__, shared=True, nbytes=2))


def test_size_of_a_storage_in_memory():
    import sys

    agree(lambda t: [sys.getsizeof(t.ones(n).untyped_storage()) for n in (0, 1, 1000)])


def test_custom_operators():
    agree(lambda t: custom_operator(t, "lampas_test"))


def library_operator(t, space):
    library = t.library.Library(space, "DEF")
    name = library.define("twice(Tensor x) -> Tensor")
    library.impl("twice", lambda x: x * 2, "CompositeExplicitAutograd")
    operator = getattr(t.ops, space).twice
    return (
        name.partition(".")[0].rpartition("::")[2],
        operator(t.arange(3.0)),
        operator.default(t.ones(1)),
    )


def test_library_operators():
    agree(lambda t: library_operator(t, "lampas_library"))


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2", "uint4", "qint8"])
def test_element_types_that_exist_by_name(torch, name):
    ours, theirs = getattr(lampas, name), getattr(torch, name)
    assert str(ours) == str(theirs) and ours.itemsize == theirs.itemsize
    for question in ("is_floating_point", "is_complex"):
        assert getattr(ours, question) == getattr(theirs, question), question
    assert ours != lampas.float32 and ours == ours and lampas.ones(1).dtype != ours
    with pytest.raises(TypeError, match=f"torch.{name}, which is not available in Lampas"):
        lampas.ones(2).to(ours)
    with pytest.raises(TypeError, match=f"torch.{name}, which is not available in Lampas"):
        lampas.zeros(2, dtype=ours)


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu"])
def test_limits_of_types_by_name(name):
    agree(lambda t: t.finfo(getattr(t, name)))


def test_values_as_text_alone():
    agree(lambda t: t._tensor_str._add_suffixes("tensor([1.]", ["a=1", "b=2"], 7, True))
    agree(lambda t: t._tensor_str._add_suffixes("tensor([1.]", ["a=1", "b=2"], 7, False))
    agree(lambda t: t._tensor_str._tensor_str(t.tensor([[1.5, -2], [3, 4]]), indent=0))


def test_unknown_operators_are_missing():
    with pytest.raises(NotImplementedError, match="torch.ops.aten.no_such_operator is not"):
        lampas.ops.aten.no_such_operator.default(lampas.ones(1))
    assert not hasattr(lampas.ops.no_such_space, "no_such_operator")
    with pytest.raises(NotImplementedError, match="load_library"):
        lampas.ops.load_library("x.so")


def test_downloads_are_checked_and_complete(tmp_path, monkeypatch):
    from hashlib import sha256

    weights = tmp_path / "weights.pth"
    lampas.save({"w": lampas.arange(3.0)}, weights)
    digest = sha256(weights.read_bytes()).hexdigest()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    assert lampas.hub.get_dir() == str(tmp_path / "home" / "hub")
    loaded = lampas.hub.load_state_dict_from_url(
        weights.as_uri(), progress=False, check_hash=True, file_name=f"w-{digest[:8]}.pth"
    )
    assert loaded["w"].tolist() == [0, 1, 2]
    assert os.listdir(tmp_path / "home" / "hub" / "checkpoints") == [f"w-{digest[:8]}.pth"]
    target = tmp_path / "wrong.pth"
    with pytest.raises(RuntimeError, match='invalid hash value \\(expected "abc"'):
        lampas.hub.download_url_to_file(weights.as_uri(), str(target), "abc", progress=False)
    assert sorted(os.listdir(tmp_path)) == ["home", "weights.pth"]


def test_models_of_a_local_hub(tmp_path):
    (tmp_path / "hubconf.py").write_text(
        "dependencies = ['math']\n"
        "def line(a, b=1):\n    'A line.'\n    return lambda x: a * x + b\n"
        "def _hidden():\n    pass\n"
    )

    def use(t):
        hub, place = t.hub, str(tmp_path)
        return hub.load(place, "line", 2, b=3, source="local")(5)

    agree(use)
    agree(lambda t: t.hub.load(str(tmp_path), "absent", source="local"))


def test_switches_of_the_compiler_are_kept():
    config = lampas._dynamo.config
    with config.patch(suppress_errors=True):
        assert config.suppress_errors is True
    assert config.suppress_errors is False
    config.cache_size_limit = 16
    assert lampas._dynamo.config.cache_size_limit == 16
    config.cache_size_limit = 8


def test_a_trace_is_the_module_after_one_call():
    calls = []
    with pytest.warns(DeprecationWarning, match="torch.jit.trace"):
        traced = lampas.jit.trace(lambda x: calls.append(x.sum().item()) or x, lampas.ones(2))
    assert calls == [2.0] and traced(lampas.ones(3)).tolist() == [1, 1, 1]


def test_swapped_tensors(torch):
    def swap(t):
        a, b = t.ones(2, requires_grad=True), t.zeros(3)
        a.label, same = "a", a
        (a * 2).sum().backward()
        t.utils.swap_tensors(a, b)
        return a, b, a.requires_grad, b.requires_grad, b.grad, a.grad, b.label, same is a

    agree(swap)
