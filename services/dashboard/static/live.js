// Live updates: fragments arrive over one event stream and are morphed into the page, so that focus,
// selections and open details survive. A list is not ranked anew while the pointer or the focus is in it.
// The stream is closed while nobody looks. Every detail has an address of its own: Back and Esc close it.
"use strict";
const main = document.querySelector("main[data-stream]");
const stamp = document.getElementById("stamp");
const dialog = document.getElementById("detail");
const body = document.getElementById("detail-body");
const key = (node) => (node.nodeType === 1 ? node.dataset.key || node.id || "" : "");

function morphAttributes(from, to) {
  for (const { name } of [...from.attributes]) if (!to.hasAttribute(name) && !(name === "open" && from.tagName === "DETAILS")) from.removeAttribute(name);
  for (const { name, value } of to.attributes) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
}

function morph(from, to) {
  if (from.isEqualNode(to)) return;
  if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName) return from.replaceWith(to);
  if (from.nodeType !== 1) {
    if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
    return;
  }
  morphAttributes(from, to);
  const keyed = new Map([...from.children].filter(key).map((child) => [key(child), child]));
  const wanted = new Set([...to.children].map(key).filter(Boolean));
  let at = from.firstChild;
  for (const next of [...to.childNodes]) {
    while (at && key(at) && !wanted.has(key(at))) { const gone = at; at = at.nextSibling; gone.remove(); }
    const same = key(next) ? keyed.get(key(next)) : at && !key(at) && at.nodeName === next.nodeName ? at : null;
    if (!same) { from.insertBefore(next, at); continue; }
    if (same === at) at = at.nextSibling; else from.insertBefore(same, at);
    morph(same, next);
  }
  while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
}

const held = new Map();

// the order that is shown, as long as somebody is in the list; new rows come last
function keepOrder(from, to) {
  const lists = [...from.querySelectorAll("[data-ranked]")], next = [...to.querySelectorAll("[data-ranked]")];
  let isHeld = false;
  lists.forEach((list, index) => {
    if (!next[index] || !(list.matches(":hover") || list.contains(document.activeElement))) return;
    const place = new Map([...list.children].map((row, at) => [key(row), at]));
    const rows = [...next[index].children].sort((a, b) => (place.get(key(a)) ?? 1e6) - (place.get(key(b)) ?? 1e6));
    next[index].append(...rows);
    isHeld = true;
  });
  return isHeld;
}

function washed(from, to) {
  const before = new Map([...from.querySelectorAll("[data-ranked] > [data-key]")].map((row) => [key(row), row.textContent]));
  return [...to.querySelectorAll("[data-ranked] > [data-key]")].filter((row) => before.get(key(row)) !== row.textContent).map(key);
}

