//! Queries and counters.

use proto::v1;
use storage::model::{Address, Binding, ListQuery, MailboxSummary, MessageCount, PageToken, State};
use tonic::Status;

use super::message::{address, class, state};
use super::{bindings, invalid, time};

/// Hits per page if the caller says nothing, and at most.
const PAGE_SIZE: u32 = 100;
const PAGE_SIZE_MAX: u32 = 1_000;

/// A query that makes sense; `page_token` is the decoded one.
pub(crate) fn list_query(
    request: v1::ListMessagesRequest,
    page_token: Option<PageToken>,
) -> Result<ListQuery, Status> {
    let page_size = match request.page_size {
        0 => PAGE_SIZE,
        size if size <= PAGE_SIZE_MAX => size,
        _ => return Err(invalid("a page has at most 1,000 messages")),
    };
    let states = request
        .states()
        .map(|asked| state(asked).ok_or_else(|| invalid("a state of the filter is unspecified")));
    let states: Vec<State> = states.collect::<Result<_, _>>()?;
    Ok(ListQuery {
        class: class(request.class()),
        served_user: address(request.served_user),
        sender: address(request.sender),
        states,
        received_from: request.received_from.map(time),
        received_until: request.received_until.map(time),
        page_size: usize::try_from(page_size).unwrap_or(usize::MAX),
        page_token,
    })
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

fn count(count: MessageCount) -> v1::MessageCount {
    v1::MessageCount {
        new: count.new,
        old: count.old,
        new_urgent: count.new_urgent,
        old_urgent: count.old_urgent,
    }
}
