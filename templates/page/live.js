"use strict";
// What the page says without this script stays true; with it, it also says how old it is,
// shows the reader's own time beside UTC, and is read anew every minute.
const age = document.getElementById("age");
const verdict = document.getElementById("verdict");
const ago = (seconds) => {
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  return minutes < 60 ? `${minutes} min` : hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
};
const tell = () => {
  const seconds = Date.now() / 1000 - Number(age.dataset.at);
  age.textContent = seconds < 60 ? "just now" : `${ago(seconds)} ago`;
  if (seconds <= Number(age.dataset.patience)) return;
  const before = document.getElementById("before");
  if (before.hidden) {
    document.getElementById("said").textContent = verdict.textContent;
    before.hidden = false;
    verdict.className = "verdict bad";
    age.className = "late";
  }
  verdict.textContent = `✗ Nobody has looked for ${ago(seconds)}`;
  document.title = `${verdict.textContent}: ${age.dataset.domain}`;
};
if (age) { tell(); setInterval(tell, 15000); }

const here = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
const day = new Intl.DateTimeFormat([], { day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
for (const time of document.querySelectorAll("time")) {
  const at = new Date(time.dateTime);
  if (!at.getTimezoneOffset()) continue;
  const own = at.getDate() === at.getUTCDate() ? here : day;
  time.append(` (${own.format(at)})`);
}

// Only a page that is there replaces this one: what a dead host last said stays to be read.
const busy = () => document.hidden || document.querySelector("details[open]") || String(getSelection());
setInterval(async () => {
  if (busy() || !location.protocol.startsWith("http")) return;
  const lost = document.getElementById("lost");
  try {
    const answer = await fetch(location.href, { cache: "no-store", headers: { "Cache-Control": "no-cache" } });
    if (answer.ok) { location.reload(); return; }
    lost.hidden = false;
  } catch { lost.hidden = false; }
}, 60000);
