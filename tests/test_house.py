"""The house rules that no linter knows: sizes, depth, public names, floors of the ground, and what importing may do."""

import ast
import importlib.metadata
import re
import sys
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("agents", "compositions", "evals", "prompts", "server", "tools")
BESIDE = ("benchmarks", "deploy", "examples", "tests")

TOP_HANDLERS = {
    "agents/kit/gate.py": "a guard that breaks refuses, whatever broke it",
    "compositions/catalog.py": "whatever a plug-in raises while it is imported stops the start, with its name",
    "server/app.py": "the top of an HTTP request",
    "server/batch_runner.py": "the top of a request of a batch",
    "server/cli.py": "the top of a command",
    "server/doctor.py": "a check that breaks must not keep the others from being made",
    "server/identity.py": "the door: whatever breaks there lets nobody in",
    "server/mcp_call.py": "the top of an MCP request",
    "server/streaming.py": "the top of a streamed answer, whose status has been sent",
    "server/responses/background.py": "the top of work that no request waits for",
    "server/work.py": "the top of work in the background",
    "server/worker.py": "the top of a worker, which hands its failure to its parent",
    "tools/child.py": "the top of a child process, which hands its failure to its parent",
    "tools/knowledge/alone.py": "the top of a member of a container, which fails alone",
    "tools/knowledge/worker.py": "the top of a child process, which hands its failure to its parent",
}
"""Where anything may be caught, and why."""


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def sources(*folders: str) -> list[Path]:
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return sorted(path for path in found if "__pycache__" not in path.parts and "node_modules" not in path.parts)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_file_is_over_400_lines() -> None:
    lengths = {name_of(path): path.read_text(encoding="utf-8").count("\n") for path in sources(*PACKAGES, *BESIDE)}
    assert {name: length for name, length in lengths.items() if length > 400} == {}
    assert len(lengths) > 20


def test_folders_are_at_most_two_deep() -> None:
    deep = {name_of(path) for path in sources(*PACKAGES) if len(path.relative_to(ROOT).parts) > 3}
    assert deep == set()


def test_there_are_no_files_named_after_nothing() -> None:
    vague = {"utils.py", "util.py", "helpers.py", "helper.py", "common.py", "misc.py"}
    assert [name_of(path) for path in sources(*PACKAGES) if path.name in vague] == []


def test_all_names_what_there_is_and_a_package_exports_all_it_imports_for_that() -> None:
    wrong: dict[str, set[str]] = {}
    for path in sources(*PACKAGES):
        declared = declared_names(tree(path))
        if declared is None:
            continue
        package = path.relative_to(ROOT).parent.as_posix().replace("/", ".")
        is_package = path.name == "__init__.py"
        bound, public = bound_names(tree(path), package if is_package else None)
        public = public if is_package else set[str]()  # within a package, its modules may share more than they export
        lazy = "__getattr__" in bound
        if difference := (set() if lazy else set(declared) - bound) | (public - set(declared)):
            wrong[name_of(path)] = difference
    assert wrong == {}


def test_every_package_says_what_is_public() -> None:
    packages = [path for path in sources(*PACKAGES) if path.name == "__init__.py"]
    silent = [name_of(path) for path in packages if tree(path).body[1:] and declared_names(tree(path)) is None]
    assert silent == []


def declared_names(module: ast.Module) -> list[str] | None:
    for node in module.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return ast.literal_eval(node.value)
    return None


def bound_names(module: ast.Module, package: str | None) -> tuple[set[str], set[str]]:
    """All names a module binds, and those of them that ought to be public: its own definitions, a package's re-exports."""
    bound: set[str] = set()
    public: set[str] = set()
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
            if not node.name.startswith("_"):
                public.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.asname or alias.name.partition(".")[0] for alias in node.names}
            bound |= names
            if package and isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"{package}."):
                public |= {name for name in names if not name.startswith("_")}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            bound |= {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}
        elif isinstance(node, ast.If | ast.Try):
            bound |= bound_names(ast.Module(body=node.body, type_ignores=[]), None)[0]
    return bound, public


