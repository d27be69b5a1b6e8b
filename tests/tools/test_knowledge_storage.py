"""The knowledge base in an object store, against a real S3 server in a process of its own that checks its callers' keys."""

import importlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from collections_of import Shelves
from pydantic import SecretStr

from tools.base import Access, Caller, Collection, NotFound, SetupError, Unavailable
from tools.knowledge import KnowledgeConfig
from tools.knowledge.erasure import purge
from tools.knowledge.library import Inline, Library
from tools.knowledge.place import Place
from tools.knowledge.searching import Models
from tools.knowledge.vectors import vector_tables

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
ANNA = Caller(subject="anna", tenant="stadt", groups=frozenset({"personal"}))
BERT = Caller(subject="bert", tenant="stadt")
DORA = Caller(subject="dora", tenant="kreis")
BAD = "Das Freibad öffnet um neun Uhr."
AKTE = "Die Abmahnung wurde im Freibad zugestellt."

SERVER = """
import sys
from moto.server import main
main(["-H", "127.0.0.1", "-p", sys.argv[1]])
"""
BUCKET = """
import json, sys, boto3
said = dict(region_name="eu-central-1", endpoint_url=sys.argv[1], aws_access_key_id="x", aws_secret_access_key="x")
iam = boto3.client("iam", **said)
iam.create_user(UserName="partitur")
key = iam.create_access_key(UserName="partitur")["AccessKey"]
allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
iam.put_user_policy(UserName="partitur", PolicyName="all", PolicyDocument=json.dumps(allowed))
where = {"LocationConstraint": "eu-central-1"}
boto3.client("s3", **said).create_bucket(Bucket="akten", CreateBucketConfiguration=where)
print(json.dumps([key["AccessKeyId"], key["SecretAccessKey"]]))
"""


@dataclass(frozen=True)
class Bucket:
    """An S3 server with a bucket, and the keys that it accepts."""

    process: subprocess.Popen[bytes]
    endpoint: str
    key: str
    secret: str

    def config(self, home: Path, *, storage: str = "s3://akten/partitur", **options: str) -> KnowledgeConfig:
        plain = {
            "aws_endpoint": self.endpoint,
            "aws_access_key_id": self.key,
            "aws_secret_access_key": self.secret,
            "aws_region": "eu-central-1",
            "allow_http": "true",
        } | options
        return KnowledgeConfig(
            home=home, storage=storage, storage_options={name: SecretStr(value) for name, value in plain.items()}
        )


def started() -> Bucket:
    """Its first four acts are open to everyone: making the bucket and who may use it. All others need the key."""
    import socket

    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        port = plug.getsockname()[1]
    environment = {**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": "4"}
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(port)], env=environment, stdout=quiet, stderr=quiet)
    endpoint = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{endpoint}/moto-api/").close()
            break
        except OSError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
    made = subprocess.run([sys.executable, "-c", BUCKET, endpoint], capture_output=True, check=True, timeout=60)
    key, secret = json.loads(made.stdout)
    return Bucket(process, endpoint, key, secret)


@pytest.fixture(scope="module")
def bucket() -> Generator[Bucket]:
    importlib.import_module("tools.knowledge.store")
    found = started()
    yield found
    found.process.kill()
    found.process.wait()


@pytest.fixture
def shelves() -> Shelves:
    return Shelves({"personal": Collection(name="personal", owner="anna", readers=Access(groups=("personal",)))})


class Lengths:
    """An embedding model in memory."""

    id = "lengths"

    async def passages(self, texts: Sequence[str]) -> list[list[float]]:
        return [[float(len(text)), 1.0] for text in texts]

    async def query(self, text: str) -> list[float]:
        return [float(len(text)), 1.0]


def doc(name: str, text: str) -> list[Inline]:
    return [Inline(name, text.encode())]


async def found(library: Library, query: str, caller: Caller = ANNA) -> list[str]:
    return sorted(passage.document for passage in (await library.search(query, caller=caller)).passages)


async def test_what_one_machine_brings_another_finds_replaces_and_deletes(
    bucket: Bucket, tmp_path: Path, shelves: Shelves
) -> None:
    first = Library(bucket.config(tmp_path / "one"), shelves)
    assert (await first.ingest(documents=doc("bad.txt", BAD), caller=ANNA)).read == 1
    second = Library(bucket.config(tmp_path / "two"), shelves)  # a home of its own, empty
    assert await found(second, "Freibad") == ["bad.txt"]
    assert (await second.text("bad.txt", ANNA)).text == BAD
    assert (await second.ingest(documents=doc("bad.txt", BAD), caller=ANNA)).unchanged == 1
    assert (await second.ingest(documents=doc("bad.txt", BAD + " Immer."), caller=ANNA)).replaced == 1
    assert [one.text for one in (await first.search("Freibad", caller=ANNA)).passages] == [BAD + " Immer."]
    assert (await first.delete(["bad.txt"], ANNA)).deleted == ["bad.txt"]
    assert await found(second, "Freibad") == []
    assert not list(tmp_path.rglob("*.lance"))


