"""The pages of docs/: links lead somewhere, and lists of files and pages are whole.

What the code on them prints is tested where they are run as doctests.
"""

import re
from pathlib import Path

import pytest

import funcgrad

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]


def without_code(page):
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def anchors(page):
    """What links to headings of a page end in, as GitHub makes it of them."""
    headings = re.findall(r"^#+ (.*)$", without_code(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for path, anchor in re.findall(r"\]\(([\w./-]*\.md|)(?:#([\w-]+))?\)", without_code(page)):
        file = page.parent / path if path else page
        assert file.is_file(), path
        assert not anchor or anchor in anchors(file), f"{path}#{anchor}"


def named_in(page):
    """The files that stand in the tables of a page between back-quotes."""
    rows = [line for line in without_code(DOCS / page).splitlines() if line.startswith("|")]
    return set(re.findall(r"`([\w/]+(?:\.py|/))`", "\n".join(rows)))


def test_the_index_has_every_page_and_every_example():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES[1:] if f"({page.name})" not in index] == ["index.md"]
    examples = {file.name for file in (ROOT / "examples").glob("*.py")}
    seeds = {name for name in examples if name.startswith("seed_")}
    assert named_in("index.md") - seeds == examples - seeds
    assert {min(seeds), max(seeds)} <= named_in("index.md")


def test_the_table_of_rooms_has_every_room():
    package = Path(funcgrad.__file__).parent
    files = {file.name for file in package.glob("*.py")} - {"__init__.py"}
    folders = {f"{file.parent.name}/" for file in package.glob("*/__init__.py")}
    assert named_in("how-it-works.md") == files | folders
