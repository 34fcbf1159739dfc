//! A large message to many, from its INVITE to its job (CFL-01..07, CFL-13, CFL-16). The session and its transfer are
//! [`edge::reception`]; nothing of it is visible, and no leg begins, before the job is on disk.

use std::sync::Arc;

use edge::peer;
use edge::reception::answer::Terms;
use edge::reception::offer::{Lists, Offer, session_description};
use edge::reception::preview::{parts, preview};
use edge::reception::setup::{Admitted, Agreed, Route, open, session_timer};
use edge::reception::{End, Purpose, Whole, begin, cancelled, refuse};
use edge::refuse::Refusal;
use edge::report::{own_headers_octets, report_request};
use edge::user_agent::UserAgent;
use msrp::{AcceptTypes, RequestHead, status};
use net::sip::ServerTransaction;
use sip::session_timer::Agreement;
use sip::{Request, ResponseBuilder, StatusCode, Violation};
use storage_client::Upload;
use storage_client::fan_out::{
    JobAdmission, JobAdmissionAnswer, JobAnswer, JobRequest, LargeJobRequest, LegTemplate,
};

use super::accept::{self, Asked};
use crate::copies::{hops_of_a_copy, large};
use crate::edge::Edge;
use crate::{copies, event, metrics};

/// Serves an INVITE that passed the checks of §1.20. The session goes on by itself.
///
/// # Errors
/// Why there is none; the INVITE is not answered yet.
pub(super) async fn invite(
    edge: &Arc<Edge>,
    transaction: ServerTransaction,
) -> Result<(), (ServerTransaction, Refusal)> {
    let set_up = tokio::select! {
        biased;
        () = transaction.cancelled() => None,
        set_up = set_up(edge, &transaction) => Some(set_up),
    };
    match set_up {
        Some(Ok(agreed)) => begin((&edge.user_agent, &edge.receptions), transaction, agreed),
        Some(Err(refusal)) => return Err((transaction, refusal)),
        None => cancelled(edge, &transaction),
    }
    Ok(())
}

/// Takes an INVITE up to its 200.
///
/// # Errors
/// In the order of requirements §1.7, then §1.20.
async fn set_up(
    edge: &Edge,
    transaction: &ServerTransaction,
) -> Result<Agreed<LargeMessage>, Refusal> {
    let (request, source) = (transaction.request(), transaction.source());
    let asked = accept::asked(edge, request).await?;
    let (offer, timer) = judge(edge, request)?;
    let job = job(edge, request, &asked, peer(source))?;
    let place = edge.receptions.place(edge)?;
    transaction.respond(ResponseBuilder::reply_to(request, StatusCode::TRYING).build());
    let (pending, connect_to) = open(edge, &offer).await?;
    let admission = JobAdmission {
        sender: job.sender.clone(),
        recipients: job.roster.len(),
        announced_octets: offer.announced,
    };
    let upload = admitted(edge, admission).await?;
    let terms = Terms {
        accept_types: taken(&offer, &edge.receptions.accept_types()),
        max_octets: edge
            .receptions
            .config
            .max_octets
            .get()
            .min(upload.max_octets()),
        repeated: large::attributes(&offer),
    };
    let route = Route::new(&offer, connect_to, Some(&asked.originator), source);
    let admitted = Admitted {
        offer,
        timer,
        pending,
        route,
        upload,
        place,
    };
    let session = format!("lm-{}", sip::token::random_base62(&mut rand::rng(), 22));
    admitted.agree(edge, transaction, (&terms, Some(session)), |offer, _| {
        LargeMessage {
            invite: request.clone(),
            media: large::media(offer, preview(&parts(request), &offer.media).as_ref()),
            job,
        }
    })
}

/// What needs neither the store nor the network.
fn judge(edge: &Edge, request: &Request) -> Result<(Offer, Agreement), Refusal> {
    let description = session_description(request, Lists::Taken)?;
    let timer = session_timer(request)?;
    let offer = Offer::read(&description).map_err(|refusal| match refusal {
        Refusal::TemporarilyUnavailable => Refusal::NotAcceptable("only messages are passed on"),
        refusal => refusal,
    })?;
    let limit = edge.receptions.config.max_octets.get();
    if offer.announced.is_some_and(|announced| announced > limit) {
        return Err(Refusal::NotAcceptable("larger than a message may be"));
    }
    Ok((offer, timer))
}

/// The types offered that we take (CFL-04).
fn taken(offer: &Offer, ours: &AcceptTypes) -> AcceptTypes {
    let offered = &offer.media.accept_types;
    if offered.entries().any(|entry| entry == "*") {
        return ours.clone();
    }
    let taken: Vec<_> = offered
        .entries()
        .filter(|entry| ours.accepts(entry))
        .collect();
    match taken.is_empty() {
        true => ours.clone(),
        false => AcceptTypes::of(taken),
    }
}

async fn admitted(edge: &Edge, admission: JobAdmission) -> Result<Upload, Refusal> {
    match edge.storage.admit_job(admission).await {
        Ok(JobAdmissionAnswer::Admitted(upload)) => Ok(upload),
        Ok(JobAdmissionAnswer::Refused(refused)) => Err(accept::refusal(refused)),
        Err(unavailable) => Err(Refusal::Unavailable(Some(unavailable.retry_after))),
    }
}

/// The job, as far as it is known before the message has come.
fn job(
    edge: &Edge,
    request: &Request,
    asked: &Asked,
    received_from: String,
) -> Result<JobRequest, Refusal> {
    hops_of_a_copy(request).ok_or(Refusal::TooManyHops)?;
    let head = copies::head_of_invite(request, &asked.originator, &edge.site);
    let head = head.ok_or(Violation::bad_request("Malformed From"))?;
    let template = LegTemplate {
        head,
        ..LegTemplate::default()
    };
    Ok(JobRequest {
        content_hash: asked.listed(),
        ..accept::job_request(request, asked, template, None, received_from)?
    })
}

/// A large message that is on its way to us.
#[derive(Debug)]
struct LargeMessage {
    invite: Request,
    /// Media attributes of the copies.
    media: bytes::Bytes,
    job: JobRequest,
}

impl Purpose for LargeMessage {
    fn beginning_octets(&self, head: &RequestHead) -> usize {
        own_headers_octets(head)
    }

    async fn commit(&self, whole: Whole<'_>) -> End {
        let mut job = self.job.clone();
        job.template.body = self.media.clone();
        job.template.send_head = large::send_head(whole.head);
        let cpim = whole.beginning.as_ref();
        let cpim = cpim.and_then(|octets| cpim::Message::parse(octets).ok());
        job.report_request = cpim.as_ref().and_then(report_request);
        let recipients = job.roster.len();
        let message_id = whole.head.message_id.as_ref();
        let committed = whole.upload.commit_job(LargeJobRequest {
            job,
            msrp_message_id: message_id.map(ToString::to_string).unwrap_or_default(),
            octets: whole.total,
        });
        match committed.await {
            Ok(JobAnswer::Accepted(proof)) => {
                accept::accept_send(whole.answer, &proof);
                metrics::job_accepted(proof.duplicate());
                event::job_accepted(&self.invite, recipients, &proof);
                End::Stored(proof.job().to_string())
            }
            Ok(JobAnswer::Refused(_)) => {
                whole.answer.refuse(status::STOP_SENDING);
                End::Refused
            }
            Err(error) => refuse(whole.answer, &error),
        }
    }

    /// His BYE is the normal end, and touches no leg (CFL-07).
    async fn ended_by_sender(&self, _ua: &UserAgent, _stored: &str, _bye: &Request) {}
}
