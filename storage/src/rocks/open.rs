//! Opening a store: the folder, the database, who it is, how far it has got, and what is kept in
//! memory.

use std::sync::Arc;
use std::thread;

use rocksdb::{DB, ErrorKind, WriteBatch};

use super::committer::Committer;
use super::database::Database;
use super::disk::{Disk, SyncedDisk};
use super::folder::Folder;
use super::open_error::OpenError;
use super::options::Horizon;
use super::overlay::GroupNumber;
use super::queue::Queues;
use super::row::RowKey;
use super::shared::Shared;
use super::uploads::run_flusher;
use super::{RocksStore, epochs, event_log, keys, number_floor, options, senders};
use crate::column_family::Family;
use crate::config::StoreConfig;
use crate::key;
use crate::model::{Clock, MailboxId, UnixMillis, UploadId};
use crate::sealing::Keyring;
use crate::store::StoreError;
use crate::timekeeper::Timekeeper;
use crate::value::{self, Counters, Identity, UploadsValue};

/// Message-IDs, and the numbers of jobs, begin at unix milliseconds times this (STO-08): no store that is made anew meets
/// the ids of an earlier one.
const NUMBERS_PER_MILLISECOND: u64 = 1_000;

/// Upload ids of one opening.
const UPLOADS_OF_AN_OPENING: u64 = 1 << 40;

impl RocksStore {
    /// Opens the store in `config.data_dir`, or makes it. Blocks: call it before serving.
    ///
    /// # Errors
    /// Another process has it, a later version wrote it, it is damaged or set back, or the folder
    /// cannot be written to.
    pub fn open(config: StoreConfig, clock: impl Clock) -> Result<Self, OpenError> {
        Self::open_on(config, clock, Box::new(SyncedDisk))
    }

    /// As [`RocksStore::open`] where there is a store already that belongs to the user of this process; otherwise nothing is made.
    /// For work on a store that is stopped.
    ///
    /// # Errors
    /// As [`RocksStore::open`]; there is no store, or it is another user's.
    pub fn open_existing(config: StoreConfig, clock: impl Clock) -> Result<Self, OpenError> {
        let folder = Folder::open_existing(&config.data_dir)?;
        Self::open_in(folder, config, clock, Box::new(SyncedDisk))
    }

    /// As [`RocksStore::open`], with another way to the disk.
    pub(super) fn open_on(
        config: StoreConfig,
        clock: impl Clock,
        disk: Box<dyn Disk>,
    ) -> Result<Self, OpenError> {
        let folder = Folder::open(&config.data_dir)?;
        Self::open_in(folder, config, clock, disk)
    }

    fn open_in(
        folder: Folder,
        config: StoreConfig,
        clock: impl Clock,
        mut disk: Box<dyn Disk>,
    ) -> Result<Self, OpenError> {
        let failed = |cause: String| OpenError::Failed {
            folder: config.data_dir.clone(),
            cause,
        };
        let horizon = Horizon::default();
        let database = open_database(&config, &folder, &horizon)?;
        keys::unlock(&database, &config.data_dir)?;
        keys::wipe_what_was_left(&database, &mut *disk).map_err(|error| folder.damaged(error))?;
        let clock: Arc<dyn Clock> = Arc::new(clock);
        let start = start(&config, &folder, &database, &mut *disk, clock.now())?;
        if start.went_back {
            epochs::skip(&database, &mut *disk).map_err(|error| folder.damaged(error))?;
        }
        senders::count_once(&database, &start.identity.secret, &mut *disk)
            .map_err(|error| folder.damaged(error))?;
        event_log::prepare(
            config.event_log.as_ref(),
            &database,
            &start.counters,
            &mut *disk,
        )
        .map_err(|error| folder.damaged(error))?;
        let recorder = number_floor::record(&config.data_dir, start.counters.next_number)
            .and_then(|()| {
                let floor = start.counters.next_number;
                number_floor::Recorder::start(config.data_dir.clone(), floor)
            })
            .map_err(|source| OpenError::Unwritable {
                folder: config.data_dir.clone(),
                source,
            })?;
        let floor = start.counters.latest.max(start.counters.swept_until);
        horizon.reached(floor);
        let times = Timekeeper::new(clock, floor);
        let shared = Arc::new(Shared::new(
            config.clone(),
            start.identity.secret,
            database,
            times,
        ));
        let next_mailbox = MailboxId(start.counters.next_mailbox);
        shared
            .progress
            .reached(GroupNumber::default(), next_mailbox);
        shared.event_log.reached(start.counters.next_serial);
        fill_directory(&shared).map_err(|error| folder.damaged(error))?;
        shared.uploads.start_at(start.first_upload);
        let queues = Arc::new(Queues::new(&config.queues));
        let committer = Committer::new(
            Arc::clone(&shared),
            Arc::clone(&queues),
            disk,
            start.counters,
            recorder,
            horizon,
        );
        let committer = thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || committer.run())
            .map_err(|error| failed(error.to_string()))?;
        for threads in [&shared.uploads.stagers, &shared.readers] {
            threads.start().map_err(|error| failed(error.to_string()))?;
        }
        let flushing = Arc::clone(&shared);
        let flusher = thread::Builder::new()
            .name("flusher".to_owned())
            .spawn(move || run_flusher(&flushing))
            .map_err(|error| failed(error.to_string()))?;
        let threads = vec![flusher, committer];
        Ok(Self::assemble(shared, queues, threads, folder))
    }
}

