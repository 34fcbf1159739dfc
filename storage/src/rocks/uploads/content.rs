//! The octets of one upload: in memory, or staged on disk.

use std::sync::Arc;

use bytes::Bytes;

use super::buffer::{Budget, Buffer};
use super::flusher::Room;
use super::hashing::Hashing;
use crate::column_family::Family;
use crate::key;
use crate::model::{INLINE_OCTETS, UploadId};
use crate::rocks::shared::Shared;
use crate::rule::blocks::{Assembly, BLOCK_OCTETS, Blocks, place};
use crate::rule::coverage::Coverage;
use crate::sealing::ContentKey;
use crate::store::StoreError;
use crate::value::{self, Encoded, Piece, PieceRow};

/// Most ranges with gaps between them: bounds what a sender who scatters his octets costs.
const MAX_RANGES: usize = 1_024;

pub(in crate::rocks) struct Content {
    upload: Upload,
    coverage: Coverage,
    hashing: Hashing,
    held: Held,
}

/// Whose rows they are, and what they are sealed with. The key is nowhere else before the upload is a message or a job.
#[derive(Clone)]
struct Upload {
    id: UploadId,
    key: Option<ContentKey>,
}

impl Upload {
    fn block(&self, block: u32, shared: &Shared) -> Result<Option<Bytes>, StoreError> {
        let place = key::block(self.id, block);
        let row = shared.database.read(Family::Large, &place)?;
        let piece = row.map(|row| value::decode_piece(row, self.key.as_ref(), large_row(&place)));
        Ok(piece.transpose()?.map(Piece::into_bytes))
    }
}

/// A row of a content that was staged.
pub(in crate::rocks) fn large_row(place: &[u8; 12]) -> PieceRow<'_> {
    PieceRow {
        family: Family::Large,
        key: place,
    }
}

enum Held {
    Memory(Buffer),
    Staged(Staged),
}

/// Octets in blocks on disk.
#[derive(Default)]
struct Staged {
    assembly: Assembly,
    /// Blocks before this one may be on disk.
    blocks: u32,
}

/// A body that is whole.
#[derive(Debug)]
pub(in crate::rocks) struct Finished {
    pub(in crate::rocks) sha256: [u8; 32],
    pub(in crate::rocks) body: Body,
    /// What it is sealed with, or is to be.
    pub(in crate::rocks) key: Option<ContentKey>,
}

#[derive(Debug)]
pub(in crate::rocks) enum Body {
    Memory(Bytes),
    /// It is in the family of large contents, and will be on disk once that is flushed.
    Staged,
}

impl Content {
    pub(super) fn new(
        (id, key): (UploadId, Option<ContentKey>),
        announced: u64,
        budget: Arc<Budget>,
    ) -> Self {
        let held = match announced > INLINE_OCTETS {
            true => Held::Staged(Staged::default()),
            false => Held::Memory(Buffer::new(budget)),
        };
        Self {
            upload: Upload { id, key },
            coverage: Coverage::default(),
            hashing: Hashing::new(),
            held,
        }
    }

    /// Adds octets in memory; false if they have to be staged.
    pub(in crate::rocks) fn add_in_memory(
        &mut self,
        offset: u64,
        octets: &[u8],
    ) -> Result<bool, StoreError> {
        let Held::Memory(buffer) = &mut self.held else {
            return Ok(false);
        };
        let end = offset.saturating_add(octets.len() as u64);
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        if end > INLINE_OCTETS || !buffer.write(start, octets) {
            return Ok(false);
        }
        self.note(offset, octets)?;
        Ok(true)
    }

    /// Most blocks that [`Content::stage`] writes for so many octets.
    pub(in crate::rocks) fn blocks_for(&self, octets: usize) -> usize {
        let held = match &self.held {
            Held::Memory(buffer) => buffer.octets().len(),
            Held::Staged(_) => 0,
        };
        held.div_ceil(BLOCK_OCTETS) + octets.div_ceil(BLOCK_OCTETS) + 2
    }

    /// Adds octets on disk, which have room for [`Content::blocks_for`] them. Blocks the thread.
    pub(in crate::rocks) fn stage(
        &mut self,
        offset: u64,
        octets: &[u8],
        shared: &Shared,
        room: &mut Room,
    ) -> Result<(), StoreError> {
        if let Held::Memory(buffer) = &mut self.held {
            let held = buffer.take();
            let mut staged = Staged::default();
            staged.write(&self.upload, 0, &held, shared, room)?;
            self.held = Held::Staged(staged);
        }
        if let Held::Staged(staged) = &mut self.held {
            staged.write(&self.upload, offset, octets, shared, room)?;
        }
        self.note(offset, octets)
    }

