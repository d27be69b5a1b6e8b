// Opens a page in a real browser and says what a reader meets: faults of accessibility, foreign requests, width, paper.
//   node page.mjs <browser> <url>
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [executablePath, url] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
const report = { requests: [], messages: [], violations: [] };
for (const colorScheme of ["light", "dark"]) {
  const page = await browser.newPage({ colorScheme });
  page.on("request", (request) => {
    if (!request.url().startsWith("data:") && request.url() !== url) report.requests.push(request.url());
  });
  page.on("console", (message) => message.type() === "error" && report.messages.push(message.text()));
  page.on("pageerror", (error) => report.messages.push(String(error)));
  await page.goto(url, { waitUntil: "load" });
  report.title = await page.title();
  report.language = await page.evaluate(() => document.documentElement.lang);
  report.headings = await page.evaluate(() => [...document.querySelectorAll("h1")].length);
  report.images = await page.evaluate(() =>
    [...document.images].map((image) => ({ alt: image.alt, shown: image.complete && image.naturalWidth > 0 })),
  );
  report.sounds = await page.evaluate(() =>
    Promise.all(
      [...document.querySelectorAll("audio")].map(
        (audio) =>
          new Promise((resolve) => {
            if (audio.readyState >= 1) return resolve(audio.duration);
            audio.addEventListener("loadedmetadata", () => resolve(audio.duration));
            audio.addEventListener("error", () => resolve(0), true);
            audio.preload = "auto";
            audio.load();
            setTimeout(() => resolve(0), 10000);
          }),
      ),
    ),
  );
  await page.setViewportSize({ width: 320, height: 640 });
  report.overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  await page.setViewportSize({ width: 1200, height: 900 });
  await page.evaluate(axe); // not as a script tag: the page's own policy forbids those
  const found = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  report.violations.push(
    ...found.violations.map((each) => `${colorScheme}: ${each.id}: ${each.nodes.map((node) => node.target.join(" ")).slice(0, 3)}`),
  );
  if (colorScheme === "light") report.paper = (await page.pdf({ format: "A4" })).toString("latin1").match(/\/Type\s*\/Page\b/g)?.length ?? 0;
  await page.close();
}
await browser.close();
console.log(JSON.stringify(report));