pub(super) fn open_database(
    config: &StoreConfig,
    folder: &Folder,
    horizon: &Horizon,
) -> Result<Database, OpenError> {
    let direct = folder.takes_direct_writes();
    if !direct {
        tracing::info!(
            event = "store.no_direct_io",
            "no direct I/O here: messages wait for files that are written beside them"
        );
    }
    let families = options::families(config, horizon);
    let mut whole = options::database(config, direct);
    whole.create_if_missing(folder.may_be_new());
    DB::open_cf_descriptors(&whole, folder.database(), families)
        .map(|db| Database::new(db, Keyring::new(config.master_keys.clone())))
        .map_err(|error| match error.kind() {
            ErrorKind::Corruption | ErrorKind::InvalidArgument => folder.damaged(error),
            _ => OpenError::Failed {
                folder: config.data_dir.clone(),
                cause: error.to_string(),
            },
        })
}

/// Who the store is and how far it has got.
struct Start {
    identity: Identity,
    counters: Counters,
    /// Upload ids of this opening begin here: above all that were ever handed out.
    first_upload: UploadId,
    /// It is an older copy, which is the store from now on.
    went_back: bool,
}

/// Reads both, or makes them; lets the Message-IDs jump where they must (STO-08).
fn start(
    config: &StoreConfig,
    folder: &Folder,
    database: &Database,
    disk: &mut dyn Disk,
    now: UnixMillis,
) -> Result<Start, OpenError> {
    let recorded = number_floor::recorded(&config.data_dir);
    let recorded = recorded.map_err(|error| folder.damaged(error))?;
    let floor = recorded.floor;
    let read = || -> Result<Option<Start>, StoreError> {
        let identity = database.read(Family::Meta, &key::IDENTITY)?;
        let counters = database.read(Family::Meta, &key::COUNTERS)?;
        match (identity, counters) {
            (None, None) => Ok(None),
            (Some(identity), Some(counters)) => Ok(Some(Start {
                identity: value::decode(&identity)?,
                counters: value::decode(&counters)?,
                first_upload: first_upload(database)?,
                went_back: false,
            })),
            _ => Err(StoreError::Corrupt { what: "meta rows" }),
        }
    };
    let known = read().map_err(|error| folder.damaged(error))?;
    let is_new = known.is_none();
    let mut start = known.unwrap_or_else(|| new_store(config, now));
    let is_behind = !is_new && start.counters.next_number < floor;
    if is_behind && !config.accept_truncated_wal {
        return Err(OpenError::Behind {
            folder: config.data_dir.clone(),
            next: start.counters.next_number,
            floor,
        });
    }
    let is_copy = recorded.is_of_a_copy(&config.data_dir);
    let is_copy = is_copy.map_err(|error| folder.damaged(error))?;
    if is_copy && !config.accept_truncated_wal {
        return Err(OpenError::Copied {
            folder: config.data_dir.clone(),
        });
    }
    let renamed = start.identity.hostname != config.hostname;
    if is_new || renamed || config.accept_truncated_wal {
        jump(&mut start, config, floor, now);
    }
    start.went_back = is_behind || is_copy;
    if start.went_back {
        raise_mailboxes(&mut start.counters);
    }
    raise_serials(&mut start.counters, now);
    write(&start, is_new, database, disk).map_err(|cause| OpenError::Failed {
        folder: config.data_dir.clone(),
        cause,
    })?;
    Ok(start)
}

