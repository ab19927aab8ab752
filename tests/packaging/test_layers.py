from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def imported(file: Path) -> set[str]:
    """The top-level packages that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_imports_go_one_way() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    said = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert said.returncode == 0, said.stdout + said.stderr


def test_migrations_know_the_database_package_and_alembic_and_nothing_else() -> None:
    allowed = {"inpaint_core", "inpaint_db", "alembic", "sqlalchemy", "__future__"} | sys.stdlib_module_names
    files = list((ROOT / "migrations").rglob("*.py"))
    assert len(files) >= 2
    assert {file.name: imported(file) - allowed for file in files if imported(file) - allowed} == {}


def test_every_package_lies_in_its_component_and_says_that_it_is_typed() -> None:
    packages = sorted(path.parent for path in ROOT.glob("*/inpaint_*/py.typed"))
    assert len(packages) >= 5
    found = sorted(path.parent for path in ROOT.glob("*/inpaint_*/__init__.py"))
    assert found == packages
    assert [package for package in packages if package.name != f"inpaint_{package.parent.name}"] == []


def test_no_file_imports_a_package_through_the_name_of_its_folder() -> None:
    folders = {"core", "db", "producer", "worker", "benchmark", "fleet", "web"}
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    assert {file.name: imported(file) & folders for file in files if imported(file) & folders} == {}
