// The few things of the console that need a script: taking the token out of the address, and the live watch.
"use strict";

// What stands behind the # is never sent. It goes into the form, and out of the address and the history.
const form = document.getElementById("sign-in");
if (form) {
  const take = () => {
    const token = location.hash.slice(1);
    if (!token) return;
    history.replaceState(null, "", location.pathname);
    form.elements.token.value = token;
    form.querySelector("button").focus();
  };
  take();
  addEventListener("hashchange", take);
}

const table = document.getElementById("live");
if (table) {
  const MOST = 200;
  const body = table.tBodies[0];
  const status = document.getElementById("live-status");
  const empty = document.getElementById("live-empty");
  const pause = document.getElementById("live-pause");
  const names = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
  let source = null;
  let last = "";
  let paused = false;

  // All of it is text: nothing that comes is ever read as markup.
  const cell = (row, text) => {
    const cell = row.insertCell();
    cell.dataset.name = names[cell.cellIndex];
    cell.append(text);
    return cell;
  };
  const foreign = (text) => {
    const isolated = document.createElement("bdi");
    isolated.textContent = text || "–";
    return isolated;
  };
  const show = (told) => {
    const row = body.insertRow(0);
    cell(row, told.at);
    const link = document.createElement("a");
    link.href = told.link;
    link.textContent = told.event;
    cell(row, link);
    cell(row, foreign(told.user));
    cell(row, foreign(told.sender));
    cell(row, told.state);
    cell(row, foreign(told.detail));
    while (body.rows.length > MOST) body.deleteRow(-1);
    empty.hidden = true;
    table.hidden = false;
  };
  const say = (text) => {
    if (status.textContent !== text) status.textContent = text;
  };
  const watch = () => {
    const url = new URL(table.dataset.source, location.href);
    // A new stream knows nothing of the one before it: it goes on where that one was.
    if (last) url.searchParams.set("after", last);
    say("Connecting…");
    source = new EventSource(url);
    source.onopen = () => say("Watching");
    source.onerror = () => {
      const gone = source.readyState === EventSource.CLOSED;
      say(gone ? "Ended: load the page again" : "Connection lost, trying again…");
    };
    source.addEventListener("position", (event) => {
      last = event.lastEventId;
    });
    source.onmessage = (event) => {
      last = event.lastEventId;
      const told = JSON.parse(event.data);
      say(told.lost ? "Watching; some events were removed before they could be shown" : "Watching");
      if (told.message) show(told);
    };
  };
  // A browser keeps few connections to one place: a page that nobody sees gives its own back.
  const follow = () => {
    if (!paused && !document.hidden) {
      if (!source) watch();
    } else if (source) {
      source.close();
      source = null;
    }
  };
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Go on" : "Pause";
    follow();
    if (paused) say("Paused");
  });
  document.addEventListener("visibilitychange", follow);
  follow();
}
