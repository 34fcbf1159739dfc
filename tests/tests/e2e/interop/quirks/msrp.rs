//! What others' MSRP stacks do.

use proto::v1::MessageClass;
use restante_tests::msrp::{MsrpConnection, Sender, Upload, chunk};
use restante_tests::sip::fresh;
use restante_tests::{Deployment, Scene, somebody, uri};

use super::bodies::imdn;

const SENDONLY: &str = "a=sendonly\r\n";

/// A session for a large message to somebody.
async fn accepted(scene: &mut Scene) -> Upload {
    let sender = Sender::new(&scene.core, &somebody()).await;
    let (invite, way) = (sender.offer(SENDONLY), scene.way.clone());
    sender.accepted(&mut scene.core, &way, &invite).await
}

/// A whole message as one SEND on this path, with these further lines.
fn whole(to: &str, from: &str, transaction: &str, lines: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let lines = format!(
        "Message-ID: {}\r\nByte-Range: 1-{length}/{length}\r\n{lines}",
        fresh()
    );
    chunk((to, from), transaction, &lines, body.as_bytes(), '$')
}

/// Header fields that RFC 4975 does not know (§7.3: they are ignored), before and after those it does.
#[tokio::test]
async fn unknown_msrp_headers() {
    let mut scene = Scene::all().await;
    let mut upload = accepted(&mut scene).await;
    upload.connect(&scene.core).await;
    let lines = "Use-Nickname: \"Al\"\r\nX-Vendor: 1;a=\"b\"\r\nContent-Language: en\r\nContent-Type: text/plain\r\n";
    let send = whole(
        &upload.remote_path,
        &upload.sender.path,
        "unkn0001",
        lines,
        "Hello",
    );
    upload.msrp().write(&send).await;
    assert_eq!(upload.msrp().response().await, ("unkn0001".to_owned(), 200));
    assert_eq!(upload.bye(&mut scene.core).await, 200);
    let stored = scene.operator.only(&uri(&upload.sender.user)).await;
    assert_eq!(stored.body_octets, 5);
}

/// Two sessions with the same peer over one connection (RFC 4975 §5.4): the paths tell them apart, and the end of the first is
/// not that of the second.
#[tokio::test]
async fn msrp_connection_for_two_sessions() {
    let mut scene = Scene::all().await;
    let (mut first, mut second) = (accepted(&mut scene).await, accepted(&mut scene).await);
    let mut connection = MsrpConnection::open(&scene.core, &first.remote_path).await;
    let text = "Content-Type: text/plain\r\n";
    for (upload, transaction) in [(&mut first, "sess0001"), (&mut second, "sess0002")] {
        let send = whole(
            &upload.remote_path,
            &upload.sender.path,
            transaction,
            text,
            "Hello",
        );
        connection.write(&send).await;
        assert_eq!(connection.response().await, (transaction.to_owned(), 200));
        assert_eq!(upload.bye(&mut scene.core).await, 200);
        let stored = scene.operator.only(&uri(&upload.sender.user)).await;
        assert_eq!(stored.body_octets, 5);
    }
}

/// A SEND whose paths name the gateway that both sides took for the other.
async fn sent_through_a_gateway(scene: &mut Scene) -> (Upload, u16) {
    let mut upload = accepted(scene).await;
    upload.connect(&scene.core).await;
    let through = |path: &str| {
        let (_, session) = path.rsplit_once('/').expect("a session-id");
        format!("msrp://203.0.113.77:2855/{session}")
    };
    let (to, from) = (through(&upload.remote_path), through(&upload.sender.path));
    let send = whole(
        &to,
        &from,
        "gate0001",
        "Content-Type: text/plain\r\n",
        "Hello",
    );
    upload.msrp().write(&send).await;
    let (_, status) = upload.msrp().response().await;
    assert_eq!(upload.bye(&mut scene.core).await, 200);
    (upload, status)
}

/// Session border controllers that put their own address into the paths of descriptions and leave those of SENDs as they
/// are (draft-ietf-simple-msrp-sessmatch): nothing agrees but the session-ids. That is refused, unless the operator has such a one.
#[tokio::test]
async fn sessmatch() {
    let mut strict = Scene::all().await;
    let (upload, status) = sent_through_a_gateway(&mut strict).await;
    assert_eq!(status, 481);
    assert_eq!(strict.operator.list(&uri(&upload.sender.user)).await, []);

    let mut lenient = Scene::start(Deployment::all().set("msrp.sessmatch", "true")).await;
    let (upload, status) = sent_through_a_gateway(&mut lenient).await;
    assert_eq!(status, 200);
    let stored = lenient.operator.only(&uri(&upload.sender.user)).await;
    assert_eq!(stored.body_octets, 5);
}

/// The same notification as in `imdn_as_a_message`, in a session: of the same class, whatever way it came.
#[tokio::test]
async fn imdn_in_a_session() {
    let mut scene = Scene::all().await;
    let mut upload = accepted(&mut scene).await;
    upload.connect(&scene.core).await;
    let body = imdn(&upload.sender.user);
    let lines = "Content-Type: message/cpim\r\n";
    let send = whole(
        &upload.remote_path,
        &upload.sender.path,
        "imdn0001",
        lines,
        &body,
    );
    upload.msrp().write(&send).await;
    assert_eq!(upload.msrp().response().await.1, 200);
    assert_eq!(upload.bye(&mut scene.core).await, 200);
    let stored = scene.operator.only(&uri(&upload.sender.user)).await;
    assert_eq!(stored.class(), MessageClass::Imdn);
}
