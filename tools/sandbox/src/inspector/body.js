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
    const text = body.replace(LOOKS_LIKE_A_TOKEN, (_, before, text) => before + token(text));
    return { text, hasToken };
  }
  const parts = body.match(PARTS).filter((part) => part.trim() !== "");
  const plain = [];
  const laidOut = [];
  let depth = 0;
  let deepest = 0;
  let isTokens = false;
  const newLine = () => laidOut.push("\n", "  ".repeat(Math.min(depth, DEEPEST)));
  for (const [at, part] of parts.entries()) {
    const before = parts[at - 1];
    const shown = isTokens && part.startsWith('"') ? `"${token(part.slice(1, -1))}"` : part;
    // A name may be spelt with escapes.
    isTokens = part === ":" && JSON.parse(before) === "token";
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
