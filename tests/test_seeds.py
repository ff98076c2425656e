"""The code of the five documents runs with both libraries and gives the same; the page says so."""

import subprocess
import sys
from pathlib import Path

import pytest
from seeds import comparison, extraction, plan, snippets, table

BLOCKS = [block for number in plan.TITLES for block in snippets.stored(number)]


@pytest.fixture(scope="session")
def verdicts(torch, tmp_path_factory):
    pytest.importorskip("PIL.Image", reason="the documents read images")
    found = comparison.run_both(tmp_path_factory.mktemp("seeds"))
    return {verdict.block.id: verdict for verdict in found}


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.id)
def test_block(block, verdicts):
    assert not verdicts[block.id].problem, f"{block.code}\n{verdicts[block.id].problem}"


def test_page_is_up_to_date(root, verdicts):
    page = (root / "docs" / "seeds.md").read_text(encoding="utf-8")
    assert page == table.page(list(verdicts.values())), "run tools/seeds.py table"


def test_plan_names_what_exists(root):
    for name in plan.PROGRAMS.values():
        assert (root / "examples" / f"{name}.py").is_file()
    known = {block.id for block in BLOCKS}
    assert len(known) == len(BLOCKS) == 161
    assert {*plan.STEPS, *plan.EDITS, *plan.NO_PROGRAM} <= known
    assert not set(plan.STEPS) & set(plan.NO_PROGRAM)
    # Each departure from "runs and prints the same" has its reason.
    for step in plan.STEPS.values():
        assert step.why or not (step.raises or step.rounding or step.uninitialised or step.differs)


DOCUMENT = """
Type `y = x.t()` and `x.add_(1)`; see `torch.nn` and `backward()`.

```python
if x:
\ty = 1
    z = 2
```
* an item

  ```
data = [1]
  print(data)
  ```
- ```python
  In [1]: x = ones(2)

  In [2]: x
  Out[2]:
  tensor([1., 1.])

  In [3]: y
  ```
```python
print(x)
# 输出
tensor([[1.],
        [1.]])

print(y)

# 输出结果：
False
<SumBackward0>
```
```
print(x)
'''
输出
tensor([1.])
'''
```
"""


def test_extraction_repairs_what_pages_do_to_code():
    blocks = extraction.blocks_of(DOCUMENT, 9, {2}, {"9.3": [("[1]", "[2]", "a misprint")]})
    assert [(block.id, block.line, block.inline) for block in blocks] == [
        ("9.1", 2, True),
        ("9.2", 4, False),
        ("9.3", 11, False),
        ("9.4", 15, False),
        ("9.5", 24, False),
        ("9.6", 36, False),
    ]
    assert [block.code for block in blocks] == [
        "y = x.t()\nx.add_(1)\n",
        "if x:\n    y = 1\n    z = 2\n",
        "data = [2]\nprint(data)\n",
        "x = ones(2)\n\nx\n\ny\n",
        "print(x)\n\nprint(y)\n",
        "print(x)\n'''\n输出\ntensor([1.])\n'''\n",
    ]
    assert [block.repairs for block in blocks] == [
        [],
        ["indentation: a tab is 4 columns"],
        ["a misprint"],
        ["IPython prompts and results removed"],
        ["pasted output removed"],
        [],
    ]


def test_extraction_refuses_an_edit_that_does_not_fit():
    with pytest.raises(ValueError, match="9.3 does not hold 'absent' once"):
        extraction.blocks_of(DOCUMENT, 9, {2}, {"9.3": [("absent", "", "")]})


def test_stored_snippets_are_what_the_tool_writes(tmp_path, monkeypatch):
    for number in plan.TITLES:
        blocks = snippets.stored(number)
        text = snippets.as_text(number, blocks)
        assert text == snippets.file_of(number).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "mine, reference, rounding, same",
    [
        ("loss 0.1234", "loss 0.1234", 0.0, True),
        ("loss 0.1234", "loss 0.1235", 0.0, False),
        ("loss 0.1234", "loss 0.1235", 1e-6, True),
        ("loss 0.1234", "loss 0.1237", 1e-6, False),
        ("loss 0.1234", "rate 0.1234", 1e-6, False),
        ("7 right", "8 right", 1e-1, False),
        ("<X object at 0x7f00>", "<X object at 0x7faa>", 0.0, True),
        ("1.0000e-05", "1.0001e-05", 1e-9, True),
        ("1.0000e-05", "1.0003e-05", 1e-9, False),
        ("nan", "1.0", 1e-1, False),
        ("one\ntwo", "one", 1e-1, False),
    ],
)
def test_comparison_of_printed_text(mine, reference, rounding, same):
    step = plan.Step(rounding=rounding)
    outcomes = ({"printed": text, "error": "", "state": {}} for text in (mine, reference))
    assert (comparison.difference(step, *outcomes) == "") is same


def outcome(printed="", error="", **state):
    return {"printed": printed, "error": error, "state": state}


def test_comparison_sees_errors_values_and_known_differences():
    plain, fails = plan.Step(), plan.Step(raises="TypeError")
    assert "PyTorch ends with TypeError" in comparison.difference(
        plain, outcome(), outcome(error="TypeError")
    )
    assert "no error" in comparison.difference(fails, outcome(), outcome())
    mine, reference = (outcome(x=["torch.float32 [2]", s, 9.0]) for s in (1.0, 1.001))
    assert "afterwards x" in comparison.difference(plain, mine, reference)
    assert "names" in comparison.difference(plain, mine, outcome())
    known = plan.Step(differs="^ours$")
    assert comparison.difference(known, outcome("ours\n"), outcome("theirs\n")) == ""
    assert "without the pattern" in comparison.difference(known, outcome("x"), outcome("y"))
    assert "too" in comparison.difference(known, outcome("ours"), outcome("ours"))


def test_tool_compares_documents_with_what_is_stored(root, tmp_path):
    """Five documents that hold nothing are not the stored ones; --check writes nothing."""
    for number in plan.TITLES:
        (tmp_path / f"{number}-x.md").write_text("")
    before = snippets.file_of(1).read_bytes()
    done = subprocess.run(
        [sys.executable, str(Path("tools", "seeds.py")), "extract", str(tmp_path), "--check"],
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and done.stdout.count("out of date") == 5, done.stderr
    assert snippets.file_of(1).read_bytes() == before
