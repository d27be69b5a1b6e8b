import asyncio
import datetime
import gzip
import ipaddress
import ssl
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tools.base import Caller, Failed, Forbidden, InvalidInput, NotFound, PartiturError, TimedOut, TooLarge, Unavailable
from tools.knowledge import KnowledgeConfig
from tools.knowledge.fetch import fetch
from tools.knowledge.library import Library

pytestmark = pytest.mark.anyio

PAGE = "<h1>Freibad</h1><p>Das Freibad öffnet um 9 Uhr.</p>".encode()
Answer = bytes | Callable[[asyncio.StreamWriter], object]


def answer(body: bytes = b"", status: int = 200, **headers: str) -> bytes:
    fields = {"content-length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode() + body


class Site:
    """A real server on loopback that says what it is told to, and notes what it was asked."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.heads: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            self.asked.append(path := head.split()[1])
            said = self.answers[path]
            if callable(said):
                said(writer)
                await reader.read()  # until the other side has had enough
            else:
                writer.write(said)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def site(answers: dict[str, Answer], tls: ssl.SSLContext | None = None) -> AsyncGenerator[Site]:
    made = Site(answers)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


def config(made: Site, host: str = "127.0.0.1", **given: object) -> KnowledgeConfig:
    return KnowledgeConfig.model_validate({"home": "unused", "url_private_hosts": [f"{host}:{made.port}"], **given})


async def refusal(made: Site, path: str, kind: type[PartiturError], **given: object) -> str:
    with pytest.raises(kind) as caught:
        await fetch(f"http://127.0.0.1:{made.port}{path}", config(made, "127.0.0.1", **given))
    assert type(caught.value) is kind
    assert "Expected" in caught.value.message
    assert caught.value.hint
    return caught.value.message


async def test_a_document_is_named_after_its_address_and_kind() -> None:
    cases = {
        "/": ("text/html; charset=utf-8", "/index.html"),
        "/freibad.php?id=7&x=a/b": ("text/html", "/freibad.php-id=7&x=a/b.html"),
        "/Geb%C3%BChren.pdf": ("application/pdf", "/Gebühren.pdf"),
        "/download": ("application/pdf", "/download.pdf"),
        "/satzung.docx": ("application/octet-stream", "/satzung.docx"),
        "/readme.md": ("text/plain", "/readme.md"),
        "/notiz": ("text/plain", "/notiz.txt"),
        "/seite.htm": ("text/html", "/seite.htm"),
        "/daten.jsonl": ("application/x-ndjson", "/daten.jsonl"),
        "/buch.epub": ("application/epub+zip", "/buch.epub"),
    }
    async with site({path: answer(PAGE, content_type=kind) for path, (kind, _) in cases.items()}) as made:
        for path, (_, name) in cases.items():
            found = await fetch(f"http://127.0.0.1:{made.port}{path}#x", config(made, readers_extra={"epub": "a:B"}))
            assert found.name == f"127.0.0.1:{made.port}{name}"
            assert found.source == f"http://127.0.0.1:{made.port}{path}"
            assert found.data == PAGE


async def test_nothing_of_ours_goes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    moved = answer(status=302, location="/b.txt", set_cookie="a=b")
    async with site({"/a": moved, "/b.txt": answer(b"Text", content_type="text/plain")}) as made:
        found = await fetch(f"http://127.0.0.1:{made.port}/a", config(made))
    assert (found.data, found.source) == (b"Text", f"http://127.0.0.1:{made.port}/a")
    names = {line.partition(":")[0].lower() for head in made.heads for line in head.split("\r\n")[1:] if line}
    assert names == {"host", "connection", "accept", "accept-encoding", "user-agent"}


async def test_what_cannot_be_read_is_told_without_what_was_answered() -> None:
    secret = b"<p>geheim</p>"
    answers: dict[str, Answer] = {
        "/gone": answer(secret, 404),
        "/locked": answer(secret, 401),
        "/broken": answer(secret, 500),
        "/partial": answer(secret, 206, content_type="text/html"),
        "/film.mp4": answer(secret, content_type="video/mp4"),
        "/film": answer(secret),
        "/packed": answer(secret, content_type="text/html", content_encoding="br"),
        "/nothing": answer(secret, 302),
        "/noise": b"geheim\r\n\r\n",
        "/shut": b"",
    }
    async with site(answers) as made:
        assert "answered 404" in await refusal(made, "/gone", NotFound)
        for path, said in (("/locked", "401"), ("/broken", "500"), ("/partial", "206"), ("/nothing", "302")):
            assert f"answered {said}" in await refusal(made, path, Failed)
        assert "'video/mp4'" in await refusal(made, "/film.mp4", InvalidInput)
        assert "'unknown'" in await refusal(made, "/film", InvalidInput)
        assert "'br'" in await refusal(made, "/packed", Failed)
        assert "geheim" not in await refusal(made, "/noise", Failed)
        await refusal(made, "/shut", Unavailable)
    await refusal(made, "/", Unavailable)


async def test_size_is_limited_while_it_is_read_and_unpacked() -> None:
    def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\ncontent-type: text/plain\r\n\r\n" + b"x" * 300_000)

    bomb = gzip.compress(b"\0" * 30_000_000)
    answers: dict[str, Answer] = {
        "/declared": b"HTTP/1.1 200 X\r\ncontent-type: text/plain\r\ncontent-length: 9999999999\r\n\r\n",
        "/endless": endless,
        "/bomb": answer(bomb, content_type="text/plain", content_encoding="gzip"),
        "/bombs": answer(gzip.compress(b"a") * 150_000, content_type="text/plain", content_encoding="gzip"),
        "/packed": answer(gzip.compress(PAGE) + gzip.compress(PAGE), content_type="text/html", content_encoding="gzip"),
        "/exact": answer(gzip.compress(b"\0" * 100_000), content_type="text/plain", content_encoding="gzip"),
        "/cut": answer(gzip.compress(PAGE)[:-9], content_type="text/html", content_encoding="gzip"),
        "/lie": answer(PAGE, content_type="text/html", content_encoding="gzip"),
        "/heads": b"HTTP/1.1 200 X\r\n" + b"".join(b"x-%d: y\r\n" % at for at in range(200)) + b"\r\n",
        "/head": b"HTTP/1.1 200 X\r\nx: " + b"y" * 20_000 + b"\r\n\r\n",
    }
    async with site(answers) as made:
        for path in ("/declared", "/endless", "/bomb", "/bombs"):
            assert "more than 100,000 bytes" in await refusal(made, path, TooLarge, max_file_bytes=100_000)
        for path in ("/cut", "/lie", "/heads", "/head"):
            await refusal(made, path, Failed)
        for path, data in (("/packed", PAGE * 2), ("/exact", b"\0" * 100_000)):
            found = await fetch(f"http://127.0.0.1:{made.port}{path}", config(made, max_file_bytes=100_000))
            assert found.data == data


async def test_time_is_limited_for_the_first_byte_and_for_all_of_them() -> None:
    def silent(writer: asyncio.StreamWriter) -> None:
        """Says nothing."""

    def slow(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\ncontent-type: text/plain\r\n\r\nabc")

    async with site({"/silent": silent, "/slow": slow}) as made:
        for path in ("/silent", "/slow"):
            assert "within 0.3 seconds" in await refusal(made, path, TimedOut, url_seconds=0.3)

        async def never(host: str, port: int) -> Sequence[str]:
            await asyncio.Event().wait()
            return []

        with pytest.raises(TimedOut):
            await fetch("http://example.org/", config(made, url_seconds=0.1), resolve=never)


async def test_each_redirect_is_checked_from_scratch() -> None:
    async with site({}) as inside:
        inside.answers["/"] = answer(PAGE, content_type="text/html")
        places = [
            f"http://127.0.0.1:{inside.port}/",  # loopback, at a port that is not listed
            "http://[::1]/",
            "http://169.254.169.254/latest/meta-data/",
            "http://intern.example/",
            "//127.0.0.1/",
            "ftp://127.0.0.1/",
            "http://anna:geheim@example.org/",
        ]
        looked_up: list[str] = []

        async def resolve(host: str, port: int) -> Sequence[str]:
            looked_up.append(host)
            return ["10.0.0.7"]

        async with site({f"/{at}": answer(status=307, location=to) for at, to in enumerate(places)}) as made:
            for at in range(len(places)):
                with pytest.raises((Forbidden, InvalidInput)) as caught:
                    await fetch(f"http://127.0.0.1:{made.port}/{at}", config(made), resolve=resolve)
                assert "geheim" not in str(caught.value)
        assert (inside.asked, looked_up) == ([], ["intern.example"])


async def test_five_redirects_are_followed_and_not_a_sixth() -> None:
    steps = {f"/{at}": answer(status=301 + at % 2, location=str(at + 1)) for at in range(6)}
    async with site({**steps, "/6": answer(PAGE, content_type="text/html")}) as made:
        assert (await fetch(f"http://127.0.0.1:{made.port}/1", config(made))).data == PAGE
        assert "more than 5 times" in await refusal(made, "/0", Failed)


async def test_the_connection_goes_where_the_checked_lookup_led() -> None:
    """A name service that changes its mind (rebinding) is asked once; what it says later is never used."""
    async with site({"/": answer(PAGE, content_type="text/html")}) as made:
        answers = [["127.0.0.1"], ["169.254.169.254"]]

        async def resolve(host: str, port: int) -> Sequence[str]:
            assert (host, port) == ("intern.example", made.port)
            return answers.pop(0)

        url = f"http://intern.example:{made.port}/"
        assert (await fetch(url, config(made, "intern.example"), resolve=resolve)).data == PAGE
        assert f"Host: intern.example:{made.port}" in made.heads[0]
        with pytest.raises(Forbidden, match="does not lead to a public address"):
            await fetch(url, config(made, "intern.example"), resolve=resolve)
        assert len(made.asked) == 1


async def test_the_system_looks_up_where_nobody_else_does() -> None:
    async with site({"/": answer(PAGE, content_type="text/html")}) as made:
        found = await fetch(f"http://localhost:{made.port}/", config(made, "localhost"))
        assert (found.data, found.name) == (PAGE, f"localhost:{made.port}/index.html")
        with pytest.raises(Forbidden, match="does not lead to a public address"):
            await fetch("http://localhost/", config(made, "localhost"))


async def test_a_public_name_that_leads_inside_is_never_connected_to() -> None:
    async with site({}) as made:

        async def resolve(host: str, port: int) -> Sequence[str]:
            return ["127.0.0.1"]

        with pytest.raises(Forbidden):
            await fetch(
                f"http://public.example:{made.port}/",
                config(made, url_hosts=[f"public.example:{made.port}"]),
                resolve=resolve,
            )
        with pytest.raises(Forbidden):
            await fetch("http://nobody.invalid/", config(made))
    assert made.asked == []


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server that has a certificate for `name`, and a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("::1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(pem + private)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "server.pem")
    return server, ssl.create_default_context(cadata=pem.decode())


async def test_the_certificate_is_checked_by_name_though_the_address_is_pinned(tmp_path: Path) -> None:
    server, client = certificate(tmp_path, "akten.example")

    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    plain = "http://akten.example/"
    answers: dict[str, Answer] = {
        "/": answer(PAGE, content_type="text/html"),
        "/down": answer(status=302, location=plain),
    }
    async with site(answers, server) as made:
        hosts = [f"{name}.example:{made.port}" for name in ("akten", "andere")] + ["akten.example"]
        given = config(made, url_private_hosts=hosts)
        url = f"https://akten.example:{made.port}/"
        assert (await fetch(url, given, resolve=resolve, trust=client)).data == PAGE
        with pytest.raises(Forbidden, match="certificate of 'andere.example'"):
            await fetch(url.replace("akten", "andere"), given, resolve=resolve, trust=client)
        with pytest.raises(Forbidden, match="certificate of 'akten.example'"):
            await fetch(url, given, resolve=resolve)
        with pytest.raises(Forbidden, match="redirects from https to http"):
            await fetch(url + "down", given, resolve=resolve, trust=client)


async def test_a_fetched_document_is_ingested_and_recognised_when_it_comes_again(tmp_path: Path) -> None:
    caller = Caller(subject="anna")
    async with (
        site({"/bad": answer(PAGE, content_type="text/html")}) as made,
        Library(config(made, home=tmp_path)) as library,
    ):
        url = f"http://127.0.0.1:{made.port}/bad"
        first = await library.ingest(documents=[await fetch(url, library.config)], caller=caller)
        again = await library.ingest(documents=[await fetch(url, library.config)], caller=caller)
        made.answers["/bad"] = answer(PAGE.replace(b"9", b"10"), content_type="text/html")
        changed = await library.ingest(documents=[await fetch(url, library.config)], caller=caller)
        [best] = (await library.search("Wann öffnet das Freibad?", caller=caller)).passages
    assert (first.read, again.unchanged, changed.replaced) == (1, 1, 1)
    assert best.text == "Das Freibad öffnet um 10 Uhr."
