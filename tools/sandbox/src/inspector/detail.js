// The details of one notification.

import { bodyText } from "./body.js";
import { hasId, kindLabel } from "./kinds.js";
import { orderTable } from "./order.js";
import { answerName, repetitionMark, tone, visitorName } from "./table.js";
import { clock, curl, element, hasHiddenToken, shortened, ticketParts, visible } from "./text.js";

const OPAQUE =
  "For reading only. The ticket is opaque: the service may change what is in it at any time. Send it unchanged.";

/** Members that are shown in a special line or a table. All others are shown as text under their names. */
const SHOWN_APART = new Set(["market", "customerKey", "sessionKey", "token", "id", "lines"]);

/** `productKey` as `Product key`. */
const label = (name) => (name[0].toUpperCase() + name.slice(1)).replace(/[A-Z]/g, (c, at) => (at === 0 ? c : ` ${c.toLowerCase()}`));

const value = (text, kind = "mono") => element("bdi", { class: kind }, visible(text));

function visitorLine(record) {
  if (record.visitor === null) {
    const members = record.notification === null ? "its visitor cannot be read" : "only a POST to the path of a kind is a notification";
    return [`This is not a notification: ${members}.`];
  }
  if (record.visitor === "anonymous") return ["Anonymous: the customer key is not a SHA-256 hash, and needs no token."];
  if (record.token_valid === true) return ["Signed in: the token belongs to the customer key."];
  // The answer usually contains the reason already.
  const why = record.answer_text.includes(record.token_problem) ? "" : `: ${record.token_problem}`;
  return [element("span", { class: "bad" }, `Signed in, but ${visitorName(record)}${why}.`)];
}

function paymentTokenLine(record) {
  if (record.payment_token_valid === true) return ["Valid: it signs the bytes of the body."];
  const why = record.payment_token_problem;
  if (why === null || record.answer_text.includes(why)) return [];
  return [element("span", { class: "bad" }, `Not valid: ${why}.`)];
}

export class Detail {
  #element;
  #on;
  #showsToken = false;
  /** The path with the whole payment token, while the token is shown. */
  #wholePath = null;
  #row = null;

  /** `on` has close(), leave(), sameId(id), copy(text, what) and whole(record). */
  constructor(section, on) {
    this.#element = section;
    this.#on = on;
    section.addEventListener("keydown", (event) => {
      if (event.key === "Escape") on.leave();
    });
  }

  get row() {
    return this.#row;
  }

  focus() {
    this.#element.querySelector("button")?.focus();
  }

  /** Shows the record of a row; without a row, hides the details. */
  show(row) {
    if (row !== this.#row) {
      this.#showsToken = false;
      this.#wholePath = null;
    }
    this.#row = row;
    const record = row?.record;
    this.#element.hidden = record === undefined;
    this.#element.replaceChildren(...(record === undefined ? [] : this.#content(record)));
    this.#element.scrollTop = 0;
  }

  #button(text, act) {
    const button = element("button", { type: "button", class: "small" }, text);
    button.addEventListener("click", act);
    return button;
  }

  #content(record) {
    const notification = record.notification ?? {};
    const head = element(
      "header",
      {},
      element("h2", {}, element("span", { class: `answer ${tone(record)}` }, answerName(record)), ` ${clock(record.at_unix_ms)}`),
      this.#button("Copy as cURL", () => this.#copy(record)),
      this.#button("Close", () => this.#on.close()),
    );
    const list = element("dl");
    const add = (name, ...content) => list.append(element("dt", {}, name), element("dd", {}, ...content));

    const answer = record.answer_text === "" ? [] : [element("br"), value(record.answer_text, "")];
    add("Answer", value(record.answer), record.scripted ? " (scripted)" : "", ...answer);
    if (record.warnings.length > 0) {
      const warnings = record.warnings.map((text) => element("li", {}, value(text, "")));
      add("Warnings", element("ul", { class: "warnings" }, ...warnings));
    }
    if (record.kind !== null) add("Kind", kindLabel(record.kind));
    add("Visitor", ...visitorLine(record));
    if (notification.market !== undefined) add("Market", value(notification.market));
    if (notification.customerKey !== undefined) add("Customer key", value(notification.customerKey));
    if (notification.sessionKey !== undefined) add("Session key", value(notification.sessionKey));
    const body = bodyText(record.body, this.#showsToken);
    if (notification.token !== undefined) {
      const shown = this.#showsToken ? notification.token : shortened(notification.token);
      add("Token", value(shown), " ", this.#tokenButton());
    } else if (body.hasToken) {
      add("Token", "in the body ", this.#tokenButton());
    }
    if (notification.id !== undefined) {
      const same = this.#button("Show all with this id", () => this.#on.sameId(notification.id));
      add("Id", ...repetitionMark(record), value(notification.id), " ", same);
    } else if (record.visitor !== null && !hasId(record.kind)) {
      const again = repetitionMark(record);
      add("Id", ...again, again.length > 0 ? "same bytes; " : "", element("span", { class: "muted" }, "this kind has none"));
    }
    for (const [name, text] of Object.entries(notification)) {
      if (name === "ticket") this.#ticket(add, text);
      else if (!SHOWN_APART.has(name)) add(label(name), value(text));
    }
    const { lines } = notification;
    const order = lines === undefined ? [] : [element("div", { class: "block" }, element("h3", {}, "Order"), ...orderTable(lines))];
    if (hasHiddenToken(record)) add("Payment token", ...paymentTokenLine(record), " ", this.#paymentTokenButton(record));
    const path = this.#wholePath ?? record.path;
    add("Request", value(`${record.method} ${path}`), ` on connection ${record.connection}, number ${record.seq}`);

    const headers = record.headers.map(([name, text]) => `${name}: ${visible(text)}`).join("\n");
    return [
      head,
      list,
      ...order,
      this.#block("Body", body.text.split("\n").map((one) => visible(one)).join("\n") || "(empty)"),
      this.#block("Headers", headers),
    ];
  }

  #ticket(add, ticket) {
    add("Ticket", value(ticket));
    const parts = ticketParts(ticket);
    if (parts === null) return;
    const list = element("ul", { class: "parts" }, ...parts.map((part) => element("li", {}, value(part))));
    add("Ticket, decoded", list, element("p", { class: "muted" }, OPAQUE));
  }

  #tokenButton() {
    return this.#toggle("token", this.#showsToken, () => {
      this.#showsToken = !this.#showsToken;
    });
  }

  #paymentTokenButton(record) {
    return this.#toggle("payment token", this.#wholePath !== null, async () => {
      const row = this.#row;
      const path = this.#wholePath === null ? (await this.#on.whole(record))?.path : undefined;
      // The user may have chosen another row meanwhile.
      if (row === this.#row) this.#wholePath = path ?? null;
    });
  }

  #toggle(what, shows, act) {
    const button = this.#button(shows ? "Hide" : "Show", async () => {
      const row = this.#row;
      await act();
      if (row !== this.#row) return;
      this.show(row);
      this.#element.querySelector(`[data-secret="${what}"]`)?.focus();
    });
    button.dataset.secret = what;
    button.setAttribute("aria-pressed", shows);
    button.append(element("span", { class: "unseen" }, ` the whole ${what}`));
    return button;
  }

  async #copy(record) {
    const whole = hasHiddenToken(record) ? await this.#on.whole(record) : record;
    if (whole !== null) this.#on.copy(curl(whole, location.origin), "The cURL command");
  }

  #block(title, text) {
    const pre = element("pre", { tabindex: "0", "aria-label": title }, text);
    return element("div", { class: "block" }, element("h3", {}, title), pre);
  }
}
