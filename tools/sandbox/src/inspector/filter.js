// Parses the text of the filter: words, which may be anywhere in a notification, and conditions such as `market:SE`.

import { kindLabel } from "./kinds.js";
import { answerName } from "./table.js";
import { ticketParts } from "./text.js";

/** The values of all readable members, including those of an order's lines. */
export function values(notification) {
  if (notification === null) return [];
  const { lines = [], ...own } = notification;
  return [...Object.values(own), ...lines.flatMap((line) => Object.values(line))];
}

const member = (name) => ({ notification }) => [notification?.[name]];
const memberOrLine = (name) => ({ notification }) => [notification?.[name], ...(notification?.lines ?? []).map((line) => line[name])];
/** `secure_payment`, `secure-payment` and `Secure payment` are the same kind. */
const kindName = (text) => text.replace(/[-_ ]/g, "-");

/** Conditions that must match a whole value. */
const WHOLE = {
  market: member("market"),
  id: member("id"),
  status: (record) => [answerName(record), record.status === null ? "none" : `${String(record.status)[0]}xx`],
  kind: ({ kind }) => (kind === null ? ["none"] : [kindName(kind), kindName(kindLabel(kind))]),
  visitor: ({ visitor }) => [visitor ?? "none"],
};

/** Conditions that may match a part of a value. */
const PART = {
  customer: member("customerKey"),
  session: member("sessionKey"),
  ticket: ({ notification }) => [notification?.ticket, ...(ticketParts(notification?.ticket ?? "") ?? [])],
  product: memberOrLine("productKey"),
  variant: memberOrLine("variantKey"),
  path: ({ path }) => [path],
  warning: ({ warnings }) => warnings,
};

// A word or a text in double quotes, with or without the name of a field before it.
const TERMS = /(?:(\w+):)?(?:"([^"]*)"?|(\S*))/g;

function condition(field, value) {
  const wanted = field === "kind" ? kindName(value) : value;
  const read = WHOLE[field] ?? PART[field];
  const fits = Object.hasOwn(WHOLE, field) ? (text) => text === wanted : (text) => text.includes(wanted);
  return ({ record }) => read(record).some((text) => text !== undefined && fits(text.toLowerCase()));
}

/** The tests that a notification's row must pass, all of them. */
export function conditions(text) {
  const tests = [];
  for (const [whole, field, quoted, plain] of text.toLowerCase().matchAll(TERMS)) {
    const value = quoted ?? plain;
    if (Object.hasOwn(WHOLE, field ?? "") || Object.hasOwn(PART, field ?? "")) {
      // There is no condition until a value is typed.
      if (value !== "") tests.push(condition(field, value));
    } else if (whole !== "" && value !== "") {
      const word = field === undefined ? value : whole;
      tests.push((row) => haystack(row).includes(word));
    }
  }
  return tests;
}

/** The text that is searched for words. It is made on first use. */
function haystack(row) {
  if (row.haystack === undefined) {
    const { record } = row;
    const parts = ticketParts(record.notification?.ticket ?? "") ?? [];
    const words = [record.method, record.path, record.answer, record.answer_text, record.visitor ?? "", kindLabel(record.kind)];
    // Only the values of members, not their names: "se" must find a market, not every sessionKey.
    words.push(...(record.notification ? values(record.notification) : [record.body]));
    words.push(record.retry ? "retry" : "", record.duplicate ? "duplicate" : "", record.scripted ? "scripted" : "");
    row.haystack = [...words, ...record.warnings, ...parts].join("\n").toLowerCase();
  }
  return row.haystack;
}
