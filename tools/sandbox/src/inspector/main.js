// The page: connects its parts.

import { Detail } from "./detail.js";
import { download } from "./export.js";
import { kindLabel, setKinds } from "./kinds.js";
import { Links } from "./links.js";
import { Store } from "./store.js";
import { listen } from "./stream.js";
import { Switches } from "./switches.js";
import { answerName, Table, visitorName } from "./table.js";
import { clock, element, line, visible } from "./text.js";

/** Shortest time between two announcements to a screen reader, in milliseconds. */
const ANNOUNCE_MS = 2000;
/** Time-out of a request to the sandbox, in milliseconds. */
const ASK_MS = 10000;

const by = (id) => document.getElementById(id);
const store = new Store();

// Messages to the user

function announce(text) {
  by("announce").textContent = text;
}

/** Shows a notice. A screen reader gets it once, through the live region that is always in the page. */
function notice(text) {
  by("notice").textContent = text;
  by("notice-box").hidden = text === "";
  if (text !== "") announce(text);
}

let unannounced = 0;
let lastRecord = null;
let announcing = false;

function announceNew(records) {
  unannounced += records.length;
  lastRecord = records[records.length - 1] ?? lastRecord;
  if (announcing || unannounced === 0) return;
  const market = lastRecord.notification?.market;
  const last = [answerName(lastRecord), kindLabel(lastRecord.kind), visitorName(lastRecord), market ? `market ${visible(market, 40)}` : ""];
  announce(`${unannounced} new. The last: ${last.filter((word) => word !== "").join(", ")}.`);
  unannounced = 0;
  announcing = true;
  setTimeout(() => {
    announcing = false;
    announceNew([]);
  }, ANNOUNCE_MS);
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    notice(`${what} is copied.`);
  } catch {
    const area = by("by-hand").querySelector("textarea");
    area.value = text;
    by("by-hand").showModal();
    area.select();
  }
}

async function ask(method, path, body) {
  // Not after the answer: the stream may have reported by then what the request did.
  notice("");
  try {
    const answer = await fetch(path, { method, body, signal: AbortSignal.timeout(ASK_MS) });
    if (!answer.ok) throw new Error(await answer.text());
  } catch (error) {
    notice(`The request failed: ${visible(error.message, 300)}`);
  }
}

/**
 * Fetches the record from the sandbox, with the payment token, which the stream does not send. The number alone does
 * not identify a record: after a restart or a clear, another request gets the same number.
 */
async function whole(record) {
  try {
    const answer = await fetch(`/sandbox/received/${record.seq}`, { signal: AbortSignal.timeout(ASK_MS) });
    const found = answer.ok ? await answer.json() : null;
    if (found?.at_unix_ms === record.at_unix_ms && found.body === record.body) return found;
    notice("The sandbox does not have this request any more, and this page does not have the whole payment token.");
  } catch (error) {
    notice(`The request failed: ${visible(error.message, 300)}`);
  }
  return null;
}

// Showing

const table = new Table(by("scroller"), {
  onActive(row, entered) {
    detail.show(row);
    links.show(row);
    by("main").dataset.detail = row?.record !== undefined;
    if (entered) detail.focus();
  },
  onLeave: () => closeDetail(),
});

const detail = new Detail(by("detail"), {
  close: () => closeDetail(),
  leave: focusRows,
  sameId(id) {
    unfilter();
    onlyId = id;
    filter();
    by("only").focus();
  },
  copy,
  whole,
});

const links = new Links({
  find: (address) => store.find(address),
  open: (row) => table.activate(row, false),
  close: () => table.activate(null, false),
  isPast: (address) => store.isPast(address),
  missing: () => notice("The notification of this link is not here: the sandbox was restarted or cleared since then, or has discarded it."),
});

/** Moves the focus to the rows, or to the filter if no row is shown, because a hidden element cannot have the focus. */
function focusRows() {
  if (store.shown.length > 0) table.focus();
  else by("filter").focus();
}

function closeDetail() {
  table.activate(null, false);
  focusRows();
}

let drawing = false;

function draw() {
  // At once, not with the next frame: a background tab draws no frames, and only its title is visible.
  title();
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    // Close the details of a row that was cleared or removed because of newer rows.
    if (table.active && !store.shown.includes(table.active) && !store.rows.includes(table.active)) table.activate(null, false);
    table.show(store.shown);
    const count = Store.count(store.rows);
    const shown = Store.count(store.shown);
    const total = count.toLocaleString("en");
    const older = store.forgotten > 0 ? `, ${store.forgotten.toLocaleString("en")} older not kept` : "";
    by("count").textContent = `${shown === count ? "" : `${shown.toLocaleString("en")} of `}${total} received${older}`;
    by("empty").hidden = store.rows.length > 0 || store.waiting.length > 0;
    by("nothing").hidden = store.rows.length === 0 || store.shown.length > 0;
    by("table").hidden = store.shown.length === 0;
    by("pause").textContent = store.paused ? `Resume (${Store.count(store.waiting).toLocaleString("en")} new)` : "Pause";
    by("pause").setAttribute("aria-pressed", store.paused);
    by("undo").hidden = store.undoable === 0;
    by("undo").textContent = `Undo clear (${store.undoable.toLocaleString("en")})`;
    by("export").disabled = shown === 0;
    // Last, because only a visible table can scroll to a row.
    links.openWanted();
  });
}

