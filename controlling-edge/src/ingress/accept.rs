//! The one way to a 2xx for a message to many, by MESSAGE or MSRP (promise P1): through a [`JobAccepted`], which the client of the store makes
//! only of the store's word that content and roster are on disk (CFP-07).

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cpim::imdn::Disposition;
use edge::identity::AssertedIdentity;
use edge::refuse::Refusal;
use edge::response::answer;
use edge::signature::Signature;
use edge::{duplicate, lifetime, now, peer, privacy};
use net::msrp::AnswerHandle;
use net::sip::ServerTransaction;
use sha2::{Digest as _, Sha256};
use sip::{Name, Request, Response, StatusCode, Violation};
use storage_client::Unavailable;
use storage_client::fan_out::{
    CopyControl, Group, GroupAnswer, JobAccepted, JobAnswer, JobRefusal, JobRefusalReason,
    JobRequest, LegTemplate, RosterEntry,
};
use xcap::resource_lists;

use super::message::{self, Addressed};
use crate::copies::{Content, hops_of_a_copy, template};
use crate::edge::Edge;
use crate::recipients::{Recipient, members};
use crate::{event, metrics};

/// Who gets a copy, and whom its history names.
struct Audience {
    recipients: Vec<Recipient>,
    is_disclosed: bool,
    /// Hash of the recipients as the sender has listed them; zeros for a group.
    listed: [u8; 32],
    /// They are the members of a group.
    is_group: bool,
}

/// A message whose sender may send it, and who gets it.
pub(super) struct Asked {
    /// Who sends it.
    pub(super) originator: AssertedIdentity,
    content: Content,
    audience: Audience,
}

/// Reads a message to a list or a group, and finds out who gets it.
///
/// # Errors
/// In the order of requirements §1.7.
pub(super) async fn asked(edge: &Edge, request: &Request) -> Result<Asked, Refusal> {
    let asked = message::read(request, &edge.site)?;
    let audience = match asked.addressed {
        Addressed::List(recipients) => Audience {
            listed: list_hash(&recipients),
            recipients: people(edge, recipients)
                .await
                .map_err(|unavailable| Refusal::Unavailable(Some(unavailable.retry_after)))?,
            is_disclosed: true,
            is_group: false,
        },
        Addressed::Group(uri) => {
            let group = group(edge, uri.as_str()).await?;
            let audience = of_group(edge, request, &asked.originator, &group)?;
            let people = people(edge, audience.recipients).await;
            Audience {
                recipients: people.map_err(|_| Refusal::GroupsUnavailable)?,
                ..audience
            }
        }
    };
    privacy::check(request)?;
    if audience.recipients.is_empty() {
        return Err(Refusal::Unreadable("nobody but the sender is named"));
    }
    if edge.draining.is_cancelled() {
        return Err(Refusal::Overloaded);
    }
    Ok(Asked {
        originator: asked.originator,
        content: asked.content,
        audience,
    })
}

/// Serves a MESSAGE to a list or a group.
///
/// # Errors
/// In the order of requirements §1.7, then what the store says.
pub(super) async fn message(
    edge: &Edge,
    transaction: &ServerTransaction,
) -> Result<Response, Refusal> {
    let request = transaction.request();
    let asked = asked(edge, request).await?;
    let job = job(edge, request, &asked, peer(transaction.source()))?;
    let recipients = job.roster.len();
    let answered = edge.storage.accept_job(job).await;
    match answered.map_err(|unavailable| Refusal::Unavailable(Some(unavailable.retry_after)))? {
        JobAnswer::Accepted(proof) => {
            metrics::job_accepted(proof.duplicate());
            event::job_accepted(request, recipients, &proof);
            Ok(accepted(request, &proof, &edge.site.signature, now()))
        }
        JobAnswer::Refused(refused) => Err(refusal(refused)),
    }
}

/// The 200 to the SEND that completed a large message to many, and the REPORT, as far as each was asked for: every octet
/// and the roster are on disk (CFL-13, CFL-16).
pub(super) fn accept_send(send: AnswerHandle, _proof: &JobAccepted) {
    send.accept();
}

/// 202 with the profile of PFM-03 and PFM-04. It says nothing of the copies (CFP-07).
fn accepted(
    request: &Request,
    _proof: &JobAccepted,
    signature: &Signature,
    now: SystemTime,
) -> Response {
    answer(request, StatusCode::ACCEPTED, signature, now)
        .header(Name::PAssertedIdentity, signature.store_identity())
        .build()
}

/// Those who are no groups of ours, which would pass the message on (CFP-20).
async fn people(edge: &Edge, recipients: Vec<Recipient>) -> Result<Vec<Recipient>, Unavailable> {
    if edge.xdms.is_some() {
        // The store has no groups, and a question to the XDMS for each recipient would be too much.
        return Ok(recipients);
    }
    let uris = recipients.iter().map(|held| held.address.to_string());
    let are_groups = edge.storage.which_are_groups(uris.collect()).await?;
    let asked = recipients.into_iter().zip(are_groups);
    let people = asked.filter(|(_, is_group)| !is_group);
    Ok(people.map(|(recipient, _)| recipient).collect())
}

async fn group(edge: &Edge, uri: &str) -> Result<Arc<Group>, Refusal> {
    if let Some(xdms) = &edge.xdms {
        let found = xdms.group(uri).await;
        return found
            .map_err(|_| Refusal::GroupsUnavailable)?
            .ok_or(Refusal::UserUnknown);
    }
    match edge.storage.look_up_group(uri, 0).await {
        Ok(GroupAnswer::Found(group)) => Ok(Arc::new(group)),
        Ok(GroupAnswer::Unknown) => Err(Refusal::UserUnknown),
        // No version was named that it could still have.
        Ok(GroupAnswer::Unchanged) | Err(_) => Err(Refusal::GroupsUnavailable),
    }
}

