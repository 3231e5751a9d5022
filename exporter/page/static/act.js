"use strict";
// The forms that need the admin token: an incident is acknowledged or noted, a service is probed.
(() => {
  const form = document.querySelector(".acts");
  const [token, keep, answer, by, note] = ["token", "keep", "answer", "by", "note"]
    .map((id) => document.getElementById(id));
  const kept = (name, value) => {
    try {
      if (value === undefined) return sessionStorage.getItem(name);
      if (value === null) sessionStorage.removeItem(name);
      else sessionStorage.setItem(name, value);
    } catch { /* no storage: it is asked for again */ }
    return null;
  };
  form.hidden = false;
  token.value = kept("admin-token") || "";
  keep.checked = Boolean(token.value);
  if (by) by.value = kept("by") || "";
  keep.addEventListener("change", () => {
    if (!keep.checked) kept("admin-token", null);
  });

  const reply = (state, text) => {
    answer.dataset.answer = state;
    answer.textContent = text;
    answer.scrollIntoView({ block: "nearest" }); // a phone's keyboard may be over it
  };

  const LONGEST_MS = 90000; // a probe takes a minute at most

  const wrong = (why) => {
    token.setAttribute("aria-invalid", "true");
    token.focus();
    token.select();
    return new Error(`Not done: the admin token is wrong${why}.`);
  };
  token.addEventListener("input", () => token.removeAttribute("aria-invalid"));

  // The token is wrong, or no token would help, or it was no answer of the exporter's.
  const refused = (response, found) => {
    const challenge = response.headers.get("WWW-Authenticate") || "";
    if (response.status === 401 && challenge.startsWith("Bearer")) return wrong("");
    if (!found.title) return new Error(`Not done: a proxy before the exporter answers HTTP ${response.status}.`);
    const said = found.detail ? `${found.title}: ${found.detail}` : found.title;
    return new Error(`Not done: ${response.status === 403 ? "no token would help, " : ""}${said}.`);
  };

  const post = async (told) => {
    const headers = new Headers({ "Content-Type": "application/json" });
    try {
      headers.set("X-Admin-Token", token.value);
    } catch { // before anything is sent
      throw wrong(": it has characters that no token has");
    }
    const response = await fetch(form.dataset.to + told.verb, {
      method: "POST",
      headers,
      body: JSON.stringify({ ...told, verb: undefined }),
      redirect: "error",
      referrerPolicy: "no-referrer",
      signal: AbortSignal.timeout(LONGEST_MS),
    }).catch(() => {
      throw new Error("The exporter does not answer: it is not known whether this was done. Try again.");
    });
    const found = await response.json().catch(() => ({}));
    if (response.ok && Object.keys(found).length) return found;
    throw refused(response, found);
  };

  const act = async (verb) => {
    const told = { verb, by: by.value };
    if (note.value) told.note = note.value;
    const outside = document.getElementById("public");
    if (verb === "note" && outside && outside.checked) told.public = true;
    const found = await post(told);
    kept("by", by.value);
    note.value = "";
    if (outside) outside.checked = false;
    const saved = told.public ? "The note is saved, for outsiders too." : "The note is saved.";
    reply("good", verb === "note" ? saved : `The incident is acknowledged by ${found.acknowledged_by}.`);
  };

  const probe = async () => {
    const seen = await post({ verb: "test" });
    const status = seen.status_code ? `HTTP ${seen.status_code} ` : "";
    const took = `${status}after ${Math.round(seen.duration_ms)} ms`;
    if (seen.success) return reply("good", `It works: ${took}.`);
    const fault = JSON.parse(form.dataset.faults)[seen.verdict];
    const what = seen.detail ? `${seen.reason}, ${seen.detail}` : seen.reason;
    return reply("bad", `It fails: ${what}; ${took}. At fault: ${fault}. What to do: ${seen.advice}.`);
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.hasAttribute("aria-busy")) return; // once is enough
    const verb = event.submitter ? event.submitter.value : "acknowledge";
    if (verb === "note" && !note.value.trim()) {
      reply("bad", "Write the note first.");
      note.focus();
      return;
    }
    reply("busy", by ? "Sending …" : "Probing …");
    form.setAttribute("aria-busy", "true");
    try {
      await (by ? act(verb) : probe());
      kept("admin-token", keep.checked ? token.value : null);
    } catch (error) {
      reply("bad", error.message);
    } finally {
      form.removeAttribute("aria-busy");
    }
  });
})();
