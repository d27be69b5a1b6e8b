"""The documentation page at /docs: the general routes as they stand, the use cases once the reader gives a key."""

import base64
import hashlib
from functools import lru_cache
from html import escape
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import HTMLResponse

from server.openapi import general

__all__ = ["docs_page"]

_STYLE = """
:root { color-scheme: light dark; --line: #8886; --accent: #0b4f6c; }
@media (prefers-color-scheme: dark) { :root { --accent: #7fc4de; } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1.5rem; }
h1, h2, h3 { line-height: 1.2; } a { color: var(--accent); }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
pre { overflow: auto; padding: .75rem; border: 1px solid var(--line); border-radius: .4rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid var(--line); }
article { border-top: 1px solid var(--line); padding: .5rem 0; }
input, button { font: inherit; padding: .4rem .6rem; } input { width: min(32rem, 100%); box-sizing: border-box; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.skip { position: absolute; left: -99rem; } .skip:focus { left: 1rem; }
"""
_SCRIPT = """
const form = document.querySelector("form"), said = document.querySelector("#said"), list = document.querySelector("#list");
const make = (name, text) => { const made = document.createElement(name); made.textContent = text; return made; };
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  said.textContent = "Loading …"; list.replaceChildren();
  try {
    const headers = { Authorization: "Bearer " + form.key.value.trim() };
    const answer = await fetch("openapi.json", { headers });
    const data = await answer.json();
    if (!answer.ok) throw new Error(data.error.message);
    let count = 0;
    for (const [path, ways] of Object.entries(data.paths)) {
      const way = ways.post;
      if (!way || !path.startsWith("/api/use-cases/")) continue;
      count += 1;
      const schema = (part) => part.content["application/json"].schema;
      const named = (given) => {
        const ref = given.anyOf ? given.anyOf[0] : given;
        return data.components.schemas[(ref.$ref || "").split("/").pop()] || ref;
      };
      const input = named(schema(way.requestBody)), article = make("article", "");
      article.append(make("h3", path.split("/").pop()), make("p", way.summary));
      const table = make("table", ""), head = table.createTHead().insertRow(), body = table.createTBody();
      table.append(make("caption", "Input"));
      for (const title of ["Field", "Needed", "What it is"]) {
        const cell = make("th", title); cell.scope = "col"; head.append(cell);
      }
      for (const [field, about] of Object.entries(input.properties || {})) {
        const row = body.insertRow(), needed = (input.required || []).includes(field);
        row.insertCell().append(make("code", field));
        row.insertCell().textContent = needed ? "yes" : "no";
        row.insertCell().textContent = about.description || about.type || "";
      }
      const more = make("details", ""), envelope = named(schema(way.responses["200"]));
      more.append(make("summary", "Schemas"), make("pre", JSON.stringify({ input, envelope }, null, 2)));
      article.append(table, more); list.append(article);
    }
    said.textContent = count + " use cases.";
  } catch (error) { said.textContent = error.message; }
});
"""
_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Partitur: interfaces</title><style>{style}</style></head>
<body><a class="skip" href="#main">Skip to the content</a>
<header><h1>Partitur</h1><p>Typed AI use cases, the same at every interface.</p></header>
<main id="main">
<h2>Sign in</h2>
<p>Every route but the two probes and this page takes <code>Authorization: Bearer pt-…</code>. The first start of the
server printed a key.</p>
<h2>Routes</h2>
<table><caption>Routes that every installation has</caption>
<thead><tr><th scope="col">Method</th><th scope="col">Path</th><th scope="col">What it does</th></tr></thead>
<tbody>{rows}</tbody></table>
<h2>Ask over the OpenAI interface</h2>
<pre tabindex="0">curl -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" \\
  -d '{"model": "summary", "messages": [{"role": "user", "content": "…"}]}' \\
  {base}/v1/chat/completions</pre>
<h2>Use cases of this installation</h2>
<form><p><label for="key">API key (it stays in this page)</label><br>
<input id="key" name="key" type="password" autocomplete="off" required> <button>Show the use cases</button></p></form>
<p id="said" role="status"></p><div id="list"></div>
</main><script>{script}</script></body></html>
"""


async def docs_page(request: Request) -> HTMLResponse:
    """The page: self-contained, the same for everybody, without a word about this installation."""
    page, policy = _made()
    page = page.replace("{base}", escape(str(request.base_url).rstrip("/")))
    return HTMLResponse(page, headers={"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"})


@lru_cache(maxsize=1)
def _made() -> tuple[str, str]:
    rows = "".join(
        f"<tr><td>{method.upper()}</td><td><code>{escape(path)}</code></td><td>{escape(about['summary'])}</td></tr>"
        for path, ways in general().items()
        for method, about in cast("dict[str, dict[str, Any]]", ways).items()
    )
    page = _PAGE.replace("{rows}", rows).replace("{style}", _STYLE).replace("{script}", _SCRIPT)
    policy = (
        "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        f"style-src 'sha256-{_hash(_STYLE)}'; script-src 'sha256-{_hash(_SCRIPT)}'"
    )
    return page, policy


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
