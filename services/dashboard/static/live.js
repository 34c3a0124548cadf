// Live updates: fragments arrive over one event stream and are morphed into the page, so that focus,
// selections and open details survive. The stream is closed while nobody looks.
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

function show(parts) {
  const focused = document.activeElement;
  for (const [id, html] of Object.entries(parts)) {
    const template = document.createElement("template");
    template.innerHTML = html;
    const from = document.getElementById(id);
    if (from && template.content.firstElementChild) morph(from, template.content.firstElementChild);
  }
  // a row that moved to another place was taken out and put in again, which blurs it
  if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
}

function say(state, text) {
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
    if (document.getElementById("notice").hidden) say("live", "live");
    else say("away", "not up to date");
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

async function openDetail(link) {
  const url = new URL(link.href);
  url.searchParams.set("part", "1");
  let text;
  try {
    const answer = await fetch(url, { headers: { accept: "text/html" } });
    if (!answer.ok) throw new Error(String(answer.status));
    text = await answer.text();
  } catch { location.href = link.href; return; }
  body.innerHTML = text;
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  body.focus({ preventScroll: true });
}

addEventListener("click", (event) => {
  const link = event.target.closest("a[data-dialog]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) { event.preventDefault(); openDetail(link); }
  if (event.target === dialog) dialog.close();
});
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
    show({ [form.dataset.part]: await answer.text() });
  } catch { say("away", "the answer was not taken; try again"); }
  for (const button of form.querySelectorAll("button")) button.disabled = false;
  // the pressed button is gone: the keyboard goes on with the next question
  const after = (button) => answered.compareDocumentPosition(button) & Node.DOCUMENT_POSITION_FOLLOWING;
  if (document.activeElement === document.body) [...form.querySelectorAll("button")].find(after)?.focus({ preventScroll: true });
});
document.querySelector("form.filters").addEventListener("change", (event) => event.currentTarget.requestSubmit());
document.addEventListener("visibilitychange", () => (document.hidden ? (pause(), say("paused", "paused")) : open()));
addEventListener("pagehide", pause);
addEventListener("pageshow", open);
document.documentElement.classList.add("js");
open();
