"""Nothing is done for a page or a route that does not say what it is: the code itself is looked at."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from plantid_core.access.rules import RULES, Action
from plantid_core.desk import Desk, Office, OwnCollection

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
WEB, DESK = (ROOT / "plantid_core" / room for room in ("web", "desk"))
# Where the workbench is opened, handed to guards and routes, and turned into a desk.
ENTRUSTED = [WEB / "application.py", WEB / "session.py", WEB / "guards", WEB / "api"]
OPENED = {"workbench", "open_workbench", "close_workbench"}
ASKING = {
    "Entry", "Guarded", "_mine", "may", "owner_for", "require", "shut", "workbench_for",
}  # fmt: skip
# What tells of the caller, or asks by another method.
TELLING = {
    "collection", "identify", "keeps_at_once", "may", "office", "owner", "owner_for",
    "principal", "require", "settings", "still_in", "user", "workbench_for",
}  # fmt: skip


def modules(*roots: Path) -> Iterator[tuple[Path, ast.Module]]:
    for root in roots:
        for path in sorted(root.rglob("*.py") if root.is_dir() else [root]):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def reaching(tree: ast.Module) -> list[str]:
    """Return where a module takes hold of the workbench itself."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found += [f"{node.lineno}: {one.name}" for one in node.names if one.name in OPENED]
        if isinstance(node, ast.Attribute):
            of_self = isinstance(node.value, ast.Name) and node.value.id == "self"
            if node.attr in OPENED and ast.unparse(node.value) == "application":
                found.append(f"{node.lineno}: {ast.unparse(node)}")
            if node.attr == "_workbench" and not of_self:
                found.append(f"{node.lineno}: {ast.unparse(node)}")
    return found


def named(tree: ast.AST) -> set[str]:
    """Return the actions that a module asks for by name."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            name = node.func.id if isinstance(node.func, ast.Name) else name
            if name in ASKING:
                texts = [one.value for one in node.args if isinstance(one, ast.Constant)]
                found |= {text for text in texts if isinstance(text, str) and text in RULES}
    return found


def test_no_page_and_no_panel_reaches_the_workbench() -> None:
    """They are given a desk, which asks who it is for."""
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path, tree in modules(ROOT / "app.py", ROOT / "pages", WEB)
        if not any(path == one or one in path.parents for one in ENTRUSTED)
        for line in reaching(tree)
    ]

    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "from plantid_core.web.application import workbench",
        "from plantid_core.web import application\napplication.workbench().collection",
        "from plantid_core.workbench import open_workbench as mine",
        "desk()._workbench.collection",
    ],
)
def test_whoever_reaches_for_it_is_found(code: str) -> None:
    """Each way there is to it."""
    assert reaching(ast.parse(code))


def test_every_action_has_a_rule_and_a_use() -> None:
    """No rule stands for nothing, and none is missing."""
    used = set[str]().union(*(named(tree) for _, tree in modules(ROOT / "pages", WEB, DESK)))

    assert set(RULES) == set(get_args(Action))
    assert set(RULES) - used == set()


@pytest.mark.parametrize("cls", [Desk, OwnCollection, Office], ids=lambda cls: cls.__name__)
def test_every_method_of_a_desk_names_its_action(cls: type) -> None:
    """A method that were added without one would be open to everybody."""
    tree = ast.parse(inspect.getsource(cls)).body[0]
    assert isinstance(tree, ast.ClassDef)
    methods = [one for one in tree.body if isinstance(one, ast.FunctionDef)]

    public = {one.name: named(one) for one in methods if not one.name.startswith("_")}

    assert len(public) > 3
    assert {name for name, actions in public.items() if not actions} <= TELLING
