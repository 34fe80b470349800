// Updates the page in place when the change feed tells of a change, and every few seconds: focus
// and selection stay. It decides nothing and holds no texts of the page: /status.json has them,
// under the names in the page's data-text and data-set attributes.
"use strict";

const INTERVAL = 3000; // milliseconds between two updates without the change feed
const INTERVAL_OF_FOLLOWERS = 5000; // with it: for ages, and what else it does not tell
const TOGETHER = 500; // milliseconds in which further changes join an update
const FEED_AGAIN = 30000; // milliseconds until the feed is tried again after a refusal
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

let feed = null;
let next = null; // of the timers: the next update

async function watch() {
  if (!document.hidden) await update();
  plan(feed?.readyState === EventSource.OPEN ? INTERVAL_OF_FOLLOWERS : INTERVAL);
}

function plan(milliseconds) {
  clearTimeout(next);
  next = setTimeout(watch, milliseconds);
}

/** Follows the changes while somebody sees the page: each follower keeps a connection open. */
function follow() {
  feed?.close();
  feed = null;
  if (document.hidden) return;
  const followed = (feed = new EventSource("/changes"));
  for (const name of ["change", "reset"]) followed.addEventListener(name, () => plan(TOGETHER));
  followed.addEventListener("error", () => {
    if (followed !== feed || followed.readyState !== EventSource.CLOSED) return;
    setTimeout(() => followed === feed && follow(), FEED_AGAIN); // a 429 or 503
    plan(INTERVAL);
  });
}

document.addEventListener("submit", act);
document.addEventListener("visibilitychange", () => {
  follow();
  if (!document.hidden) update();
});

follow();
watch();
