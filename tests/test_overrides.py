"""`__torch_function__`: subclasses of Tensor, types that look like tensors, modes; the same printed text."""

import contextlib
import io

import pytest
import torch

import lampas

PROGRAMS = {
    "subclass_results": """
class Named(torch.Tensor):
    pass
x = torch.tensor([1., 2.]).as_subclass(Named)
y = torch.ones(2)
for r in (x + y, y + x, 1 - x, x @ y, x[0], x.sum(), torch.cat([y, x]), torch.relu(x), torch.nn.functional.relu(x),
          x.T, x.view(2, 1), torch.nn.functional.linear(x, torch.ones(3, 2)), x.max(0)[0], x.split(1)[0], x.unbind()[0],
          torch.zeros_like(x), torch.einsum('i,i->', x, x), torch.linalg.norm(x), x.clone(), x.detach(), x.double(), x.new_zeros(2), x == y, x.data, torch.stack((x, y)), torch.where(y > 0, x, y), x.mean(), x.std(), torch.nn.functional.softmax(x, 0), x.add_(1), abs(x), -x):
    print(type(r).__name__, r.shape)
print(x, repr(x), str(x.shape), x.dtype, x.requires_grad)
""",
    "subclass_autograd": """
class Named(torch.Tensor):
    pass
w = torch.tensor([1., 2.], requires_grad=True)
x = w.as_subclass(Named)
loss = (x * 3).sum()
print(type(loss).__name__)
loss.backward()
print(type(w.grad).__name__, w.grad)
p = torch.nn.Parameter(torch.ones(2).as_subclass(Named))
print(type(p).__name__, isinstance(p, torch.nn.Parameter), type(p * 2).__name__)
q = torch.nn.Parameter(torch.ones(2))
print(type(q * 2).__name__, type(q.data).__name__, type(q + torch.ones(2).as_subclass(Named)).__name__)
""",
    "metadata": """
class Meta(torch.Tensor):
    @staticmethod
    def __new__(cls, x, info=None): return torch.Tensor._make_subclass(cls, x)
    def __init__(self, x, info=None): self.info = info
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        r = super().__torch_function__(func, types, args, kwargs)
        if isinstance(r, cls): r.info = next((a.info for a in args if isinstance(a, cls)), None)
        return r
m = Meta(torch.ones(2), 'm')
for r in (m + 1, 2 * m, m.sum(), m[0], torch.exp(m), torch.nn.functional.gelu(m)):
    print(type(r).__name__, r.info, r)
""",
    "implements": """
HANDLED = {}
def implements(f):
    def register(g):
        HANDLED[f] = g
        return g
    return register
class Scalar:
    def __init__(self, n, value): self.n, self.value = n, value
    def __repr__(self): return f'Scalar({self.n}, {self.value})'
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func not in HANDLED or not all(issubclass(t, (torch.Tensor, cls)) for t in types): return NotImplemented
        return HANDLED[func](*args, **(kwargs or {}))
@implements(torch.mean)
def _(x): return x.value / x.n
@implements(torch.add)
def _(a, b): return ('add', str(a), str(b))
@implements(torch.Tensor.add)
def _(a, b): return ('method add', str(a), str(b))
@implements(torch.nn.functional.relu)
def _(a, inplace=False): return 'relu'
@implements(torch.einsum)
def _(*a): return 'einsum'
s = Scalar(5, 2)
print(torch.mean(s), torch.add(s, s), torch.add(torch.ones(2), s), torch.add(s, torch.ones(1)), torch.nn.functional.relu(s), torch.einsum('i', s))
print(torch.ones(2) + s)
for f in (lambda: torch.mul(s, s), lambda: torch.exp(s), lambda: torch.nn.functional.softmax(s, 0), lambda: torch.stack([s])):
    try: print(f())
    except Exception as e: print(type(e).__name__, str(e).split(chr(10))[0].replace('torch._C.', 'torch.'))
""",
    "order": """
log = []
class A(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        log.append((cls.__name__, [t.__name__ for t in types])); return NotImplemented
class B(A): pass
class C(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        log.append((cls.__name__, [t.__name__ for t in types])); return 'C'
a, b, c = (torch.ones(2).as_subclass(t) for t in (A, B, C))
log.clear()
print(torch.add(a, b, out=c), log); log.clear()
print(torch.cat([a, c, b]), log); log.clear()
try: torch.add(a, b)
except TypeError as e: print(str(e).replace('torch._C._VariableFunctionsClass.', 'torch.').replace('__main__.',''), log)
""",
    "modes": """
class Log(torch.overrides.TorchFunctionMode):
    def __init__(self, tag): self.tag = tag
    def __torch_function__(self, func, types, args=(), kwargs=None):
        print(self.tag, func.__name__)
        return func(*args, **(kwargs or {}))
x = torch.ones(2)
with Log('outer'):
    with Log('inner') as m:
        y = torch.add(x, 1) * 2
        torch.nn.functional.dropout(y, 0.5)
    torch.rand(2)
x + 1
class Meta(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func in (torch.zeros, torch.ones, torch.empty): kwargs['device'] = 'meta'
        return func(*args, **kwargs)
with Meta():
    print(torch.zeros(3).device, torch.ones(2).shape)
print(torch.zeros(3).device)
class Bad(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None): raise ValueError('no')
try:
    with Bad(): torch.ones(2)
except ValueError as e: print(e)
print(torch.ones(2))
with torch._C.DisableTorchFunctionSubclass():
    class N(torch.Tensor): pass
    print(type(torch.ones(2).as_subclass(N) + 1).__name__)
""",
    "questions": """
from torch.overrides import has_torch_function, handle_torch_function, is_tensor_like, is_tensor_method_or_property, resolve_name, wrap_torch_function, get_default_nowrap_functions, get_ignored_functions, get_overridable_functions
class D:
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None): return ('D', func.__name__, len(args), sorted(kwargs or {}))
def mine(a, b=None):
    if has_torch_function((a,)): return handle_torch_function(mine, (a,), a, b=b)
    return a
print(mine(1), mine(D(), b=2), has_torch_function((torch.ones(1),)), has_torch_function((D(), 1)), has_torch_function((torch.nn.Parameter(torch.ones(1)),)))
print(is_tensor_like(D()), is_tensor_like(torch.ones(1)), is_tensor_like(3))
print(is_tensor_method_or_property(torch.Tensor.add), is_tensor_method_or_property(torch.add), is_tensor_method_or_property(torch.Tensor.shape.__get__))
print(resolve_name(torch.Tensor.add), resolve_name(torch.nn.functional.relu), resolve_name(torch.Tensor.shape.__get__))
@wrap_torch_function(lambda a: (a,))
def w(a): return 'plain'
print(w(1), w(D()))
print(torch.Tensor.grad.__get__ in get_default_nowrap_functions(), len(get_overridable_functions()) > 3, torch.add in get_overridable_functions()[torch])
""",
    "deepcopy_pickle": """
import copy, pickle
print(copy.deepcopy(torch.nn.functional.relu) is torch.nn.functional.relu, pickle.loads(pickle.dumps(torch.nn.functional.relu)) is torch.nn.functional.relu, pickle.loads(pickle.dumps(torch.einsum)) is torch.einsum)
""",
}


def printed(text, module):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(
            text.replace("from torch.", f"from {module.__name__}."),
            {"torch": module, "__name__": "__main__"},
        )
    return out.getvalue()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PROGRAMS)
def test_same_text(name):
    assert printed(PROGRAMS[name], lampas) == printed(PROGRAMS[name], torch)


def test_a_failed_handler_leaves_modes_as_they_were():
    class Refusing(lampas.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            raise ValueError("refused")

    with Refusing():
        for _ in range(3):
            with pytest.raises(ValueError, match="refused"):
                lampas.ones(2) + 1
    assert (lampas.ones(2) + 1).tolist() == [2.0, 2.0]


def test_slots_of_a_subclass_that_answers_nonsense():
    class Odd(lampas.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return "odd"

    x = lampas.ones(3).as_subclass(Odd)
    assert x + 1 == "odd" and x.shape == "odd" and x[0] == "odd" and x.size() == "odd"
    for use in (len, float, int, lambda v: [1, 2][v]):
        with pytest.raises((TypeError, ValueError)):
            use(x)
    assert bool(x)  # a text that is not empty
