//! Who is reachable: REGISTER requests of every kind, committed before they are answered (DLV-01,
//! REG rows, requirements §2.4.1).

mod answer;
mod binding;
pub(crate) mod digest;
pub(crate) mod direct;
mod embedded;
#[cfg(test)]
mod example;
pub(crate) mod kept;
pub(crate) mod kind;
mod third_party;
mod users;

use net::sip::ServerTransaction;
use sip::{Aor, Request, Response};
use storage_client::RegisterError;
use storage_client::registration::{
    Binding, BindingChange, Flow, Registered, Registration, RegistrationKind,
};
use tokio::time::timeout;

use crate::edge::Edge;
use crate::ingress::Standing;
use crate::{event, metrics};
use edge::now;
use edge::refuse::Refusal;
use kind::{Kind, kind};

/// Answers a REGISTER of a trusted peer, or of a client that has proven who it is and registers
/// itself.
pub(crate) async fn register(
    edge: &Edge,
    transaction: &ServerTransaction,
    standing: &Standing,
) -> Result<Response, Refusal> {
    let request = transaction.request();
    let (kind, address) = kind(request.headers(), &edge.site)?;
    let is_entitled = match standing {
        Standing::Trusted => true,
        Standing::Proven(proven) => kind == Kind::Direct && *proven == address,
    };
    if !is_entitled {
        return Err(Refusal::PeerUntrusted);
    }
    match (kind, address) {
        (Kind::ThirdParty, address) => third_party(edge, request, &address).await,
        (Kind::Copied, address) => copied(edge, request, &address).await,
        (Kind::Direct, address) => direct(edge, transaction, &address).await,
    }
}

/// The core tells about a registration: 200 also when the store is out of reach, and also when a
/// repetition is older than what is known; an error could make the core de-register its user.
async fn third_party(edge: &Edge, request: &Request, address: &Aor) -> Result<Response, Refusal> {
    let default = edge.rules.default_lifetime();
    let registration = third_party::registration(request, address, &edge.site, default, now());
    match commit_or_keep(edge, registration).await {
        Ok(_) | Err(Refusal::OutOfOrder) => {
            let lifetime = third_party::lifetime(request.headers(), default);
            Ok(answer::to_core(
                request,
                lifetime,
                &edge.site.signature,
                now(),
            ))
        }
        Err(refusal) => Err(refusal),
    }
}

/// A proxy copied a client's REGISTER to us; its own answer does not depend on ours.
async fn copied(edge: &Edge, request: &Request, address: &Aor) -> Result<Response, Refusal> {
    let kind = RegistrationKind::Copied;
    let registration = edge
        .rules
        .registration(request, address, kind, None, now())?;
    let asked = bound(&registration);
    let bindings = commit_or_keep(edge, registration).await?.unwrap_or(asked);
    Ok(answer::to_client(
        request,
        &bindings,
        &edge.site.signature,
        now(),
    ))
}

/// A client registers with us: it is told the truth, 503 included.
async fn direct(
    edge: &Edge,
    transaction: &ServerTransaction,
    address: &Aor,
) -> Result<Response, Refusal> {
    let request = transaction.request();
    let token = edge.flows.remember(&transaction.source().flow);
    let flow = token.map(|token| Flow {
        edge: edge.config.process.name.clone(),
        token,
    });
    let kind = RegistrationKind::Direct;
    let registration = edge
        .rules
        .registration(request, address, kind, flow, now())?;
    let registered = commit(edge, &registration).await.map_err(refusal)?;
    Ok(answer::to_client(
        request,
        &registered.bindings,
        &edge.site.signature,
        now(),
    ))
}

/// Commits a registration; `None` if it waits for the store now. One whose forerunner waits must
/// wait behind it, or an old registration would come last.
async fn commit_or_keep(
    edge: &Edge,
    registration: Registration,
) -> Result<Option<Vec<Binding>>, Refusal> {
    if !edge.kept.has(&registration.address) {
        match commit(edge, &registration).await {
            Ok(registered) => return Ok(Some(registered.bindings)),
            Err(RegisterError::Unavailable(_)) => {}
            Err(error) => return Err(refusal(error)),
        }
    }
    metrics::registered("kept");
    edge.kept.keep(registration);
    Ok(None)
}

/// Makes a registration durable within its time.
pub(crate) async fn commit(
    edge: &Edge,
    registration: &Registration,
) -> Result<Registered, RegisterError> {
    let patience = edge.register_time();
    let late = || storage_client::Unavailable {
        reason: "no answer in time".to_owned(),
        retry_after: patience,
    };
    let committing = timeout(patience, edge.storage.register(registration.clone()));
    let registered = committing.await.map_err(|_| late())??;
    metrics::registered("committed");
    edge.unsuited
        .follow(&registration.address, &registered.bindings, now());
    event::registration_committed(&registration.address, registered.bindings.len());
    for alias in &registered.refused_aliases {
        event::alias_refused(&registration.address, alias);
    }
    Ok(registered)
}

fn refusal(error: RegisterError) -> Refusal {
    match error {
        RegisterError::OutOfOrder => Refusal::OutOfOrder,
        RegisterError::TooManyBindings => Refusal::TooManyBindings,
        RegisterError::UnknownUser => Refusal::UserUnknown,
        RegisterError::Unavailable(unavailable) => {
            Refusal::Unavailable(Some(unavailable.retry_after))
        }
        _ => Refusal::Unavailable(None),
    }
}

/// The bindings a registration asks for.
fn bound(registration: &Registration) -> Vec<Binding> {
    let bound = registration
        .changes
        .iter()
        .filter_map(|change| match change {
            BindingChange::Bind(binding) => Some(binding.clone()),
            BindingChange::Unbind { .. } | BindingChange::UnbindAll => None,
        });
    bound.collect()
}
