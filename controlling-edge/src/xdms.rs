//! Groups of an external XDMS (CFP-05): fetched as documents below the configured root, remembered for a while, and asked
//! about again by their tags.
//!
//! A group is never taken as it was longer than `xdms.max_age`: whoever cannot be asked then has no groups, and senders
//! are told to come again.

mod cache;
mod client;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use daemon::exit::{Code, Fatal};
use sip::{Aor, Uri};
use storage_client::fan_out::{Group, GroupMember};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use xcap::group_document;

use crate::config::Xdms as Config;
use crate::{event, metrics};
use cache::{Cache, Known};
pub(crate) use client::Root;
use client::{Answer, Client};

/// Questions under way at a time.
const QUESTIONS: usize = 32;

/// The XDMS is not reached, too slow, or answers something else than a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the XDMS gives no answer")]
pub(crate) struct NoAnswer;

/// The groups of one XDMS.
#[derive(Debug)]
pub(crate) struct Xdms {
    client: Client,
    cache: Mutex<Cache>,
    questions: Semaphore,
    timeout: Duration,
    max_age: Duration,
}

impl Xdms {
    /// Asks below this root in the name of `identity`.
    ///
    /// # Errors
    /// [`Code::Config`] for authorities that cannot be read.
    pub(crate) fn new(root: Root, config: &Config, identity: String) -> Result<Self, Fatal> {
        let client = Client::new(root, &config.ca, identity).map_err(|why| {
            Fatal::new(
                Code::Config,
                format!("xdms.ca: {}: {why}", config.ca.display()),
            )
        })?;
        let groups = usize::try_from(config.cache_groups).unwrap_or(usize::MAX);
        Ok(Self {
            client,
            cache: Mutex::new(Cache::new(groups)),
            questions: Semaphore::new(QUESTIONS),
            timeout: config.timeout,
            max_age: config.max_age,
        })
    }

    /// A group as it is, or was no longer ago than it may be; `None` if there is none.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub(crate) async fn group(&self, uri: &str) -> Result<Option<Arc<Group>>, NoAnswer> {
        let known = self.cache().find(uri);
        if let Some(known) = &known
            && known.asked_at.elapsed() < self.max_age
        {
            metrics::xdms("remembered");
            return Ok(Some(Arc::clone(&known.group)));
        }
        let asked_at = Instant::now();
        let tag = known.as_ref().and_then(|known| known.tag.as_deref());
        let answer = timeout(self.timeout, self.ask(uri, tag)).await;
        let answer = answer.unwrap_or_else(|_| Err("it is too slow".to_owned()));
        let answer = answer.inspect_err(|why| {
            metrics::xdms("failed");
            event::xdms_failed(why);
        });
        match (answer.map_err(|_| NoAnswer)?, known) {
            (Answer::Unknown, _) => {
                metrics::xdms("unknown");
                self.cache().forget(uri);
                Ok(None)
            }
            (Answer::Unchanged, Some(known)) => {
                metrics::xdms("unchanged");
                let group = Arc::clone(&known.group);
                self.cache().keep(uri, Known { asked_at, ..known });
                Ok(Some(group))
            }
            // Nothing was named that could be unchanged.
            (Answer::Unchanged, None) => Err(NoAnswer),
            (Answer::Document { text, tag }, _) => {
                metrics::xdms("fetched");
                let group = Arc::new(read(&text, uri).inspect_err(|_| {
                    event::xdms_failed("its document is not of that group, or cannot be read");
                })?);
                let known = Known {
                    group: Arc::clone(&group),
                    octets: text.len(),
                    tag,
                    asked_at,
                };
                self.cache().keep(uri, known);
                Ok(Some(group))
            }
        }
    }

    async fn ask(&self, uri: &str, tag: Option<&str>) -> Result<Answer, String> {
        let turn = self.questions.acquire().await;
        let _turn = turn.map_err(|closed| closed.to_string())?;
        self.client.fetch(uri, tag).await
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A document of that group, whose members are all addresses.
fn read(text: &[u8], uri: &str) -> Result<Group, NoAnswer> {
    let document = group_document::read(text).map_err(|_| NoAnswer)?;
    let canonical = |text: &str| {
        let uri: Uri = text.parse().ok()?;
        Aor::from_uri(&uri).map(|address| address.to_string())
    };
    if canonical(&document.uri).as_deref() != Some(uri) {
        return Err(NoAnswer);
    }
    let mut seen = std::collections::HashSet::new();
    let members = document.members.into_iter().map(|member| {
        Ok(GroupMember {
            uri: canonical(&member.uri).ok_or(NoAnswer)?,
            display_name: member.display_name,
        })
    });
    let mut members = members.collect::<Result<Vec<_>, _>>()?;
    members.retain(|member| seen.insert(member.uri.clone()));
    Ok(Group {
        uri: uri.to_owned(),
        display_name: document.display_name,
        allow_anonymity: document.allow_anonymity,
        non_members_may_send: document.non_members_may_send,
        members,
        ..Group::default()
    })
}

#[cfg(test)]
mod tests;