def test_no_other_distribution_installs_our_names() -> None:
    owners = importlib.metadata.packages_distributions()
    intruders = {name: set(owners.get(name, ())) - {"partitur"} for name in PACKAGES}
    assert {name: others for name, others in intruders.items() if others} == {}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the files in the wheel."""
    from hatchling.builders.wheel import WheelBuilder

    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("dist")), versions=["standard"])
    with zipfile.ZipFile(built) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_the_six_packages_with_their_types_and_nothing_else(wheel: set[str]) -> None:
    tops = {name.partition("/")[0] for name in wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    assert {f"{name}/py.typed" for name in PACKAGES} <= wheel
    assert [name for name in wheel if re.search(r"__pycache__|\.pyc$|^tests/|\.db$|\.lance", name)] == []


def test_the_wheel_brings_prompts_and_licence(wheel: set[str]) -> None:
    prompts = {f"prompts/library/{path.name}" for path in (ROOT / "prompts/library").glob("*.md")}
    assert prompts
    assert prompts <= wheel
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel)


def test_only_the_settings_read_the_environment() -> None:
    readers = {name_of(path) for path in sources(*PACKAGES) if reads_environment(tree(path))}
    assert readers <= {"server/settings.py"}


def reads_environment(module: ast.Module) -> bool:
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            names = {node.attr}
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            names = {alias.name for alias in node.names}
        else:
            continue
        if names & {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}:
            return True
    return False


def test_importing_sets_up_no_logging_and_filters_no_warnings() -> None:
    forbidden = {"basicConfig", "filterwarnings", "simplefilter", "dictConfig", "load_dotenv", "set_tracer_provider"}
    found = {
        f"{name_of(path)}:{node.lineno}"
        for path in sources(*PACKAGES)
        for node in on_import(tree(path).body)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in forbidden
    }
    assert found == set()


def on_import(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """What runs when a module is imported: everything but the insides of functions."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.ClassDef | ast.If | ast.Try | ast.With):
            yield from on_import(node.body)
        else:
            yield from ast.walk(node)


def test_anything_is_caught_only_at_the_top() -> None:
    found = {
        name_of(path) for path in sources(*PACKAGES) if any(catches_anything(node) for node in ast.walk(tree(path)))
    }
    assert found - TOP_HANDLERS.keys() == set()


def catches_anything(node: ast.AST) -> bool:
    """A handler for everything that does not hand it on."""
    if not isinstance(node, ast.ExceptHandler):
        return False
    kinds = [None] if node.type is None else node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    broad = any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException")) for kind in kinds
    )
    hands_on = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
    return broad and not hands_on


def test_a_suppression_says_why() -> None:
    bare = re.compile(r"#\s*(?:noqa(?::\s*[A-Z0-9, ]+)?|(?:pyright|type): ignore(?:\[[\w, -]+\])?)\W*$")
    found = [
        f"{name_of(path)}:{at}"
        for path in sources(*PACKAGES, "benchmarks", "deploy")
        for at, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if bare.search(line)
    ]
    assert found == []


def test_the_ground_and_the_contracts_of_tools_are_light() -> None:
    """They are imported while the catalog loads, by every command: standard library, pydantic and the ground alone."""
    light = [*sources("tools/base"), *(ROOT / "tools").glob("*/__init__.py")]
    heavy = {
        f"{name_of(path)}: {name}"
        for path in light
        for node in on_import(tree(path).body)
        for name in imported(node)
        if name.partition(".")[0] not in {*sys.stdlib_module_names, "pydantic"}
        and not name.startswith(("tools.base", f"tools.{path.parent.name}."))
    }
    assert heavy == set()


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def test_the_lock_names_the_public_index_alone() -> None:
    lock = (ROOT / "uv.lock").read_text(encoding="utf-8")
    hosts = set(re.findall(r"https?://([^/\"]+)", lock))
    assert hosts == {"pypi.org", "files.pythonhosted.org"}
