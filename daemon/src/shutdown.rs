//! The signals that end a process: the first asks, the second insists.

use std::io;
use std::sync::mpsc;
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancels `token` at the first SIGTERM or SIGINT; the process then drains. The second ends it at
/// once with the code of a shell, 128 + the number of the signal.
///
/// The signals have a thread of their own, so that the second one ends also a process whose
/// runtime hangs.
///
/// # Errors
/// When the system gives no thread or signal handler.
pub fn on_signals(token: &CancellationToken) -> io::Result<()> {
    let token = token.clone();
    // Handlers are in place when this function returns: a signal right after it is not lost.
    let (ready, is_ready) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || match Signals::listen() {
            Ok((runtime, signals)) => {
                // The receiver waits below, so this cannot fail.
                let _ = ready.send(Ok(()));
                runtime.block_on(follow(signals, token));
            }
            Err(error) => {
                let _ = ready.send(Err(error));
            }
        })?;
    is_ready
        .recv()
        .unwrap_or_else(|_| Err(io::Error::other("the thread of the signals ended")))
}

/// The two signals we listen to.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> io::Result<(Runtime, Self)> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let inside = runtime.enter();
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        drop(inside);
        Ok((
            runtime,
            Self {
                terminate,
                interrupt,
            },
        ))
    }

    async fn next(&mut self) -> (&'static str, SignalKind) {
        tokio::select! {
            _ = self.terminate.recv() => ("SIGTERM", SignalKind::terminate()),
            _ = self.interrupt.recv() => ("SIGINT", SignalKind::interrupt()),
        }
    }
}

async fn follow(mut signals: Signals, token: CancellationToken) {
    let (name, _) = signals.next().await;
    tracing::info!(
        event = "process.stopping",
        signal = name,
        "shutting down; a second signal ends at once"
    );
    token.cancel();
    let (name, kind) = signals.next().await;
    tracing::warn!(
        event = "process.ended_undrained",
        signal = name,
        "ended without drain"
    );
    std::process::exit(128 + kind.as_raw_value());
}
