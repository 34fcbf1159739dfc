//! Upkeep of the store: long work that tells how far it is.

use std::time::Duration;

use proto::v1::{
    CheckStoreReply, CheckStoreRequest, CompactStoreReply, CompactStoreRequest, ListBackupsReply,
    ListBackupsRequest, MaintenanceProgress, MakeBackupReply, MakeBackupRequest,
};
use tonic::Streaming;

use super::{Client, failure, finish};
use crate::exit::Failure;
use crate::server::Server;

/// The replies of long work.
pub(crate) struct Work<R> {
    server: Server,
    deadline: Duration,
    replies: Streaming<R>,
}

/// One reply of long work.
pub(crate) enum Step<T> {
    /// How far it is.
    Progress(MaintenanceProgress),
    /// What came of it.
    Done(T),
    /// Something of a newer server.
    Unknown,
}

impl<R> Work<R> {
    /// What came of it; `told` is told how far it is, and `step` reads a reply.
    pub(crate) async fn end<T>(
        mut self,
        step: impl Fn(R) -> Step<T>,
        mut told: impl FnMut(&MaintenanceProgress),
    ) -> Result<T, Failure> {
        loop {
            let reply = self.replies.message().await;
            let reply = reply.map_err(|status| failure(&self.server, self.deadline, &status))?;
            match reply.map(&step) {
                Some(Step::Done(done)) => return Ok(done),
                Some(Step::Progress(progress)) => told(&progress),
                Some(Step::Unknown) => {}
                None => {
                    return Err(Failure::Defect {
                        server: self.server,
                        text: "the work ended without an answer".to_owned(),
                    });
                }
            }
        }
    }
}

impl Client {
    /// Has a backup made.
    pub(crate) async fn make_backup(&mut self) -> Result<Work<MakeBackupReply>, Failure> {
        let request = self.explained(MakeBackupRequest {});
        let answer = self.maintenance.make_backup(request);
        let replies = finish(&self.server, self.deadline, answer).await?;
        Ok(self.work(replies))
    }

    /// The backups that there are.
    pub(crate) async fn backups(&mut self) -> Result<ListBackupsReply, Failure> {
        let request = self.request(ListBackupsRequest {});
        let answer = self.maintenance.list_backups(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// Has the store checked.
    pub(crate) async fn check_store(&mut self) -> Result<Work<CheckStoreReply>, Failure> {
        let request = self.explained(CheckStoreRequest {});
        let answer = self.maintenance.check_store(request);
        let replies = finish(&self.server, self.deadline, answer).await?;
        Ok(self.work(replies))
    }

    /// Has the store compacted.
    pub(crate) async fn compact_store(&mut self) -> Result<Work<CompactStoreReply>, Failure> {
        let request = self.explained(CompactStoreRequest {});
        let answer = self.maintenance.compact_store(request);
        let replies = finish(&self.server, self.deadline, answer).await?;
        Ok(self.work(replies))
    }

    fn work<R>(&self, replies: Streaming<R>) -> Work<R> {
        Work {
            server: self.server.clone(),
            deadline: self.deadline,
            replies,
        }
    }
}
