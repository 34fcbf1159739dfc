//! Requests for one Request-URI are served in the order of their arrival (RFC 3903 §6, SET-12), each
//! after the one before it; those for different ones at the same time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The last turn taken for each key; as many as there are requests under way.
type Last = HashMap<String, (u64, oneshot::Receiver<()>)>;

/// Gives turns.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    count: u64,
    last: Last,
}

/// A place in a queue; the next one comes when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Turns,
    key: String,
    number: u64,
    before: Option<oneshot::Receiver<()>>,
    _after: oneshot::Sender<()>,
}

impl Turns {
    pub(super) fn queue(&self, key: &str) -> Turn {
        let (after, ends) = oneshot::channel();
        let mut state = self.lock();
        state.count += 1;
        let number = state.count;
        let before = state.last.insert(key.to_owned(), (number, ends));
        Turn {
            turns: self.clone(),
            key: key.to_owned(),
            number,
            before: before.map(|(_, ends)| ends),
            _after: after,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Waits until the ones before have ended.
    pub(crate) async fn come(&mut self) {
        if let Some(before) = &mut self.before {
            // It ends by being dropped, never by a word.
            let _ = before.await;
            self.before = None;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.turns.lock();
        let last = state.last.get(&self.key).map(|(number, _)| *number);
        if last == Some(self.number) {
            state.last.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;

    async fn has_come(turn: &mut Turn) -> bool {
        let mut coming = std::pin::pin!(turn.come());
        poll_fn(|context| Poll::Ready(coming.as_mut().poll(context).is_ready())).await
    }

    #[tokio::test]
    async fn turns_of_one_key_come_one_after_the_other() {
        let turns = Turns::default();
        let (mut first, mut second) = (turns.queue("bob"), turns.queue("bob"));
        let mut third = turns.queue("bob");
        let mut other = turns.queue("alice");
        assert!(has_come(&mut first).await && has_come(&mut other).await);
        assert!(!has_come(&mut second).await);
        drop(first);
        assert!(has_come(&mut second).await);
        assert!(!has_come(&mut third).await);
        drop(second);
        assert!(has_come(&mut third).await);
        drop((third, other));
        assert!(turns.lock().last.is_empty(), "nothing is left behind");
    }
}
