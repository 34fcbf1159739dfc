//! Reads a connection and leads every frame to its session.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use ::msrp::{DecodeError, Decoder, Event, Method, RequestHead, Response};
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep_until};

use super::connection::{Connection, Input, Lost};
use super::metric;
use super::pace::WrongPaths;
use super::registry::{Misdirected, Registry, SessionInput};

/// Least and most room made in the receive buffer before a read.
const READ_OCTETS: RangeInclusive<usize> = (4 << 10)..=(64 << 10);
/// Room for one read each of all sessions: a few sessions read much at a time, many have memory for little.
/// What has been read is kept until it is taken, some five reads of a session.
const READS_OCTETS: usize = 1 << 20;

/// The receiving side of one connection.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) connection: Arc<Connection>,
    pub(super) remote: IpAddr,
    pub(super) registry: Arc<Registry>,
    pub(super) wrong_paths: Arc<WrongPaths>,
    pub(super) path_wait: Duration,
    pub(super) unbound_timeout: Duration,
    pub(super) reuse_timeout: Duration,
    /// The session of the request that is coming in.
    pub(super) target: Option<SessionInput>,
}

impl Reader {
    /// Reads until the connection ends, then closes it for everybody.
    pub(super) async fn run(mut self, mut input: Input) {
        let connection = Arc::clone(&self.connection);
        tokio::select! {
            biased;
            () = connection.closed() => {}
            _ = self.read(&mut input) => {}
        }
        connection.close();
        connection.shut_down().await;
    }

    async fn read(&mut self, input: &mut Input) -> Result<(), Lost> {
        let mut decoder = Decoder::new();
        // A buffer never becomes smaller than it was at first.
        decoder.buffer_mut().reserve(*READ_OCTETS.start());
        let mut unbound_until = Instant::now() + self.unbound_timeout;
        let connection = Arc::clone(&self.connection);
        loop {
            let is_unbound = !connection.has_sessions();
            // Octets alone keep no connection: without a session its time runs on.
            if is_unbound && Instant::now() >= unbound_until {
                return Err(Lost);
            }
            decoder.buffer_mut().reserve(self.read_octets());
            tokio::select! {
                biased;
                () = connection.emptied() => unbound_until = Instant::now() + self.reuse_timeout,
                read = input.read_buf(decoder.buffer_mut()) => match read {
                    Ok(0) | Err(_) => return Err(Lost),
                    Ok(octets) => {
                        metric::read(octets);
                        self.take_events(&mut decoder).await?;
                    }
                },
                // A session of ours may have been bound meanwhile.
                () = sleep_until(unbound_until), if is_unbound => {}
            }
        }
    }

    fn read_octets(&self) -> usize {
        let (least, most) = READ_OCTETS.into_inner();
        let sessions = self.registry.sessions().max(1);
        (READS_OCTETS / sessions).clamp(least, most)
    }

    async fn take_events(&mut self, decoder: &mut Decoder) -> Result<(), Lost> {
        loop {
            match decoder.next_event() {
                Ok(Some(event)) => self.take(event).await?,
                Ok(None) => return Ok(()),
                Err(error) => return self.give_up(error).await,
            }
        }
    }

    async fn take(&mut self, event: Event) -> Result<(), Lost> {
        match &event {
            Event::Response(response) => {
                let session = self.registry.route_response(&self.connection, response);
                return forward(session.as_ref(), event).await;
            }
            Event::RequestHead { head, .. } => self.target = self.session_of(head).await?,
            Event::Body(_) | Event::RequestEnd(_) => {}
        }
        forward(self.target.as_ref(), event).await
    }

    /// The session that a request belongs to; none if it was refused.
    async fn session_of(&self, head: &RequestHead) -> Result<Option<SessionInput>, Lost> {
        let routed = self
            .registry
            .route_request(&self.connection, head, self.path_wait)
            .await;
        let misdirected = match routed {
            Ok(session) => return Ok(Some(session)),
            Err(misdirected) => misdirected,
        };
        if misdirected == Misdirected::WrongCertificate {
            tracing::debug!("certificate of another peer: closing the connection");
            return Err(Lost);
        }
        let code = misdirected.code();
        if head.method != Method::Report && head.wanted_responses().wants(code) {
            self.connection
                .write_frame(&Response::to(head, code).print())
                .await?;
        }
        let guessed = misdirected == Misdirected::NoSuchPath;
        if guessed && self.wrong_paths.count(self.remote, Instant::now()) {
            tracing::debug!("too many wrong To-Paths: closing the connection");
            return Err(Lost);
        }
        Ok(None)
    }

    /// ERR-31: 400, then close.
    async fn give_up(&self, error: DecodeError) -> Result<(), Lost> {
        tracing::debug!(reason = %error.malformed, "unintelligible MSRP: closing the connection");
        if let Some(answer) = error.answer {
            self.connection.write_frame(&answer.print()).await?;
        }
        Err(Lost)
    }
}

/// Waits until the session takes the event; a session that has ended takes none.
async fn forward(session: Option<&SessionInput>, event: Event) -> Result<(), Lost> {
    if let Some(session) = session {
        let _ = session.send(event).await;
    }
    Ok(())
}
