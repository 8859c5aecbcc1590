// Texts of a notification, for display and for copying. All of them may be hostile: any program that reaches the
// sandbox can send them.

/** Greatest number of characters of a value that is shown. A copy has the whole value. */
const SHOWN = 4096;

// Characters that are invisible or that move the text around them: control characters, and marks of direction and
// width.
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

const escaped = (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** The text with invisible characters escaped, and cut if it is longer than `longest`. */
export function visible(text, longest = SHOWN) {
  const seen = text.slice(0, longest).replace(HIDDEN, escaped);
  return text.length > longest ? `${seen}… (${text.length.toLocaleString("en")} characters)` : seen;
}

/** Like `visible`, for one line of the table. */
export const line = (text) => visible(text, 160);

const two = (number) => String(number).padStart(2, "0");

/** The local time of day, to the millisecond. */
export function clock(unixMs) {
  const date = new Date(unixMs);
  const ms = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}

/** Shortens a token: enough to compare it with another, but not enough to use it. */
export const shortened = (token) => (token.length > 20 ? `${token.slice(0, 8)}…${token.slice(-4)}` : "…");

/** Whether the sandbox has shortened a token in the query. Only the sandbox's own record has the whole token. */
export const hasHiddenToken = (record) => record.path.includes("?") && record.path.includes("…");

/** The non-empty parts of a ticket, if it is base64 of text. Only for display: the ticket is opaque. */
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

/** Escapes bytes for printf: a byte with a meaning for a shell or a terminal becomes octal digits. */
function octal(bytes) {
  return Array.from(bytes, (byte) => {
    const plain = byte > 0x20 && byte < 0x7f && !"\\%'".includes(String.fromCharCode(byte));
    return plain ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, "0")}`;
  }).join("");
}

const fromHex = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));

// curl sets these headers itself, and takes Host from the URL.
const NOT_COPIED = new Set(["host", "content-length", "connection", "transfer-encoding", "expect", "keep-alive", "te", "upgrade"]);

/** Longest argument, in bytes. Linux allows 128 KiB, which must include the quotes. */
const LONGEST_ARGUMENT = 100000;

/**
 * A command for a POSIX shell that sends this request again, with the whole token. The text is safe to paste: every
 * value is quoted, and a body with control characters, which could end a terminal's paste mode, is written in octal. So
 * is a body that is too long for an argument: printf is built into the shell and has no such limit.
 */
export function curl(record, origin) {
  // A path that was not UTF-8 cannot be sent again unchanged, because the sandbox has replaced those bytes.
  const path = record.path.startsWith("/") ? record.path : `/${record.path}`;
  const command = ["curl", "-sS", "-i", "-X", quoted(record.method)];
  if (origin.startsWith("https:")) command.push("--insecure");
  if (/[[\]{}]/.test(path)) command.push("--globoff");
  if (path.includes("/.")) command.push("--path-as-is");
  command.push(quoted(origin + path));
  const lines = [command.join(" ")];
  const names = new Set();
  for (const [name, value] of record.headers) {
    names.add(name);
    if (!NOT_COPIED.has(name)) {
      const seen = value.replace(HIDDEN, " ").trim();
      lines.push(`-H ${quoted(seen === "" ? `${name};` : `${name}: ${seen}`)}`);
    }
  }
  // curl adds these headers unless they are removed.
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

/** Makes an element with attributes, and with text or elements inside. The text is never parsed as markup. */
export function element(name, attributes = {}, ...content) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...content);
  return made;
}