fn first_upload(database: &Database) -> Result<UploadId, StoreError> {
    let row = database.read(Family::Meta, &key::UPLOADS)?;
    let row = row.map(|row| value::decode(&row)).transpose()?;
    let spoken_for = row.map_or(1, |UploadsValue(first)| first);
    // A store that is older than this row has only what is there to go by.
    let last = database.last_key(Family::Large)?;
    let last = last.map(|key| key::decode_block(&key)).transpose()?;
    let above = last.map_or(1, |(upload, _)| upload.0.saturating_add(1));
    Ok(UploadId(spoken_for.max(above)))
}

fn new_store(config: &StoreConfig, now: UnixMillis) -> Start {
    Start {
        identity: Identity {
            hostname: config.hostname.clone(),
            created_at: now,
            secret: rand::random(),
        },
        counters: Counters {
            next_number: 0,
            next_mailbox: 1,
            next_serial: 0,
            latest: now,
            swept_until: UnixMillis::default(),
        },
        first_upload: UploadId(1),
        went_back: false,
    }
}

/// Past everything that can have been handed out: the only gaps there are.
fn jump(start: &mut Start, config: &StoreConfig, floor: u64, now: UnixMillis) {
    let from = start.counters.next_number;
    // The clock of this machine may be behind that of the one before.
    let to = now
        .max(start.counters.latest)
        .0
        .saturating_mul(NUMBERS_PER_MILLISECOND)
        .max(floor)
        .max(from);
    tracing::info!(event = "store.ids_jumped", from, to, "the message ids jump");
    start.counters.next_number = to;
    start.identity.hostname.clone_from(&config.hostname);
}

/// A store that went back to a backup gives no number of a job or version of a group a second time. Earlier versions took
/// both from the Message-IDs.
fn raise_serials(counters: &mut Counters, now: UnixMillis) {
    let by_time = now.max(counters.latest).0;
    counters.next_serial = by_time
        .saturating_mul(NUMBERS_PER_MILLISECOND)
        .max(counters.next_number)
        .max(counters.next_serial);
}

/// Mailboxes that were made after the backup are forgotten, but not by edges and operators who have their numbers: nobody
/// else gets them. There were never more mailboxes than Message-IDs could have been given, which have jumped.
fn raise_mailboxes(counters: &mut Counters) {
    counters.next_mailbox = counters.next_mailbox.max(counters.next_number);
}

/// Where the ids of the next opening begin is on disk with it, before the first of this one is handed out.
fn write(
    start: &Start,
    is_new: bool,
    database: &Database,
    disk: &mut dyn Disk,
) -> Result<(), String> {
    let mut batch = WriteBatch::default();
    let identity = value::encode(&start.identity);
    let counters = value::encode(&start.counters);
    let first_upload = start.first_upload.0;
    let uploads = value::encode(&UploadsValue(
        first_upload.saturating_add(UPLOADS_OF_AN_OPENING),
    ));
    let families = database.families();
    families.put(&mut batch, Family::Meta, &key::IDENTITY, &identity);
    families.put(&mut batch, Family::Meta, &key::COUNTERS, &counters);
    families.put(&mut batch, Family::Meta, &key::UPLOADS, &uploads);
    if is_new {
        // Nobody has stored anything: there is nothing to count.
        let counted = value::encode(&value::Mark);
        families.put(&mut batch, Family::Meta, &key::SENDERS_COUNTED, &counted);
    }
    disk.commit(database, batch)
}

/// Reads the small families that are kept in memory (P9).
fn fill_directory(shared: &Shared) -> Result<(), StoreError> {
    fill(shared, Family::Addresses, |key| {
        key::decode_address(key).map(RowKey::Address)
    })?;
    fill(shared, Family::Mailboxes, |key| {
        key::decode_mailbox(key).map(RowKey::Mailbox)
    })?;
    fill(shared, Family::Bindings, |key| {
        key::decode_mailbox(key).map(RowKey::Bindings)
    })
}

fn fill(
    shared: &Shared,
    family: Family,
    name: impl Fn(&[u8]) -> Result<RowKey, StoreError>,
) -> Result<(), StoreError> {
    let mut scan = shared.database.scan(family, &[], None);
    while let Some((key, row)) = scan.step(|key, octets| {
        let key = name(key)?;
        Ok((key, Some(key.decode(octets)?)))
    })? {
        shared.directory.observe(std::iter::once((&key, &row)));
    }
    Ok(())
}
