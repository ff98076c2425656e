"""Every command and every example in the READMEs runs, and prints what the README says."""

import re
import shlex
import subprocess
import sys

import pytest

READMES = ("README.md", "README.zh.md")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.M | re.S)
# Make targets take minutes, and `make test` would call this test: their rules are checked by a dry
# run here, and run for real by `.ci/run`.
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)")


def blocks(root, readme, *languages):
    text = (root / readme).read_text(encoding="utf-8")
    return [(language, body) for language, body in BLOCK.findall(text) if language in languages]


def commands(root, readme):
    for _, body in blocks(root, readme, "bash", "sh", "console"):
        for line in body.splitlines():
            line = line.split("#")[0].strip()
            if line:
                yield from (part.strip() for part in line.split("&&"))


def test_readmes_have_the_same_code(root):
    """The translation changes words, not commands or code (comments aside)."""
    code = [
        [(language, re.sub(r"\s*#.*", "", body)) for language, body in blocks(root, readme, *LANGS)]
        for readme in READMES
    ]
    assert code[0] == code[1]


LANGS = ("bash", "python", "text")


@pytest.mark.parametrize("readme", READMES)
def test_commands(readme, root):
    found = list(commands(root, readme))
    assert found
    for command in found:
        words = shlex.split(command)
        if words[0] == "make":
            run(["make", "-n", *words[1:]], root)
        elif words[0] == ".ci/run":
            run(["bash", "-n", ".ci/run"], root)
        elif words[0] in ("python", ".venv/bin/python"):
            run([sys.executable, *words[1:]], root, timeout=300)
        elif words[:2] == ["pip", "install"]:
            check_install(words[2:], root)
        else:
            pytest.fail(f"{readme} has a command that no test knows: {command}")


@pytest.mark.parametrize("readme", READMES)
def test_examples(readme, root, tmp_path):
    """A ```text block after a ```python block is what the latter prints."""
    found = blocks(root, readme, "python", "text")
    assert any(language == "python" for language, _ in found)
    for (language, body), (following, expected) in zip(found, found[1:] + [("", "")]):
        if language == "python":
            done = run([sys.executable, "-c", body], tmp_path)
            if following == "text":
                assert done.stdout.strip() == expected.strip()


@pytest.mark.parametrize("page", ["README.md", "README.zh.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(page, root):
    for target in LINK.findall((root / page).read_text(encoding="utf-8")):
        assert (root / target).exists(), f"{page} links to {target}"


def check_install(words, root):
    """The extras that a `pip install` names exist; the wheel itself is installed by `.ci/run`."""
    text = (root / "pyproject.toml").read_text()
    for word in words:
        name, _, extra = word.strip("'\".").partition("[")
        assert name in ("", "lampas")
        if extra:
            assert re.search(rf"^{extra.rstrip(']')} = \[", text, re.M), word


def run(words, folder, timeout=120):
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, f"{words}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done
