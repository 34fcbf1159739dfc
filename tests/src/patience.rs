//! Deadlines. A test that waits in vain fails and says what for.

use std::time::Duration;

/// How long an answer of a healthy process may take on a busy machine.
pub const ANSWER: Duration = Duration::from_secs(15);

/// How long a process may take to start or to end.
pub const START: Duration = Duration::from_secs(60);

/// The output of `future`, which is expected within `limit`.
///
/// # Panics
/// When it takes longer; `what` completes the sentence "waited in vain for …".
pub async fn within<F: Future>(limit: Duration, what: &str, future: F) -> F::Output {
    match tokio::time::timeout(limit, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited {limit:?} in vain for {what}"),
    }
}

/// Between two looks of [`eventually`].
const LOOK: Duration = Duration::from_millis(20);

/// What `look` finds, asked again and again within `limit`: for what nobody tells of.
///
/// # Panics
/// When it finds nothing; `what` completes the sentence "waited in vain for …".
pub async fn eventually<T>(
    limit: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    within(limit, what, looking).await
}
