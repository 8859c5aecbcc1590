// One notification, in full.

import { bodyText } from "./body.js";
import { answerName, tone, visitorName } from "./table.js";
import { clock, curl, element, shortened, ticketParts, visible } from "./text.js";

const OPAQUE =
  "Only a help for the eye. The ticket is opaque: the service may change what is in it at any time. Pass it on as it is.";

const value = (text, kind = "mono") => element("bdi", { class: kind }, visible(text));

function visitorLine(record) {
  if (record.visitor === null) {
    const members = record.notification === null ? "no visitor could be read from it" : "only a POST to the notification path is one";
    return [`This is not a notification: ${members}.`];
  }
  if (record.visitor === "anonymous") return ["Anonymous: the customer key is not a SHA-256 hash, and needs no token."];
  if (record.token_valid === true) return ["Signed in: the token belongs to the customer key."];
  // The reason is in the answer already, unless the answer was another one.
  const why = record.answer_text.includes(record.token_problem) ? "" : `: ${record.token_problem}`;
  return [element("span", { class: "bad" }, `Signed in, but ${visitorName(record)}${why}.`)];
}

export class Detail {
  #element;
  #on;
  #showsToken = false;
  #row = null;

  /** `on` has: close(), sameId(id), copy(text, what). */
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

  /** Shows a row's record, or nothing. */
  show(row) {
    if (row !== this.#row) this.#showsToken = false;
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
      this.#button("Copy as cURL", () => this.#on.copy(curl(record, location.origin), "The cURL command")),
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
      const again = record.duplicate ? [element("span", { class: "mark again" }, "seen before"), " "] : [];
      add("Id", ...again, value(notification.id), " ", same);
    }
    if (notification.ticket !== undefined) this.#ticket(add, notification.ticket);
    add("Request", value(`${record.method} ${record.path}`), ` on connection ${record.connection}, number ${record.seq}`);

    const headers = record.headers.map(([name, text]) => `${name}: ${visible(text)}`).join("\n");
    return [
      head,
      list,
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
    const button = this.#button(this.#showsToken ? "Hide" : "Show", () => {
      this.#showsToken = !this.#showsToken;
      this.show(this.#row);
      this.#element.querySelector("[aria-pressed]").focus();
    });
    button.setAttribute("aria-pressed", this.#showsToken);
    button.append(element("span", { class: "unseen" }, " the whole token"));
    return button;
  }

  #block(title, text) {
    const pre = element("pre", { tabindex: "0", "aria-label": title }, text);
    return element("div", { class: "block" }, element("h3", {}, title), pre);
  }
}
