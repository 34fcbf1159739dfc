//! Who waits for the answer to an entry.

use std::fmt;

use proto::v1::exchange_answer::Answer;

use crate::Unavailable;

type Tell = Box<dyn FnOnce(Result<Answer, Unavailable>) + Send>;

/// Is told exactly once what became of an entry: when it is dropped at the latest.
pub(super) struct Waiter(Option<Tell>);

impl Waiter {
    pub(super) fn new(tell: impl FnOnce(Result<Answer, Unavailable>) + Send + 'static) -> Self {
        Self(Some(Box::new(tell)))
    }

    pub(super) fn tell(mut self, result: Result<Answer, Unavailable>) {
        if let Some(tell) = self.0.take() {
            tell(result);
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if let Some(tell) = self.0.take() {
            tell(Err(Unavailable::new("the client is closing")));
        }
    }
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn whoever_waits_is_told_once_even_if_nobody_answers() {
        let (sender, told) = mpsc::channel();
        let again = sender.clone();
        let answered = Waiter::new(move |result| drop(sender.send(result)));
        answered.tell(Err(Unavailable::new("no answer in time")));
        drop(Waiter::new(move |result| drop(again.send(result))));
        let reasons: Vec<_> = told
            .iter()
            .map(|result| result.unwrap_err().reason)
            .collect();
        assert_eq!(reasons, ["no answer in time", "the client is closing"]);
    }
}
