"""Guards the house: imports point down, pure layers stay pure, slow imports stay lazy, names say what is inside.

docs/architecture.md explains the layers; this file enforces them by reading the source, never by running it (but for
the last tests, which look at what starting the program loads).
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import mlvc

PACKAGE = Path(mlvc.__file__).parent
PROGRAMS = PACKAGE / "cli" / "demo_scripts"
"""Programs such as users write; the demo copies them out and runs them. They are data, no part of the layers."""

MODULES = sorted(path for path in PACKAGE.rglob("*.py") if not path.is_relative_to(PROGRAMS))


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())



LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"cli"}),
    frozenset({"web"}),
    frozenset({"integration"}),
    frozenset({"api"}),
    frozenset({"workspace"}),
    frozenset({"working_tree", "runs", "sync", "maintenance", "git", "media"}),
    frozenset({"repository"}),
    frozenset({"objects", "journal"}),
    frozenset({"fold", "lineage"}),
    frozenset({"backend", "format"}),
    frozenset({"atomic_file", "parallel", "progress", "pacing", "derived_database", "git_program", "wording"}),
    frozenset({"errors"}),
)
"""From top to bottom. A part imports only parts of lower rows; `errors` is what even the lowest tools raise."""

PURE = ("format", "fold", "lineage")
IMPURE = words(
    "asyncio ctypes datetime fcntl getpass glob http importlib io locale mmap multiprocessing os pathlib platform random "
    "secrets select shutil signal socket sqlite3 ssl subprocess sys tempfile time urllib uuid"
)
ALLOWED_IMPURITY = {"format/tensor_files/zipped.py": {"io"}}
"""Module -> what it may import all the same: the zip reader of the standard library wants a file to read, and gets one"""

SLOW = words(
    "asyncio cryptography dulwich email http importlib.metadata jinja2 keras matplotlib multiprocessing numpy obstore pandas pathspec platform "
    "PIL psutil pyarrow pygit2 rich sklearn starlette subprocess tomlkit torch urllib.request uvicorn wave"
)
"""Imports of some 20 ms and more, and those that would bring them: they stay inside functions."""

PUBLIC_ATTRIBUTES = words(
    "Api Artifact Audio Html Image Molecule Object3D Plotly Run Settings Table Video agent alert apis artifact config "
    "controller define_metric ensure_configured errors_log finish history init join link_artifact link_model log "
    "log_artifact log_code log_model login mark_preempting patched plot plot_table plots require restore run save sdk "
    "setup summary sweep teardown term termerror termlog termwarn unwatch use_artifact use_model util watch"
)
"""What W&B's users find on the package: a submodule of one of these names would hide it once imported."""

VAGUE = words("base common core helper helpers lib manager managers misc shared stuff util utils")

ENVIRONMENT_READERS = ("workspace/workspace.py", "git_program.py", "derived_database.py")
WORD_LAYERS = ("cli", "api", "integration", "web")


