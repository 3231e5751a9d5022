"use strict";
// Reads pictures aloud: where the pointer is, or the keyboard, the row of their table is shown.
// The tables hold every value; the time of the reader is put beside that of the axis.
(() => {
  const main = document.getElementById("main");
  const chosen = new Map(); // by reader: the time that was chosen, for the picture moves on
  const write = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  const set = (node, name, value) => { if (node.getAttribute(name) !== value) node.setAttribute(name, value); };

  const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const DAY = { day: "numeric", month: "short" };

  function rowsOf(reader) {
    const table = document.getElementById(reader.dataset.of);
    const rows = table ? [...table.querySelectorAll("tr[data-x]")] : [];
    return rows.sort((one, other) => one.dataset.x - other.dataset.x);
  }

  const timeOf = (row) => row.querySelector("time").dateTime;

  function words(row) {
    const heads = row.closest("table").tHead.rows[0].cells;
    return [...row.cells].map((cell, place) => {
      const time = cell.querySelector("time");
      const text = time ? time.textContent + (time.dataset.here ? ` (${time.dataset.here} here)` : "") : cell.textContent.trim();
      if (text === "–") return "";
      const { says } = heads[place].dataset;
      return says ? `${says} ${text}` : text;
    }).filter(Boolean).join(", ");
  }

  function show(reader, rows, place, chosenNow) {
    const row = rows[place];
    if (!row) return;
    if (chosenNow) chosen.set(reader.id, timeOf(row));
    if (Number(reader.value) !== place) reader.value = place;
    const text = words(row);
    set(reader, "aria-valuetext", text);
    const plot = reader.closest(".plot");
    write(plot.parentElement.querySelector(".reading"), text);
    const cursor = plot.querySelector(".cursor");
    set(cursor, "visibility", chosen.has(reader.id) ? "visible" : "hidden");
    for (const end of ["x1", "x2"]) set(cursor, end, `${(row.dataset.x / 10).toFixed(2)}%`);
  }

  function refresh() {
    for (const reader of main.querySelectorAll(".reader")) {
      const rows = rowsOf(reader);
      let place = rows.findIndex((row) => timeOf(row) === chosen.get(reader.id));
      if (place < 0) {
        chosen.delete(reader.id);
        place = rows.length - 1;
      }
      show(reader, rows, place, false);
    }
    for (const text of main.querySelectorAll("text.here")) {
      const date = new Date(Number(text.dataset.at) * 1000);
      if (!date.getTimezoneOffset() && text.dataset.at) continue;
      const form = text.closest("#month") ? { ...DAY, ...CLOCK } : CLOCK;
      if (text.dataset.at) write(text, date.toLocaleString("en-GB", form));
      else if (new Date().getTimezoneOffset()) write(text, "here");
    }
  }

  function point(event) {
    const plot = event.target.closest && event.target.closest(".plot");
    const reader = plot && plot.querySelector(".reader");
    if (!reader) return;
    const box = plot.getBoundingClientRect();
    const at = (event.clientX - box.left) / box.width * 1000;
    const rows = rowsOf(reader);
    let best = 0;
    rows.forEach((row, place) => {
      if (Math.abs(row.dataset.x - at) < Math.abs(rows[best].dataset.x - at)) best = place;
    });
    show(reader, rows, best, true);
  }

  for (const kind of ["pointermove", "pointerdown"]) main.addEventListener(kind, point, { passive: true });
  for (const kind of ["input", "focusin"]) {
    main.addEventListener(kind, ({ target }) => {
      if (!target.matches(".reader")) return;
      // A picture that was put in anew gets its focus back: what was chosen in it stays.
      if (kind === "focusin" && chosen.has(target.id)) refresh();
      else show(target, rowsOf(target), Number(target.value), true);
    });
  }
  let waiting = false;
  new MutationObserver(() => {
    if (waiting) return;
    waiting = true;
    queueMicrotask(() => {
      waiting = false;
      refresh();
    });
  }).observe(main, { childList: true, subtree: true, attributeFilter: ["data-x"] });
  refresh();
})();
