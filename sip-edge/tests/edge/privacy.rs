//! What the log of a full story says, and what it must not (promise P10).

use std::io;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

use crate::push::Story;

/// Everything that was logged.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .expect("no panic while it is held")
            .extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_log_line_names_a_user_or_quotes_a_body() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(log.clone())
        .with_ansi(false)
        .finish();
    // The runtime of this test has one thread: all tasks of the edge log here.
    let _guard = tracing::subscriber::set_default(subscriber);
    let mut story = Story::with_messages(1).await;
    let (_, mut client) = story.answered().await;
    let send = client.next().await;
    client.answer(&send, "200 OK").await;
    story.bob.request_of("BYE").await;

    let text =
        String::from_utf8(log.0.lock().expect("no panic while it is held").clone()).expect("text");
    for event in [
        "message.accepted",
        "registration.committed",
        "delivery.started",
    ] {
        assert!(text.contains(event), "{event} is missing:\n{text}");
    }
    for name in ["alice", "bob@", "sip:bob", "Lunch", "5f1c7a0e"] {
        assert!(!text.contains(name), "{name} is logged:\n{text}");
    }
}