// stamps in the viewer's own zone, UTC on hover; without this script they are UTC and say so
const two = (number) => String(number).padStart(2, "0");
function local(root) {
  const today = new Date();
  for (const time of root.querySelectorAll("time[datetime]")) {
    const stamp = time.getAttribute("datetime"), at = new Date(stamp);
    if (!stamp.includes("T") || isNaN(at) || time.hasAttribute("data-day")) continue;
    const form = time.dataset.form, clock = `${two(at.getHours())}:${two(at.getMinutes())}`, seconds = `${clock}:${two(at.getSeconds())}`;
    const day = `${at.getDate()} ${at.toLocaleString("en", { month: "short" })}`, year = at.getFullYear();
    const short = at.toDateString() === today.toDateString() ? clock : year === today.getFullYear() ? `${day} ${clock}` : `${day} ${year}`;
    time.textContent = { time: clock, seconds, whole: `${day} ${year}, ${seconds}` }[form] || short;
    time.title = `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
  }
}

function show(parts) {
  const focused = document.activeElement;
  for (const [id, html] of Object.entries(parts)) {
    const template = document.createElement("template");
    template.innerHTML = html;
    const from = document.getElementById(id), to = template.content.firstElementChild;
    if (!from || !to) continue;
    local(to);
    if (keepOrder(from, to)) held.set(id, html); else held.delete(id);
    const changed = new Set(washed(from, to));
    morph(from, to);
    for (const row of from.querySelectorAll("[data-ranked] > [data-key]")) {
      if (!changed.has(key(row))) continue;
      row.classList.add("wash");
      setTimeout(() => row.classList.remove("wash"), 2000);
    }
  }
  mark();
  // a row that moved to another place was taken out and put in again, which blurs it
  if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
}

function release() {
  if (held.size) show(Object.fromEntries(held));
}

function say(state, text) {
  document.body.classList.toggle("cut", state === "away");
  if (stamp.dataset.state === state && stamp.textContent === text) return;
  stamp.dataset.state = state;
  stamp.textContent = text;
}

let source = null;
function open() {
  if (source || document.hidden) return;
  source = new EventSource(main.dataset.stream);
  const take = (event) => {
    show(JSON.parse(event.data));
    if (document.getElementById("notice").hasAttribute("data-away")) return say("away", "not up to date");
    const now = new Date();
    stamp.dataset.clock = `${two(now.getHours())}:${two(now.getMinutes())}`; // beside the word, so that it is not read out each minute
    say("live", "live");
  };
  source.addEventListener("snapshot", take);
  source.addEventListener("patch", take);
  source.onerror = () => {
    say("away", "reconnecting…");
    if (source.readyState === EventSource.CLOSED) { pause(); setTimeout(open, 3000); }
  };
}
function pause() {
  if (source) source.close();
  source = null;
}

// what a page's list names opens beside the list where there is room for both, elsewhere over the page
const side = document.getElementById("side"), sideBody = document.getElementById("side-body"), roomy = matchMedia("(min-width: 1100px)");
const isBeside = (address) => Boolean(side && roomy.matches && new URL(address, location.href).pathname.startsWith(`${side.dataset.under}/`));
const inSide = (html) => html.replaceAll('"detail-title"', '"side-title"');
function mark() {
  const shown = side && !side.hidden && sideBody.querySelector("[data-of]")?.dataset.of;
  for (const link of side ? document.querySelectorAll("[data-ranked] a[data-dialog]") : []) {
    if (shown && link.closest("[data-key]")?.dataset.key === shown) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
  }
}
function fillSide(html) {
  if (dialog.open) dialog.close();
  sideBody.innerHTML = inSide(html);
  local(sideBody);
  side.hidden = false;
  mark();
  side.focus({ preventScroll: true });
  side.scrollIntoView({ block: "nearest" });
}
function hideSide() {
  const of = sideBody.querySelector("[data-of]")?.dataset.of;
  side.hidden = true;
  sideBody.replaceChildren();
  mark();
  if (of) document.querySelector(`[data-ranked] [data-key="${CSS.escape(of)}"] a`)?.focus({ preventScroll: true });
}
function closeSide() {
  if (history.state?.beside) return history.go(-history.state.depth);
  history.pushState(null, "", side.querySelector(".shut a").href);
  hideSide();
}

let asked = 0; // an answer that comes after the reader went on is not shown
async function openDetail(address) {
  const mine = ++asked, beside = isBeside(address);
  const url = new URL(address, location.href);
  url.searchParams.set("part", "1");
  const slow = setTimeout(() => { if (mine !== asked || beside) return; body.replaceChildren(); body.classList.add("loading"); if (!dialog.open) dialog.showModal(); }, 150);
  let text;
  try {
    const answer = await fetch(url, { headers: { accept: "text/html" } });
    if (!answer.ok) throw new Error(String(answer.status));
    text = await answer.text();
  } catch {
    if (mine === asked) location.href = address;
    return;
  } finally { clearTimeout(slow); body.classList.remove("loading"); }
  if (mine !== asked) return;
  if (beside) return fillSide(text);
  body.innerHTML = text;
  local(body);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  body.focus({ preventScroll: true });
}

addEventListener("click", (event) => {
  const link = event.target.closest("a[data-dialog]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    const beside = isBeside(link.href), state = history.state;
    const depth = (state?.detail && Boolean(state.beside) === beside ? state.depth : 0) + 1;
    history.pushState({ detail: link.href, depth, beside }, "", link.href);
    openDetail(link.href);
  }
  if (event.target.closest(".shut")) { event.preventDefault(); closeSide(); }
  if (event.target === dialog) dialog.close();
});
// closing goes back to the page's own address, over all details that were opened one from another
dialog.addEventListener("close", () => { asked += 1; if (history.state?.detail && !history.state.beside) history.go(-history.state.depth); });
addEventListener("popstate", (event) => {
  if (event.state?.detail) return openDetail(event.state.detail);
  asked += 1;
  dialog.close();
  if (!side) return;
  if (!isBeside(location.href)) return hideSide();
  if (side.hidden) openDetail(location.href);
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && side && !side.hidden && !dialog.open && roomy.matches) closeSide();
});
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  event.preventDefault();
  document.querySelector(".find input").focus();
});
for (const kind of ["pointerout", "focusout"]) addEventListener(kind, () => setTimeout(release, 200));
addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-part]");
  if (!form) return;
  event.preventDefault();
  const answered = event.submitter.closest("li");
  const fields = new URLSearchParams(new FormData(form, event.submitter));
  for (const button of form.querySelectorAll("button")) button.disabled = true;
  try {
    const answer = await fetch(`${form.action}?part=1`, { method: "POST", body: fields, headers: { accept: "text/html" } });
    if (!(answer.headers.get("content-type") || "").startsWith("text/html")) throw new Error(String(answer.status));
    const html = await answer.text();
    show({ [form.dataset.part]: form.closest("#side") ? inSide(html) : html });
  } catch { say("away", "the answer was not taken; try again"); }
  for (const button of form.querySelectorAll("button")) button.disabled = false;
  // the pressed button is gone: the keyboard goes on with the next question
  const after = (button) => answered?.compareDocumentPosition(button) & Node.DOCUMENT_POSITION_FOLLOWING;
  if (document.activeElement === document.body) [...form.querySelectorAll("button")].find(after)?.focus({ preventScroll: true });
});
document.querySelector("form.filters")?.addEventListener("change", (event) => event.currentTarget.requestSubmit());
document.addEventListener("visibilitychange", () => (document.hidden ? (pause(), say("paused", "paused")) : open()));
addEventListener("pagehide", pause);
addEventListener("pageshow", open);
document.documentElement.classList.add("js");
local(document);
open();