function title() {
  // A plus means that the page is not listening, so there may be more notifications.
  const count = Store.count(store.rows);
  const shown = `(${count.toLocaleString("en")}${resting ? "+" : ""}) `;
  document.title = `${count > 0 || resting ? shown : ""}Inspector - esales-notify sandbox`;
}

/** The only id that is shown; null: all ids. */
let onlyId = null;

function filter() {
  store.filter({ text: by("filter").value, show: by("show").value, kind: by("kind").value, id: onlyId });
  by("only").hidden = onlyId === null;
  by("only-id").textContent = line(onlyId ?? "");
  draw();
}

function unfilter() {
  by("filter").value = "";
  by("show").value = "all";
  by("kind").value = "";
  onlyId = null;
}

by("filter").addEventListener("input", filter);
by("show").addEventListener("change", filter);
by("kind").addEventListener("change", filter);
by("only").addEventListener("click", () => {
  onlyId = null;
  filter();
  by("filter").focus();
});
by("unfilter").addEventListener("click", () => {
  unfilter();
  filter();
  by("filter").focus();
});
by("pause").addEventListener("click", () => {
  if (store.paused) store.resume();
  else store.paused = true;
  draw();
});
// The notice appears when the sandbox reports the clear, which another page may have requested.
by("clear").addEventListener("click", () => ask("DELETE", "/sandbox/received"));
by("undo").addEventListener("click", () => {
  store.undo();
  notice("The cleared notifications are on this page again. The sandbox no longer has them.");
  by("clear").focus();
  draw();
});
by("export").addEventListener("click", () => download(store.shown.filter((row) => row.record).map((row) => row.record).reverse()));
by("dismiss").addEventListener("click", () => {
  notice("");
  focusRows();
});
by("by-hand-close").addEventListener("click", () => by("by-hand").close());

/** Fills the filter's list of kinds with those that the sandbox sends. */
function kinds(list) {
  setKinds(list);
  const select = by("kind");
  const [every, ...offered] = select.options;
  if (offered.map((option) => option.value).join() === list.map(({ name }) => name).join()) return;
  select.replaceChildren(every, ...list.map(({ name, label }) => element("option", { value: name }, label)));
  select.value = "";
  filter();
}

// How to begin

const origin = location.origin;
const secure = location.protocol === "https:" ? "--insecure " : "";
const COMMANDS = {
  environment: `ESALES_BASE_URL=${origin}`,
  send: `esales-notify send click --base-url ${origin} --market UK --ticket abc`,
  curl: `curl -i ${secure}${origin}/api/v1/notifications/adding-to-cart \\
  -H 'Content-Type: application/json' \\
  -d '{"market":"UK","customerKey":"d9528030-509c-4e0f-b585-7168f1e9feca","sessionKey":"b106299c-eac0-4f6f-96d2-93e57c255784","id":"first","ticket":"abc"}'`,
};
for (const code of document.querySelectorAll("[data-command]")) code.textContent = COMMANDS[code.dataset.command];
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", () => copy(COMMANDS[button.dataset.copy], "The text"));
}
by("address").textContent = origin;
by("copy-address").addEventListener("click", () => copy(origin, "The address"));

// Listening

const switches = new Switches(ask);
let lostAt = null;
/** Whether the page has stopped listening because it is hidden. */
let resting = false;

function connection(state, text) {
  by("connection").dataset.state = state;
  if (by("connection").textContent !== text) by("connection").textContent = text;
}

listen({
  open() {
    lostAt = null;
    connection("on", "Connected");
  },
  lost() {
    lostAt ??= Date.now();
    const since = clock(lostAt).slice(0, 8);
    connection("off", `Not connected since ${since}: the sandbox has stopped or cannot be reached. Trying again.`);
  },
  rest() {
    resting = true;
    connection("rest", "Not listening while this page is hidden");
    title();
  },
  wake() {
    resting = false;
    connection("connecting", "Connecting");
    title();
  },
  state(state) {
    kinds(state.kinds);
    const change = store.state(state);
    if (change === "restart") {
      store.note("The sandbox was restarted. It no longer has the notifications below; this page keeps them until it is cleared or reloaded.");
      notice("The sandbox was restarted. It no longer has the earlier notifications; this page keeps them.");
    }
    if (change === "cleared") notice("Cleared.");
    switches.state(state);
    draw();
  },
  received(records) {
    announceNew(store.received(records));
    draw();
  },
});
draw();
