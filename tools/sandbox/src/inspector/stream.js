// The connection to the sandbox: what it tells, from where we had read to, for as long as the page is open.

/** The first pause before trying again, in milliseconds; it doubles up to the second. */
const SHORTEST_MS = 250;
const LONGEST_MS = 2000;
/** The sandbox says something every ten seconds; after this much silence the connection is taken for dead. */
const SILENCE_MS = 30000;

/**
 * Listens until the page goes. `on` has: state(state), received(records), open(), lost().
 * Reconnecting is done here and not left to the browser, which gives up for good on some failures.
 */
export function listen(on) {
  let after = "";
  let pause = SHORTEST_MS;

  const connect = () => {
    const source = new EventSource(`/sandbox/events${after === "" ? "" : `?after=${after}`}`);
    let silence;
    const again = () => {
      clearTimeout(silence);
      source.close();
      on.lost();
      setTimeout(connect, pause);
      pause = Math.min(2 * pause, LONGEST_MS);
    };
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(again, SILENCE_MS);
    };
    source.onopen = () => {
      pause = SHORTEST_MS;
      heard();
      on.open();
    };
    source.onerror = again;
    source.addEventListener("alive", heard);
    for (const name of ["state", "received"]) {
      source.addEventListener(name, (event) => {
        heard();
        on[name](JSON.parse(event.data));
        // After it is kept: what fails on the way is asked for again.
        after = event.lastEventId;
      });
    }
  };
  connect();
}
