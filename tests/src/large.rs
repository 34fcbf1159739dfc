//! Large messages straight into the store, as an edge hands them over: for tests of what comes out.

use std::net::SocketAddr;

use proto::v1::admit_reply::Answer as Admitted;
use proto::v1::large_message_service_client::LargeMessageServiceClient;
use proto::v1::upload_reply::Answer;
use proto::v1::upload_request::Request;
use proto::v1::{
    AdmitRequest, LargeDeposit, MessageClass, MessageHeaders, Part, PartKind, UploadOpen,
    UploadPiece, UploadRequest,
};

use crate::patience::{ANSWER, within};
use crate::scene::uri;
use crate::sip::fresh;

/// Octets in one piece.
const PIECE: usize = 128 * 1024;

/// Path of the sender.
pub const FROM_PATH: &str = "msrp://198.51.100.7:7394/2s93i9idj;tcp";

/// Path at which the message was received.
pub const TO_PATH: &str = "msrp://192.0.2.20:2855/8rVq3LxT0mZc7YwKp5NbGd;tcp";

/// A large message of Alice.
#[derive(Clone, Debug)]
pub struct Large {
    /// The served user.
    pub user: String,
    /// Value of Privacy in the INVITE; empty for none.
    pub privacy: &'static str,
    /// Message-ID of her SEND.
    pub message_id: String,
    /// Call-ID of her INVITE.
    pub call_id: String,
    /// The content, `text/plain`.
    pub body: Vec<u8>,
}

impl Large {
    /// A message to this user.
    pub fn to(user: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            user: user.to_owned(),
            privacy: "",
            message_id: fresh(),
            call_id: format!("{}@198.51.100.7", fresh()),
            body: body.into(),
        }
    }

    /// Octets that hold the ends of frames again and again, so many.
    pub fn deceptive(octets: usize) -> Vec<u8> {
        let line = b"\r\n-------d93kswow$\r\nMSRP d93kswow SEND\r\n\0\xff--x--\r\n";
        line.iter().copied().cycle().take(octets).collect()
    }

    /// Head of the SEND, from its start line to its last header.
    pub fn head(&self) -> String {
        format!(
            "MSRP d93kswow SEND\r\nTo-Path: {TO_PATH}\r\nFrom-Path: {FROM_PATH}\r\nMessage-ID: {}\r\n\
             Byte-Range: 1-{2}/{2}\r\nSuccess-Report: yes\r\nFailure-Report: yes\r\n\
             Content-Disposition: {1}\r\nContent-Type: text/plain\r\n",
            self.message_id,
            "attachment; filename=\"a b.txt\"",
            self.body.len()
        )
    }

    fn dialog(&self, to_tag: &str) -> String {
        let privacy = match self.privacy {
            "" => String::new(),
            value => format!("Privacy: {value}\r\n"),
        };
        format!(
            "Via: SIP/2.0/TCP 198.51.100.7:5062;branch=z9hG4bK-{}\r\nMax-Forwards: 68\r\n\
             From: \"Alice\" <sip:alice@example.org>;tag=a5510\r\nTo: <{}>{to_tag}\r\nCall-ID: {}\r\n\
             CSeq: 1 INVITE\r\nSubject: Minutes of the meeting\r\n{privacy}",
            self.message_id,
            uri(&self.user),
            self.call_id
        )
    }

    fn parts(&self) -> Vec<Part> {
        let sdp = format!(
            "v=0\r\no=alice 3973 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n\
             m=message 7394 TCP/MSRP *\r\na=path:{FROM_PATH}\r\na=accept-types:*\r\na=sendonly\r\n\
             a=file-selector:name:\"a b.txt\" type:text/plain size:{}\r\n",
            self.body.len()
        );
        let invite = format!(
            "INVITE {} SIP/2.0\r\n{}Contact: <sip:alice@198.51.100.7:5062>\r\n\
             P-Asserted-Identity: \"Alice\" <sip:alice@example.org>\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            uri(&self.user),
            self.dialog(""),
            sdp.len()
        );
        let answer = format!(
            "SIP/2.0 200 OK\r\n{}Content-Length: 0\r\n\r\n",
            self.dialog(";tag=df1-77e2")
        );
        let part = |kind: PartKind, octets: String| Part {
            kind: kind.into(),
            octets: octets.into(),
        };
        vec![
            part(PartKind::Invite, invite),
            part(PartKind::InviteResponse, answer),
            part(PartKind::SendHead, self.head()),
        ]
    }

    fn deposit(&self) -> LargeDeposit {
        LargeDeposit {
            served_user: uri(&self.user),
            sender: "sip:alice@example.org".to_owned(),
            class: MessageClass::Large.into(),
            headers: Some(MessageHeaders {
                from: "\"Alice\" <sip:alice@example.org>;tag=a5510".to_owned(),
                to: format!("<{}>", uri(&self.user)),
                call_id: self.call_id.clone(),
                subject: "Minutes of the meeting".to_owned(),
                privacy: self.privacy.to_owned(),
                asserted_identity: "\"Alice\" <sip:alice@example.org>".to_owned(),
                content_type: "text/plain".to_owned(),
                ..MessageHeaders::default()
            }),
            msrp_message_id: self.message_id.clone(),
            octets: self.body.len() as u64,
            parts: self.parts(),
            received_from: "tcp 192.0.2.11:5060".to_owned(),
            ..LargeDeposit::default()
        }
    }

    /// Hands it to the store at this data listener; its Message-ID there.
    ///
    /// # Panics
    /// When the store does not take it.
    pub async fn store(&self, data: SocketAddr) -> String {
        let client = LargeMessageServiceClient::connect(format!("http://{data}")).await;
        let mut client = client.expect("a store");
        let admit = AdmitRequest {
            served_user: uri(&self.user),
            sender: "sip:alice@example.org".to_owned(),
            sender_exempt: false,
            announced_octets: Some(self.body.len() as u64),
            file_transfer: true,
        };
        let admitted = client.admit(admit).await.expect("an answer").into_inner();
        let Some(Admitted::Admitted(admission)) = admitted.answer else {
            panic!("not admitted: {admitted:?}");
        };
        let upload = admission.upload;
        let open = Request::Open(UploadOpen { upload });
        let mut offset = 0;
        let mut requests = vec![open];
        for piece in self.body.chunks(PIECE) {
            requests.push(Request::Piece(UploadPiece {
                offset,
                octets: piece.to_vec().into(),
            }));
            offset += piece.len() as u64;
        }
        requests.push(Request::Commit(self.deposit()));
        let requests = requests.into_iter().map(|request| UploadRequest {
            request: Some(request),
        });
        let uploading = client.upload(tokio_stream::iter(requests));
        let reply = within(ANSWER, "the end of an upload", uploading).await;
        match reply.expect("an answer").into_inner().answer {
            Some(Answer::Deposited(deposited)) => deposited.message_id,
            other => panic!("not stored: {other:?}"),
        }
    }
}
