// The address of the page names the notification that is shown, as `#RUN-ERA-NUMBER`: a link to it, and Back closes it.

export class Links {
  #on;
  /** The address that was followed, while its notification has not arrived yet; null: none. */
  #wanted = null;

  /** `on` has: find(address), open(row), close(), isPast(address), missing(). */
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
    else this.look();
  }

  /** Opens the notification of the address as soon as it has arrived. */
  look() {
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
   * Shows the address of the row that is open, or of none. The first row that is opened adds an entry to the history;
   * going on to another row changes that entry, so one Back closes the details.
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