    fn note(&mut self, offset: u64, octets: &[u8]) -> Result<(), StoreError> {
        self.coverage.add(offset..offset + octets.len() as u64);
        self.hashing.add(offset, octets);
        match self.coverage.ranges() > MAX_RANGES {
            true => Err(StoreError::UploadTooScattered),
            false => Ok(()),
        }
    }

    /// Nothing more comes: writes what is still open, which has room for a block, and hashes what did
    /// not come in order. Blocks the thread.
    pub(in crate::rocks) fn finish(
        &mut self,
        octets: u64,
        shared: &Shared,
        room: &mut Room,
    ) -> Result<Finished, StoreError> {
        if !self.coverage.is_whole(octets) {
            return Err(StoreError::UploadIncomplete);
        }
        let body = match &mut self.held {
            Held::Memory(buffer) => {
                let upto = usize::try_from(self.hashing.upto()).unwrap_or(usize::MAX);
                let rest = buffer.octets().get(upto..).unwrap_or_default().to_vec();
                self.hashing.go_on(&rest);
                Body::Memory(buffer.take())
            }
            Held::Staged(staged) => {
                staged.settle(&self.upload, shared, room)?;
                hash_the_rest(&self.upload, &mut self.hashing, octets, shared)?;
                Body::Staged
            }
        };
        Ok(Finished {
            sha256: self.hashing.finish(),
            body,
            key: self.upload.key.clone(),
        })
    }
}

impl Staged {
    fn write(
        &mut self,
        upload: &Upload,
        offset: u64,
        octets: &[u8],
        shared: &Shared,
        room: &mut Room,
    ) -> Result<(), StoreError> {
        let mut rows = Rows::new(upload, &mut self.blocks, shared, room);
        self.assembly.add(offset, octets, &mut rows)?;
        rows.write_waiting()
    }

    fn settle(
        &mut self,
        upload: &Upload,
        shared: &Shared,
        room: &mut Room,
    ) -> Result<(), StoreError> {
        let mut rows = Rows::new(upload, &mut self.blocks, shared, room);
        self.assembly.settle(&mut rows)?;
        rows.write_waiting()
    }
}

/// Rows that are written together at most.
const ROWS_TOGETHER: usize = 4;

/// The rows of one upload.
struct Rows<'a> {
    upload: &'a Upload,
    blocks: &'a mut u32,
    shared: &'a Shared,
    room: &'a mut Room,
    /// Keys and values that are not written yet.
    waiting: Vec<([u8; 12], Encoded)>,
}

impl<'a> Rows<'a> {
    fn new(
        upload: &'a Upload,
        blocks: &'a mut u32,
        shared: &'a Shared,
        room: &'a mut Room,
    ) -> Self {
        Self {
            upload,
            blocks,
            shared,
            room,
            waiting: Vec::with_capacity(ROWS_TOGETHER),
        }
    }

    fn write_waiting(&mut self) -> Result<(), StoreError> {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        self.room.take(waiting.len());
        let rows = waiting.iter().map(|(key, value)| (&key[..], &value[..]));
        let staged = self.shared.database.stage(Family::Large, rows);
        self.shared.uploads.flusher.wrote(waiting.len() as u64);
        staged
    }
}

impl Blocks for Rows<'_> {
    type Error = StoreError;

    fn read(&mut self, block: u32) -> Result<Option<Vec<u8>>, StoreError> {
        if block >= *self.blocks {
            return Ok(None);
        }
        self.write_waiting()?;
        let held = self.upload.block(block, self.shared)?;
        Ok(held.map(Vec::from))
    }

    fn write(&mut self, block: u32, octets: &[u8]) -> Result<(), StoreError> {
        let place = key::block(self.upload.id, block);
        let key = self.upload.key.as_ref();
        let row = value::encode_piece(octets, key, large_row(&place));
        self.waiting.push((place, row));
        *self.blocks = block.saturating_add(1).max(*self.blocks);
        match self.waiting.len() < ROWS_TOGETHER {
            true => Ok(()),
            false => self.write_waiting(),
        }
    }
}

fn hash_the_rest(
    upload: &Upload,
    hashing: &mut Hashing,
    octets: u64,
    shared: &Shared,
) -> Result<(), StoreError> {
    while hashing.upto() < octets {
        let (block, within) = place(hashing.upto());
        let held = upload.block(block, shared)?;
        let held = held.ok_or(StoreError::UploadIncomplete)?;
        let held = held.get(within..).unwrap_or_default();
        if held.is_empty() {
            return Err(StoreError::UploadIncomplete);
        }
        hashing.go_on(held);
    }
    Ok(())
}
