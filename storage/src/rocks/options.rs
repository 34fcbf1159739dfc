//! RocksDB options, by what each family is read for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rocksdb::compaction_filter::Decision;
use rocksdb::{BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBRecoveryMode, Options};

use crate::column_family::Family;
use crate::config::StoreConfig;
use crate::model::UnixMillis;
use crate::value::DuplicateValue;

/// Memtables of all families together, in octets: bounds memory and the length of a recovery.
const MEMTABLES_OCTETS: usize = 96 << 20;
/// Log after which the oldest memtables are written out, in octets.
const LOG_OCTETS: u64 = 256 << 20;
/// Values from this size on are blobs: compaction does not copy them.
const BLOB_OCTETS: u64 = 32 << 10;
/// Files that never accumulate: keys of large contents alone, merged four at a time.
const NO_STALL_FILES: i32 = 10_000;
/// Files that RocksDB keeps open: below what processes may have where nobody has raised it (1,024), with
/// room for connections. Large contents are many files, and a flush that finds no number for its file
/// would latch the store.
const OPEN_FILES: i32 = 512;
/// Octets after which writing to the disk begins where it goes through the page cache: a sync of another
/// file waits for less then.
const OCTETS_PER_SYNC: u64 = 256 << 10;
/// Octets of one write past the page cache, held in memory by each file that is being written.
const DIRECT_WRITE_OCTETS: u64 = 512 << 10;
/// Bits per key of the filters: one of a hundred absent keys is looked for in vain.
const FILTER_BITS: f64 = 10.0;

/// Memory for the filter of a memtable of receipts, as a share of the memtable: nearly every look is
/// in vain, and passing it costs less than a look.
const RECEIPT_FILTER_SHARE: f64 = 0.02;
/// Compaction comes to every receipt within this time, in seconds.
const RECEIPT_COMPACTION_SECONDS: u64 = 86_400;

/// The time of the store that compaction knows: what had ended before it is dropped. It stands still
/// until the first group is on disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Horizon(Arc<AtomicU64>);

impl Horizon {
    /// A group with this time is on disk.
    pub(super) fn reached(&self, time: UnixMillis) {
        self.0.fetch_max(time.0, Ordering::Relaxed);
    }

    fn has_passed(&self, time: UnixMillis) -> bool {
        time.0 <= self.0.load(Ordering::Relaxed)
    }
}

/// Of the whole database; `direct`: whether its files are written past the page cache.
///
/// A sync of the log has the file system write its journal, and that waits until the pages of every file
/// that has grown are on disk: the log would wait for the octets of a large message. What is written past
/// the page cache has no such pages. The log itself is written through it.
pub(super) fn database(config: &StoreConfig, direct: bool) -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_db_write_buffer_size(MEMTABLES_OCTETS);
    options.set_max_total_wal_size(LOG_OCTETS);
    options.set_max_background_jobs(2);
    options.set_max_open_files(OPEN_FILES);
    match direct {
        true => {
            options.set_use_direct_io_for_flush_and_compaction(true);
            options.set_writable_file_max_buffer_size(DIRECT_WRITE_OCTETS);
        }
        false => options.set_bytes_per_sync(OCTETS_PER_SYNC),
    }
    options.set_keep_log_file_num(4);
    // The committer is the only writer: nothing to coordinate.
    options.set_allow_concurrent_memtable_write(false);
    options.set_enable_write_thread_adaptive_yield(false);
    // A log cut at its end lost only what was never answered. A hole in its middle is another
    // matter: the operator must say that he gives up what came after it.
    options.set_wal_recovery_mode(match config.accept_truncated_wal {
        true => DBRecoveryMode::PointInTime,
        false => DBRecoveryMode::TolerateCorruptedTailRecords,
    });
    options
}

/// Of all families.
pub(super) fn families(config: &StoreConfig, horizon: &Horizon) -> Vec<ColumnFamilyDescriptor> {
    let cache = Cache::new_lru_cache(config.cache_octets);
    Family::ALL
        .into_iter()
        .map(|family| ColumnFamilyDescriptor::new(family.name(), of(family, &cache, horizon)))
        .collect()
}

fn of(family: Family, cache: &Cache, horizon: &Horizon) -> Options {
    let mut options = Options::default();
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    match family {
        // Asked for by every deposit, nearly always in vain; nothing else removes what has ended.
        Family::Duplicates => {
            blocks.set_bloom_filter(FILTER_BITS, false);
            options.set_memtable_whole_key_filtering(true);
            options.set_memtable_prefix_bloom_ratio(RECEIPT_FILTER_SHARE);
            options.set_periodic_compaction_seconds(RECEIPT_COMPACTION_SECONDS);
            let horizon = horizon.clone();
            options.set_compaction_filter("receipts", move |_, _, octets| {
                match DuplicateValue::encoded_until(octets) {
                    Some(until) if horizon.has_passed(until) => Decision::Remove,
                    _ => Decision::Keep,
                }
            });
        }
        // Read by whole key, mostly in vain or often: a filter each.
        Family::Mailboxes
        | Family::Claims
        | Family::Locations
        | Family::Addresses
        | Family::Accounts
        | Family::Settings
        | Family::Bindings
        | Family::Subscriptions
        | Family::Groups
        | Family::Legs
        | Family::Senders
        | Family::LegLists
        | Family::Reports => blocks.set_bloom_filter(FILTER_BITS, false),
        // States are asked for in vain until something happens to their message.
        Family::Messages => blocks.set_bloom_filter(FILTER_BITS, false),
        // Emptied from the front: tombstones are compacted away early (C-28).
        Family::Waiting
        | Family::Due
        | Family::LegDue
        | Family::LargeLegDue
        | Family::ReportDue => {
            options.add_compact_on_deletion_collector_factory(1_024, 512, 0.5);
        }
        Family::Contents | Family::Jobs | Family::GroupDocuments => {
            options.set_enable_blob_files(true);
            options.set_min_blob_size(BLOB_OCTETS);
            options.set_enable_blob_gc(true);
        }
        Family::Large => {
            options.set_enable_blob_files(true);
            options.set_min_blob_size(BLOB_OCTETS);
            options.set_enable_blob_gc(true);
            // The flusher bounds what is in memory and says when it is written: neither memtables nor
            // their files may ever stall the writers of the other families.
            options.set_write_buffer_size(MEMTABLES_OCTETS);
            options.set_max_write_buffer_number(8);
            options.set_level_zero_slowdown_writes_trigger(NO_STALL_FILES);
            options.set_level_zero_stop_writes_trigger(NO_STALL_FILES);
            options.set_soft_pending_compaction_bytes_limit(0);
            options.set_hard_pending_compaction_bytes_limit(0);
        }
        Family::Meta
        | Family::EventLog
        | Family::Events
        | Family::Attempts
        | Family::Turns
        | Family::LargeTurns
        | Family::DataKeys => {}
    }
    options.set_block_based_table_factory(&blocks);
    options
}
