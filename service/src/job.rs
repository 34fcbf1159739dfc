//! Fan-out jobs as operators see and end them.

use std::sync::Arc;

use proto::v1;
use proto::v1::job_service_server::JobService;
use storage::Store;
use storage::model::{JobNumber, JobQuery, LegState, PageToken};
use tonic::{Request, Response, Status};

use crate::fan_out::Dispatcher;
use crate::page_token::PageTokens;
use crate::{convert, status};

/// The job service over a store.
pub(crate) struct Jobs<S> {
    pub(crate) store: Arc<S>,
    pub(crate) dispatcher: Dispatcher,
}

#[tonic::async_trait]
impl<S: Store> JobService for Jobs<S> {
    async fn list_jobs(
        &self,
        request: Request<v1::ListJobsRequest>,
    ) -> Result<Response<v1::ListJobsReply>, Status> {
        let request = request.into_inner();
        let tokens = PageTokens::of_jobs(&request, &self.store.secret());
        let before = tokens.read(&request.page_token)?;
        let sender = Some(request.sender).filter(|sender| !sender.is_empty());
        let query = JobQuery {
            sender: sender.map(convert::named).transpose()?,
            states: convert::job_states(&request.states)?,
            before: before.map(|token| JobNumber(token.0)),
            limit: convert::page_size(request.page_size)?,
        };
        let page = self.store.list_jobs(query).await;
        let page = page.map_err(|error| status::of_store(&error))?;
        let next = page.next.map(|next| tokens.write(PageToken(next.0)));
        Ok(Response::new(v1::ListJobsReply {
            jobs: page.jobs.into_iter().map(convert::proto_job).collect(),
            next_page_token: next.unwrap_or_default(),
        }))
    }

    async fn get_job(
        &self,
        request: Request<v1::GetJobRequest>,
    ) -> Result<Response<v1::Job>, Status> {
        let job = self.store.job(JobNumber(request.into_inner().job)).await;
        let job = job.map_err(|error| status::of_store(&error))?;
        Ok(Response::new(convert::proto_job(job)))
    }

    async fn list_legs(
        &self,
        request: Request<v1::ListLegsRequest>,
    ) -> Result<Response<v1::ListLegsReply>, Status> {
        let request = request.into_inner();
        let tokens = PageTokens::of_legs(&request, &self.store.secret());
        let from = tokens.read(&request.page_token)?;
        let from = from.map_or(0, |from| u32::try_from(from.0).unwrap_or(u32::MAX));
        let limit = convert::page_size(request.page_size)?;
        let states: Vec<LegState> = convert::leg_states(&request.states)?;
        let number = JobNumber(request.job);
        let legs = self.store.list_legs(number, from, limit).await;
        let legs = legs.map_err(|error| status::of_store(&error))?;
        let last = legs.last().filter(|_| legs.len() == limit);
        let next = last.map(|leg| PageToken(u64::from(leg.name.index) + 1));
        let is_wanted = |state| states.is_empty() || states.contains(&state);
        let legs = legs.into_iter().filter(|leg| is_wanted(leg.state));
        Ok(Response::new(v1::ListLegsReply {
            legs: legs.map(convert::job_leg).collect(),
            next_page_token: next.map(|next| tokens.write(next)).unwrap_or_default(),
        }))
    }

    async fn cancel_job(
        &self,
        request: Request<v1::CancelJobRequest>,
    ) -> Result<Response<v1::Job>, Status> {
        let request = request.into_inner();
        let number = JobNumber(request.job);
        let reason = convert::reason(request.reason)?;
        let cancelled = self.store.cancel_job(number, reason).await;
        let job = cancelled.map_err(|error| status::of_store(&error))?;
        self.dispatcher.cancelled(number);
        Ok(Response::new(convert::proto_job(job.into_inner())))
    }
}
