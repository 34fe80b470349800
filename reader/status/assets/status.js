// Updates the page every few seconds, in place: focus and selection stay. It decides nothing and
// holds no texts of the page: /status.json has them, under the names in the page's data-text and
// data-set attributes.
"use strict";

const INTERVAL = 3000; // milliseconds between two updates
const live = document.getElementById("live");
const said = document.getElementById("said");

/** Writes the members of `row` into the elements below `root` that name them, except in lists. */
function fill(root, row) {
  const elements = [root, ...root.querySelectorAll("[data-text], [data-set], [data-show]")];
  for (const element of elements) {
    const list = element.closest("[data-list]");
    if (list && list !== root && root.contains(list)) continue;
    const { text, set, show } = element.dataset;
    if (text !== undefined) setText(element, row[text]);
    if (show !== undefined) element.hidden = !row[show];
    for (const pair of set ? set.split(" ") : []) {
      const [attribute, name] = pair.split(":");
      const value = String(row[name] ?? "");
      if (element.getAttribute(attribute) !== value) element.setAttribute(attribute, value);
    }
  }
}

/** Changes a text only if it differs, so that a selection survives. */
function setText(element, value) {
  const text = String(value ?? "");
  if (element.textContent !== text) element.textContent = text;
}

/** Gives a list one row for each of `rows`; a row keeps its element while it stays in the list. */
function fillList(list, rows) {
  const template = list.querySelector("template");
  const before = [...list.children].filter((child) => child !== template);
  const known = new Map(before.filter((row) => row.dataset.key).map((row) => [row.dataset.key, row]));
  const kept = new Set();
  let last = template;
  rows.forEach((row, index) => {
    const key = String(row.key ?? index);
    const element =
      known.get(key) ?? (known.size ? null : before[index]) ?? template.content.firstElementChild.cloneNode(true);
    element.dataset.key = key;
    fill(element, row);
    if (last.nextElementSibling !== element) last.after(element);
    kept.add(element);
    last = element;
  });
  for (const element of before) if (!kept.has(element)) element.remove();
}

function show(page) {
  fill(document.documentElement, { ...page, running: !page.paused });
  for (const list of document.querySelectorAll("[data-list]")) fillList(list, page[list.dataset.list]);
}

async function update() {
  try {
    const response = await fetch("/status.json", { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (!response.ok) throw new Error(response.statusText);
    show(await response.json());
    live.textContent = "live, as of";
    document.body.classList.remove("silent");
  } catch {
    live.textContent = "this reader does not respond; as of";
    document.body.classList.add("silent");
  }
}

/** Performs an action without leaving the page. */
async function act(event) {
  const form = event.target.closest("form.act");
  if (!form || form.action.endsWith("/sign-out")) return;
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const headers = { Accept: "application/json" };
    const response = await fetch(form.action, { method: "POST", body: new FormData(form), headers });
    showMessage((await response.json()).message);
  } catch {
    showMessage("This reader does not respond. The action may not have been performed.");
  }
  button.disabled = false;
  button.focus();
  await update();
}

function showMessage(text) {
  const line = document.createElement("p");
  line.textContent = text;
  said.replaceChildren(line);
}

async function watch() {
  if (!document.hidden) await update();
  setTimeout(watch, INTERVAL);
}

document.addEventListener("submit", act);
document.addEventListener("visibilitychange", () => document.hidden || update());

watch();
