//! What operators ask for, over gRPC: long work answers with its progress, then with what came of it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use proto::v1;
use proto::v1::maintenance_service_server::MaintenanceService;
use serde_json::json;
use storage::upkeep::{Compacted, Stage, Walk, Walked};
use storage::{CheckReport, Store};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::interval;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status};

use super::{Made, NotMade, Upkeep};
use crate::audit::{Change, Ending};
use crate::backup::{Backup, Kind};
use crate::{convert, status};

/// Between two replies about how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Replies on their way; while they are not read no progress is told.
const REPLIES: usize = 8;

type Replies<R> = Pin<Box<dyn Stream<Item = Result<R, Status>> + Send>>;

/// The maintenance service.
pub(crate) struct Maintenance<S>(pub(crate) Arc<Upkeep<S>>);

/// What becomes of work whose caller goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Abandoned {
    GoesOn,
    Ends,
}

impl<S: Store> Maintenance<S> {
    fn turn(&self, turn: &Arc<Semaphore>, what: &str) -> Result<OwnedSemaphorePermit, Status> {
        if self.0.shutdown.is_cancelled() {
            return Err(status::draining());
        }
        Arc::clone(turn).try_acquire_owned().map_err(|_| {
            let message = format!("{what} is under way already; wait for its end");
            status::with_reason(Code::FailedPrecondition, "UNDER_WAY", message)
        })
    }

    /// Does it in a task of its own, which a drain waits for; the audit log has what came of it before the caller does.
    fn begin<R, W>(
        &self,
        ending: Option<Ending>,
        (turn, walk): (OwnedSemaphorePermit, Arc<Walk>),
        abandoned: Abandoned,
        told: fn(v1::MaintenanceProgress) -> R,
        work: W,
    ) -> Response<Replies<R>>
    where
        R: Send + 'static,
        W: Future<Output = Result<(R, Change), NotMade>> + Send + 'static,
    {
        let (replies, receiver) = mpsc::channel(REPLIES);
        let shutdown = self.0.shutdown.clone();
        self.0.streams.spawn(async move {
            let following = Following {
                walk,
                replies: replies.clone(),
                abandoned,
                shutdown,
            };
            let done = following.follow(told, work).await;
            drop(turn);
            let (last, ended) = match done {
                Ok((last, change)) => (Ok(last), Ok(change)),
                Err(error) => {
                    let status = of_work(&error);
                    (Err(status.clone()), Err(status))
                }
            };
            if let Some(ending) = ending {
                ending.tell(ended.as_ref()).await;
            }
            // Whoever is gone needs no answer.
            let _ = replies.send(last).await;
        });
        Response::new(Box::pin(ReceiverStream::new(receiver)))
    }
}

/// Work that somebody looks at.
struct Following<R> {
    walk: Arc<Walk>,
    replies: mpsc::Sender<Result<R, Status>>,
    abandoned: Abandoned,
    shutdown: CancellationToken,
}

impl<R> Following<R> {
    /// Tells how far it is until it is done, or has been ended.
    async fn follow<T>(
        self,
        told: fn(v1::MaintenanceProgress) -> R,
        work: impl Future<Output = T>,
    ) -> T {
        tokio::pin!(work);
        let mut looks = interval(LOOK_EVERY);
        let mut is_ended = false;
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = looks.tick() => {
                    // Progress that finds no room is told the next time.
                    let _ = self.replies.try_send(Ok(told(progress(self.walk.look()))));
                }
                () = self.replies.closed(), if !is_ended && self.abandoned == Abandoned::Ends => {
                    self.walk.abort();
                    is_ended = true;
                }
                () = self.shutdown.cancelled(), if !is_ended => {
                    self.walk.abort();
                    is_ended = true;
                }
            }
        }
    }
}

#[tonic::async_trait]
impl<S: Store> MaintenanceService for Maintenance<S> {
    type MakeBackupStream = Replies<v1::MakeBackupReply>;
    type CheckStoreStream = Replies<v1::CheckStoreReply>;
    type CompactStoreStream = Replies<v1::CompactStoreReply>;

    async fn make_backup(
        &self,
        request: Request<v1::MakeBackupRequest>,
    ) -> Result<Response<Self::MakeBackupStream>, Status> {
        use v1::make_backup_reply::Step;
        let reply = |step| v1::MakeBackupReply { step: Some(step) };
        self.0.folder().map_err(|error| status::of_store(&error))?;
        let turn = self.turn(&self.0.turns.backup, "a backup")?;
        let (upkeep, walk) = (Arc::clone(&self.0), Arc::new(Walk::default()));
        let walked = Arc::clone(&walk);
        let work = async move {
            let Made { backup, report } = upkeep.make(Kind::Backup, walked).await?;
            let change = became(json!({
                "backup": backup.name,
                "verified": backup.manifest.is_verified,
            }));
            let made = reply(Step::Made(v1::BackupMade {
                backup: Some(proto_backup(backup)),
                report: report.map(proto_report),
            }));
            Ok((made, change))
        };
        let told = |progress| v1::MakeBackupReply {
            step: Some(Step::Progress(progress)),
        };
        Ok(self.begin(
            ending(&request),
            (turn, walk),
            Abandoned::GoesOn,
            told,
            work,
        ))
    }