async def test_tenants_and_collections_are_as_closed_there_as_on_a_disk(
    bucket: Bucket, tmp_path: Path, shelves: Shelves
) -> None:
    config = bucket.config(tmp_path, storage="s3://akten/closed")
    library = Library(config, shelves, Models(Lengths()))
    await library.ingest(documents=doc("bad.txt", BAD), caller=BERT)
    await library.ingest(documents=doc("akte.txt", AKTE), caller=ANNA, collection="personal")
    assert await found(library, "Freibad") == ["bad.txt", "personal:akte.txt"]
    assert await found(library, "Freibad", BERT) == ["bad.txt"]
    assert await found(library, "Freibad", DORA) == []
    with pytest.raises(NotFound):
        await library.text("personal:akte.txt", BERT)
    assert len(await vector_tables(await Place.of(config, "stadt").connect())) == 1


async def test_what_is_purged_can_be_read_in_no_older_version(bucket: Bucket, tmp_path: Path, shelves: Shelves) -> None:
    config = bucket.config(tmp_path, storage="s3://akten/purged")
    library = Library(config, shelves, Models(Lengths()))
    await library.ingest(documents=[*doc("bad.txt", BAD), *doc("akte.txt", AKTE)], caller=ANNA)
    await library.delete(["akte.txt"], ANNA)
    done = await purge(library, "stadt")
    assert (done["tables"], done["rows"], done["versions"], done["older"]) == (4, 4, 0, 0)
    assert await found(library, "Abmahnung Freibad") == ["bad.txt"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"aws_access_key_id": "AKIAFALSCH"}, "refuses access to 's3://akten' (InvalidAccessKeyId)"),
        ({"aws_secret_access_key": "falsch"}, "refuses access to 's3://akten' (SignatureDoesNotMatch)"),
        ({"storage": "s3://nirgends/partitur"}, "has no bucket 's3://nirgends' (NoSuchBucket)"),
    ],
)
async def test_wrong_keys_and_absent_buckets_are_named_without_a_secret(
    bucket: Bucket, tmp_path: Path, change: dict[str, str], said: str
) -> None:
    library = Library(bucket.config(tmp_path, **change))
    with pytest.raises(SetupError) as raised:
        await library.search("Freibad", caller=ANNA)
    assert said in raised.value.message
    assert "under [knowledge] in partitur.toml" in raised.value.hint
    told = repr(raised.value) + str(raised.value) + str(raised.value.__cause__)
    assert not [secret for secret in (bucket.key, bucket.secret, "AKIAFALSCH", "falsch") if secret in told]


async def test_a_server_that_is_down_is_unavailable(tmp_path: Path) -> None:
    bucket = started()
    try:
        hasty = {"client_max_retries": "0", "timeout": "2s", "connect_timeout": "1s"}
        library = Library(bucket.config(tmp_path, **hasty))
        await library.ingest(documents=doc("bad.txt", BAD), caller=ANNA)
    finally:
        bucket.process.kill()
        bucket.process.wait()
    for ask in (
        lambda: library.search("Freibad", caller=ANNA),
        lambda: library.delete(["bad.txt"], ANNA),
        lambda: Library(library.config).search("Freibad", caller=ANNA),
    ):
        with pytest.raises(Unavailable, match="'s3://akten' does not answer"):
            await ask()


def test_the_settings_alone_put_the_documents_of_the_command_line_there(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_text(BAD, encoding="utf-8")
    options = ", ".join(
        f'{name} = "{value.get_secret_value()}"' for name, value in bucket.config(tmp_path).storage_options.items()
    )
    (tmp_path / "partitur.toml").write_text(
        f'[knowledge]\nstorage = "s3://akten/settings"\nstorage_options = {{{options}}}\n', encoding="utf-8"
    )
    said: list[str] = []
    for home, *command in (("one", "ingest", str(tmp_path / "bad.txt")), ("two", "documents")):
        started = [
            sys.executable,
            "-c",
            "from server.cli import main; main()",
            "--home",
            str(tmp_path / home),
            *command,
        ]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        done = subprocess.run(
            started, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert "Documents: 1 new" in said[0]
    assert "bad.txt" in said[1]
    assert not list(tmp_path.rglob("*.lance"))
