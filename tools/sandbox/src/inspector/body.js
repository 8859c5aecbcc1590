// The body of a request: indented if it is JSON, and with its token shortened.

import { shortened } from "./text.js";

/**
 * Greatest depth of JSON that is indented; no notification is so deep. Deeper JSON is shown in one line, because its
 * indentation would fill the page.
 */
const DEEPEST = 64;

// A string, a number or word, white space, or a single punctuation mark. The matches cover all of any valid JSON text.
const PARTS = /"(?:[^"\\]|\\.)*"|[^\s"{}[\]:,]+|\s+|[{}[\]:,]/gs;

// The value after the name `token` in a body that is not JSON, such as a truncated body or a form.
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
 * Splits JSON text into parts `{ part, shown }`. `shown` differs from `part` only for the value of a member `token`.
 */
function jsonParts(body, token) {
  let before = "";
  let isToken = false;
  return body.match(PARTS).map((part) => {
    if (part.trim() === "") return { part, shown: part };
    const shown = isToken && part.startsWith('"') ? `"${token(part.slice(1, -1))}"` : part;
    // The name may contain escapes.
    isToken = part === ":" && JSON.parse(before) === "token";
    before = part;
    return { part, shown };
  });
}

const otherText = (body, token) => body.replace(LOOKS_LIKE_A_TOKEN, (_, before, text) => before + token(text));

/** The body with its tokens shortened, and otherwise unchanged. */
export function bodyWithoutTokens(body) {
  if (!isJson(body)) return otherText(body, shortened);
  return jsonParts(body, shortened).map(({ shown }) => shown).join("");
}

/**
 * The text for a body, as `{ text, hasToken }`. Only white space changes, and a token is shortened unless `showsToken`.
 * Numbers, strings and repeated members stay as they were sent.
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
