//! Calls about deliveries: what suspends them, what is planned, what is under way.

use std::time::Duration;

use proto::v1::suspension::Target;
use proto::v1::{
    CancelSuspensionRequest, DeliveryPlan, GetDeliveryPlanRequest, ListSessionsReply,
    ListSessionsRequest, ListSuspensionsRequest, SuspendDeliveriesRequest, Suspension,
    cancel_suspension_request, suspend_deliveries_request,
};

use super::{Client, finish};
use crate::exit::Failure;
use crate::target::Address;

impl Client {
    /// Suspends deliveries.
    pub(crate) async fn suspend(
        &mut self,
        target: Target,
        duration: Duration,
        reason: String,
    ) -> Result<Suspension, Failure> {
        use suspend_deliveries_request::Target as Wanted;
        let request = self.request(SuspendDeliveriesRequest {
            target: Some(match target {
                Target::ServedUser(user) => Wanted::ServedUser(user),
                Target::Domain(domain) => Wanted::Domain(domain),
            }),
            duration: duration.try_into().ok(),
            reason,
        });
        let answer = self.operators.suspend_deliveries(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// Ends a suspension.
    pub(crate) async fn cancel_suspension(
        &mut self,
        target: Target,
    ) -> Result<Suspension, Failure> {
        use cancel_suspension_request::Target as Wanted;
        let request = self.request(CancelSuspensionRequest {
            target: Some(match target {
                Target::ServedUser(user) => Wanted::ServedUser(user),
                Target::Domain(domain) => Wanted::Domain(domain),
            }),
        });
        let answer = self.operators.cancel_suspension(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// All suspensions.
    pub(crate) async fn suspensions(&mut self) -> Result<Vec<Suspension>, Failure> {
        let request = self.request(ListSuspensionsRequest {});
        let answer = self.operators.list_suspensions(request);
        let reply = finish(&self.server, self.deadline, answer).await?;
        Ok(reply.suspensions)
    }

    /// What is planned for a served user.
    pub(crate) async fn delivery_plan(&mut self, user: &Address) -> Result<DeliveryPlan, Failure> {
        let request = self.request(GetDeliveryPlanRequest {
            served_user: user.to_string(),
        });
        let answer = self.operators.get_delivery_plan(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// Pushes and uploads under way.
    pub(crate) async fn sessions(&mut self) -> Result<ListSessionsReply, Failure> {
        let request = self.request(ListSessionsRequest {});
        let answer = self.operators.list_sessions(request);
        finish(&self.server, self.deadline, answer).await
    }
}
