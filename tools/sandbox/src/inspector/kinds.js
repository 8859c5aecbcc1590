// What the kinds of notification are called. The sandbox says so, from its table: a new kind needs nothing here.

let known = new Map();

/** Takes the sandbox's list in: `[{ name, words, has_id }]`. */
export function setKinds(kinds) {
  known = new Map(kinds.map((kind) => [kind.name, kind]));
}

/** The kind in plain words; "" for a path that is no kind's. */
export const kindWords = (name) => (name === null ? "" : known.get(name)?.words ?? name);

/** Whether notifications of this kind carry an id. What is no kind's may have one. */
export const hasId = (name) => known.get(name)?.has_id ?? true;
