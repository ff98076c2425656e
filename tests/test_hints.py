"""Errors keep PyTorch's type and text, and get a hint that names the module and the fix."""

import copy
import gc
import inspect
import io
import pickle
import re
import subprocess
import sys
import threading
import traceback
import warnings

import mistakes
import pytest
from mistakes import MISTAKES

import lampas
from lampas import hints, nn
from lampas.hints import notes, table

CONVOLUTION = MISTAKES[0]
CHINESE = re.compile(r"[一-鿿]")


@pytest.fixture(autouse=True)
def _english():
    lampas.set_language("en")
    yield
    lampas.set_language(None)
    lampas.set_hints(True)


def caught(function, *args):
    with pytest.raises(Exception) as info:
        function(*args)
    return info.value


def printed(error):
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


# what is said


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: m.title)
def test_type_and_text_are_pytorchs(mistake, torch):
    ours, theirs = mistakes.outcome(mistake.code, "lampas"), mistakes.outcome(mistake.code, "torch")
    if mistake.differs:
        assert (ours.kind, ours.text) != (theirs.kind, theirs.text), "it differs no more"
    else:
        assert (ours.kind, ours.text) == (theirs.kind, theirs.text)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: m.title)
def test_one_hint_in_each_language(mistake):
    (english,) = mistakes.outcome(mistake.code, "lampas").notes
    lampas.set_language("zh")
    (chinese,) = mistakes.outcome(mistake.code, "lampas").notes
    place = f"{mistake.module}: " if mistake.module else ""
    assert english.startswith(f"hint: {place}") and len(english) > len(f"hint: {place}")
    assert not CHINESE.search(english)
    place = f"{mistake.module}：" if mistake.module else ""
    assert chinese.startswith(f"提示：{place}") and CHINESE.search(chinese, len("提示："))


def test_every_entry_of_the_table_is_reached_by_a_mistake():
    reached = set()
    for mistake in MISTAKES:
        entry, _ = table.find(mistakes.outcome(mistake.code, "lampas").error)
        reached.add(entry.write.__name__)
    names = [entry.write.__name__ for entry in table.ENTRIES]
    assert len(set(names)) == len(names)
    assert set(names) - reached == set()


def test_hints_of_the_story():
    error = mistakes.outcome(CONVOLUTION.code, "lampas").error
    assert str(error) == (
        "Given groups=1, weight of size [64, 3, 3, 3], expected input[4, 64, 158, 158] to have 3 "
        "channels, but got 64 channels instead"
    )
    last = printed(error).splitlines()[-1]
    assert last == (
        "hint: double_conv.3 (Conv2d(3, 64, kernel_size=(3, 3), stride=(1, 1))): this Conv2d takes 3 "
        "channels but is given 64. Write Conv2d(64, 64, ...) here, or give it 3 channels"
    )


