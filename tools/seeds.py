"""The seeds, five documents from which the project came: their code as test data, and the results.

    python tools/seeds.py extract FOLDER [--check]   tests/seeds/documents from the documents
    python tools/seeds.py table [--check]            docs/seeds.md, by running both libraries

With --check nothing is written; the exit status tells whether the files are up to date. The table
needs PyTorch and the built package, as the tests do.
"""

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "src")]

from seeds import comparison, plan, snippets, table  # noqa: E402


def extracted_files(folder):
    """{path: text} of the stored snippets, made from the documents in `folder`."""
    files = {}
    for number in plan.TITLES:
        (document,) = Path(folder).glob(f"{number}-*.md")
        blocks = snippets.extracted(number, document)
        files[snippets.file_of(number)] = snippets.as_text(number, blocks)
    return files


def table_files():
    with tempfile.TemporaryDirectory() as folder:
        return {ROOT / "docs" / "seeds.md": table.page(comparison.run_both(Path(folder)))}


def settle(files, check):
    """Write the files, or with `check` count those that differ."""
    stale = 0
    for path, text in files.items():
        name = path.relative_to(ROOT)
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale += 1
            print(f"{name} is out of date; run tools/seeds.py without --check")
    return stale


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    extract = commands.add_parser("extract", help="the snippets from the documents")
    extract.add_argument("folder", help="where the five documents are")
    show = commands.add_parser("table", help="docs/seeds.md")
    for command in (extract, show):
        command.add_argument("--check", action="store_true", help="write nothing")
    args = parser.parse_args(argv)
    files = extracted_files(args.folder) if args.command == "extract" else table_files()
    return settle(files, args.check)


if __name__ == "__main__":
    sys.exit(bool(main()))
