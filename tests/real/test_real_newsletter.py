"""The newsletter in a real browser: self-contained, accessible, narrow and on paper."""

from pathlib import Path

from outside import Node


def test_the_newsletter_is_accessible_and_needs_nothing_from_elsewhere(
    node: Node, browser: str, newsletter: Path
) -> None:
    report = node("page.mjs", browser, (newsletter / "newsletter.html").as_uri())
    assert report["violations"] == []
    assert (report["requests"], report["messages"]) == ([], [])
    assert (report["language"], report["headings"]) == ("de", 1)
    assert report["title"]
    assert report["overflow"] <= 0
    assert 1 <= report["paper"] <= 8
    assert all(image["shown"] for image in report["images"])
    assert report["sounds"]
    assert all(seconds > 5 for seconds in report["sounds"])
