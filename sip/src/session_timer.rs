//! Session timers (RFC 4028): how long a session lives without a sign of life, and who gives that sign.
//!
//! Negotiation are two functions, one per role; [`SessionTimer`] then says when to refresh and when to give up. It
//! sends nothing and knows no dialog: time is an argument.

use std::time::{Duration, Instant};

use crate::message::Headers;
use crate::{HeaderError, Refresher, SessionExpires};

/// The option tag of this extension.
const TIMER: &str = "timer";

/// Shortest interval the standard allows (RFC 4028 §4).
pub const FLOOR: Duration = Duration::from_secs(90);

/// What we offer and accept (requirements 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionPolicy {
    /// The interval we ask for, 1800 s.
    pub interval: Duration,
    /// The shortest interval we accept, 90 s.
    pub min_se: Duration,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1800),
            min_se: FLOOR,
        }
    }
}

impl SessionPolicy {
    /// The Session-Expires of our INVITE or UPDATE. It leaves the choice of the refresher to the peer (RFC 4028 §7.1).
    #[must_use]
    pub fn offer(&self) -> SessionExpires {
        SessionExpires {
            seconds: seconds(self.interval),
            refresher: None,
        }
    }

    /// The offer after a 422 with these headers (RFC 4028 §7.4): its Min-SE, if it is longer than what we asked for.
    ///
    /// # Errors
    ///
    /// The Min-SE is malformed.
    pub fn raised(&self, headers: &Headers) -> Result<Option<Self>, HeaderError> {
        let demanded = headers
            .min_se()?
            .map(|demanded| Duration::from_secs(demanded.into()));
        let demanded = demanded.filter(|demanded| *demanded > self.interval);
        Ok(demanded.map(|demanded| Self {
            interval: demanded,
            min_se: self.min_se.max(demanded),
        }))
    }
}

/// What both sides have settled on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The session ends that long after its last refresh.
    pub interval: Duration,
    /// Who refreshes, in the roles of the transaction that settled it.
    pub refresher: Refresher,
    /// Whether our 2xx says `Require: timer` (RFC 4028 §9): the UAC refreshes, so it must understand the header.
    pub require: bool,
}

impl Agreement {
    /// The Session-Expires of our 2xx.
    #[must_use]
    pub fn session_expires(&self) -> SessionExpires {
        SessionExpires {
            seconds: seconds(self.interval),
            refresher: Some(self.refresher),
        }
    }
}

/// Why a UAS cannot agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimerRefusal {
    /// The interval is too short: 422 with this Min-SE (RFC 4028 §9).
    #[error("session interval too small")]
    TooSmall {
        /// For the Min-SE of the 422.
        min_se: Duration,
    },
    /// Session-Expires or Min-SE is malformed: 400.
    #[error(transparent)]
    Malformed(#[from] HeaderError),
}

/// What a UAS answers to a session refresh request with these headers (RFC 4028 §9).
///
/// A UAC that does not know the extension cannot learn from a 422: its interval, set by a proxy, is raised instead.
///
/// # Errors
///
/// [`TimerRefusal`] says how to answer instead.
pub fn negotiate_uas(headers: &Headers, policy: &SessionPolicy) -> Result<Agreement, TimerRefusal> {
    let supported = headers
        .supported()
        .iter()
        .any(|tag| tag.eq_ignore_ascii_case(TIMER));
    let requested = headers.session_expires()?;
    let lower_bound = headers
        .min_se()?
        .map_or(FLOOR, |min| Duration::from_secs(min.into()))
        .max(policy.min_se);
    let interval = match requested {
        Some(requested) => Duration::from_secs(requested.seconds.into()),
        None => policy.interval.max(lower_bound),
    };
    if interval < policy.min_se && supported {
        return Err(TimerRefusal::TooSmall {
            min_se: policy.min_se,
        });
    }
    // RFC 4028 §9 Table 2: the UAC's choice stands; without one, or without its support, we refresh.
    let chosen = requested
        .and_then(|requested| requested.refresher)
        .filter(|_| supported);
    let refresher = chosen.unwrap_or(Refresher::Uas);
    let interval = interval.max(policy.min_se);
    Ok(Agreement {
        interval,
        refresher,
        require: refresher == Refresher::Uac,
    })
}

/// What a UAC reads from the 2xx to its session refresh request (RFC 4028 §7.2). None: the peer does not take part, the
/// session has no timer.
///
/// # Errors
///
/// The Session-Expires is malformed.
pub fn negotiate_uac(headers: &Headers) -> Result<Option<Agreement>, HeaderError> {
    let Some(SessionExpires { seconds, refresher }) = headers.session_expires()? else {
        return Ok(None);
    };
    let interval = Duration::from_secs(seconds.into());
    let refresher = refresher.unwrap_or(Refresher::Uac);
    Ok(Some(Agreement {
        interval,
        refresher,
        require: false,
    }))
}

/// What a session timer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Send an UPDATE, or a re-INVITE where the peer does not allow it.
    Refresh,
    /// Send a BYE: nobody has refreshed the session (RFC 4028 §10).
    Expire,
}

/// The timer of one session at one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimer {
    interval: Duration,
    refreshing: bool,
    refresh_sent: bool,
    /// RFC 4028 §10: the refresher refreshes at half the interval.
    refresh_at: Instant,
    since: Instant,
}

