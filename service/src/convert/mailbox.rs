//! Queries and counters.

use proto::v1;
use storage::model::{Address, Binding, ListQuery, MailboxSummary, MessageCount, PageToken, State};
use tonic::Status;

use super::message::{address, class, state};
use super::{bindings, invalid, page_size, time};

/// A query that makes sense; `page_token` is the decoded one.
pub(crate) fn list_query(
    request: v1::ListMessagesRequest,
    page_token: Option<PageToken>,
) -> Result<ListQuery, Status> {
    let page_size = page_size(request.page_size)?;
    let states = request
        .states()
        .map(|asked| state(asked).ok_or_else(|| invalid("a state of the filter is unspecified")));
    let states: Vec<State> = states.collect::<Result<_, _>>()?;
    Ok(ListQuery {
        class: class(request.class()),
        served_user: address(request.served_user),
        sender: address(request.sender),
        group: address(request.group),
        states,
        imdn_message_id: text(request.imdn_message_id),
        conversation_id: text(request.conversation_id),
        contribution_id: text(request.contribution_id),
        received_from: request.received_from.map(time),
        received_until: request.received_until.map(time),
        domain: text(request.domain),
        min_octets: (request.min_octets > 0).then_some(request.min_octets),
        max_octets: (request.max_octets > 0).then_some(request.max_octets),
        error: text(request.error),
        min_attempts: request.min_attempts,
        page_size,
        page_token,
    })
}

fn text(filter: String) -> Option<String> {
    (!filter.is_empty()).then_some(filter)
}

/// Counters and bindings of one mailbox.
pub(crate) fn mailbox(
    account: &Address,
    summary: &MailboxSummary,
    live: Vec<Binding>,
) -> v1::Mailbox {
    v1::Mailbox {
        served_user: account.as_str().to_owned(),
        text: Some(count(summary.text)),
        multimedia: Some(count(summary.multimedia)),
        imdn: summary.imdn,
        octets: summary.octets,
        bindings: bindings(live),
    }
}

pub(super) fn count(count: MessageCount) -> v1::MessageCount {
    v1::MessageCount {
        new: count.new,
        old: count.old,
        new_urgent: count.new_urgent,
        old_urgent: count.old_urgent,
    }
}
