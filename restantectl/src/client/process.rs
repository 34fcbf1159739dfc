//! Questions to processes that run.

use std::time::Duration;

use proto::v1::{
    ChangeLogFiltersRequest, GetConfigurationsRequest, GetLogFiltersRequest, ProcessAnswers,
    ReloadConfigurationsRequest,
};

use super::{Client, finish};
use crate::exit::Failure;

impl Client {
    /// Which lines they write to their logs.
    pub(crate) async fn log_filters(&mut self, process: &str) -> Result<ProcessAnswers, Failure> {
        let process = process.to_owned();
        let request = self.request(GetLogFiltersRequest { process });
        let answer = self.processes.get_log_filters(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// Has them write these lines for a while; without directives all such changes end.
    pub(crate) async fn change_log_filters(
        &mut self,
        process: &str,
        directives: Vec<String>,
        time: Duration,
    ) -> Result<ProcessAnswers, Failure> {
        let request = self.request(ChangeLogFiltersRequest {
            process: process.to_owned(),
            directives,
            duration: prost_types::Duration::try_from(time).ok(),
        });
        let answer = self.processes.change_log_filters(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// What they are configured to.
    pub(crate) async fn configurations(
        &mut self,
        process: &str,
    ) -> Result<ProcessAnswers, Failure> {
        let process = process.to_owned();
        let request = self.request(GetConfigurationsRequest { process });
        let answer = self.processes.get_configurations(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// Has them read their configuration again.
    pub(crate) async fn reload_configurations(
        &mut self,
        process: &str,
    ) -> Result<ProcessAnswers, Failure> {
        let process = process.to_owned();
        let request = self.request(ReloadConfigurationsRequest { process });
        let answer = self.processes.reload_configurations(request);
        finish(&self.server, self.deadline, answer).await
    }
}
