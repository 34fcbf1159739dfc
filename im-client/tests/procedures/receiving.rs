//! Messages and sessions towards the client.

use restante_im_client::client::{Event, Options};
use sip::{Method, Name, StatusCode, Uri};

use crate::server::Server;
use crate::{alice, in_time};

/// Where the client at this server can be reached: the Contact it registers.
async fn contact(server: &mut Server, client: std::sync::Arc<restante_im_client::Client>) -> Uri {
    let registering =
        tokio::spawn(async move { client.register(std::time::Duration::from_secs(60)).await });
    let register = server.request(Method::Register).await;
    let contacts = register.request().headers().contacts().unwrap();
    let uri = contacts.first().unwrap().uri.clone();
    register.respond(crate::server::reply(&register, StatusCode::OK).build());
    registering.await.unwrap().unwrap();
    uri
}

#[tokio::test]
async fn ct_tpg_01_a_client_that_refuses_does_so_with_the_status_told() {
    for code in [480, 486, 415, 603] {
        let mut server = Server::start().await;
        let options = Options {
            reject: StatusCode::new(code),
            ..Options::default()
        };
        let (client, mut events) = alice(&server, options).await;
        let client = std::sync::Arc::new(client);
        let uri = contact(&mut server, client.clone()).await;
        for method in [Method::Message, Method::Invite] {
            let request = server.initial(method, &uri).body("text/plain", "psst");
            let answer = server.ask(request.build(), &uri).await;
            assert_eq!(answer.status().code(), code);
        }
        std::sync::Arc::into_inner(client).unwrap().close().await;
        assert!(in_time(events.next()).await.is_none());
    }
}

#[tokio::test]
async fn ct_tpg_02_a_message_is_kept_byte_for_byte() {
    let mut server = Server::start().await;
    let (client, mut events) = alice(&server, Options::default()).await;
    let client = std::sync::Arc::new(client);
    let uri = contact(&mut server, client.clone()).await;
    let request = server
        .initial(Method::Message, &uri)
        .raw_header("X-Odd", "a  b\t\"c\"")
        .raw_header("Message-ID", "13684434990@mailserver32.example.org")
        .body(
            "message/external-body; access-type=\"URL\"; URL=\"http://127.0.0.1:1/never\"",
            "Content-Type: image/jpeg\r\n\r\n",
        );
    let answer = server.ask(request.build(), &uri).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let release = answer.headers().first(Name::Server).unwrap();
    assert!(release.value().starts_with("IM-client/OMA"));
    let Some(Event::Pager(message)) = in_time(events.next()).await else {
        panic!("no message");
    };
    assert_eq!(message.message_id, "13684434990@mailserver32.example.org");
    assert_eq!(message.body.as_ref(), b"Content-Type: image/jpeg\r\n\r\n");
    let original = String::from_utf8_lossy(&message.original);
    assert!(
        original.contains("\r\nX-Odd: a  b\t\"c\"\r\n"),
        "{original}"
    );
}

#[tokio::test]
async fn ct_lmt_01_an_offer_of_what_we_do_not_speak_is_not_acceptable() {
    let mut server = Server::start().await;
    let (client, _events) = alice(&server, Options::default()).await;
    let client = std::sync::Arc::new(client);
    let uri = contact(&mut server, client.clone()).await;
    for line in ["audio 4000 RTP/AVP 0", "message 4000 SCTP/MSRP *"] {
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm={line}\r\n"
        );
        let invite = server.initial(Method::Invite, &uri);
        let answer = server
            .ask(invite.body("application/sdp", sdp).build(), &uri)
            .await;
        assert_eq!(answer.status(), StatusCode::NOT_ACCEPTABLE_HERE);
    }
}
