// The data of the page: the rows, newest last, the rows that wait while the page is paused, and the rows that are
// shown.

import { conditions, values } from "./filter.js";

/** Greatest number of rows; above it, the oldest are removed. The same as the sandbox's default. */
export const MOST_ROWS = 10000;
/**
 * Greatest number of characters of bodies and of values read from them, so that a page can stay open during a large
 * test.
 */
const MOST_CHARACTERS = 64 * 1024 * 1024;

export const isProblem = (record) =>
  record.status === null || record.status >= 300 || record.warnings.length > 0 || record.token_problem !== null;

const SHOW = {
  all: () => true,
  problems: isProblem,
  retries: (record) => record.retry,
  duplicates: (record) => record.duplicate,
  "signed-in": (record) => record.visitor === "signed-in",
  anonymous: (record) => record.visitor === "anonymous",
};

function size({ body, body_hex: hex, notification }) {
  return values(notification).reduce((sum, text) => sum + text.length, body.length + (hex ?? "").length);
}

/**
 * A row is `{ key, record, address }` for a notification, or `{ key, note }` for a remark between two notifications,
 * such as a restart or a gap. Keys are increasing numbers that are never used twice. The address identifies a
 * notification in links.
 */
export class Store {
  rows = [];
  /** Notifications that arrived while the page is paused. */
  waiting = [];
  /** Number of notifications that this page does not have because there were too many. */
  forgotten = 0;
  paused = false;
  /** The rows that pass the filter, newest first. */
  shown = [];
  /** The data that the last clear removed, for `undo`: `{ rows, forgotten, characters }`; null: none. */
  #cleared = null;
  /** The tests that the filter's text requires. */
  #conditions = [];
  #show = "all";
  /** The name of the only kind that is shown; "": all kinds. */
  #kind = "";
  /** The only id that is shown; null: all ids. */
  #id = null;
  #nextKey = 1;
  #characters = 0;
  /** The run of the sandbox, and the position in it up to which records were read. */
  #run = null;
  #era = null;
  #seq = 0;

  /** Applies the sandbox's state. Returns "first", "restart", "cleared" or "same". */
  state({ run, era }) {
    const before = { run: this.#run, era: this.#era };
    if (before.run === run && before.era === era) return "same";
    this.#run = run;
    this.#era = era;
    this.#seq = 0;
    if (before.run === null) return "first";
    if (before.run === run) {
      this.#forget();
      return "cleared";
    }
    return this.rows.length + this.waiting.length === 0 ? "first" : "restart";
  }

  #forget() {
    const rows = this.rows.concat(this.waiting);
    if (rows.length > 0) {
      // The remark's key is less than the keys of the rows after it.
      const note = { key: this.#nextKey++, size: 0, note: "The notifications below were cleared. The sandbox no longer has them." };
      this.#cleared = { rows: [...rows, note], forgotten: this.forgotten, characters: this.#characters };
    }
    this.rows = [];
    this.waiting = [];
    this.shown = [];
    this.#characters = 0;
    this.forgotten = 0;
  }

  /** Number of notifications that `undo` would restore. */
  get undoable() {
    return this.#cleared === null ? 0 : Store.count(this.#cleared.rows);
  }

  /** Restores the notifications that the last clear removed from this page. The sandbox no longer has them. */
  undo() {
    const { rows, forgotten, characters } = this.#cleared;
    this.#cleared = null;
    this.rows = rows.concat(this.rows);
    this.forgotten += forgotten;
    this.#characters += characters;
    this.#trim();
    this.#showAgain();
  }

  /** The row with this address, or undefined. */
  find(address) {
    return this.rows.find((row) => row.address === address);
  }

  /** Whether the notification with this address cannot arrive any more. */
  isPast(address) {
    if (this.#run === null) return false;
    const start = `${this.#run}-${this.#era}-`;
    return !address.startsWith(start) || !(Number(address.slice(start.length)) > this.#seq);
  }

  /** Adds a remark to the rows. */
  note(text) {
    this.#add([{ note: text }]);
  }

  /** Adds records. Returns those that are new. */
  received(records) {
    const fresh = records.filter((record) => record.seq > this.#seq);
    const first = fresh[0]?.seq ?? 0;
    if (first > this.#seq + 1) {
      const missed = first - this.#seq - 1;
      this.forgotten += missed;
      this.note(`The sandbox no longer remembers ${missed.toLocaleString("en")} earlier ${missed === 1 ? "notification" : "notifications"}.`);
    }
    if (fresh.length > 0) this.#seq = fresh[fresh.length - 1].seq;
    this.#add(fresh.map((record) => ({ record, address: `${this.#run}-${this.#era}-${record.seq}` })));
    return fresh;
  }

  #add(rows) {
    for (const row of rows) {
      row.key = this.#nextKey++;
      row.size = row.record ? size(row.record) : 0;
      this.#characters += row.size;
    }
    const to = this.paused ? this.waiting : this.rows;
    for (const row of rows) to.push(row);
    if (!this.paused) this.#showMore(rows);
    this.#trim();
  }

  #trim() {
    // Remove the cleared notifications first.
    if (this.#cleared !== null && this.#characters + this.#cleared.characters > MOST_CHARACTERS) this.#cleared = null;
    let drop = 0;
    while (this.rows.length - drop + this.waiting.length > MOST_ROWS || this.#characters > MOST_CHARACTERS) {
      const row = this.rows[drop];
      if (row === undefined) break;
      this.#drop(row);
      drop += 1;
    }
    if (drop > 0) {
      const oldest = this.rows[drop]?.key ?? Infinity;
      this.rows.splice(0, drop);
      while (this.shown.length > 0 && this.shown[this.shown.length - 1].key < oldest) this.shown.pop();
    }
    // All remaining rows may be waiting.
    while (this.waiting.length > MOST_ROWS || (this.#characters > MOST_CHARACTERS && this.waiting.length > 1)) {
      this.#drop(this.waiting.shift());
    }
  }

  #drop(row) {
    this.#characters -= row.size;
    if (row.record) this.forgotten += 1;
  }

  #lets(row) {
    if (row.note !== undefined) {
      return this.#conditions.length === 0 && this.#show === "all" && this.#kind === "" && this.#id === null;
    }
    if (this.#kind !== "" && row.record.kind !== this.#kind) return false;
    if (this.#id !== null && row.record.notification?.id !== this.#id) return false;
    return SHOW[this.#show](row.record) && this.#conditions.every((test) => test(row));
  }

  #showMore(rows) {
    const more = rows.filter((row) => this.#lets(row)).reverse();
    if (more.length > 0) this.shown = more.concat(this.shown);
  }

  filter({ text, show, kind, id }) {
    this.#kind = kind;
    this.#id = id;
    this.#conditions = conditions(text);
    this.#show = show;
    this.#showAgain();
  }

  #showAgain() {
    this.shown = this.rows.filter((row) => this.#lets(row)).reverse();
  }

  resume() {
    this.paused = false;
    const rows = this.waiting;
    this.waiting = [];
    for (const row of rows) this.rows.push(row);
    this.#showMore(rows);
    this.#trim();
  }

  /** Notifications in the list, without the remarks. */
  static count(rows) {
    return rows.reduce((sum, row) => sum + (row.record ? 1 : 0), 0);
  }
}
