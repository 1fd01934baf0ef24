// What the pages gain with a script; without one they work as well. A page is rendered in one place, the server: on a
// hint of the event stream the same page is fetched again, and its parts marked data-live take the place of the old ones.
"use strict";
(() => {
  const $ = (selector, of = document) => of.querySelector(selector);
  const all = (selector, of = document) => [...of.querySelectorAll(selector)];
  const base = document.documentElement.dataset.base || "";
  const button = $("#live");
  const search = $("#search");
  const help = $("#help");
  const MIN_GAP_MS = 1000; // A page is fetched at most this often …
  const MAX_GAP_MS = 20000; // … and at least this often, because relative times grow old.

  // Live updates
  let paused = sessionStorage.getItem("paused") === "1";
  let connected = null, trouble = "", pending = false, fetching = false, last = Date.now(), changes = 0;

  const chosen = () => all("main input[name=id]:checked").length;
  // Nothing moves under a hand: rows are selected, a field is being filled in, text is marked, or a menu is open.
  const isHeld = () => {
    const active = document.activeElement;
    const typing = active && active.closest("main") && active.matches("input:not([type=checkbox]), textarea, select");
    const marked = String(getSelection()) !== "";
    return chosen() > 0 || typing || marked || (help && help.open);
  };

  const NO_DATABASE = "The database does not answer";
  // Why the page cannot be fetched again; empty if it can.
  const troubleOf = ({ ok, redirected, status }) => {
    if (redirected || status === 401) return "Logged out";
    if (status === 404) return /\/jobs\/\d+$/.test(location.pathname) ? "This job is gone" : "This page is gone";
    if (status === 503) return NO_DATABASE;
    return ok ? "" : `Error ${status}`;
  };

  const show = () => {
    if (!button) return;
    const held = isHeld();
    const state =
      paused ? "paused" : trouble ? "trouble" : connected === null ? "begun" : !connected ? "lost" : held ? "held" : "live";
    button.dataset.state = state;
    button.dataset.connected = String(connected === true);
    const more = changes > 0 && (paused || held) ? ` (${changes} new)` : "";
    const words = { paused: "Paused", trouble, begun: "Connecting", lost: "Reconnecting", held: "Held", live: "Live" };
    button.textContent = words[state] + more;
    button.setAttribute("aria-pressed", String(paused));
    button.title = paused ? "Updates are paused. Press to continue." : "Updates as they happen. Press to pause.";
  };

  const swap = (text) => {
    const next = new DOMParser().parseFromString(text, "text/html");
    const at = $("tr.at") && $("tr.at").dataset.key;
    for (const old of all("[data-live], #menu-dead")) {
      const fresh = next.getElementById(old.id);
      if (!fresh || old.isEqualNode(fresh)) continue;
      for (const open of all("details[open][id]", old)) {
        const same = fresh.querySelector(`#${CSS.escape(open.id)}`);
        if (same) same.open = true;
      }
      const focus = old.contains(document.activeElement) && document.activeElement.id;
      const scrolls = all("[data-follow]", old).map((box) => [box.id, box.scrollTop, box.scrollHeight - box.clientHeight - box.scrollTop < 8]);
      old.replaceWith(document.adoptNode(fresh));
      if (focus && document.getElementById(focus)) document.getElementById(focus).focus();
      for (const [id, top, end] of scrolls) {
        const box = document.getElementById(id);
        if (box) box.scrollTop = end ? box.scrollHeight : top;
      }
    }
    if (next.title) document.title = next.title;
    if (at) mark(rows().find((row) => row.dataset.key === at));
    count();
  };

  const refresh = async () => {
    if (!pending || fetching || paused || isHeld() || document.hidden) return show();
    const wait = last + gap() - Date.now();
    if (wait > 0) {
      show();
      return void setTimeout(refresh, wait);
    }
    pending = false; fetching = true; last = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, credentials: "same-origin" });
      trouble = troubleOf(answer);
      const text = trouble ? null : await answer.text();
      // What is gone has no actions.
      for (const actions of all(".head .actions")) actions.hidden = answer.status === 404;
      // Somebody may have selected a row meanwhile.
      if (text === null || paused || isHeld()) pending = true;
      else { swap(text); changes = 0; }
    } catch { pending = true; }
    fetching = false;
    show();
    if (pending) setTimeout(refresh, MIN_GAP_MS * 3);
  };

  const hint = () => { pending = true; changes += 1; refresh(); };
  // A page may ask to be fetched more often, as that of a running job, whose log no event tells of.
  const every = () => Number($("[data-live][data-every]")?.dataset.every || MAX_GAP_MS);
  // Or less often, because it costs more.
  const gap = () => trouble ? MIN_GAP_MS * 5 : Number($("[data-live][data-gap]")?.dataset.gap || MIN_GAP_MS);

  if ($("[data-live]") && button) {
    button.hidden = false;
    button.addEventListener("click", () => {
      paused = !paused;
      sessionStorage.setItem("paused", paused ? "1" : "0");
      if (!paused && changes > 0) pending = true;
      show();
      refresh();
    });
    let events;
    const listen = () => {
      events = new EventSource(`${base}/api/v1/events`);
      events.onerror = () => {
        connected = false;
        // After an answer that is no stream a browser gives up. The page itself says why.
        if (events.readyState === EventSource.CLOSED) {
          setTimeout(listen, MIN_GAP_MS * 5);
          pending = true;
          refresh();
        }
        show();
      };
      events.addEventListener("trouble", () => { connected = true; trouble = NO_DATABASE; hint(); });
      events.addEventListener("stats", () => {
        if (trouble === NO_DATABASE) trouble = "";
        if (connected) return hint();
        // The first event says how things are: something may have changed since this page was made.
        connected = true;
        pending = true;
        refresh();
      });
    };
    listen();
    addEventListener("pagehide", () => events.close());
    setInterval(() => {
      if (Date.now() - last > every()) pending = true;
      refresh();
    }, 1000);
    document.addEventListener("visibilitychange", refresh);
    document.addEventListener("selectionchange", show);
    show();
  }

  // Selection of rows
  const count = () => {
    const number = chosen(), boxes = all("main input[name=id]");
    for (const what of all("[data-chosen]")) what.textContent = number ? `${number} selected` : what.dataset.chosen;
    const every = $("#every");
    if (every) { every.checked = number > 0 && number === boxes.length; every.indeterminate = number > 0 && number < boxes.length; }
    show();
  };
  document.addEventListener("change", (event) => {
    if (event.target.id === "every") for (const box of all("main input[name=id]")) box.checked = event.target.checked;
    count();
    if (!chosen()) refresh();
  });

  // Keyboard
  const rows = () => all("main tbody tr[data-key]");
  const mark = (row) => {
    for (const old of all("tr.at")) old.classList.remove("at");
    if (!row) return;
    row.classList.add("at");
    row.scrollIntoView({ block: "nearest" });
    const link = $("a", row);
    if (link && document.activeElement && !document.activeElement.matches("input[type=checkbox]")) link.focus({ preventScroll: true });
  };
  const move = (by) => {
    const list = rows();
    if (!list.length) return;
    const at = list.findIndex((row) => row.classList.contains("at"));
    mark(list[Math.max(0, Math.min(list.length - 1, at < 0 ? (by > 0 ? 0 : list.length - 1) : at + by))]);
  };
  const retry = () => {
    const own = $("[data-key-r]");
    if (!own) return;
    const row = $("tr.at input[name=id]");
    if (row && !chosen()) row.checked = true;
    if (!$("main input[name=id][type=checkbox]") || chosen()) own.click();
  };
  const keys = {
    "/": () => { search?.focus(); search?.select(); },
    j: () => move(1),
    k: () => move(-1),
    x: () => { const box = $("tr.at input[name=id]"); if (box) box.click(); },
    r: retry,
    p: () => button && button.click(),
    "?": () => help?.showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches("input:not([type=checkbox]), textarea, select");
    if (event.key === "Escape" && typing) return event.target.blur();
    if (typing || (help && help.open) || !Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  });
  for (const opener of all("[data-help]")) {
    opener.hidden = false;
    opener.addEventListener("click", () => help.showModal());
  }

  // The zone of this browser, as a suggestion
  const zone = $("#zone");
  const here = $("#zone-here");
  if (zone && here) {
    const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
    here.textContent = `Use ${name}, the zone of this browser`;
    here.hidden = false;
    here.addEventListener("click", () => { zone.value = name; zone.form.requestSubmit(); });
  }
  for (const box of all("[data-follow]")) box.scrollTop = box.scrollHeight;
  // The list is on the first screen of a phone.
  if (matchMedia("(max-width: 720px)").matches) for (const fold of all("[data-fold]")) fold.open = false;
  count();
})();
