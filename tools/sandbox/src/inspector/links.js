// Puts the shown notification into the page's URL, as `#RUN-ERA-NUMBER`, so that it has a link and Back closes it.

export class Links {
  #on;
  /** The address of a followed link whose notification has not arrived yet; null: none. */
  #wanted = null;

  /** `on` has find(address), open(row), close(), isPast(address) and missing(). */
  constructor(on) {
    this.#on = on;
    window.addEventListener("popstate", () => this.#follow());
    this.#wanted = this.#current() || null;
  }

  #current() {
    return location.hash.slice(1);
  }

  #follow() {
    this.#wanted = this.#current() || null;
    if (this.#wanted === null) this.#on.close();
    else this.openWanted();
  }

  /** Opens the wanted notification if it has arrived. */
  openWanted() {
    if (this.#wanted === null) return;
    const row = this.#on.find(this.#wanted);
    if (row !== undefined) {
      this.#wanted = null;
      this.#on.open(row);
    } else if (this.#on.isPast(this.#wanted)) {
      this.#wanted = null;
      this.#on.close();
      this.#on.missing();
    }
  }

  /**
   * Puts the address of the open row into the URL; without a row, removes it. The first row that is opened adds an
   * entry to the history. Another row changes that entry, so one Back closes the details.
   */
  show(row) {
    const address = row?.address ?? "";
    if (address === "" && this.#wanted !== null) return;
    this.#wanted = null;
    if (address === this.#current()) return;
    const url = `${location.pathname}${location.search}${address === "" ? "" : `#${address}`}`;
    const isOwn = history.state?.isOwn === true;
    if (address === "" || isOwn) history.replaceState(isOwn ? { isOwn } : null, "", url);
    else history.pushState({ isOwn: true }, "", url);
  }
}
