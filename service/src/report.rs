//! Delivery reports: handed to participating edges, one claim at a time (IMD rows).

use std::sync::Arc;
use std::time::Duration;

use proto::v1;
use proto::v1::report_service_server::ReportService;
use storage::Store;
use storage::model::{ClaimedReport, ReportSettled, ReportStatus};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::config::Reports as ReportsConfig;
use crate::fan_out::Pace;
use crate::{convert, status};

/// Reports of one call.
const AT_ONCE: usize = 256;
/// The longest an edge waits.
const PATIENCE: Duration = Duration::from_secs(30);
/// The store is asked at least so often: another clock may have made a report due.
const IDLE: Duration = Duration::from_secs(10);

/// The report service over a store.
pub(crate) struct Reports<S> {
    store: Arc<S>,
    /// Taken by who claims: two at a time would find the same reports.
    pace: Mutex<Pace>,
    /// How long a claim lives that nobody renews.
    lease: Duration,
    shutdown: CancellationToken,
}

impl<S: Store> Reports<S> {
    /// None handed out yet.
    pub(crate) fn new(store: Arc<S>, config: &ReportsConfig, shutdown: CancellationToken) -> Self {
        Self {
            store,
            pace: Mutex::new(Pace::new(config.rate, std::time::Instant::now())),
            lease: config.lease,
            shutdown,
        }
    }

    /// Up to `places` reports, none if there are none until then.
    async fn claimed(&self, places: usize, until: Instant) -> Result<Vec<ClaimedReport>, Status> {
        let Ok(mut pace) = timeout_at(until, self.pace.lock()).await else {
            return Ok(Vec::new());
        };
        loop {
            let now = Instant::now();
            let next = match pace.allow(places, now.into_std()) {
                Ok(allowed) => {
                    let batch = self.store.claim_reports(allowed, self.lease).await;
                    let batch = batch.map_err(|error| status::of_store(&error))?;
                    self.count_made();
                    count("dropped", &batch.dropped);
                    if !batch.reports.is_empty() {
                        pace.spend(batch.reports.len());
                        return Ok(batch.reports);
                    }
                    now + batch.again_in.unwrap_or(IDLE).min(IDLE)
                }
                Err(at) => at.into(),
            };
            if now >= until {
                return Ok(Vec::new());
            }
            tokio::select! {
                () = self.store.report_watch().changed() => {}
                () = sleep_until(next.min(until)) => {}
                () = self.shutdown.cancelled() => return Err(status::draining()),
            }
        }
    }

    /// The store counts what it makes, whoever made it do so.
    fn count_made(&self) {
        for status in ReportStatus::ALL {
            let made = self.store.report_watch().made(status);
            metrics::counter!("restante_reports_made_total", "status" => status.word())
                .absolute(made);
        }
    }
}

fn count(result: &'static str, statuses: &[ReportStatus]) {
    for status in statuses {
        metrics::counter!(
            "restante_reports_total",
            "status" => status.word(),
            "result" => result,
        )
        .increment(1);
    }
}

#[tonic::async_trait]
impl<S: Store> ReportService for Reports<S> {
    async fn claim_reports(
        &self,
        request: Request<v1::ClaimReportsRequest>,
    ) -> Result<Response<v1::ClaimReportsReply>, Status> {
        if self.shutdown.is_cancelled() {
            return Err(status::draining());
        }
        let request = request.into_inner();
        let places = usize::try_from(request.places).unwrap_or(usize::MAX);
        if !(1..=AT_ONCE).contains(&places) {
            return Err(convert::invalid("an edge takes 1 to 256 reports"));
        }
        let patience = request.patience.map(convert::duration).unwrap_or_default();
        let until = Instant::now() + patience.min(PATIENCE);
        let claimed = self.claimed(places, until).await?;
        let reports = claimed.into_iter().map(convert::claimed_report);
        Ok(Response::new(v1::ClaimReportsReply {
            reports: reports.collect(),
        }))
    }

    async fn settle_reports(
        &self,
        request: Request<v1::SettleReportsRequest>,
    ) -> Result<Response<v1::SettleReportsReply>, Status> {
        let settlements = request.into_inner().settlements;
        if settlements.len() > AT_ONCE {
            return Err(convert::invalid("at most 256 reports are settled at once"));
        }
        let settlements = settlements.into_iter().map(convert::report_outcome);
        let settlements = settlements.collect::<Result<_, _>>()?;
        let settled = self.store.settle_reports(settlements).await;
        let settled = settled.map_err(|error| status::of_store(&error))?;
        for settled in settled.into_inner() {
            match settled {
                ReportSettled::Sent(status) => count("sent", &[status]),
                ReportSettled::Dropped(status) => count("dropped", &[status]),
                ReportSettled::Again(status) => count("failed", &[status]),
                ReportSettled::Superseded => {}
            }
        }
        Ok(Response::new(v1::SettleReportsReply {}))
    }
}
