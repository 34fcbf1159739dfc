//! What the storage service counts.

use daemon::metrics::{Buckets, Label, Metric};

use super::edge::ENDING;
use super::{counter, gauge, histogram, label, level};

const CLASS: Label = label("kind", &["pager", "large", "imdn"]);
const JOB_CLASS: Label = label("kind", &["pager", "large"]);
const STATUS: Label = label("status", &["stored", "failed", "forbidden"]);
const BACKUP: Label = label("kind", &["backup", "checkpoint"]);
const FAMILY: Label = label("family", &[]);

pub(super) const STORAGE: [Metric; 74] = [
    // === accepting ===
    counter(
        "restante_messages_stored_total",
        &[CLASS],
        "Messages that were committed, repetitions not counted.",
    ),
    counter(
        "restante_deposits_refused_total",
        &[label(
            "reason",
            &[
                "unknown_user",
                "policy",
                "quota",
                "sender_limit",
                "disk_full",
                "too_late",
                "store_error",
            ],
        )],
        "Deposits that were not committed.",
    ),
    counter(
        "restante_duplicates_suppressed_total",
        &[label("key", &["transaction", "content", "import"])],
        "Deposits that met the receipt of an earlier one, by what it was recognised by.",
    ),
    counter(
        "restante_dedupe_mismatch_total",
        &[],
        "Messages with other content under an imdn.Message-ID that their sender had used; stored as messages of their own.",
    ),
    histogram(
        "restante_commit_duration_seconds",
        Buckets::Seconds,
        &[],
        "From a deposit's arrival at the service to its commit.",
    ),
    histogram(
        "restante_sync_duration_seconds",
        Buckets::Seconds,
        &[],
        "Writing and syncing one group of requests.",
    ),
    histogram(
        "restante_group_commit_requests",
        Buckets::Amounts,
        &[],
        "Requests that shared one sync.",
    ),
    level(
        "restante_uploads_active",
        &[],
        "Large messages that are coming in.",
    ),
    counter(
        "restante_upload_bytes_total",
        &[],
        "Octets of large messages that came in.",
    ),
    counter(
        "restante_uploads_total",
        &[label(
            "outcome",
            &["stored", "duplicate", "refused", "abandoned"],
        )],
        "Large messages by how their upload ended.",
    ),
    histogram(
        "restante_upload_duration_seconds",
        Buckets::Seconds,
        &[],
        "How long uploads took.",
    ),
    counter(
        "restante_uploads_forgotten_total",
        &[],
        "Uploads without progress, or left behind by a process that died, that were removed.",
    ),
    // === what is stored ===
    gauge(
        "restante_messages_waiting",
        &[],
        "Messages that can be delivered; held ones are not counted.",
    ),
    gauge(
        "restante_mailboxes_waiting",
        &[],
        "Mailboxes that have some.",
    ),
    gauge(
        "restante_oldest_message_age_seconds",
        &[],
        "How long the oldest of them has been stored; 0 for none, absent until it was found after a start.",
    ),
    histogram(
        "restante_time_in_store_seconds",
        Buckets::Ages,
        &[
            CLASS,
            label(
                "end",
                &["delivered", "expired", "refused", "recalled", "deleted"],
            ),
        ],
        "How long messages had been stored when they ended; refused ones are dead letters.",
    ),
    counter(
        "restante_messages_expired_total",
        &[],
        "Messages whose lifetime ended before delivery.",
    ),
    counter(
        "restante_messages_unheld_total",
        &[],
        "Held messages whose time to be offered again had come.",
    ),
    counter(
        "restante_contents_removed_total",
        &[],
        "Contents removed at the end of their retention.",
    ),
    counter(
        "restante_deferred_deleted_total",
        &[],
        "Messages deleted by their owners over XCAP.",
    ),
    // === delivery ===
    gauge(
        "restante_edges_attached",
        &[],
        "Participating edges that take deliveries.",
    ),
    counter(
        "restante_register_refresh_total",
        &[label("result", &["nothing_pending", "scheduled"])],
        "Committed registrations, by whether something waited for the user.",
    ),
    counter(
        "restante_wakeups_total",
        &[label(
            "trigger",
            &["registered", "deposited", "ordered", "restarted"],
        )],
        "Mailboxes that came up for delivery, by what made them.",
    ),
    gauge(
        "restante_pushes_planned",
        &[],
        "Mailboxes that wait for their time or a free edge.",
    ),
    gauge(
        "restante_pushes_running",
        &[],
        "Mailboxes that are being delivered.",
    ),
    counter(
        "restante_pushes_started_total",
        &[],
        "Mailboxes handed to an edge.",
    ),
    histogram(
        "restante_push_lag_seconds",
        Buckets::Seconds,
        &[],
        "From the time a delivery or its retry was planned for to its start.",
    ),
    counter(
        "restante_claims_released_total",
        &[ENDING],
        "Deliveries that edges gave back, by how they ended.",
    ),
    counter(
        "restante_acknowledgements_superseded_total",
        &[],
        "Acknowledgements that came after another claim had superseded theirs.",
    ),
    counter(
        "restante_subscriptions_adopted_total",
        &[],
        "Subscriptions that went from an edge that was gone to another.",
    ),
    // === reports ===
    counter(
        "restante_reports_made_total",
        &[STATUS],
        "Delivery reports (IMDN) that became due.",
    ),
    counter(
        "restante_reports_total",
        &[STATUS, label("result", &["sent", "failed", "dropped"])],
        "Tries of reports that were settled.",
    ),
    gauge(
        "restante_reports_overdue_seconds",
        &[],
        "How long the first report that is due has been so; 0 for none.",
    ),
    // === messages to many ===
    gauge(
        "restante_fan_out_edges_attached",
        &[],
        "Controlling edges that take copies.",
    ),
    counter(
        "restante_jobs_total",
        &[label("result", &["accepted", "duplicate", "refused"])],
        "Messages to many, by what became of the request.",
    ),
    histogram(
        "restante_job_recipients",
        Buckets::Amounts,
        &[],
        "Recipients of a message to many.",
    ),
    histogram(
        "restante_fan_out_duration_seconds",
        Buckets::Ages,
        &[
            JOB_CLASS,
            label("end", &["completed", "expired", "cancelled"]),
        ],
        "From the acceptance of a message to many to the outcome of its last recipient.",
    ),
    gauge(
        "restante_jobs_unclaimed",
        &[JOB_CLASS],
        "Messages to many with recipients that no edge has taken up; at most 1,000 are counted.",
    ),
    counter(
        "restante_legs_claimed_total",
        &[],
        "Copies handed to controlling edges.",
    ),
    counter(
        "restante_legs_settled_total",
        &[label(
            "outcome",
            &["delivered", "answered", "hop_down", "returned", "late"],
        )],
        "Copies that came back, by what had come of them.",
    ),
    gauge(
        "restante_legs_in_flight",
        &[],
        "Copies at controlling edges.",
    ),
    gauge(
        "restante_legs_overdue_seconds",
        &[JOB_CLASS],
        "How long the first copy that is due has been so; 0 for none.",
    ),
    // === events out ===
    counter(
        "restante_webhook_events_total",
        &[],
        "Events that the webhook took.",
    ),
    counter(
        "restante_webhook_failures_total",
        &[],
        "Posts that the webhook did not take.",
    ),
    counter(
        "restante_webhook_gaps_total",
        &[],
        "Times that events had been removed before the webhook took them.",
    ),
    counter(
        "restante_events_trimmed_total",
        &[],
        "Events removed from the log of events.",
    ),
    // === operators and access ===
    counter(
        "restante_operator_calls_total",
        &[label("method", &[]), label("result", &[])],
        "Calls of operators by gRPC method: ok, refused for what was asked, denied for want of a role, failed.",
    ),
    counter(
        "restante_grpc_refused_total",
        &[label(
            "role",
            &["edge", "operator", "reader", "body_reader"],
        )],
        "Calls without the role they need.",
    ),
    counter(
        "restante_console_sign_ins_total",
        &[label("result", &["ok", "refused"])],
        "Tokens that somebody showed to the console.",
    ),
    counter(
        "restante_console_turned_away_total",
        &[label("reason", &["host", "origin"])],
        "Requests to the console under a name that is not its own, or from a page of somebody else's.",
    ),
    counter(
        "restante_grpc_handshakes_failed_total",
        &[],
        "gRPC connections that came to no agreement on TLS.",
    ),
    counter(
        "restante_audit_failures_total",
        &[],
        "Writes of the audit log that failed; what they were about was refused.",
    ),
    // === disk ===
    gauge(
        "restante_store_latched",
        &[label("cause", &["sync", "flush"])],
        "1 once a write that had to be on disk may not be: nothing is accepted until a restart.",
    ),
    counter(
        "restante_store_disk_reads_total",
        &[],
        "Decisions that had to read the disk; the others found everything in memory.",
    ),
    gauge(
        "restante_disk_free_bytes",
        &[],
        "Free octets of the data folder's file system, as far as the process may use them.",
    ),
    gauge(
        "restante_disk_size_bytes",
        &[],
        "Octets of that file system.",
    ),
    gauge(
        "restante_disk_free_inodes",
        &[],
        "Free inodes of that file system.",
    ),
    gauge(
        "restante_disk_reserve_bytes",
        &[],
        "With fewer free octets nothing is accepted.",
    ),
    // === upkeep ===
    gauge(
        "restante_backup_last_success_timestamp_seconds",
        &[BACKUP],
        "When the last good backup began, in seconds since 1970; 0 if there is none, nothing where no folder is configured.",
    ),
    gauge(
        "restante_backup_duration_seconds",
        &[BACKUP],
        "How long the last good backup took.",
    ),
    gauge(
        "restante_backup_bytes",
        &[BACKUP],
        "Octets of the last good backup, with those that it shares with others.",
    ),
    gauge(
        "restante_backup_new_bytes",
        &[BACKUP],
        "Octets of the last good backup that the one before does not have.",
    ),
    counter(
        "restante_backups_total",
        &[
            BACKUP,
            label("result", &["made", "unsound", "aborted", "failed"]),
        ],
        "Backups that were begun; unsound: it is there, and what was found when it was read does not agree; aborted: by a shutdown.",
    ),
    counter(
        "restante_store_checks_total",
        &[label("result", &["sound", "unsound", "aborted", "failed"])],
        "Checks of the running store, by what came of them.",
    ),
    // === engine ===
    gauge(
        "restante_rocksdb_write_stopped",
        &[],
        "Whether RocksDB has stopped writers.",
    ),
    gauge(
        "restante_rocksdb_delayed_write_bytes_per_second",
        &[],
        "What RocksDB slows writers down to; 0 for no limit.",
    ),
    gauge(
        "restante_rocksdb_compactions_running",
        &[],
        "Compactions under way.",
    ),
    gauge(
        "restante_rocksdb_flushes_running",
        &[],
        "Flushes under way.",
    ),
    counter(
        "restante_rocksdb_background_errors_total",
        &[],
        "Errors of flushes and compactions.",
    ),
    gauge(
        "restante_rocksdb_memtable_bytes",
        &[FAMILY],
        "Memory of memtables.",
    ),
    gauge(
        "restante_rocksdb_l0_files",
        &[FAMILY],
        "Files that have not been compacted once.",
    ),
    gauge(
        "restante_rocksdb_pending_compaction_bytes",
        &[FAMILY],
        "Octets that compaction has yet to rewrite, estimated.",
    ),
    gauge(
        "restante_rocksdb_live_sst_bytes",
        &[FAMILY],
        "Octets of tables in use.",
    ),
    gauge(
        "restante_rocksdb_blob_bytes",
        &[FAMILY],
        "Octets of blob files.",
    ),
];
