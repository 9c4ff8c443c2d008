// Looks at pages in a real Chromium, on a phone and on a desk, by day and by night, as files from disk.
//
//   node check.mjs CHROMIUM SHOTS PAGE…
//
// Says on stdout what is wrong, a line each, and leaves a picture of each look in SHOTS. Nothing of it needs a network, and
// a page that asks for anything is wrong.
import { chromium } from "playwright-core";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";

const [executablePath, shots, ...pages] = process.argv.slice(2);
const LOOKS = [
  { name: "phone", viewport: { width: 360, height: 740 }, deviceScaleFactor: 2 },
  { name: "desk", viewport: { width: 1280, height: 900 }, deviceScaleFactor: 1 },
];
const SCHEMES = ["light", "dark"];

/** What is wrong with the page as it is shown now; runs in the page. */
function faults() {
  const found = [];
  const text = (node) => `"${node.textContent.trim().slice(0, 40)}"`;
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) {
    const wide = [...document.querySelectorAll("body *")].find((node) => node.getBoundingClientRect().right > width + 1);
    found.push(`wider than the screen, by ${wide?.tagName} ${wide ? text(wide) : ""}`);
  }
  const drawings = [...document.querySelectorAll("svg[role=img]")];
  if (drawings.length === 0) found.push("no drawing");
  for (const svg of drawings) {
    const box = svg.getBoundingClientRect();
    const title = svg.querySelector("title")?.textContent ?? "";
    if (box.width < 200 || box.height < 20) found.push(`the drawing "${title}" is ${box.width} × ${box.height}`);
    if (!title || !svg.querySelector("desc")?.textContent) found.push(`a drawing says nothing of itself: "${title}"`);
    const inked = [...svg.querySelectorAll("path, rect, circle")].some((shape) => shape.getBoundingClientRect().width > 0);
    if (!inked) found.push(`the drawing "${title}" is empty`);
    const written = [...svg.querySelectorAll("text")].map((letters) => ({ letters, box: letters.getBoundingClientRect() }));
    for (const [n, one] of written.entries()) {
      const over = written.slice(n + 1).find(({ box }) =>
        Math.min(box.right, one.box.right) - Math.max(box.left, one.box.left) > 1 &&
        Math.min(box.bottom, one.box.bottom) - Math.max(box.top, one.box.top) > 3);
      if (over) found.push(`${text(one.letters)} is written over ${text(over.letters)} in "${title}"`);
    }
    for (const letters of svg.querySelectorAll("text")) {
      const size = parseFloat(getComputedStyle(letters).fontSize) * (box.width / svg.viewBox.baseVal.width);
      if (size < 9.5) found.push(`letters of ${size.toFixed(1)} px in "${title}": ${text(letters)}`);
      const inner = letters.getBoundingClientRect();
      if (inner.left < box.left - 1.5 || inner.right > box.right + 1.5 || inner.bottom > box.bottom + 1.5 || inner.top < box.top - 1.5)
        found.push(`${text(letters)} leaves the drawing "${title}"`);
    }
  }
  const luminance = (colour) => {
    const parts = colour.match(/[\d.]+/g).slice(0, 3).map((part) => part / 255);
    const [r, g, b] = parts.map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (!/, 0\)$|transparent/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  for (const node of document.querySelectorAll("h1, h2, h3, p, dt, dd, b, span, summary, svg text")) {
    const style = getComputedStyle(node);
    const ink = node instanceof SVGElement ? style.fill : style.color;
    const [one, two] = [luminance(ink), luminance(behind(node))].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (two + 0.05);
    // WCAG 2, AA.
    if (contrast < 4.5) found.push(`a contrast of ${contrast.toFixed(1)}: ${text(node)}`);
  }
  return found;
}

const browser = await chromium.launch({
  executablePath,
  args: [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
  ],
});
let wrong = 0;
const say = (where, what) => {
  wrong += 1;
  console.log(`${where}: ${what}`);
};
for (const file of pages) {
  const url = pathToFileURL(file).href;
  const backgrounds = new Set();
  for (const { name, ...look } of LOOKS) {
    for (const colorScheme of SCHEMES) {
      const where = `${basename(file)}, ${name}, ${colorScheme}`;
      const page = await browser.newPage({ ...look, colorScheme });
      page.on("console", (message) => say(where, `console: ${message.text()}`));
      page.on("pageerror", (error) => say(where, `error: ${error.message}`));
      page.on("request", (request) => {
        if (request.url() !== url && !request.url().startsWith("data:")) say(where, `asks for ${request.url()}`);
      });
      await page.goto(url, { waitUntil: "load" });
      await page.waitForTimeout(100);
      for (const fault of await page.evaluate(faults)) say(where, fault);
      backgrounds.add(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
      await page.screenshot({ path: join(shots, `${basename(file, ".html")}-${name}-${colorScheme}.png`), fullPage: true });
      // What is folded away must not be wider either.
      await page.evaluate(() => document.querySelectorAll("details").forEach((node) => (node.open = true)));
      for (const fault of await page.evaluate(faults)) say(`${where}, unfolded`, fault);
      await page.close();
    }
  }
  if (backgrounds.size < SCHEMES.length) say(basename(file), "looks the same by day and by night");
}
await browser.close();
console.log(`${pages.length} pages, ${wrong} faults`);
process.exit(wrong === 0 ? 0 : 1);
