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
  };

  const post = async (told) => {
    const response = await fetch(form.dataset.to + told.verb, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Admin-Token": token.value },
      body: JSON.stringify({ ...told, verb: undefined }),
      redirect: "error",
      referrerPolicy: "no-referrer",
    }).catch(() => { throw new Error("the exporter does not answer"); });
    if (response.status === 401) {
      token.select();
      throw new Error("the admin token is wrong");
    }
    const found = await response.json();
    if (response.ok) return found;
    throw new Error(found.detail ? `${found.title}: ${found.detail}` : found.title);
  };

  const act = async (verb) => {
    const told = { verb, by: by.value };
    if (note.value) told.note = note.value;
    const outside = document.getElementById("public");
    if (verb === "note" && outside && outside.checked) told.public = true;
    await post(told);
    kept("by", by.value);
    note.value = "";
    if (outside) outside.checked = false;
    const saved = told.public ? "The note is saved, for outsiders too." : "The note is saved.";
    reply("good", verb === "note" ? saved : "The incident is acknowledged.");
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
    const verb = event.submitter ? event.submitter.value : "acknowledge";
    if (verb === "note" && !note.value.trim()) {
      reply("bad", "Write the note first.");
      note.focus();
      return;
    }
    reply("busy", by ? "Sending …" : "Probing …");
    try {
      await (by ? act(verb) : probe());
      kept("admin-token", keep.checked ? token.value : null);
    } catch (error) {
      reply("bad", `Not done: ${error.message}.`);
    }
  });
})();