@pytest.mark.parametrize(
    "layer, shape, fix",
    [
        (nn.Linear(8, 2), (4, 6), "Linear(6, 2)"),
        (nn.Conv1d(3, 8, 3), (2, 5, 20), "Conv1d(5, 8, ...)"),
        (nn.Conv3d(3, 8, 1), (2, 5, 4, 4, 4), "Conv3d(5, 8, ...)"),
        (nn.ConvTranspose2d(3, 8, 3), (2, 5, 4, 4), "ConvTranspose2d(5, 8, ...)"),
        (nn.GRU(7, 4), (5, 2, 6), "GRU(6, 4, ...)"),
        (nn.BatchNorm2d(3), (2, 5, 4, 4), "BatchNorm2d(5)"),
        (nn.LayerNorm((3, 4)), (2, 5, 6), "LayerNorm([5, 6])"),
        (nn.MultiheadAttention(12, 3), (2, 3, 9), "MultiheadAttention(9, ...)"),
        (nn.BatchNorm1d(3), (2, 3, 4, 5), "BatchNorm2d"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_fix_works(layer, shape, fix):
    """What the hint proposes takes the input that failed."""
    args = [lampas.zeros(shape)] * (3 if isinstance(layer, nn.MultiheadAttention) else 1)
    (note,) = caught(layer, *args).__notes__
    assert fix in note
    extra = ", 3" if "Attention" in fix else ", kernel_size=1" if "Conv" in fix else ""
    source = fix.replace(", ...", extra) if "..." in fix else fix
    if "(" not in fix:
        source = fix + "(3)"
    made = eval(f"nn.{source}", {"nn": nn})
    made(*args)


def test_flatten_and_channels_last_are_recognised():
    flat = caught(nn.Linear(48, 2), lampas.zeros(5, 3, 4, 4)).__notes__[0]
    assert "nn.Flatten()" in flat
    x = lampas.zeros(2, 9, 9, 3)
    order = re.search(r"x\.permute\((.*?)\)", caught(nn.Conv2d(3, 4, 3), x).__notes__[0])[1]
    nn.Conv2d(3, 4, 3)(x.permute(*map(int, order.split(","))))
    x = lampas.zeros(9, 9, 3)
    order = re.search(r"x\.permute\((.*?)\)", caught(nn.Conv2d(3, 4, 3), x).__notes__[0])[1]
    nn.Conv2d(3, 4, 3)(x.permute(*map(int, order.split(","))))
    x = lampas.zeros(2, 9, 3)
    order = re.search(r"x\.permute\((.*?)\)", caught(nn.Conv1d(3, 4, 3), x).__notes__[0])[1]
    nn.Conv1d(3, 4, 3)(x.permute(*map(int, order.split(","))))


def test_no_channels_last_for_a_layer_that_is_simply_wrong():
    note = caught(nn.Conv2d(3, 4, 3), lampas.zeros(2, 5, 9, 9)).__notes__[0]
    assert "permute" not in note


# where it happened


class Block(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)


class Chain(nn.Module):
    """Its blocks lie in a ModuleList, which is never called itself."""

    def __init__(self, *blocks):
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


class Outside(nn.Module):
    def forward(self, x):
        raise KeyError("my own")


def test_path_through_containers():
    model = nn.Sequential(Chain(Block(nn.Linear(3, 3)), Block(nn.Linear(4, 3))), nn.ReLU())
    (note,) = caught(model, lampas.zeros(2, 3)).__notes__
    assert note.startswith(
        "hint: 0.blocks.1.layer (Linear(in_features=4, out_features=3, bias=True)): "
    )


def test_path_of_a_shared_module_is_its_first_name():
    shared = nn.Linear(4, 3)
    (note,) = caught(nn.Sequential(nn.Identity(), shared, shared), lampas.zeros(2, 3)).__notes__
    assert note.startswith("hint: 1 (Linear")


def test_path_of_a_module_that_is_not_registered():
    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = [Block(nn.Linear(4, 3))]

        def forward(self, x):
            return self.layers[0](x)

    (note,) = caught(nn.Sequential(Hidden()), lampas.zeros(2, 3)).__notes__
    assert note.startswith("hint: 0.?.layer (Linear")


def test_an_error_of_the_users_own_says_in_which_module_it_arose():
    error = caught(nn.Sequential(nn.ReLU(), Block(Outside())), lampas.zeros(2, 3))
    assert error.args == ("my own",)
    assert error.__notes__ == ["hint: raised in 1.layer (Outside())"]
    assert not hasattr(caught(Outside(), lampas.zeros(2)), "__notes__")  # the traceback says it


def test_path_with_hooks_and_subclassed_calls():
    class Calling(nn.Linear):
        def __call__(self, *args):
            return super().__call__(*args)

    model = nn.Sequential(Block(Calling(4, 3)))
    handle = model.register_forward_hook(lambda module, args, output: None)
    try:
        (note,) = caught(model, lampas.zeros(2, 3)).__notes__
    finally:
        handle.remove()
    assert note.startswith("hint: 0.layer (Calling(in_features=4")


def test_recursion_ends_in_a_recursion_error():
    class Endless(nn.Module):
        def forward(self, x):
            return self(x)

    assert isinstance(caught(Endless(), lampas.zeros(2)), RecursionError)


def test_an_error_that_is_raised_again_elsewhere_keeps_its_text():
    error = caught(nn.Sequential(nn.Linear(4, 3)), lampas.zeros(2, 3))

    class Again(nn.Module):
        def forward(self, x):
            raise error

    again = caught(nn.Sequential(Again()), lampas.zeros(2, 3))
    assert again is error and len(error.__notes__) == 1
    assert str(error) == "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x3)"


def test_module_state_is_not_kept_alive_by_a_hint():
    error = caught(nn.Linear(4, 3), lampas.zeros(2, 3))
    module = error._lampas_hint.inner
    error.__traceback__ = None
    gc.collect()
    assert module() is None


# how it is carried


def test_notes_of_the_user_stay():
    error = caught(nn.Linear(4, 3), lampas.zeros(2, 3))
    error.add_note("mine")

    class Again(nn.Module):
        def forward(self, x):
            raise error

    caught(nn.Sequential(Again()), None)
    assert len(error.__notes__) == 2 and error.__notes__[1] == "mine"


def test_errors_can_be_pickled_and_copied():
    error = caught(nn.Sequential(nn.Linear(4, 3)), lampas.zeros(2, 3))
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert str(other) == str(error) and other.__notes__ == error.__notes__


def test_no_frame_of_the_package_stands_between_caller_and_forward(python):
    """In a fresh interpreter: once a module has a hook, calls look for hooks in Python."""
    print_frames = """
import traceback
import lampas
from lampas import nn
try:
    nn.Sequential(nn.Sequential(nn.Linear(4, 3)))(lampas.zeros(2, 3))
except RuntimeError as error:
    print([frame.name for frame in traceback.extract_tb(error.__traceback__)])
"""
    assert python(print_frames) == "['<module>', 'forward', 'forward', 'forward']\n"


def test_texts_match_as_before():
    with pytest.raises(RuntimeError, match=r"^mat1 and mat2 shapes cannot be multiplied"):
        nn.Linear(4, 3)(lampas.zeros(2, 3))
    error = caught(nn.Linear(4, 3), lampas.zeros(2, 3))
    assert re.search(r"\(2x3 and 4x3\)$", str(error))
    assert error.args == (str(error),)


def test_python_3_10_prints_notes_through_its_hook(monkeypatch):
    """There exceptions have no add_note, and tracebacks print no notes."""
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(sys, "excepthook", lambda *exception: print("traceback", file=shown))
    error = RuntimeError("text")
    notes._add_before_pep_678(error, "hint: first")
    notes._add_before_pep_678(error, "hint: second")
    assert error.__notes__ == ["hint: first", "hint: second"]
    sys.excepthook(RuntimeError, error, None)
    assert shown.getvalue() == "traceback\nhint: first\nhint: second\n"


def test_errors_in_threads():
    found = []

    def work():
        try:
            lampas.zeros(3)[5]
        except IndexError as error:
            found.extend(error.__notes__)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(found) == 1 and found[0].startswith("hint: dimension 0 has 3 elements")


def test_a_fault_in_a_hint_hides_nothing(monkeypatch):
    def broken(error):
        raise ZeroDivisionError

    monkeypatch.setattr(table, "find", broken)
    error = caught(nn.Linear(4, 3), lampas.zeros(2, 3))
    assert type(error) is RuntimeError and not hasattr(error, "__notes__")
    assert error.__context__ is None


def test_an_error_of_a_worker_process():
    """Its text is PyTorch's, which ends in that of the error; the hint travels beside it."""
    loader = lampas.utils.data.DataLoader(
        [lampas.zeros(3), lampas.zeros(4)], batch_size=2, num_workers=1
    )
    error = caught(next, iter(loader))
    assert str(error).startswith("Caught RuntimeError in DataLoader worker process 0.\nOriginal ")
    assert str(error).splitlines()[-1].endswith("got [3] at entry 0 and [4] at entry 1")
    (note,) = error.__notes__
    assert note.startswith("hint: sample 0 is (3), sample 1 is (4)")


def test_inputs_without_values_are_refused():
    """On meta, beside data on the CPU; the index of an embedding, of gather, of brackets."""
    rows, index = lampas.zeros(3, 2), lampas.zeros(2, dtype=lampas.int64, device="meta")
    calls = (
        lambda: nn.functional.embedding(index, rows),
        lambda: rows[index],
        lambda: rows.index_select(0, index),
        lambda: rows.gather(0, index.view(2, 1)),
        lambda: rows.masked_fill(lampas.zeros(3, 2, dtype=lampas.bool, device="meta"), 1.0),
        lambda: nn.functional.nll_loss(rows[:2], index),
        lambda: rows.__setitem__(index, 1.0),
    )
    for call in calls:
        error = caught(call)
        assert str(error) == "Tensor on device meta is not on the expected device cpu!"
        assert "to_empty" in error.__notes__[0]


# warnings


def warned():
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        nn.functional.mse_loss(lampas.zeros(4, 1), lampas.zeros(4))
    return given


def test_warning_is_shown_with_its_hint():
    (given,) = warned()
    assert issubclass(given.category, UserWarning) and given.category.__name__ == "UserWarning"
    assert "hint" not in str(given.message) and f"{given.message}" == str(given.message)
    lines = warnings.formatwarning(given.message, given.category, "f.py", 3).splitlines()
    assert lines[0] == f"f.py:3: UserWarning: {given.message!s}"
    assert lines[1].startswith("hint: the shapes of prediction and target differ")
    with pytest.warns(UserWarning, match=r"same size\.$"):
        nn.functional.l1_loss(lampas.zeros(4, 1), lampas.zeros(4))


def test_warning_without_hints():
    lampas.set_hints(False)
    (given,) = warned()
    printed = warnings.formatwarning(given.message, given.category, "f.py", 3)
    assert printed == f"f.py:3: UserWarning: {given.message}\n"


# switches


def test_hints_off_and_on():
    lampas.set_hints(False)
    for mistake in MISTAKES[:12]:
        assert mistakes.outcome(mistake.code, "lampas").notes == []
    lampas.set_hints(True)
    assert mistakes.outcome(CONVOLUTION.code, "lampas").notes


def test_switches_refuse_nonsense():
    with pytest.raises(ValueError, match="'en', 'zh' or None"):
        lampas.set_language("fr")
    with pytest.raises(TypeError, match="expects a bool"):
        lampas.set_hints("off")


SOURCE = "import lampas\nlampas.nn.Linear(4, 3)(lampas.zeros(2, 3))"


@pytest.mark.parametrize(
    "variables, begins",
    [
        ({"LANG": "zh_CN.UTF-8"}, "提示："),
        ({"LANG": "en_US.UTF-8"}, "hint: "),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_TW.UTF-8"}, "提示："),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "hint: "),
        ({}, "hint: "),
        ({"LANG": "zh_CN.UTF-8", "LAMPAS_HINTS": "0"}, "RuntimeError: mat1"),
    ],
)
def test_what_the_terminal_shows(python, variables, begins):
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    env = {**dict.fromkeys(names, ""), "PYTHONIOENCODING": "utf-8", **variables}
    done = python(SOURCE, env=env, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(begins)


def test_nothing_is_loaded_before_the_first_error(python):
    out = python(
        "import lampas, sys\nlampas.nn.Linear(3, 3)(lampas.zeros(2, 3))\n"
        "print([name for name in sys.modules if name.startswith('lampas.hints.')])"
    )
    assert out.strip() == "[]"


# the page


def test_page_is_up_to_date(root):
    done = subprocess.run(
        [sys.executable, root / "tools" / "errors.py", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_entries_say_both_languages():
    assert hints.LANGUAGES == ("en", "zh")
    for entry in table.ENTRIES:
        assert inspect.signature(entry.write).parameters.keys() == {"match", "place"}
