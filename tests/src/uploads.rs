//! Senders of large messages at work on the edges' listener of the storage service, who remember what was
//! promised to them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proto::v1::large_message_service_client::LargeMessageServiceClient;
use proto::v1::upload_request::Request;
use proto::v1::{
    AdmitRequest, LargeDeposit, MessageClass, MessageHeaders, UploadOpen, UploadPiece,
    UploadRequest, admit_reply, upload_reply,
};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_stream::{StreamExt as _, iter, pending};
use tonic::transport::{Channel, Endpoint};

use crate::patience::{ANSWER, START, within};

/// What was answered with a Message-ID: it by the Call-ID of each message.
pub type Stored = BTreeMap<String, String>;

/// Octets in one piece; blocks of the store end elsewhere.
const PIECE: usize = 100_000;
/// How long a sender rests who was not served: the store may be down.
const REST: Duration = Duration::from_millis(50);

/// Uploaders, each with one upload after the other, whatever the answers.
#[derive(Debug)]
pub struct Uploads {
    uploaders: JoinSet<()>,
    stored: Arc<Mutex<Stored>>,
    count: watch::Sender<usize>,
    /// Whether they begin new uploads.
    are_busy: watch::Sender<bool>,
}

impl Uploads {
    /// Starts so many of them, who rest until more is asked for.
    pub fn start(storage: SocketAddr, uploaders: usize) -> Self {
        let mut uploads = Self {
            uploaders: JoinSet::new(),
            stored: Arc::default(),
            count: watch::Sender::new(0),
            are_busy: watch::Sender::new(false),
        };
        for uploader in 0..uploaders {
            let (stored, count) = (Arc::clone(&uploads.stored), uploads.count.clone());
            let (channel, mut are_busy) = (channel(storage), uploads.are_busy.subscribe());
            uploads.uploaders.spawn(async move {
                for number in 0_usize.. {
                    let busy = are_busy.wait_for(|are_busy| *are_busy).await.is_ok();
                    if !busy {
                        return;
                    }
                    let call_id = format!("upload-{uploader}-{number}");
                    let Some(message_id) = upload(&channel, &call_id).await else {
                        tokio::time::sleep(REST).await;
                        continue;
                    };
                    let mut stored = stored.lock().expect("nobody panics with it");
                    stored.insert(call_id, message_id);
                    count.send_modify(|count| *count += 1);
                }
            });
        }
        uploads
    }

    /// Waits until so many more were stored; they go on with others.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn more(&self, count: usize) {
        self.are_busy.send_replace(true);
        let mut stored = self.count.subscribe();
        let goal = *stored.borrow() + count;
        let reached = stored.wait_for(|stored| *stored >= goal);
        within(START, "large messages to be stored", reached)
            .await
            .expect("we hold the sender");
    }

    /// Has them begin nothing new until more is asked for.
    pub fn rest(&self) {
        self.are_busy.send_replace(false);
    }

    /// What was promised so far.
    ///
    /// # Panics
    /// When an uploader panicked.
    pub fn promised(&self) -> Stored {
        self.stored.lock().expect("no uploader panicked").clone()
    }

    /// Has them end, whatever they wait for.
    pub async fn end(&mut self) {
        self.uploaders.shutdown().await;
    }
}

/// The octets that belong to a Call-ID: some few, which go through the log, or many, which are staged.
pub fn octets_of(call_id: &str) -> Vec<u8> {
    let numbers = call_id.split('-').skip(1).map(str::parse::<usize>);
    let sum: usize = numbers.map(|number| number.unwrap_or(0)).sum();
    let length = [3_000, 300_000, 1_200_000, 70_000][sum % 4] + sum;
    let line = format!("The octets of {call_id}.\r\n");
    let mut octets = line.repeat(length / line.len() + 1).into_bytes();
    octets.truncate(length);
    octets
}

fn channel(storage: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{storage}")).expect("a URL");
    endpoint.timeout(ANSWER).connect_lazy()
}

/// The id of an upload that is let in.
async fn admitted(
    client: &mut LargeMessageServiceClient<Channel>,
    served_user: &str,
    octets: &[u8],
) -> Option<u64> {
    let announced = AdmitRequest {
        served_user: served_user.to_owned(),
        announced_octets: Some(octets.len() as u64),
        ..AdmitRequest::default()
    };
    match client.admit(announced).await.ok()?.into_inner().answer? {
        admit_reply::Answer::Admitted(admission) => Some(admission.upload),
        admit_reply::Answer::Refused(_) => None,
    }
}

/// The requests of an upload up to its last octet.
fn pieces(upload: u64, octets: &[u8]) -> Vec<UploadRequest> {
    let open = Request::Open(UploadOpen { upload });
    let pieces = octets.chunks(PIECE).enumerate().map(|(place, octets)| {
        Request::Piece(UploadPiece {
            offset: (place * PIECE) as u64,
            octets: octets.to_vec().into(),
        })
    });
    std::iter::once(open).chain(pieces).map(request).collect()
}

fn request(request: Request) -> UploadRequest {
    UploadRequest {
        request: Some(request),
    }
}

/// The Message-ID, if it is stored.
async fn upload(channel: &Channel, call_id: &str) -> Option<String> {
    let octets = octets_of(call_id);
    let served_user = format!("sip:{call_id}@example.org");
    let mut client = LargeMessageServiceClient::new(channel.clone());
    let upload = admitted(&mut client, &served_user, &octets).await?;
    let mut requests = pieces(upload, &octets);
    requests.push(request(Request::Commit(LargeDeposit {
        served_user,
        class: MessageClass::Large.into(),
        headers: Some(MessageHeaders {
            call_id: call_id.to_owned(),
            ..MessageHeaders::default()
        }),
        msrp_message_id: call_id.to_owned(),
        octets: octets.len() as u64,
        ..LargeDeposit::default()
    })));
    let reply = client.upload(iter(requests)).await;
    match reply.ok()?.into_inner().answer? {
        upload_reply::Answer::Deposited(deposited) => Some(deposited.message_id),
        upload_reply::Answer::Refused(_)
        | upload_reply::Answer::JobAccepted(_)
        | upload_reply::Answer::JobRefused(_) => None,
    }
}

/// Uploads octets for a user and never says that they are all, until the store ends it.
///
/// # Panics
/// When it is not admitted.
pub async fn upload_without_end(storage: SocketAddr, served_user: &str, octets: &[u8]) {
    let endpoint = Endpoint::from_shared(format!("http://{storage}")).expect("a URL");
    let mut client = LargeMessageServiceClient::new(endpoint.connect_lazy());
    let upload = admitted(&mut client, served_user, octets).await;
    let requests = pieces(upload.expect("there is room"), octets);
    // However it ends, nothing was promised.
    let _ = client.upload(iter(requests).chain(pending())).await;
}
