// What is shown and copied of a notification. All of it is hostile: whoever reaches the sandbox wrote it.

/** The longest text that is shown of one value, in characters. A copy has all of it. */
const SHOWN = 4096;

// What a person would not see, or see in another place than it stands: controls, and marks of direction and width.
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

const escaped = (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** The text with what cannot be seen made visible, and cut when it is very long. */
export function visible(text, longest = SHOWN) {
  const seen = text.slice(0, longest).replace(HIDDEN, escaped);
  return text.length > longest ? `${seen}… (${text.length.toLocaleString("en")} characters)` : seen;
}

/** The same for one line of the table. */
export const line = (text) => visible(text, 160);

const two = (number) => String(number).padStart(2, "0");

/** The local time of day, to the millisecond. */
export function clock(unixMs) {
  const date = new Date(unixMs);
  const ms = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}

/** Enough of a token to compare it with another, and not enough to use it. */
export const shortened = (token) => (token.length > 20 ? `${token.slice(0, 8)}…${token.slice(-4)}` : "…");

/** Whether the sandbox has shortened a token in the query: only its own record has it whole. */
export const hasHiddenToken = (record) => record.path.includes("?") && record.path.includes("…");

/** What the ticket holds, if it is base64 of text: its non-empty parts. The ticket is opaque; this is for the eye. */
export function ticketParts(ticket) {
  let bytes;
  try {
    bytes = Uint8Array.from(atob(ticket.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  } catch {
    return null;
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const parts = text.split(";").filter((part) => part !== "" && part !== "#");
    return /[\u0000-\u001f\u007f]/.test(text) || parts.length === 0 ? null : parts;
  } catch {
    return null;
  }
}

const quoted = (text) => `'${text.replace(/'/g, "'\\''")}'`;

/** For printf: each byte that a shell or a terminal might take for something else in octal digits. */
function octal(bytes) {
  return Array.from(bytes, (byte) => {
    const plain = byte > 0x20 && byte < 0x7f && !"\\%'".includes(String.fromCharCode(byte));
    return plain ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, "0")}`;
  }).join("");
}

const fromHex = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));

// These belong to the connection or to the length, which curl sees to; Host is that of the address.
const NOT_COPIED = new Set(["host", "content-length", "connection", "transfer-encoding", "expect", "keep-alive", "te", "upgrade"]);

/** Linux takes arguments of up to 128 KiB each; this leaves room for quotes, in bytes. */
const LONGEST_ARGUMENT = 100000;

/**
 * A command for a POSIX shell that sends this request again, with the whole token. The text is safe to paste: every
 * value is quoted, and a body that holds control characters (which can break out of a terminal's paste) is in octal. So
 * is one that is too long for an argument: printf is a part of the shell, and takes what it is given.
 */
export function curl(record, origin) {
  // What the sandbox replaced because it is not UTF-8 cannot be sent again as it was; the rest is.
  const path = record.path.startsWith("/") ? record.path : `/${record.path}`;
  const words = ["curl", "-sS", "-i", "-X", quoted(record.method)];
  if (origin.startsWith("https:")) words.push("--insecure");
  if (/[[\]{}]/.test(path)) words.push("--globoff");
  if (path.includes("/.")) words.push("--path-as-is");
  words.push(quoted(origin + path));
  const lines = [words.join(" ")];
  const names = new Set();
  for (const [name, value] of record.headers) {
    names.add(name);
    if (!NOT_COPIED.has(name)) {
      const seen = value.replace(HIDDEN, " ").trim();
      lines.push(`-H ${quoted(seen === "" ? `${name};` : `${name}: ${seen}`)}`);
    }
  }
  // curl adds these by itself when nothing is said.
  for (const name of ["user-agent", "accept", "content-type"]) {
    if (!names.has(name)) lines.push(`-H ${quoted(`${name}:`)}`);
  }
  const odd = record.body_hex !== undefined || record.body.search(HIDDEN) >= 0;
  const bytes = record.body_hex === undefined ? new TextEncoder().encode(record.body) : fromHex(record.body_hex);
  if (!odd && bytes.length <= LONGEST_ARGUMENT) {
    // --data-raw: with --data, a body that begins with @ would be the name of a file.
    if (record.body !== "") lines.push(`--data-raw ${quoted(record.body)}`);
    return lines.join(" \\\n  ");
  }
  lines.push("--data-binary @-");
  return `printf '${octal(bytes)}' | ${lines.join(" \\\n  ")}`;
}

/** What an element is given: a class, attributes, and text or elements inside. Never markup. */
export function element(name, attributes = {}, ...content) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...content);
  return made;
}
