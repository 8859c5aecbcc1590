// The body of a request as it was sent: laid out when it is JSON, and with its token made short.

import { shortened } from "./text.js";

/** Deeper than a notification ever is; what is deeper still stands in one line, for its margins would fill the page. */
const DEEPEST = 64;

// A string, a number or word, white space, or a single mark. Of text that parses as JSON it leaves out nothing.
const PARTS = /"(?:[^"\\]|\\.)*"|[^\s"{}[\]:,]+|\s+|[{}[\]:,]/gs;

// In what is no JSON (cut off, or a form): what stands behind a name `token`.
const LOOKS_LIKE_A_TOKEN = /(\btoken["']?\s*[:=]\s*["']?)([^"'&\s,}]+)/g;

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The parts of JSON text, each `{ part, shown }`: `shown` differs for the value of a member `token`. */
function jsonParts(body, token) {
  let before = "";
  let isToken = false;
  return body.match(PARTS).map((part) => {
    if (part.trim() === "") return { part, shown: part };
    const shown = isToken && part.startsWith('"') ? `"${token(part.slice(1, -1))}"` : part;
    // A name may be spelt with escapes.
    isToken = part === ":" && JSON.parse(before) === "token";
    before = part;
    return { part, shown };
  });
}

const otherText = (body, token) => body.replace(LOOKS_LIKE_A_TOKEN, (_, before, text) => before + token(text));

/** The body with its tokens made short, and otherwise as it was sent. */
export function bodyWithoutTokens(body) {
  if (!isJson(body)) return otherText(body, shortened);
  return jsonParts(body, shortened).map(({ shown }) => shown).join("");
}

/**
 * The text that shows a body: `{ text, hasToken }`. Every string and number stays as it was written, and every member
 * stays, twice if it was there twice: only white space between them is changed, and a token (unless `showsToken`).
 */
export function bodyText(body, showsToken) {
  let hasToken = false;
  const token = (text) => {
    hasToken = true;
    return showsToken ? text : shortened(text);
  };
  if (!isJson(body)) {
    const text = otherText(body, token);
    return { text, hasToken };
  }
  const parts = jsonParts(body, token).filter(({ part }) => part.trim() !== "");
  const plain = [];
  const laidOut = [];
  let depth = 0;
  let deepest = 0;
  const newLine = () => laidOut.push("\n", "  ".repeat(Math.min(depth, DEEPEST)));
  for (const [at, { part, shown }] of parts.entries()) {
    const before = parts[at - 1]?.part;
    plain.push(shown);
    if (part === "}" || part === "]") {
      depth -= 1;
      if (before !== "{" && before !== "[") newLine();
    } else if (before === "{" || before === "[" || before === ",") {
      newLine();
    }
    laidOut.push(part === ":" ? ": " : shown);
    if (part === "{" || part === "[") depth += 1;
    deepest = Math.max(deepest, depth);
  }
  return { text: (deepest > DEEPEST ? plain : laidOut).join(""), hasToken };
}