/// The members, if this sender may write to them (CFP-03, CFP-04).
fn of_group(
    edge: &Edge,
    request: &Request,
    originator: &AssertedIdentity,
    group: &Group,
) -> Result<Audience, Refusal> {
    let is_member = || {
        let sender = originator.address.as_str();
        group.members.iter().any(|member| member.uri == sender)
    };
    if !group.non_members_may_send && !is_member() {
        return Err(Refusal::Forbidden("not a member of the group"));
    }
    if !group.allow_anonymity && privacy::is_wanted(request) {
        return Err(Refusal::Forbidden("anonymity is not allowed"));
    }
    let uris = group.members.iter().map(|member| member.uri.as_str());
    Ok(Audience {
        recipients: members(uris, &originator.address, &edge.site),
        is_disclosed: group.disclose_members,
        listed: [0; 32],
        is_group: true,
    })
}

fn job(
    edge: &Edge,
    request: &Request,
    asked: &Asked,
    received_from: String,
) -> Result<JobRequest, Refusal> {
    let named: &[Recipient] = match asked.audience.is_disclosed {
        true => &asked.audience.recipients,
        false => &[],
    };
    hops_of_a_copy(request).ok_or(Refusal::TooManyHops)?;
    let content = match unwanted(edge.config.cf.aggregate_imdn, &asked.audience) {
        [] => Cow::Borrowed(&asked.content),
        unwanted => Cow::Owned(asked.content.clone().without(unwanted)),
    };
    let template = template(
        request,
        &content,
        &asked.originator,
        named,
        &edge.site,
        &mut rand::rng(),
    );
    let template = template.ok_or(Violation::bad_request("Malformed From"))?;
    let lifetime = lifetime::of_message(request, now())?;
    job_request(request, asked, template.into(), lifetime, received_from)
}

/// Notifications that the stores of recipients shall not send: each names its recipient. What the client of a recipient says
/// is his own.
fn unwanted(aggregates: bool, audience: &Audience) -> &'static [Disposition] {
    match (audience.is_disclosed, aggregates) {
        // Who is in the group is nobody's business (CFP-19).
        (false, _) => &[Disposition::Processing, Disposition::NegativeDelivery],
        // The focus has answered it (IMD-08).
        (true, true) => &[Disposition::Processing],
        (true, false) => &[],
    }
}

/// The job of a message, with this template for its legs.
///
/// # Errors
/// 483 where no hop is left for a leg.
pub(super) fn job_request(
    request: &Request,
    asked: &Asked,
    template: LegTemplate,
    lifetime: Option<Duration>,
    received_from: String,
) -> Result<JobRequest, Refusal> {
    let max_forwards = hops_of_a_copy(request).ok_or(Refusal::TooManyHops)?;
    Ok(JobRequest {
        sender: asked.originator.address.to_string(),
        addressed_to: addressed_to(request),
        to_group: asked.audience.is_group,
        duplicate_key: duplicate::key(request)?,
        content_hash: content_hash(request),
        template,
        roster: asked.audience.recipients.iter().map(roster_entry).collect(),
        lifetime,
        max_forwards: max_forwards.into(),
        received_from,
        report_request: asked.content.report_request(),
    })
}

/// For operators: whom the sender wrote to, without parameters.
fn addressed_to(request: &Request) -> String {
    let uri = request.request_uri().ok();
    let address = uri.and_then(sip::Aor::from_uri);
    address.map_or_else(
        || request.raw_uri().to_owned(),
        |address| address.to_string(),
    )
}

/// What tells one list from another, however it was written.
fn list_hash(recipients: &[Recipient]) -> [u8; 32] {
    let hash = recipients.iter().fold(Sha256::new(), |hash, recipient| {
        hash.chain_update(recipient.address.to_string())
            .chain_update([b'\n', recipient.copy_control as u8])
    });
    hash.finalize().into()
}

impl Asked {
    /// Hash of the recipients as the sender has listed them; zeros for a group.
    pub(super) fn listed(&self) -> [u8; 32] {
        self.audience.listed
    }
}

fn content_hash(request: &Request) -> [u8; 32] {
    let hash = Sha256::new()
        .chain_update(request.raw_uri())
        .chain_update(b"\n")
        .chain_update(request.body());
    hash.finalize().into()
}

fn roster_entry(recipient: &Recipient) -> RosterEntry {
    let target = recipient.address.to_string();
    let is_as_written = recipient.uri == target;
    RosterEntry {
        copy_control: match recipient.copy_control {
            resource_lists::CopyControl::To => CopyControl::To,
            resource_lists::CopyControl::Cc => CopyControl::Cc,
            resource_lists::CopyControl::Bcc => CopyControl::Bcc,
        },
        variation: match is_as_written {
            true => bytes::Bytes::new(),
            false => recipient.uri.clone().into(),
        },
        target,
    }
}

/// What the sender is told of a refusal by the store.
pub(super) fn refusal(refused: JobRefusal) -> Refusal {
    match refused.reason {
        JobRefusalReason::SenderRate | JobRefusalReason::SenderJobs => {
            Refusal::SenderLimit(refused.retry_after)
        }
        JobRefusalReason::DiskFull => Refusal::Unavailable(refused.retry_after),
    }
}