    async fn list_backups(
        &self,
        _request: Request<v1::ListBackupsRequest>,
    ) -> Result<Response<v1::ListBackupsReply>, Status> {
        let backups = self.0.list().await.map_err(|error| of_work(&error))?;
        Ok(Response::new(v1::ListBackupsReply {
            backups: backups.into_iter().map(proto_backup).collect(),
        }))
    }

    async fn check_store(
        &self,
        request: Request<v1::CheckStoreRequest>,
    ) -> Result<Response<Self::CheckStoreStream>, Status> {
        use v1::check_store_reply::Step;
        let turn = self.turn(&self.0.turns.check, "a check")?;
        let (upkeep, walk) = (Arc::clone(&self.0), Arc::new(Walk::default()));
        let walked = Arc::clone(&walk);
        let work = async move {
            let report = upkeep.check(walked).await?;
            let change = became(json!({ "findings": report.total_findings }));
            let reply = v1::CheckStoreReply {
                step: Some(Step::Report(proto_report(report))),
            };
            Ok((reply, change))
        };
        let told = |progress| v1::CheckStoreReply {
            step: Some(Step::Progress(progress)),
        };
        Ok(self.begin(ending(&request), (turn, walk), Abandoned::Ends, told, work))
    }

    async fn compact_store(
        &self,
        request: Request<v1::CompactStoreRequest>,
    ) -> Result<Response<Self::CompactStoreStream>, Status> {
        use v1::compact_store_reply::Step;
        let turn = self.turn(&self.0.turns.compact, "a compaction")?;
        let (upkeep, walk) = (Arc::clone(&self.0), Arc::new(Walk::default()));
        let walked = Arc::clone(&walk);
        let work = async move {
            let Compacted {
                octets_before,
                octets_after,
            } = upkeep.compact(walked).await?;
            let change = Change {
                before: Some(json!({ "octets": octets_before })),
                ..became(json!({ "octets": octets_after }))
            };
            let reply = v1::CompactStoreReply {
                step: Some(Step::Compacted(v1::StoreCompacted {
                    octets_before,
                    octets_after,
                })),
            };
            Ok((reply, change))
        };
        let told = |progress| v1::CompactStoreReply {
            step: Some(Step::Progress(progress)),
        };
        Ok(self.begin(ending(&request), (turn, walk), Abandoned::Ends, told, work))
    }
}

/// How the caller's audit log learns of the end, where one is kept.
fn ending<T>(request: &Request<T>) -> Option<Ending> {
    request.extensions().get().cloned()
}

/// What the audit log says that came of it.
fn became(after: serde_json::Value) -> Change {
    Change {
        after: Some(after),
        ..Change::default()
    }
}

fn of_work(error: &NotMade) -> Status {
    match error {
        NotMade::Store(error) => status::of_store(error),
        NotMade::Folder(_) => {
            let code = Code::Unavailable;
            status::with_reason(code, "FOLDER_FAILED", error.to_string())
        }
    }
}

fn progress(walked: Walked) -> v1::MaintenanceProgress {
    let stage = match walked.stage {
        Stage::Copying => v1::MaintenanceStage::Copying,
        Stage::Reading => v1::MaintenanceStage::Reading,
        Stage::Comparing => v1::MaintenanceStage::Comparing,
        Stage::Compacting => v1::MaintenanceStage::Compacting,
    };
    v1::MaintenanceProgress {
        stage: stage.into(),
        done: walked.done,
        total: walked.total,
    }
}

fn proto_backup(backup: Backup) -> v1::Backup {
    let manifest = &backup.manifest;
    let kind = match manifest.kind {
        Kind::Backup => v1::BackupKind::Backup,
        Kind::Checkpoint => v1::BackupKind::Checkpoint,
    };
    v1::Backup {
        kind: kind.into(),
        began_at: Some(convert::timestamp(manifest.began_at)),
        took: Some(convert::proto_duration(manifest.took)),
        octets: manifest.octets(),
        new_octets: manifest.new_octets,
        verified: manifest.is_verified,
        complete: backup.is_complete,
        name: backup.name,
    }
}

