//! A few threads of their own for octets of large messages. Memory that RocksDB allocates stays with the
//! thread that asked for it: spread over all blocking threads of the runtime it would be several times
//! as much.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::{io, thread};

use tokio::sync::{Semaphore, oneshot};

use crate::store::StoreError;

type Work = Box<dyn FnOnce() + Send>;

pub(super) struct Threads {
    name: &'static str,
    count: usize,
    /// Bounds the queue, too: one piece of work for each thread.
    turns: Semaphore,
    work: Sender<Work>,
    queue: Arc<Mutex<Receiver<Work>>>,
}

impl Threads {
    /// So many threads, not running yet.
    pub(super) fn new(name: &'static str, count: usize) -> Self {
        let (work, queue) = channel();
        Self {
            name,
            count,
            turns: Semaphore::new(count),
            work,
            queue: Arc::new(Mutex::new(queue)),
        }
    }

    /// Starts them; they end when this is dropped.
    pub(super) fn start(&self) -> io::Result<()> {
        for _ in 0..self.count {
            let queue = Arc::clone(&self.queue);
            let thread = thread::Builder::new().name(self.name.to_owned());
            thread.spawn(move || carry_out(&queue))?;
        }
        Ok(())
    }

    /// Carries out work that may block, when it is its turn. Goes on with it if whoever asked goes away.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let _turn = self.turns.acquire().await;
        let (reply, done) = oneshot::channel();
        let work = Box::new(move || drop(reply.send(work())));
        self.work.send(work).map_err(|_| StoreError::Closed)?;
        done.await.map_err(|_| StoreError::Closed)
    }
}

fn carry_out(queue: &Mutex<Receiver<Work>>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(work) = next else {
            return;
        };
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            tracing::error!(
                event = "store.work_panicked",
                "work on a large message has panicked"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_carried_out_and_a_panic_is_an_answer() {
        let threads = Threads::new("test", 2);
        threads.start().expect("there is place for threads");
        assert_eq!(threads.run(|| 1 + 1).await, Ok(2));
        for _ in 0..3 {
            let panicked = threads.run(|| panic!("as told")).await;
            assert_eq!(panicked, Err::<(), _>(StoreError::Closed));
        }
        let all: Vec<_> = (0..10).map(|number| threads.run(move || number)).collect();
        let answers = futures_util::future::join_all(all).await;
        assert_eq!(answers, (0..10).map(Ok).collect::<Vec<_>>());
    }
}
