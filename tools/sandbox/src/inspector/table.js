// The table. Of up to ten thousand rows, only the visible ones and a few around them are in the document.

import { hasId, kindLabel } from "./kinds.js";
import { orderSummary } from "./order.js";
import { clock, element, line, ticketParts } from "./text.js";

/** The heights of a row and of the head, in pixels. The style sheet has the same values. */
const ROW = 32;
const HEAD = 32;
/** Number of rows in the document above and below the visible ones. */
const AROUND = 12;

/** The colour of an answer: good, with a warning, refused because of the notification, or failed. */
export function tone(record) {
  if (record.status === null || record.status >= 500) return "failed";
  if (record.status >= 300) return "refused";
  return record.warnings.length > 0 ? "warned" : "good";
}

/** The answer, as one word. */
export const answerName = (record) => (record.status === null ? line(record.answer.split(":")[0]) : String(record.status));

/** A short description of the visitor. */
export function visitorName(record) {
  if (record.visitor === null) return "not a notification";
  if (record.visitor === "anonymous") return "anonymous";
  if (record.token_valid === true) return "signed in";
  return record.token_valid === false ? "token not valid" : "not validated";
}

const mark = (kind, text) => element("span", { class: `mark ${kind}` }, text);

/** Whether the notification was received before. */
export function repetitionMark(record) {
  if (record.duplicate) return [mark("again", "duplicate"), " "];
  return record.retry ? [mark("warned", "retry"), " "] : [];
}

/** The content of a notification: its ticket, product or order. */
function content({ ticket, productKey, variantKey, lines }) {
  if (lines !== undefined) return { text: orderSummary(lines) };
  if (productKey !== undefined || variantKey !== undefined) {
    return { text: [productKey, variantKey].filter((key) => key !== undefined).join("  "), mono: true };
  }
  const parts = ticketParts(ticket ?? "");
  return parts === null ? { text: ticket ?? "", mono: true } : { text: parts.join("  ") };
}

function idCell(record) {
  const cell = element("td", { class: "c-id" });
  cell.append(...repetitionMark(record));
  const { id } = record.notification ?? {};
  if (record.visitor === null) {
    // For a request that is not a notification, its path, which is usually the mistake.
    cell.append(element("bdi", { class: "mono" }, line(`${record.method} ${record.path}`)));
  } else if (id === undefined && !hasId(record.kind)) {
    cell.append(element("span", { class: "muted" }, "has none"));
  } else {
    cell.append(element("bdi", { class: "mono" }, line(id ?? "-")));
  }
  return cell;
}

/**
 * The time, as a link to the notification. The links are not in the Tab order, because arrow keys move through the
 * rows.
 */
function timeCell({ record, address }) {
  const link = element("a", { href: `#${address}`, tabindex: "-1" }, clock(record.at_unix_ms));
  return element("td", { class: "c-time mono" }, link);
}

function cells(row) {
  const { record } = row;
  const notification = record.notification ?? {};
  const answer = element("td", { class: "c-answer" }, element("span", { class: `answer ${tone(record)}` }, answerName(record)));
  if (record.scripted) answer.append(" ", mark("quiet", "scripted"));
  const bad = record.token_problem === null ? "" : " bad";
  const { text, mono } = content(notification);
  return [
    timeCell(row),
    answer,
    element("td", { class: `c-kind${record.payment_token_problem === null ? "" : " bad"}` }, kindLabel(record.kind)),
    element("td", { class: "c-market" }, element("bdi", {}, line(notification.market ?? ""))),
    element("td", { class: `c-visitor${bad}` }, visitorName(record)),
    idCell(record),
    element("td", { class: `c-content${mono ? " mono" : ""}` }, element("bdi", {}, line(text))),
  ];
}

function makeRow(row) {
  const made = element("tr", { id: `row-${row.key}` });
  if (row.note !== undefined) {
    made.className = "note";
    made.append(element("td", {}, row.note));
  } else {
    made.dataset.at = row.record.at_unix_ms;
    made.append(...cells(row));
  }
  return made;
}

/** One cell without colspan, because a wider one would add columns on a narrow page, which hides some. */
function spacer() {
  const cell = element("td");
  return { row: element("tr", { class: "spacer", "aria-hidden": "true" }, cell), cell };
}

export class Table {
  #scroller;
  #table;
  #body;
  #above = spacer();
  #below = spacer();
  #made = new Map();
  #rows = [];
  #active = null;
  #onActive;