def relative(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


def part_of(module: Path) -> str:
    """Returns the folder, or the module itself, that stands in `LAYERS`."""
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def tree_of(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"), filename=str(module))


def imported(nodes: Iterator[ast.AST]) -> Iterator[tuple[int, str]]:
    """Yields (line, dotted name) of what these nodes import, `from a import b` as `a.b`."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{'.' * node.level}{node.module or ''}.{alias.name}") for alias in node.names)


def imports_anywhere(module: Path) -> list[tuple[int, str]]:
    return list(imported(ast.walk(tree_of(module))))


def outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    """Yields the nodes that run when a module is imported; `if TYPE_CHECKING:` does not."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from outside_functions(child)


def names_below(dotted: str, roots: frozenset[str] | set[str]) -> str | None:
    """Returns the root that an imported name is, or lies below, or None."""
    return next((root for root in roots if dotted == root or dotted.startswith(f"{root}.")), None)


def height_of(part: str) -> int:
    return next(height for height, row in enumerate(LAYERS) if part in row)


def test_every_part_of_the_package_has_its_layer():
    known = frozenset().union(*LAYERS)
    parts = {part_of(module) for module in MODULES} - {"__init__", "__main__"}

    assert parts <= known, f"give these a place in LAYERS and docs/architecture.md: {sorted(parts - known)}"


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_imports_point_down(module: Path):
    """A part imports lower rows only; parts of one row do not know each other."""
    mine = part_of(module)
    wrong = []
    for line, name in imports_anywhere(module):
        assert not name.startswith("."), f"{relative(module)}:{line} imports relatively; write mlvc.… in full"
        parts = name.split(".")
        if parts[0] != "mlvc" or len(parts) < 2:
            continue
        other = parts[1]
        if mine in ("__init__", "__main__") or other == mine or other.startswith("__"):
            continue
        if not (PACKAGE / other).is_dir() and not (PACKAGE / f"{other}.py").is_file():
            allowed = mine in WORD_LAYERS  # an attribute of the package, such as `mlvc.init`
        else:
            allowed = height_of(other) > height_of(mine)
        if not allowed:
            wrong.append(f"line {line}: {mine} imports {name}")

    assert wrong == []


def test_the_package_itself_knows_only_its_public_face():
    """`import mlvc` must stay cheap and must not become a way around the layers."""
    found = {name.split(".")[1] for _, name in imports_anywhere(PACKAGE / "__init__.py") if name.startswith("mlvc.")}

    assert found <= {"api", "errors", "media"}


@pytest.mark.parametrize("module", [m for m in MODULES if part_of(m) in PURE], ids=relative)
def test_pure_layers_reach_for_no_outside_world(module: Path):
    """What bytes and journals mean depends on nothing but them: no disk, clock, network, chance or environment."""
    allowed = ALLOWED_IMPURITY.get(relative(module), set())
    wrong = [(line, name) for line, name in imports_anywhere(module) if names_below(name, IMPURE - allowed)]

    assert wrong == []


@pytest.mark.parametrize("module", [m for m in MODULES if part_of(m) in PURE], ids=relative)
def test_pure_layers_open_no_file(module: Path):
    calls = [n for n in ast.walk(tree_of(module)) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]

    assert [c.lineno for c in calls if c.func.id in ("open", "input", "print", "exec", "eval", "__import__")] == []


@pytest.mark.parametrize("module", [m for m in MODULES if part_of(m) != "web"], ids=relative)
def test_slow_imports_stay_inside_functions(module: Path):
    """The pages are loaded only by who serves them."""
    at_import = imported(outside_functions(tree_of(module)))

    assert [(line, name) for line, name in at_import if names_below(name, SLOW)] == []


@pytest.mark.parametrize("module", [m for m in MODULES if part_of(m) not in ("cli", "api")], ids=relative)
def test_only_the_words_layers_print(module: Path):
    calls = [n for n in ast.walk(tree_of(module)) if isinstance(n, ast.Call)]

    assert [c.lineno for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"] == []
    assert [n.lineno for n in ast.walk(tree_of(module)) if _is_attribute(n, "sys", ("stdout", "stderr"))] == []


@pytest.mark.parametrize(
    "module",
    [m for m in MODULES if part_of(m) not in ("cli", "api") and relative(m) not in ENVIRONMENT_READERS],
    ids=relative,
)
def test_the_environment_is_read_in_few_places(module: Path):
    """Below them, what a variable says is an argument."""
    touched = [n.lineno for n in ast.walk(tree_of(module)) if _is_attribute(n, "os", ("environ", "getenv", "putenv"))]

    assert touched == []


def _is_attribute(node: ast.AST, owner: str, names: tuple[str, ...]) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr in names
        and isinstance(node.value, ast.Name)
        and node.value.id == owner
    )


def test_no_submodule_hides_a_public_name():
    """`import mlvc.run` would set `mlvc.run` to the module, over the run under way."""
    names = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}

    assert names & PUBLIC_ATTRIBUTES == set()


def test_no_module_has_a_name_that_says_nothing():
    vague = [relative(m) for m in MODULES if VAGUE & {part.removesuffix(".py") for part in m.relative_to(PACKAGE).parts}]

    assert vague == []


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_modules_are_short_and_say_what_they_are(module: Path):
    text = module.read_text(encoding="utf-8")

    assert text.count("\n") <= 600, "a file of more than 600 lines seldom holds one idea"
    assert ast.get_docstring(tree_of(module)), "a module opens by saying what it is"


@pytest.mark.parametrize("part", sorted({part_of(m) for m in MODULES if m.parent != PACKAGE}))
def test_modules_of_one_part_do_not_import_each_other_in_a_circle(part: str):
    """Counts what is imported when a module loads; an import inside a function cannot close a circle."""
    own = {f"mlvc.{relative(m).removesuffix('.py').replace('/', '.')}".removesuffix(".__init__"): m for m in MODULES}
    graph = {
        name: {found for _, n in imported(outside_functions(tree_of(m))) if (found := names_module(n, own)) and found != name}
        for name, m in own.items()
        if part_of(m) == part
    }
    while leaves := [name for name, below in graph.items() if not below & graph.keys()]:
        for name in leaves:
            del graph[name]

    assert sorted(graph) == []


def names_module(dotted: str, modules: dict[str, Path]) -> str | None:
    """Returns the module that `from a.b import c`, written as `a.b.c`, loads."""
    return dotted if dotted in modules else (parent if (parent := dotted.rpartition(".")[0]) in modules else None)


def loaded_by(statement: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}; import sys; print('\\n'.join(sys.modules))"],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("statement", ["import mlvc", "import mlvc.cli.main"])
def test_starting_loads_nothing_slow(statement: str):
    loaded = loaded_by(statement)
    bare = loaded_by("import click")  # click's own imports, and what an editable install loads before anyone asks

    assert (loaded - bare) & SLOW == set()


def test_importing_the_package_does_not_load_the_command_line():
    assert {name for name in loaded_by("import mlvc") if name.startswith(("mlvc.cli", "click"))} == set()
