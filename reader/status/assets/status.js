// Brings the page up to date every few seconds, in place: what has focus or is selected stays.
// It decides nothing and words nothing: /status.json has the texts, by the names that stand in the
// page's data-text and data-set attributes.
"use strict";

const INTERVAL = 3000; // milliseconds between two looks
const live = document.getElementById("live");
const said = document.getElementById("said");

/** Puts the members of `row` where the elements below `root` name them, but not inside lists. */
function fill(root, row) {
  const elements = [root, ...root.querySelectorAll("[data-text], [data-set], [data-show]")];
  for (const element of elements) {
    const list = element.closest("[data-list]");
    if (list && list !== root && root.contains(list)) continue;
    const { text, set, show } = element.dataset;
    if (text !== undefined) say(element, row[text]);
    if (show !== undefined) element.hidden = !row[show];
    for (const pair of set ? set.split(" ") : []) {
      const [attribute, name] = pair.split(":");
      const value = String(row[name] ?? "");
      if (element.getAttribute(attribute) !== value) element.setAttribute(attribute, value);
    }
  }
}

/** Changes a text only where it differs, so that a selection survives. */
function say(element, value) {
  const text = String(value ?? "");
  if (element.textContent !== text) element.textContent = text;
}

/** Makes as many rows of a list as there are in `rows`; each keeps its element while it stays. */
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

async function look() {
  try {
    const answer = await fetch("/status.json", { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error(answer.statusText);
    show(await answer.json());
    live.textContent = "live, as of";
    document.body.classList.remove("silent");
  } catch {
    live.textContent = "this reader does not answer; as of";
    document.body.classList.add("silent");
  }
}

/** Has an action done without leaving the page. */
async function act(event) {
  const form = event.target.closest("form.act");
  if (!form || form.action.endsWith("/sign-out")) return;
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const headers = { Accept: "application/json" };
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers });
    tell((await answer.json()).message);
  } catch {
    tell("This reader does not answer. Nothing may have been done.");
  }
  button.disabled = false;
  button.focus();
  await look();
}

function tell(text) {
  const line = document.createElement("p");
  line.textContent = text;
  said.replaceChildren(line);
}

async function watch() {
  if (!document.hidden) await look();
  setTimeout(watch, INTERVAL);
}

document.addEventListener("submit", act);
document.addEventListener("visibilitychange", () => document.hidden || look());
watch();