  /**
   * `onActive(row, entered)` is called when a row is chosen; `entered` is true for Enter. `onLeave()` is called for
   * Escape.
   */
  constructor(scroller, { onActive, onLeave }) {
    this.#scroller = scroller;
    this.#table = scroller.querySelector("table");
    this.#body = this.#table.querySelector("tbody");
    this.#onActive = onActive;
    this.#body.append(this.#above.row, this.#below.row);
    scroller.addEventListener("scroll", () => this.#draw(), { passive: true });
    new ResizeObserver(() => this.#draw()).observe(scroller);
    this.#body.addEventListener("click", (event) => {
      // With a modifier key, the browser opens the link in another tab or window.
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      const key = event.target.closest("tr")?.id.slice("row-".length);
      const row = this.#rows.find((one) => String(one.key) === key);
      if (!row) return;
      event.preventDefault();
      this.activate(row, false);
    });
    this.#table.addEventListener("keydown", (event) => {
      if (event.key === "Escape") onLeave();
      else if (!this.#move(event)) return;
      event.preventDefault();
    });
  }

  /** Shows these rows, newest first. The visible rows stay visible, unless the newest row is among them. */
  show(rows) {
    const { scrollTop } = this.#scroller;
    const before = this.#rows[0];
    const added = before === undefined || scrollTop === 0 ? 0 : Math.max(0, rows.indexOf(before));
    this.#rows = rows;
    this.#table.setAttribute("aria-rowcount", rows.length + 1);
    // The spacers first, because scrolling ends at the end of the content.
    this.#draw(scrollTop + added * ROW);
    if (added > 0) this.#scroller.scrollTop = scrollTop + added * ROW;
  }

  get active() {
    return this.#active;
  }

  focus() {
    this.#table.focus();
  }

  activate(row, entered) {
    this.#active = row;
    // The handler may show the details, which makes the table smaller.
    this.#onActive(row, entered);
    if (row) this.#bringIntoSight(this.#rows.indexOf(row));
    this.#draw();
  }

  #move(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || this.#rows.length === 0) return false;
    const last = this.#rows.length - 1;
    const at = this.#rows.indexOf(this.#active);
    const page = Math.max(1, Math.floor((this.#scroller.clientHeight - HEAD) / ROW) - 1);
    const to = {
      ArrowDown: at + 1,
      ArrowUp: at < 0 ? 0 : at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: last,
      Enter: Math.max(at, 0),
    }[event.key];
    if (to === undefined) return false;
    this.activate(this.#rows[Math.min(Math.max(to, 0), last)], event.key === "Enter");
    return true;
  }

  #bringIntoSight(index) {
    if (index < 0) return;
    const top = index * ROW;
    const height = this.#scroller.clientHeight - HEAD;
    if (top < this.#scroller.scrollTop) this.#scroller.scrollTop = top;
    else if (top + ROW > this.#scroller.scrollTop + height) this.#scroller.scrollTop = top + ROW - height;
  }

  /** The number of visible columns. A narrow page and the details hide some. */
  #columns() {
    return [...this.#table.tHead.rows[0].cells].filter((cell) => getComputedStyle(cell).display !== "none").length;
  }

  #draw(scrollTop = this.#scroller.scrollTop) {
    const total = this.#rows.length;
    const inSight = Math.ceil(this.#scroller.clientHeight / ROW);
    const from = Math.max(0, Math.min(Math.floor(scrollTop / ROW) - AROUND, total - inSight));
    const to = Math.min(total, Math.floor(scrollTop / ROW) + inSight + AROUND);
    const made = new Map();
    let place = this.#above.row;
    for (let index = from; index < to; index += 1) {
      const row = this.#rows[index];
      const drawn = this.#made.get(row.key) ?? makeRow(row);
      made.set(row.key, drawn);
      if (row.note !== undefined) drawn.cells[0].colSpan = this.#columns();
      drawn.setAttribute("aria-rowindex", index + 2);
      drawn.setAttribute("aria-selected", row === this.#active);
      if (place.nextSibling !== drawn) place.after(drawn);
      place = drawn;
    }
    for (const [key, drawn] of this.#made) if (!made.has(key)) drawn.remove();
    this.#made = made;
    this.#above.cell.style.height = `${from * ROW}px`;
    this.#above.row.hidden = from === 0;
    this.#below.cell.style.height = `${(total - to) * ROW}px`;
    this.#below.row.hidden = to >= total;
    if (this.#active && made.has(this.#active.key)) {
      this.#table.setAttribute("aria-activedescendant", `row-${this.#active.key}`);
    } else {
      this.#table.removeAttribute("aria-activedescendant");
    }
  }
}
