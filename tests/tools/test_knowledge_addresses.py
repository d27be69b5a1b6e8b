import pytest
from pydantic import ValidationError

from tools.base import Forbidden, InvalidInput, PartiturError
from tools.knowledge import KnowledgeConfig
from tools.knowledge.addresses import check_addresses, judged, target


def config(**given: object) -> KnowledgeConfig:
    return KnowledgeConfig.model_validate({"home": "unused", **given})


def refused(url: str, addresses: tuple[str, ...] = ("93.184.215.14",), **given: object) -> PartiturError:
    with pytest.raises((InvalidInput, Forbidden)) as caught:
        asked = target(url, config(**given))
        literal = asked.host.strip(".0123456789") == "" or ":" in asked.host
        check_addresses(asked, [asked.host] if literal else addresses)
    return caught.value


@pytest.mark.parametrize(
    "url",
    [
        # other schemes, no scheme, nothing
        "",
        "example.org",
        "//example.org/",
        "file:///etc/passwd",
        "ftp://example.org/a.txt",
        "gopher://example.org:80/_x",
        "data:text/plain,hallo",
        "javascript://example.org/%0aalert(1)",
        "http:example.org",
        "http:///example.org",
        # what parsers disagree about
        "http://anna@example.org/",
        "http://anna:geheim@example.org/",
        "http://example.org@127.0.0.1/",
        "http://127.0.0.1#@example.org/",
        "http://example.org\\@127.0.0.1/",
        "http://example.org%2f@127.0.0.1/",
        "http://exam\tple.org/",
        "http://example.org/\r\nHost: intern",
        "http://example.org:80:8080/",
        "http://example.org:/",
        "http://example.org:99999999/",
        "http://[::1",
        "http://[fe80::1%25eth0]/",
        "http://example..org/",
        "http://-example.org/",
        "http://example.org./",
        "http://localhost./",
        "http://münchen.example/",
        "http://ⓛocalhost/",
        "http://１２７.0.0.1/",
        "http://127。0。0。1/",
        # other spellings of numbers
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.1/",
        "http://127.0.0.1./",
        "http://127.0.0.01/",
        "http://0/",
        "http://1.2.3/",
        "http://1.2.3.4.5/",
        "http://256.1.1.1/",
        # addresses of the inside, plainly
        "http://127.0.0.1/",
        "https://127.255.255.254/",
        "http://0.0.0.0/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://172.31.255.255/",
        "http://192.168.178.1/",
        "http://100.64.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.100.100.200/",
        "http://168.63.129.16/",
        "http://192.0.0.192/",
        "http://192.0.2.1/",
        "http://198.18.0.1/",
        "http://224.0.0.1/",
        "http://240.0.0.1/",
        "http://255.255.255.255/",
        "http://[::]/",
        "http://[::1]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::127.0.0.1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[64:ff9b:1::1]/",
        "http://[2002:7f00:1::]/",
        "http://[2001:0:7f00:1::]/",
        "http://[2001:db8::1]/",
        "http://[3fff::1]/",
        "http://[fe80::1]/",
        "http://[fec0::1]/",
        "http://[fc00::1]/",
        "http://[fd00:ec2::254]/",
        "http://[ff02::1]/",
        # other ports
        "http://example.org:22/",
        "http://example.org:8080/",
        "https://example.org:6379/",
        "http://example.org/" + "a" * 2_000,
    ],
)
def test_an_address_of_the_inside_or_in_an_odd_spelling_is_refused(url: str) -> None:
    error = refused(url)
    assert "Expected" in error.message
    assert error.hint
    assert "geheim" not in str(error)


@pytest.mark.parametrize(
    "addresses",
    [
        (),
        ("127.0.0.1",),
        ("93.184.215.14", "10.0.0.7"),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::1"),
        ("::ffff:169.254.169.254",),
        ("fe80::1%eth0",),
    ],
)
def test_a_host_must_lead_to_public_addresses_only_and_one_that_is_not_there_looks_the_same(
    addresses: tuple[str, ...],
) -> None:
    assert refused("https://intern.example.org/", addresses).message == (
        "The host 'intern.example.org' does not lead to a public address. Expected one that everybody can reach."
    )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("HTTP://Example.ORG", "http://example.org/"),
        ("https://example.org:443/a?b=c#d", "https://example.org/a?b=c"),
        ("http://example.org:443?x", "http://example.org:443/?x"),
        ("https://xn--mnchen-3ya.example/ämter", "https://xn--mnchen-3ya.example/ämter"),
        ("http://93.184.215.14/", "http://93.184.215.14/"),
        ("http://[2606:2800:21F::1]/", "http://[2606:2800:21f::1]/"),
        ("http://[64:ff9b::5db8:d70e]/", "http://[64:ff9b::5db8:d70e]/"),
    ],
)
def test_a_public_address_has_one_spelling(url: str, shown: str) -> None:
    asked = target(url, config())
    assert (asked.url, asked.inside) == (shown, False)
    check_addresses(asked, [asked.host] if asked.host[-1].isdigit() else ["93.184.215.14", "2606:2800:21f::1"])


def test_the_inside_is_admitted_by_setting_for_the_very_host_and_port() -> None:
    hosts = ("Intern.example", "akten.example:8443", "127.0.0.1:9000", "[::1]:9000")
    for url in (
        "http://intern.example/",
        "https://intern.example/",
        "https://akten.example:8443/",
        "http://127.0.0.1:9000/",
        "http://[0::1]:9000/",
    ):
        asked = target(url, config(url_private_hosts=hosts))
        assert asked.inside
        check_addresses(asked, ["10.0.0.7"])
    for url in (
        "http://intern.example:8080/",
        "https://akten.example/",
        "http://127.0.0.1/",
        "http://x.intern.example/",
    ):
        refused(url, ("10.0.0.7",), url_private_hosts=hosts)
    for never in ("169.254.169.254", "100.100.100.200", "0.0.0.0", "224.0.0.1", "fe80::1", "::ffff:169.254.169.254"):
        refused("http://intern.example/", (never,), url_private_hosts=hosts)


def test_a_list_of_hosts_leaves_no_other_but_those_of_the_intranet() -> None:
    lists = {"url_hosts": ("example.org", "*.stadt.example", "daten.example:8080"), "url_private_hosts": ("intern",)}
    for url in ("https://example.org/", "http://a.b.stadt.example/", "http://daten.example:8080/", "http://intern/"):
        target(url, config(**lists))
    for url in ("https://www.example.org/", "http://stadt.example/", "http://xstadt.example/", "http://daten.example/"):
        assert "not among those" in refused(url, **lists).message


@pytest.mark.parametrize(
    ("setting", "host"),
    [
        ("url_private_hosts", "*.intern"),
        ("url_private_hosts", "http://intern"),
        ("url_hosts", "a/b"),
        ("url_hosts", "*"),
    ],
)
def test_an_entry_that_would_never_match_is_refused_at_the_start(setting: str, host: str) -> None:
    with pytest.raises(ValidationError, match="should match pattern"):
        config(**{setting: [host]})


def test_addresses_are_judged_by_the_registries() -> None:
    assert [judged(address) for address in ("8.8.8.8", "2a00:1450:4001::1", "64:ff9b::808:808")] == ["public"] * 3
    assert [judged(address) for address in ("10.1.2.3", "fd12::1", "::1", "64:ff9b::a00:1")] == ["inside"] * 4
    assert [judged(address) for address in ("169.254.1.1", "ff02::1", "2002:808:808::")] == ["never"] * 3
