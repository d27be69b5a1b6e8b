"""Tests of how LanceDB is imported, in a process of its own: what it does not need is not built, what it needs is real."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(60)

ROOT = Path(__file__).parent.parent.parent
LOOK = """
import sys
from tools.knowledge.lance import lancedb
assert not [name for name in sys.modules if name.startswith("lance_namespace_urllib3_client.api")]
from lance_namespace import ListTablesRequest
assert ListTablesRequest(id=["a"]).model_dump()["id"] == ["a"]
assert ListTablesRequest.__module__.startswith("lance_namespace_urllib3_client.models")
db = lancedb.connect(sys.argv[1])
table = db.create_table("town", [{"text": "Freibad"}])
assert db.open_table("town").count_rows() == 1
"""


def test_the_client_for_remote_catalogs_is_not_built_and_the_data_models_are_real(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", LOOK, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
