// Exports the notifications as a JSON file, without usable tokens.

import { bodyWithoutTokens } from "./body.js";
import { clock, shortened } from "./text.js";

/** A record as in /sandbox/received, with its tokens shortened, and without the bytes of a body that is not UTF-8. */
function withoutTokens({ body_hex: _, ...record }) {
  const token = record.notification?.token;
  const notification = token === undefined ? record.notification : { ...record.notification, token: shortened(token) };
  return { ...record, notification, body: bodyWithoutTokens(record.body) };
}

/** Offers these records as a download. */
export function download(records) {
  const text = `${JSON.stringify(records.map(withoutTokens), null, 2)}\n`;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = `notifications-${clock(Date.now()).slice(0, 8).replaceAll(":", "")}.json`;
  link.click();
  // After a minute the browser has started the download.
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
