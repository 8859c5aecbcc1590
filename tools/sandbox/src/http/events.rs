//! `GET /sandbox/events`: reports each request to the inspector as it is received.
//!
//! A stream of server-sent events. Each stream stores its reader's position, wakes after any change, and then reads
//! the journal from that position. So a slow reader costs no memory and gets nothing twice; it misses only the
//! records that the journal has forgotten, which a gap in `seq` shows. A reader that reconnects sends the id of its
//! last event (`Last-Event-ID`, or `?after=`) and continues from there. After a restart or a clear it starts with the
//! oldest remembered record; `run` or `era` has then changed.
//!
//! | event | data | when |
//! |---|---|---|
//! | `state` | [`SandboxState`] | first, and when it changes; always before the records of a new run or era |
//! | `received` | an array of [`Received`], oldest first, payment tokens shortened | as they arrive; several at once for a slow reader |
//! | `alive` | nothing | after ten seconds without another event |

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as Shared;
use axum::http::{HeaderMap, Uri};
use axum::response::sse::{Event, Sse};
use futures_util::stream::{Stream, unfold};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::timeout;

use super::shared;
use crate::journal::{Cursor, Received};
use crate::kind::KINDS;
use crate::kind_text::kind_text;

/// The greatest number of records in one event. Single records would be slow for a reader that is far behind.
const BATCH: usize = 100;
/// Greatest total size of the bodies in one event, in bytes, unless one body alone is longer.
const BATCH_BYTES: usize = 1024 * 1024;
/// How many answers of the script a reader gets.
const ANSWERS: usize = 5;
/// How often an idle stream carries an event `alive`, which shows each side that the other side still exists.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The state of the sandbox, beside the records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct SandboxState {
    /// Identifies one start of the sandbox, in hexadecimal digits.
    run: String,
    /// How often the records were cleared in this run.
    era: u64,
    /// The next answers of the script, at most [`ANSWERS`].
    script: Vec<String>,
    /// How many requests the script answers; `null`: it has no end.
    script_left: Option<u64>,
    /// Whether tokens can be validated.
    private_key: bool,
    /// Every kind of notification, in the order of the table.
    kinds: Vec<KindNames>,
}

/// The names of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct KindNames {
    name: &'static str,
    /// The name for display.
    label: String,
    has_id: bool,
}

pub(crate) async fn events(
    Shared(shared): Shared<Arc<shared::Shared>>,
    address: Uri,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    // A browser that reconnects sends this header; it is newer than the address.
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let cursor = last.or_else(|| address.query()?.strip_prefix("after="));
    let reader = Reader {
        changes: shared.journal.changes(),
        shared,
        // A cursor that does not parse counts as none: the reader gets every record, and no error.
        cursor: cursor.and_then(|cursor| cursor.parse().ok()),
        last_sent: None,
    };
    Sse::new(unfold(reader, |mut reader| async {
        let event = reader.next().await;
        Some((Ok(event), reader))
    }))
}

struct Reader {
    shared: Arc<shared::Shared>,
    changes: watch::Receiver<()>,
    cursor: Option<Cursor>,
    last_sent: Option<SandboxState>,
}

impl Reader {
    async fn next(&mut self) -> Event {
        loop {
            // Marked before the journal is read: a later change wakes this stream.
            self.changes.borrow_and_update();
            if let Some(event) = self.next_event() {
                return event;
            }
            if timeout(HEARTBEAT, self.changes.changed()).await.is_err() {
                return Event::default().event("alive").data("");
            }
        }
    }

    fn next_event(&mut self) -> Option<Event> {
        let journal = &self.shared.journal;
        let update = journal.update_since(self.cursor, BATCH, ANSWERS);
        let state = SandboxState {
            run: format!("{:x}", update.from.run),
            era: update.from.era,
            script: update.script.iter().map(ToString::to_string).collect(),
            script_left: (update.script_left < u64::MAX).then_some(update.script_left),
            private_key: self.shared.private_key.is_some(),
            kinds: KINDS
                .iter()
                .map(|row| KindNames {
                    name: row.name,
                    label: kind_text(row.kind),
                    has_id: row.has_id,
                })
                .collect(),
        };
        let mut cursor = update.from;
        let event = if self.last_sent.as_ref() != Some(&state) {
            let event = event("state", &state);
            self.last_sent = Some(state);
            event
        } else {
            let mut bytes = 0;
            let fits = |record: &&Arc<Received>| {
                let first = bytes == 0;
                bytes += record.body.len() + 1;
                first || bytes <= BATCH_BYTES
            };
            let records = update.records.iter().take_while(fits);
            let records: Vec<Cow<'_, Received>> = records.map(|r| without_tokens(r)).collect();
            cursor.seq = records.last()?.seq;
            event("received", &records)
        };
        self.cursor = Some(cursor);
        Some(event.id(cursor.to_string()))
    }
}

/// A payment token is a secret: the page requests it only when the user wants to see or copy it.
fn without_tokens(record: &Received) -> Cow<'_, Received> {
    match record.path_without_tokens() {
        Cow::Borrowed(_) => Cow::Borrowed(record),
        Cow::Owned(path) => Cow::Owned(Received {
            path,
            ..record.clone()
        }),
    }
}

fn event(name: &str, data: &impl Serialize) -> Event {
    // Strings and numbers always serialise; JSON has no bare line feed that would end the data.
    let data = serde_json::to_string(data).unwrap_or_default();
    Event::default().event(name).data(data)
}
