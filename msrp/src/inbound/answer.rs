//! The answer to a message that is complete.

use rand::CryptoRng;

use crate::byte_range::ByteRange;
use crate::frame::{FailureReport, Method, ReportStatus, RequestHead, Response};
use crate::id::{MessageId, TransactionId};
use crate::status;
use crate::uri::Path;

/// What the sender of a message waits for: taken once, by accepting or refusing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "the sender waits for an answer"]
pub struct FinalAnswer {
    /// The response to the completing SEND, with 200.
    response: Response,
    wanted_responses: FailureReport,
    report: Option<ReportPlan>,
}

/// Addresses of a success REPORT, which travels the whole path (RFC 4975 §7.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
struct ReportPlan {
    to_path: Path,
    from_path: Path,
    message_id: Option<MessageId>,
    total: u64,
}

impl FinalAnswer {
    pub(super) fn new(head: &RequestHead, total: u64) -> FinalAnswer {
        let report = head.wants_success_report().then(|| ReportPlan {
            to_path: head.from_path.clone(),
            from_path: head.to_path.last().clone().into(),
            message_id: head.message_id.clone(),
            total,
        });
        let response = Response::to(head, status::OK);
        FinalAnswer {
            response,
            wanted_responses: head.wanted_responses(),
            report,
        }
    }

    /// The 200 and the success REPORT, as far as each was asked for.
    pub fn accept(self, rng: &mut impl CryptoRng) -> (Option<Response>, Option<RequestHead>) {
        let wanted = self.wanted_responses.wants(status::OK);
        (
            wanted.then_some(self.response),
            self.report.map(|plan| plan.head(rng)),
        )
    }

    /// The refusal with this code, unless no answer is wanted (ERR-38).
    pub fn refuse(self, code: u16) -> Option<Response> {
        let mut response = self.response;
        response.code = code;
        response.comment = status::comment(code).to_owned();
        self.wanted_responses.wants(code).then_some(response)
    }
}

impl ReportPlan {
    fn head(self, rng: &mut impl CryptoRng) -> RequestHead {
        let transaction_id = TransactionId::generate(rng);
        let mut head =
            RequestHead::new(transaction_id, Method::Report, self.to_path, self.from_path);
        head.message_id = self.message_id;
        head.byte_range = Some(ByteRange::whole(self.total));
        head.status = Some(ReportStatus::success());
        head
    }
}
