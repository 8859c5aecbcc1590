// The connection to the sandbox: what it tells, from where we had read to, for as long as somebody may look at the page.

/** The first pause before trying again, in milliseconds; it doubles up to the second. */
const SHORTEST_MS = 250;
const LONGEST_MS = 2000;
/** The sandbox says something every ten seconds; after this much silence the connection is taken for dead. */
const SILENCE_MS = 30000;
/**
 * A page that was hidden for so long stops listening until it is seen again. A browser opens six connections to one
 * host and no more: six forgotten pages that listen would leave none for a seventh, nor for their own buttons.
 */
const HIDDEN_MS = 60000;

/**
 * Listens until the page goes. `on` has: state(state), received(records), open(), lost(), rest(), wake().
 * Reconnecting is done here and not left to the browser, which gives up for good on some failures.
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
        // After it is kept: what fails on the way is asked for again.
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
