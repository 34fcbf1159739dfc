//! Taking over messages that another store has accepted.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::v1;
use proto::v1::import_service_server::ImportService;
use storage::model::{
    Class, Clock, DepositOutcome, Import, ImportForecast, Importer, Receipt, Refusal, UnixMillis,
};
use storage::{Store, Synced};
use tonic::{Request, Response, Status};

use crate::audit::Change;
use crate::deposit::count::Counters;
use crate::operator::actor;
use crate::scheduler::DepositWatch;
use crate::{convert, now, status};

/// Messages of one call.
const MESSAGES_MAX: usize = 200;

/// Octets of the messages of one call.
const OCTETS_MAX: usize = 2 << 20;

/// The import service over a store.
pub(crate) struct Imports<S> {
    store: Arc<S>,
    watch: DepositWatch,
    clock: Arc<dyn Clock>,
    counters: Counters,
}

impl<S: Store> Imports<S> {
    pub(crate) fn new(store: Arc<S>, watch: DepositWatch, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            watch,
            clock,
            counters: Counters::new("import"),
        }
    }

    /// What the store says of the messages that make sense, in their order.
    async fn carry_out(
        &self,
        imports: Vec<Import>,
        by: Importer,
    ) -> Result<Vec<v1::ImportResult>, Status> {
        let begun = now();
        let told = imports.iter().map(|import| {
            let deposit = &import.deposit;
            (deposit.class, deposit.served_user.clone())
        });
        let told: Vec<_> = told.collect();
        let outcomes = self.store.import(imports, by).await;
        let outcomes = outcomes.map_err(|error| {
            self.counters.unavailable();
            status::of_store(&error)
        })?;
        let mut users = HashSet::new();
        let results = outcomes
            .into_iter()
            .zip(told)
            .map(|(outcome, (class, user))| {
                if let DepositOutcome::Stored(_) | DepositOutcome::IdReused(_) = outcome {
                    users.insert(user);
                }
                self.result(outcome, (class, begun))
            });
        let results = results.collect();
        for user in users {
            if self.store.is_registered(&user) {
                self.watch.deposited(user);
            }
        }
        Ok(results)
    }

    fn result(
        &self,
        outcome: DepositOutcome,
        (class, begun): (Class, Instant),
    ) -> v1::ImportResult {
        match outcome {
            DepositOutcome::Stored(receipt) | DepositOutcome::IdReused(receipt) => {
                self.counters.accepted(class, now().duration_since(begun));
                there(v1::ImportOutcome::Stored, receipt)
            }
            DepositOutcome::Duplicate(receipt) => {
                self.counters.duplicate();
                there(v1::ImportOutcome::Duplicate, receipt)
            }
            DepositOutcome::Refused(refusal) => {
                self.counters.refused(&refusal);
                refused(&refusal)
            }
        }
    }

    async fn rehearse(&self, imports: Vec<Import>) -> Result<Vec<v1::ImportResult>, Status> {
        let forecasts = self.store.rehearse_import(imports).await;
        let forecasts = forecasts.map_err(|error| status::of_store(&error))?;
        let results = forecasts.into_iter().map(|forecast| match forecast {
            ImportForecast::Stored => plain(v1::ImportOutcome::Stored, ""),
            ImportForecast::Duplicate => plain(v1::ImportOutcome::Duplicate, ""),
            ImportForecast::Refused(refusal) => refused(&refusal),
        });
        Ok(results.collect())
    }
}

#[tonic::async_trait]
impl<S: Store> ImportService for Imports<S> {
    async fn import_messages(
        &self,
        request: Request<v1::ImportMessagesRequest>,
    ) -> Result<Response<v1::ImportMessagesReply>, Status> {
        let actor = actor(&request);
        let v1::ImportMessagesRequest {
            messages,
            dry_run,
            reason,
        } = request.into_inner();
        check_batch(&messages)?;
        let reason = convert::reason(reason)?;
        let now = self.clock.now();
        let read: Vec<_> = messages
            .into_iter()
            .map(|message| read(message, now))
            .collect();
        let mut imports = Vec::with_capacity(read.len());
        let mut results = Vec::with_capacity(read.len());
        for read in read {
            match read {
                Ok(import) => {
                    imports.push(*import);
                    results.push(None);
                }
                Err(result) => results.push(Some(result)),
            }
        }
        let said = match dry_run {
            _ if imports.is_empty() => Vec::new(),
            true => self.rehearse(imports).await?,
            false => self.carry_out(imports, Importer { actor, reason }).await?,
        };
        let mut said = said.into_iter();
        let results = results
            .into_iter()
            .filter_map(|result| result.or_else(|| said.next()));
        let results: Vec<_> = results.collect();
        let stored = results.iter().filter(|result| is_stored(result)).count();
        let mut response = Response::new(v1::ImportMessagesReply { results });
        response.extensions_mut().insert(Change {
            messages: if dry_run { 0 } else { stored as u64 },
            ..Change::default()
        });
        Ok(response)
    }
}

fn is_stored(result: &v1::ImportResult) -> bool {
    result.outcome() == v1::ImportOutcome::Stored
}

fn check_batch(messages: &[v1::ImportedMessage]) -> Result<(), Status> {
    let octets: usize = messages.iter().map(|message| message.message.len()).sum();
    match messages.len() {
        0 => Err(Status::invalid_argument("no message to import")),
        count if count > MESSAGES_MAX => {
            let text = format!("{count} messages at once; at most {MESSAGES_MAX} are taken");
            Err(Status::invalid_argument(text))
        }
        _ if octets > OCTETS_MAX => {
            let text = format!("{octets} octets at once; at most {OCTETS_MAX} are taken");
            Err(Status::invalid_argument(text))
        }
        _ => Ok(()),
    }
}

/// A message that makes sense and is not over, or its result.
fn read(message: v1::ImportedMessage, now: UnixMillis) -> Result<Box<Import>, v1::ImportResult> {
    let deadline = crate::now() + Duration::from_secs(60);
    let invalid = |status: Status| plain(v1::ImportOutcome::Invalid, status.message());
    let import = convert::import(message, now, deadline).map_err(invalid)?;
    match import.expires_at <= now {
        true => Err(plain(v1::ImportOutcome::Expired, "")),
        false => Ok(Box::new(import)),
    }
}

fn there(outcome: v1::ImportOutcome, receipt: Synced<Receipt>) -> v1::ImportResult {
    v1::ImportResult {
        message_id: receipt.into_inner().id.to_string(),
        ..plain(outcome, "")
    }
}

fn refused(refusal: &Refusal) -> v1::ImportResult {
    v1::ImportResult {
        refusal: convert::refusal(refusal).reason,
        ..plain(v1::ImportOutcome::Refused, &refusal.to_string())
    }
}

fn plain(outcome: v1::ImportOutcome, reason: &str) -> v1::ImportResult {
    v1::ImportResult {
        outcome: outcome.into(),
        message_id: String::new(),
        refusal: v1::RefusalReason::Unspecified.into(),
        reason: reason.to_owned(),
    }
}