fn proto_report(report: CheckReport) -> v1::StoreReport {
    v1::StoreReport {
        rows: report.rows,
        mailboxes: report.mailboxes,
        messages: report.messages,
        octets: report.content_octets,
        unfinished_uploads: report.unfinished_uploads as u64,
        findings: report.findings.iter().map(ToString::to_string).collect(),
        total_findings: report.total_findings,
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use daemon::config::{Document, Environment};
    use daemon::readiness::Readiness;
    use storage::model::SystemClock;
    use storage::{MemoryStore, StoreConfig, StoreError};
    use tokio_stream::StreamExt as _;
    use tokio_util::task::TaskTracker;
    use tonic_types::StatusExt as _;

    use super::*;
    use crate::audit::{Audit, Question};
    use crate::config::Config;

    fn maintenance(shutdown: &CancellationToken) -> Maintenance<MemoryStore> {
        let store = MemoryStore::new(StoreConfig::default(), SystemClock);
        let config = Config::read(&mut Document::load(None, Environment::default()));
        let tracked = (TaskTracker::new(), shutdown.clone());
        let upkeep = Upkeep::new(Arc::new(store), Arc::new(SystemClock), &config, tracked);
        Maintenance(Arc::new(upkeep))
    }

    #[tokio::test]
    async fn one_of_each_kind_runs_at_a_time_and_none_begins_in_a_drain() {
        let shutdown = CancellationToken::new();
        let service = maintenance(&shutdown);
        let turns = &service.0.turns;
        let first = service.turn(&turns.check, "a check").expect("it is free");
        let second = service.turn(&turns.check, "a check").expect_err("it runs");
        assert_eq!(second.code(), Code::FailedPrecondition);
        let info = second.get_details_error_info().expect("details");
        assert_eq!(info.reason, "UNDER_WAY");
        assert!(second.message().contains("a check is under way"));
        let other = service.turn(&turns.compact, "a compaction");
        drop(other.expect("of another kind"));
        drop(first);
        let third = service.turn(&turns.check, "a check");
        drop(third.expect("the first has ended"));
        shutdown.cancel();
        let late = service
            .turn(&turns.check, "a check")
            .expect_err("it drains");
        assert_eq!(late.code(), Code::Unavailable);
    }

    #[tokio::test]
    async fn the_audit_log_tells_how_work_has_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("audit.jsonl");
        let condition = Readiness::new().condition("audit");
        let audit = Audit::open(&path, Arc::new(SystemClock), condition).expect("a file");
        let question = Question {
            call: audit.call(),
            who: "uid 0".to_owned(),
            role: "operator",
            verb: "CheckStore".to_owned(),
            reason: String::new(),
            request: None,
        };
        let mut request = Request::new(v1::CheckStoreRequest {});
        let ending = Ending::new(audit, Arc::new(question));
        request.extensions_mut().insert(ending);
        let service = maintenance(&CancellationToken::new());
        let begun = service.check_store(request).await.expect("it begins");
        // This store has no files to look at.
        let replies: Vec<_> = begun.into_inner().collect().await;
        assert!(replies.last().is_some_and(Result::is_err));
        let told = std::fs::read_to_string(path).expect("a log");
        let told: serde_json::Value = serde_json::from_str(&told).expect("one line");
        assert_eq!(told["stage"], "ended", "{told}");
        assert_eq!(told["outcome"], "FAILED_PRECONDITION", "{told}");
        assert_eq!(told["verb"], "CheckStore", "{told}");
    }

    /// Work that goes on until its walk is aborted.
    async fn walk_on(walk: Arc<Walk>) -> Result<(), StoreError> {
        loop {
            walk.step(1)?;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn following(
        abandoned: Abandoned,
    ) -> (
        Following<u64>,
        Arc<Walk>,
        mpsc::Receiver<Result<u64, Status>>,
    ) {
        let walk = Arc::new(Walk::default());
        let (replies, receiver) = mpsc::channel(REPLIES);
        let following = Following {
            walk: Arc::clone(&walk),
            replies,
            abandoned,
            shutdown: CancellationToken::new(),
        };
        (following, walk, receiver)
    }

    #[tokio::test(start_paused = true)]
    async fn work_tells_how_far_it_is_and_ends_when_its_caller_goes() {
        let (following, walk, mut replies) = following(Abandoned::Ends);
        let working = tokio::spawn(following.follow(|progress| progress.done, walk_on(walk)));
        replies.recv().await.expect("at once").expect("no error");
        let done = replies.recv().await.expect("later").expect("no error");
        assert!(done > 0);
        drop(replies);
        assert_eq!(working.await.expect("no panic"), Err(StoreError::Aborted));
    }

    #[tokio::test(start_paused = true)]
    async fn a_backup_goes_on_without_its_caller_until_the_drain() {
        let (following, walk, replies) = following(Abandoned::GoesOn);
        let shutdown = following.shutdown.clone();
        let working = tokio::spawn(following.follow(|progress| progress.done, walk_on(walk)));
        drop(replies);
        let a_minute = tokio::time::timeout(Duration::from_secs(60), pending::<()>());
        a_minute.await.expect_err("it passes");
        assert!(!working.is_finished());
        shutdown.cancel();
        assert_eq!(working.await.expect("no panic"), Err(StoreError::Aborted));
    }
}