impl SessionTimer {
    /// Starts with the agreement of a 2xx sent or received at `now`; `role` is ours in that transaction.
    #[must_use]
    pub fn new(agreement: &Agreement, role: Refresher, now: Instant) -> Self {
        let Agreement {
            interval,
            refresher,
            ..
        } = *agreement;
        Self {
            interval,
            refreshing: refresher == role,
            refresh_sent: false,
            refresh_at: now + interval / 2,
            since: now,
        }
    }

    /// When [`poll`](Self::poll) will have something to say.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        if self.refreshing && !self.refresh_sent {
            self.refresh_at
        } else {
            self.expire_at()
        }
    }

    /// What has to be done at `now`: one [`Due::Refresh`], then [`Due::Expire`] unless a new 2xx starts a new timer.
    pub fn poll(&mut self, now: Instant) -> Option<Due> {
        if now >= self.expire_at() {
            return Some(Due::Expire);
        }
        if self.refreshing && !self.refresh_sent && now >= self.refresh_at {
            self.refresh_sent = true;
            return Some(Due::Refresh);
        }
        None
    }

    /// The refresh was refused for now: asks for another one at that moment.
    pub fn refresh_again(&mut self, at: Instant) {
        self.refresh_sent = false;
        self.refresh_at = at;
    }

    /// RFC 4028 §10: a BYE leaves the minimum of 32 s and a third of the interval before the session expires.
    fn expire_at(&self) -> Instant {
        self.since + self.interval - (self.interval / 3).min(Duration::from_secs(32))
    }
}

/// Whole seconds, as the headers have them.
fn seconds(interval: Duration) -> u32 {
    u32::try_from(interval.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Method;
    use crate::message::RequestBuilder;

    fn headers(lines: &[(&str, &str)]) -> Headers {
        let builder = RequestBuilder::new(Method::Invite, &"sip:bob@example.org");
        let builder = lines.iter().fold(builder, |builder, (name, value)| {
            builder.raw_header(name, value)
        });
        builder.build().headers().clone()
    }

    fn agreed(lines: &[(&str, &str)]) -> (u64, Refresher, bool) {
        let agreement = negotiate_uas(&headers(lines), &SessionPolicy::default()).unwrap();
        (
            agreement.interval.as_secs(),
            agreement.refresher,
            agreement.require,
        )
    }

    #[test]
    fn uas_follows_table_2() {
        let supported = ("Supported", "timer");
        assert_eq!(agreed(&[]), (1800, Refresher::Uas, false));
        assert_eq!(agreed(&[supported]), (1800, Refresher::Uas, false));
        assert_eq!(
            agreed(&[supported, ("Session-Expires", "600;refresher=uac")]),
            (600, Refresher::Uac, true)
        );
        assert_eq!(
            agreed(&[supported, ("x", "600;refresher=uas")]),
            (600, Refresher::Uas, false)
        );
        assert_eq!(
            agreed(&[("Session-Expires", "600;refresher=uac")]),
            (600, Refresher::Uas, false)
        );
        assert_eq!(agreed(&[("Min-SE", "3600")]), (3600, Refresher::Uas, false));
    }

    #[test]
    fn too_small_is_refused_only_where_it_is_understood() {
        let short = ("Session-Expires", "60");
        let refused = negotiate_uas(
            &headers(&[("Supported", "timer"), short]),
            &SessionPolicy::default(),
        );
        assert_eq!(refused, Err(TimerRefusal::TooSmall { min_se: FLOOR }));
        assert_eq!(agreed(&[short]), (90, Refresher::Uas, false));
    }

    #[test]
    fn uac_reads_the_answer_and_raises_after_422() {
        let answer = headers(&[("Session-Expires", "600;refresher=uas")]);
        let agreement = negotiate_uac(&answer).unwrap().unwrap();
        assert_eq!(
            (agreement.interval.as_secs(), agreement.refresher),
            (600, Refresher::Uas)
        );
        assert_eq!(negotiate_uac(&headers(&[])).unwrap(), None);
        let policy = SessionPolicy::default();
        let raised = policy
            .raised(&headers(&[("Min-SE", "3600")]))
            .unwrap()
            .unwrap();
        assert_eq!(raised.offer().to_string(), "3600");
        assert_eq!(policy.raised(&headers(&[("Min-SE", "100")])).unwrap(), None);
    }

    fn timer(role: Refresher, start: Instant) -> SessionTimer {
        let interval = Duration::from_secs(90);
        SessionTimer::new(
            &Agreement {
                interval,
                refresher: Refresher::Uac,
                require: false,
            },
            role,
            start,
        )
    }

    #[test]
    fn refresher_refreshes_at_half_and_gives_up_a_third_before_the_end() {
        let start = Instant::now();
        let mut timer = timer(Refresher::Uac, start);
        assert_eq!(timer.next_timeout(), start + Duration::from_secs(45));
        assert_eq!(timer.poll(start + Duration::from_secs(44)), None);
        assert_eq!(
            timer.poll(start + Duration::from_secs(45)),
            Some(Due::Refresh)
        );
        assert_eq!(timer.poll(start + Duration::from_secs(46)), None);
        assert_eq!(timer.next_timeout(), start + Duration::from_secs(60));
        assert_eq!(
            timer.poll(start + Duration::from_secs(60)),
            Some(Due::Expire)
        );
    }

    #[test]
    fn other_side_only_expires() {
        let start = Instant::now();
        let mut timer = timer(Refresher::Uas, start);
        assert_eq!(timer.next_timeout(), start + Duration::from_secs(60));
        assert_eq!(timer.poll(start + Duration::from_secs(59)), None);
        assert_eq!(
            timer.poll(start + Duration::from_secs(60)),
            Some(Due::Expire)
        );
    }
}
