//! Takes one message of a session: a short one into memory, a longer one into a file, with constant memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use msrp::RequestHead;
use net::msrp::{AnswerHandle, Inbound, Piece};
use sha2::{Digest as _, Sha256};
use tempfile::{NamedTempFile, TempPath};

use crate::push::{DIRECT, LargeFrame, LargePush, PushedMessage, Summary};

/// Longer messages go to a file: more than any pager message with its wrapping.
const MEMORY_OCTETS: u64 = 2 << 20;

/// Octets written at once.
const WRITE_OCTETS: usize = 1 << 20;

/// Octets read at once where a content is hashed or moved.
const READ_OCTETS: usize = 256 << 10;

/// The beginning that is searched for the frame of a push.
const BEGINNING_OCTETS: u64 = 256 << 10;

/// A message that is whole.
pub(super) enum Arrived {
    Small(PushedMessage),
    Large(LargePush),
}

/// Takes a message to its end; none if it was given up, or if there is no room for it. What is no message
/// we can read is `Err`; either way the answer is to be given.
pub(super) async fn take(
    inbound: Inbound,
    summary: Summary,
    folder: PathBuf,
) -> Option<(Result<Arrived, Unreadable>, AnswerHandle)> {
    let head = inbound.head().clone();
    let mut inbound = inbound;
    let mut spool = Spool::new(head, folder);
    loop {
        match inbound.next().await? {
            Piece::Octets { offset, octets } => spool.put(offset, &octets).await.ok()?,
            Piece::Complete { total, answer } => {
                let arrived = spool.finish(total, summary).await;
                return arrived.ok().map(|arrived| (arrived, answer));
            }
            Piece::Abandoned(_) => return None,
        }
    }
}

/// The message is neither a deferred one nor anything else we know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unreadable;

struct Spool {
    head: RequestHead,
    folder: PathBuf,
    memory: BytesMut,
    /// Octets known to be there from the first on.
    contiguous: u64,
    spilled: Option<Spilled>,
}

/// A message in a file, without what stands before its content if that is known.
struct Spilled {
    file: Arc<File>,
    path: TempPath,
    frame: Option<LargeFrame>,
    /// Octets not yet written, and where they go.
    run: BytesMut,
    run_at: u64,
}

impl Spool {
    fn new(head: RequestHead, folder: PathBuf) -> Self {
        Self {
            head,
            folder,
            memory: BytesMut::new(),
            contiguous: 0,
            spilled: None,
        }
    }

    fn content_type(&self) -> &str {
        self.head.content_type.as_deref().unwrap_or_default()
    }

    async fn put(&mut self, offset: u64, octets: &[u8]) -> io::Result<()> {
        let end = offset.saturating_add(octets.len() as u64);
        if let Some(spilled) = &mut self.spilled {
            return spilled.put(offset, octets).await;
        }
        if end > MEMORY_OCTETS {
            let mut spilled = self.spill().await?;
            spilled.put(offset, octets).await?;
            self.spilled = Some(spilled);
            return Ok(());
        }
        // Both are below the limit of memory.
        let range =
            usize::try_from(offset).unwrap_or_default()..usize::try_from(end).unwrap_or_default();
        if self.memory.len() < range.end {
            self.memory.resize(range.end, 0);
        }
        self.memory[range].copy_from_slice(octets);
        if offset <= self.contiguous {
            self.contiguous = self.contiguous.max(end);
        }
        Ok(())
    }

    /// Moves to a file what is in memory.
    async fn spill(&mut self) -> io::Result<Spilled> {
        let (file, path) = NamedTempFile::new_in(&self.folder)?.into_parts();
        let known = usize::try_from(self.contiguous).unwrap_or_default();
        let frame = LargeFrame::read(self.content_type(), &self.memory[..known]);
        let mut spilled = Spilled {
            file: Arc::new(file),
            path,
            frame,
            run: BytesMut::new(),
            run_at: 0,
        };
        let memory = std::mem::take(&mut self.memory);
        spilled.put(0, &memory).await?;
        Ok(spilled)
    }

    async fn finish(self, total: u64, summary: Summary) -> io::Result<Result<Arrived, Unreadable>> {
        let content_type = self.content_type().to_owned();
        let Some(mut spilled) = self.spilled else {
            let mut body = self.memory;
            body.truncate(usize::try_from(total).unwrap_or(usize::MAX));
            return Ok(small(summary, &self.head, &body.freeze()));
        };
        spilled.flush().await?;
        let head = self.head;
        let settling = tokio::task::spawn_blocking(move || {
            spilled.settle(total, &content_type, summary, &head)
        });
        settling.await.map_err(io::Error::other)?
    }
}

