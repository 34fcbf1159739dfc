//! Delivery reports: claimed, and told what came of them.

use std::time::Duration;

use proto::v1;
use proto::v1::report_service_client::ReportServiceClient;
use tonic::transport::Channel;

use super::{StorageClient, with_deadline};
use crate::fan_out::LegOutcome;
use crate::report::Report;
use crate::{Unavailable, convert};

/// How long a claim waits for a report.
const PATIENCE: Duration = Duration::from_secs(10);
/// What the answer may take on its way.
const ON_THE_WAY: Duration = Duration::from_secs(5);

impl StorageClient {
    /// Up to `places` reports that are due, 256 at most; none if there are none for some time. Each is to be settled; one
    /// that is not comes again.
    ///
    /// # Errors
    /// [`Unavailable`]: ask again.
    pub async fn claim_reports(&self, places: u32) -> Result<Vec<Report>, Unavailable> {
        let request = v1::ClaimReportsRequest {
            places,
            patience: Some(convert::proto_duration(PATIENCE)),
        };
        let request = with_deadline(request, PATIENCE + ON_THE_WAY);
        let reply = self.reports().claim_reports(request).await;
        let reply = reply.map_err(|status| Unavailable::from_status(&status))?;
        let reports = reply.into_inner().reports.into_iter();
        Ok(reports.filter_map(convert::report).collect())
    }

    /// Tells what came of a try, as of a leg.
    ///
    /// # Errors
    /// [`Unavailable`]: the report may come again.
    pub async fn settle_report(
        &self,
        report: &Report,
        outcome: &LegOutcome,
    ) -> Result<(), Unavailable> {
        let request = self.request(v1::SettleReportsRequest {
            settlements: vec![convert::report_settlement(report.claim, outcome)],
        });
        let settled = self.reports().settle_reports(request).await;
        settled
            .map(drop)
            .map_err(|status| Unavailable::from_status(&status))
    }

    fn reports(&self) -> ReportServiceClient<Channel> {
        ReportServiceClient::new(self.channel.clone())
    }
}
