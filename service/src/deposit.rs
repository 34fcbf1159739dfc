//! The deposit stream: deposits, acknowledgements and releases of an edge, answered as the store commits.

pub(crate) mod count;
mod entry;
pub(crate) mod receipt;
mod stream;

use std::pin::Pin;
use std::sync::Arc;

use proto::v1;
use proto::v1::deposit_service_server::DepositService;
use storage::Store;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

use crate::delivery::release::Releases;
use crate::health::Unready;
use crate::scheduler::DepositWatch;
use count::Counters;

/// Reply messages between us and the connection: one on its way, one ready.
const REPLY_BUFFER: usize = 2;

/// The deposit service over a store.
pub(crate) struct Deposits<S> {
    context: Arc<Context<S>>,
    streams: TaskTracker,
}

/// What every stream needs.
struct Context<S> {
    store: Arc<S>,
    watch: DepositWatch,
    releases: Arc<Releases<S>>,
    unready: Unready,
    counters: Counters,
    window: usize,
    shutdown: CancellationToken,
}

impl<S: Store> Deposits<S> {
    /// Streams end when `shutdown` is cancelled, after their last answer; `streams` tracks them.
    pub(crate) fn new(
        store: Arc<S>,
        watch: DepositWatch,
        (releases, unready): (Arc<Releases<S>>, Unready),
        window: usize,
        streams: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        let context = Context {
            store,
            watch,
            releases,
            unready,
            counters: Counters::new("transaction"),
            window,
            shutdown,
        };
        Self {
            context: Arc::new(context),
            streams,
        }
    }
}

#[tonic::async_trait]
impl<S: Store> DepositService for Deposits<S> {
    type ExchangeStream = Pin<Box<dyn Stream<Item = Result<v1::ExchangeReply, Status>> + Send>>;

    async fn exchange(
        &self,
        request: Request<Streaming<v1::ExchangeRequest>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        if self.context.shutdown.is_cancelled() {
            return Err(crate::status::draining());
        }
        let (sender, replies) = mpsc::channel(REPLY_BUFFER);
        let context = Arc::clone(&self.context);
        let serve = stream::serve(context, request.into_inner(), sender);
        self.streams.spawn(serve);
        Ok(Response::new(Box::pin(ReceiverStream::new(replies))))
    }
}
