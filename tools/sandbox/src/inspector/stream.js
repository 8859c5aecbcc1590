// Reads the sandbox's event stream, from the last position on, while the page is visible.

/**
 * The shortest and the longest pause before a new connection, in milliseconds; the pause doubles after each failure.
 */
const SHORTEST_MS = 250;
const LONGEST_MS = 2000;
/** The sandbox sends something every ten seconds. After this much silence the connection counts as dead. */
const SILENCE_MS = 30000;
/**
 * A page that was hidden for this time stops listening until it is visible again. A browser opens at most six
 * connections to one host: six forgotten pages would leave none for a seventh page, or for their own buttons.
 */
const HIDDEN_MS = 60000;

/**
 * Listens until the page is closed. `on` has state(state), received(records), open(), lost(), rest() and wake(). This
 * function reconnects by itself, because a browser's EventSource gives up for good after some failures.
 */
export function listen(on) {
  let after = "";
  let pause = SHORTEST_MS;
  let source = null;
  let silence;
  let retry;

  const close = () => {
    clearTimeout(silence);
    clearTimeout(retry);
    source?.close();
    source = null;
  };
  const connect = () => {
    source = new EventSource(`/sandbox/events${after === "" ? "" : `?after=${after}`}`);
    const again = () => {
      close();
      on.lost();
      retry = setTimeout(connect, pause);
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
        // The position advances only now, so that records that fail on the way are requested again.
        after = event.lastEventId;
      });
    }
  };

  let resting = false;
  let hidden;
  const seen = () => {
    clearTimeout(hidden);
    if (document.hidden) {
      hidden = setTimeout(() => {
        resting = true;
        close();
        on.rest();
      }, HIDDEN_MS);
    } else if (resting) {
      resting = false;
      pause = SHORTEST_MS;
      on.wake();
      connect();
    }
  };
  document.addEventListener("visibilitychange", seen);
  connect();
  seen();
}
