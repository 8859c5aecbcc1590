// The labels of the kinds of notification. The sandbox sends them, so a new kind needs no change here.

let known = new Map();

/** Stores the sandbox's list `[{ name, label, has_id }]`. */
export function setKinds(kinds) {
  known = new Map(kinds.map((kind) => [kind.name, kind]));
}

/** The label of a kind; "" for a path of no kind. */
export const kindLabel = (name) => (name === null ? "" : known.get(name)?.label ?? name);

/** Whether notifications of this kind have an id. True for a request of no kind, which may have one. */
export const hasId = (name) => known.get(name)?.has_id ?? true;
