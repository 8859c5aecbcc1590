// The notifications as a file of JSON, without tokens that could be used.

import { bodyWithoutTokens } from "./body.js";
import { clock, shortened } from "./text.js";

/** A record as /sandbox/received has it, with its tokens made short. Bytes that are not UTF-8 are left out. */
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
  // The browser has begun the download by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