fn small(summary: Summary, head: &RequestHead, body: &Bytes) -> Result<Arrived, Unreadable> {
    let content_type = head.content_type.as_deref().unwrap_or_default();
    let is_mixed = content_type
        .get(..15)
        .is_some_and(|essence| essence.eq_ignore_ascii_case("multipart/mixed"));
    if !is_mixed {
        let message = PushedMessage::direct(summary, head, body.clone());
        return Ok(Arrived::Small(message));
    }
    let message = PushedMessage::read(content_type, body).map_err(|_| Unreadable)?;
    Ok(Arrived::Small(message))
}

impl Spilled {
    /// Octets before the first that is in the file.
    fn left_out(&self) -> u64 {
        let frame = self.frame.as_ref();
        frame.map_or(0, |frame| frame.prologue_octets as u64)
    }

    async fn put(&mut self, offset: u64, octets: &[u8]) -> io::Result<()> {
        let left_out = self.left_out();
        let skipped = usize::try_from(left_out.saturating_sub(offset)).unwrap_or(usize::MAX);
        let Some(octets) = octets.get(skipped..).filter(|octets| !octets.is_empty()) else {
            return Ok(());
        };
        let at = offset.saturating_sub(left_out);
        if at != self.run_at + self.run.len() as u64 {
            self.flush().await?;
            self.run_at = at;
        }
        self.run.extend_from_slice(octets);
        if self.run.len() >= WRITE_OCTETS {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        if self.run.is_empty() {
            return Ok(());
        }
        let (file, at) = (Arc::clone(&self.file), self.run_at);
        let mut run = std::mem::take(&mut self.run);
        self.run_at += run.len() as u64;
        let writing = tokio::task::spawn_blocking(move || {
            file.write_all_at(&run, at).map(|()| {
                run.clear();
                run
            })
        });
        self.run = writing.await.map_err(io::Error::other)??;
        Ok(())
    }

    /// Leaves exactly the content in the file, and hashes it.
    fn settle(
        self,
        total: u64,
        content_type: &str,
        summary: Summary,
        head: &RequestHead,
    ) -> io::Result<Result<Arrived, Unreadable>> {
        let frame = match self.frame {
            Some(frame) => Some(frame),
            None => moved_to_front(&self.file, content_type, total)?,
        };
        let (summary, kind, send, octets) = match &frame {
            None => (summary, DIRECT, head, total),
            Some(frame) => {
                if !frame.fits(total) || !ends_as(&self.file, frame)? {
                    return Ok(Err(Unreadable));
                }
                (
                    frame.summary.clone(),
                    "message/msrp",
                    &*frame.send,
                    frame.octets,
                )
            }
        };
        self.file.set_len(octets)?;
        Ok(Ok(Arrived::Large(LargePush {
            message_id: summary.message_id,
            received_at: summary.received_at,
            from: summary.from,
            subject: summary.subject,
            kind: kind.to_owned(),
            content_type: send.content_type.clone().unwrap_or_default(),
            file_name: crate::push::file_name(send.header("Content-Disposition")),
            octets,
            sha256: sha256(&self.file)?,
            content: self.path,
        })))
    }
}

/// Whether what should follow the content does.
fn ends_as(file: &File, frame: &LargeFrame) -> io::Result<bool> {
    let mut rest = vec![0; frame.epilogue.len()];
    file.read_exact_at(&mut rest, frame.octets)?;
    Ok(rest == frame.epilogue)
}

/// A push whose beginning came late has it in the file: moves the rest over it.
fn moved_to_front(file: &File, content_type: &str, total: u64) -> io::Result<Option<LargeFrame>> {
    let length = usize::try_from(total.min(BEGINNING_OCTETS)).unwrap_or_default();
    let mut beginning = vec![0; length];
    file.read_exact_at(&mut beginning, 0)?;
    let Some(frame) = LargeFrame::read(content_type, &beginning) else {
        return Ok(None);
    };
    let (mut from, mut to) = (frame.prologue_octets as u64, 0);
    let mut piece = vec![0; READ_OCTETS];
    loop {
        let read = file.read_at(&mut piece, from)?;
        if read == 0 {
            return Ok(Some(frame));
        }
        file.write_all_at(&piece[..read], to)?;
        from += read as u64;
        to += read as u64;
    }
}

fn sha256(file: &File) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; READ_OCTETS];
    let mut at = 0;
    loop {
        let read = file.read_at(&mut piece, at)?;
        if read == 0 {
            return Ok(hash.finalize().into());
        }
        hash.update(&piece[..read]);
        at += read as u64;
    }
}
