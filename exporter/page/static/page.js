"use strict";
// Keeps an open page true. The server draws; this replaces what has changed, as little as possible,
// and says so plainly when the picture is old. Nothing from the server is ever run.
(() => {
  const byId = (id) => document.getElementById(id);
  const body = document.body;
  const rows = byId("rows");
  const groups = byId("groups");
  let skew = Number(body.dataset.now) - Date.now() / 1000;
  const now = () => Date.now() / 1000 + skew;

  // -- times ---------------------------------------------------------------------------------

  const UNITS = [["d", 86400], ["h", 3600], ["min", 60]];

  function words(seconds) {
    const past = seconds >= 0;
    const size = Math.abs(seconds);
    if (size < 45) return past ? "just now" : "in a moment";
    const [unit, length] = UNITS.find(([, one]) => size >= one) || ["s", 1]; // as the server does
    const text = `${Math.floor(size / length)} ${unit}`;
    return past ? `${text} ago` : `in ${text}`;
  }

  const HOUR = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const DAY = { day: "numeric", month: "short" };
  // Made once: to make one takes longer than to use it a hundred times.
  const form = (parts) => new Intl.DateTimeFormat("en-GB", parts);
  const CLOCK = form(HOUR);
  const DAY_AND_CLOCK = form({ ...DAY, ...HOUR });
  const WHOLE = form({ weekday: "short", ...DAY, year: "numeric", ...HOUR, timeZoneName: "short" });

  // The clock of the reader; nothing where that is UTC.
  function here(date) {
    if (!date.getTimezoneOffset()) return "";
    return (date.getDate() === date.getUTCDate() ? CLOCK : DAY_AND_CLOCK).format(date);
  }

  function tellTimes(root) {
    for (const time of root.querySelectorAll("time")) {
      const date = new Date(time.dateTime);
      if (!time.title) {
        time.title = WHOLE.format(date);
        const said = here(date);
        if (said) time.dataset.here = said;
      }
      if (!("ago" in time.dataset)) continue;
      const said = words(now() - date / 1000);
      if (time.dataset.ago !== said) time.dataset.ago = said;
    }
  }

  function shortClock() {
    const date = new Date(now() * 1000);
    return date.toISOString().slice(11, 19) + " UTC" + (here(date) && ` (${CLOCK.format(date)})`);
  }

  // -- putting in what is new ----------------------------------------------------------------

  const later = new Map();

  function selected(node) {
    const chosen = document.getSelection();
    return chosen && !chosen.isCollapsed && chosen.containsNode(node, true);
  }

  function made(html) {
    const holder = document.createElement("template");
    holder.innerHTML = html; // drawn by our server, every text in it escaped
    tellTimes(holder.content);
    return holder.content.firstElementChild;
  }

  function put(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    const alike = old.nodeType === Node.ELEMENT_NODE && fresh.nodeType === Node.ELEMENT_NODE &&
      old.tagName === fresh.tagName && old.id === fresh.id && old.localName !== "svg" && !("whole" in old.dataset) &&
      old.childNodes.length && old.childNodes.length === fresh.childNodes.length;
    if (!alike) {
      old.replaceWith(fresh);
      return;
    }
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    const children = [...fresh.childNodes];
    [...old.childNodes].forEach((child, place) => put(child, children[place]));
  }

  function keepingFocus(act) {
    const focused = document.activeElement && document.activeElement.id;
    act();
    if (focused && (!document.activeElement || document.activeElement === body)) {
      const again = byId(focused);
      if (again) again.focus({ preventScroll: true });
    }
  }

  // What a reader unfolded stays so. An answer that is being read and would no longer be listed
  // holds its list as it is.
  function replace(id, old, html) {
    const next = made(html);
    for (const one of next.querySelectorAll("details[id]")) one.open = Boolean(byId(one.id)?.open);
    const read = [...old.querySelectorAll("details.evidence[open]")];
    if (read.some((one) => !next.querySelector(`#${CSS.escape(one.id)}`))) {
      old.dataset.held = "";
      later.set(id, html);
    } else {
      later.delete(id);
      put(old, next);
    }
  }

  function renew(regions) {
    // All questions before the first change: an answer about a changed page has it laid out anew.
    const there = Object.entries(regions)
      .map(([id, html]) => [id, html, byId(id)])
      .filter(([id, , old]) => old && !id.startsWith("group-")) // made once; what is in it follows
      .map(([id, html, old]) => [id, html, old, selected(old)]);
    for (const [id, html, old, copied] of there) {
      if (copied) later.set(id, html); // somebody is copying it
      else replace(id, old, html);
    }
  }

  // The order stands still while somebody is at the list: a click must hit what it was meant for.
  let touched = -Infinity;
  const order = { rows: [], groups: [] };
  let disordered = false;
  const fresh = new Map();
  const held = () => performance.now() - touched < 10000;

  // Put the elements of *ids* into *place*; one that moves is a copy: the others then do not jump.
  function fill(place, ids) {
    const there = [...place.children];
    const known = new Map(there.map((one) => [one.id, one]));
    const next = ids.map((id, at) => {
      const one = known.get(id);
      if (!one) return fresh.has(id) ? made(fresh.get(id)) : byId(id);
      return there[at] === one ? one : one.cloneNode(true);
    }).filter(Boolean);
    if (next.length !== there.length || next.some((one, at) => one !== there[at])) place.replaceChildren(...next);
  }

  function arrange() {
    if (!rows || !disordered || held()) return;
    disordered = false;
    fill(rows, order.rows);
    byId("services").hidden = !order.rows.length;
    fill(groups, order.groups.map(([id]) => id));
    groups.hidden = !order.groups.length;
    for (const [id, inside] of order.groups) {
      const key = id.slice("group-".length);
      for (const part of [`line-${key}`, `more-${key}`]) if (fresh.has(part)) put(byId(part), made(fresh.get(part)));
      fill(byId(`rows-${key}`), inside);
    }
    fresh.clear();
  }

  function show(page) {
    const regions = page.regions || {};
    keepingFocus(() => {
      renew(regions);
      if (rows && (page.rows || page.groups || disordered)) {
        disordered = true;
        if (page.rows) order.rows = page.rows;
        if (page.groups) order.groups = page.groups;
        for (const [id, html] of Object.entries(regions)) fresh.set(id, html);
        arrange();
      }
    });
    if (page.title) document.title = page.title;
    if (page.icon) byId("icon").href = page.icon;
    if (page.said !== undefined) say(page.said);
  }

  let spoken = null;

  function say(text) {
    if (spoken !== null && spoken !== text) byId("spoken").textContent = text;
    spoken = text;
  }

  // -- the stream ----------------------------------------------------------------------------

  let source = null;
  let heard = performance.now();
  let silence = 25000;
  let retry = 0;
  // Of a hidden page only title and icon are seen, and browsers allow few streams to one place:
  // it takes a look so often.
  const HIDDEN_MS = 30000;

  function line(state, text) {
    const place = byId("line");
    if (place.dataset.line !== state) {
      place.dataset.line = state;
      body.classList.toggle("old", state === "lost");
    }
    if (byId("line-words").textContent !== text) byId("line-words").textContent = text;
  }

  let lostAt = null;

  function lost(why) {
    if (lostAt === null) {
      lostAt = shortClock();
      byId("spoken").textContent = "The connection is lost. What you see is old.";
    }
    line("lost", `Old: ${why} since ${lostAt}`);
  }

  function alive(told) {
    heard = performance.now();
    skew = told.now - Date.now() / 1000;
    if (lostAt !== null) byId("spoken").textContent = "The connection is back.";
    lostAt = null;
    line("live", `Live, ${shortClock()}`);
  }

  function close() {
    if (source) source.close();
    source = null;
    clearTimeout(retry);
  }

  function open() {
    close();
    const of = encodeURIComponent(location.pathname + location.search);
    source = new EventSource(`/api/events?of=${of}`);
    source.addEventListener("hello", (event) => {
      const told = JSON.parse(event.data);
      if (told.version !== body.dataset.version && performance.now() > 20000) location.reload();
      silence = told.beat * 2500;
      alive(told);
    });
    source.addEventListener("beat", (event) => alive(JSON.parse(event.data)));
    source.addEventListener("page", (event) => {
      heard = performance.now();
      show(JSON.parse(event.data));
      if (document.hidden) close();
    });
    source.addEventListener("gone", () => {
      close();
      lost("this was removed");
    });
    source.onerror = () => {
      lost("no connection");
      if (source && source.readyState === EventSource.CLOSED) { // refused: the browser gives up
        close();
        retry = setTimeout(open, 10000);
      }
    };
  }

  function watch() {
    tellTimes(document);
    keepingFocus(() => {
      for (const [id, html] of [...later]) {
        const old = byId(id);
        if (old && !selected(old)) replace(id, old, html);
      }
      arrange();
    });
    if (document.hidden && !source && performance.now() - heard > HIDDEN_MS) open();
    else if (source && performance.now() - heard > silence) {
      lost("no heartbeat");
      heard = performance.now();
      open();
    }
  }

  tellTimes(document);
  setInterval(watch, 1000);
  if (body.hasAttribute("data-live")) {
    open();
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) close();
      else if (!source) {
        heard = performance.now();
        open();
      }
    });
    window.addEventListener("pagehide", close);
    window.addEventListener("pageshow", (event) => {
      if (event.persisted && !source) open();
    });
  } else byId("line").hidden = true;
  for (const list of [rows, groups].filter(Boolean)) {
    for (const kind of ["pointermove", "pointerdown", "focusin", "keydown"]) {
      list.addEventListener(kind, () => { touched = performance.now(); }, { passive: true });
    }
  }

  // -- filtering without loading the page ----------------------------------------------------

  const filter = byId("filter");
  if (filter) {
    let wait = 0;
    const apply = () => {
      clearTimeout(wait);
      const asked = new URLSearchParams();
      for (const [name, value] of new FormData(filter)) {
        if (value.trim()) asked.set(name, value.trim());
      }
      const shown = new URLSearchParams(location.search);
      if (shown.has("only") && shown.get("group") === asked.get("group")) asked.set("only", shown.get("only"));
      const query = asked.toString();
      const path = query ? `/?${query}` : "/";
      if (path === location.pathname + location.search) return;
      history.replaceState(null, "", path);
      touched = -Infinity;
      spoken = null; // not the sentence again, but how many fit
      open();
      const tell = (event) => {
        if (byId("pager").hidden) byId("spoken").textContent = "No service matches.";
        else byId("spoken").textContent = byId("pager").querySelector(".shown").textContent;
        event.target.removeEventListener("page", tell);
      };
      source.addEventListener("page", tell);
    };
    filter.addEventListener("submit", (event) => {
      event.preventDefault();
      apply();
    });
    filter.addEventListener("input", (event) => {
      clearTimeout(wait);
      if (event.target.name === "q") wait = setTimeout(apply, 250);
      else apply();
    });
  }

  // -- keys and colours ----------------------------------------------------------------------

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest && event.target.closest("input, select, textarea");
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing || !filter) return;
    event.preventDefault();
    byId("q").focus();
    byId("q").select();
  });

  // On a phone the counts are wider than the screen, and the browser leaves alone what is half seen.
  document.addEventListener("focusin", (event) => {
    if (event.target.closest(".counts")) event.target.scrollIntoView({ block: "nearest", inline: "nearest" });
  });

  const THEMES = ["auto", "light", "dark"];
  const themed = byId("theme");
  const wear = (theme) => {
    document.documentElement.dataset.theme = theme;
    themed.textContent = `Theme: ${theme}`;
  };
  let chosen = "auto";
  try {
    chosen = localStorage.getItem("theme");
  } catch { /* no storage: as the system has it */ }
  wear(THEMES.includes(chosen) ? chosen : "auto");
  themed.hidden = false;
  themed.addEventListener("click", () => {
    const at = THEMES.indexOf(document.documentElement.dataset.theme);
    const next = THEMES[(at + 1) % THEMES.length];
    wear(next);
    try {
      localStorage.setItem("theme", next);
    } catch { /* until the page is left, then */ }
  });
})();
