//! Giving up and ending sessions.

use msrp::Continuation;
use restante_im_client::ClientError;
use restante_im_client::client::Options;
use sip::{Method, Name, StatusCode};

use crate::server::{field, reply};
use crate::session::Session;
use crate::{in_time, text};

/// A message of 3000 octets whose INVITE is there.
async fn invited() -> Session {
    Session::invited(text(3000), Options::default()).await
}

/// The same, given up while the server rings.
async fn given_up() -> Session {
    let session = invited().await;
    let invite = &session.invite;
    invite.respond(reply(invite, StatusCode::RINGING).build());
    session.control.cancel();
    in_time(invite.cancelled()).await;
    session
}

#[tokio::test]
async fn ct_lmc_01_before_a_final_response_a_cancel_ends_it() {
    let session = given_up().await;
    let terminated = reply(&session.invite, StatusCode::REQUEST_TERMINATED);
    session.invite.respond(terminated.build());
    let outcome = session.sending.await.unwrap();
    assert!(
        matches!(outcome, Err(ClientError::Cancelled)),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn ct_lmc_01_a_200_that_crosses_the_cancel_is_acknowledged_and_ended() {
    let mut session = given_up().await;
    session.invite.respond(session.accepted("").build());
    session.server.ack().await;
    let outcome = session.ended().await;
    assert!(
        matches!(outcome, Err(ClientError::Cancelled)),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn cfl_07_given_up_in_the_middle_the_chunk_says_so_and_bye_follows() {
    let options = Options {
        chunk_octets: 4000,
        ..Options::default()
    };
    let mut session = Session::invited(text(10_000_000), options).await;
    let mut wire = session.bound().await;
    let first = wire.chunk().await;
    assert_eq!(first.flag, Continuation::More);
    session.control.cancel();
    // Chunks without answers fill the window; then comes the one that gives the message up.
    while wire.chunk().await.flag != Continuation::Aborted {}
    let outcome = session.ended().await;
    assert!(
        matches!(outcome, Err(ClientError::Cancelled)),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn ct_lmr_01_bye_follows_the_reversed_route_to_the_contact() {
    let mut session = invited().await;
    let own = session.server.uri();
    let near = format!("<{own};lr>");
    let accepted = session
        .accepted("")
        .header(Name::RecordRoute, "<sip:far.example.org;lr>")
        .header(Name::RecordRoute, &near);
    session.invite.respond(accepted.build());
    let ack = session.server.ack().await;
    let expected = [near.clone(), "<sip:far.example.org;lr>".to_owned()];
    let routes = |request: &sip::Request| -> Vec<String> {
        let routes = request.headers().routes().unwrap();
        routes.iter().map(ToString::to_string).collect()
    };
    assert_eq!(routes(&ack), expected);
    let mut wire = session.media.bound().await;
    let (last, _) = wire.message().await;
    wire.answer(&last.head, 200).await;
    let bye = session.bye().await;
    assert_eq!(bye.raw_uri(), own.to_string());
    assert_eq!(routes(&bye), expected);
    session.sending.await.unwrap().unwrap();
    assert!(wire.is_closed().await);
}

#[tokio::test]
async fn ct_com_03_privacy_is_asked_for_in_invite_and_bye() {
    let mut message = text(3000);
    message.envelope.anonymous = true;
    let mut session = Session::invited(message, Options::default()).await;
    assert_eq!(field(session.request(), "Privacy"), "id");
    assert!(field(session.request(), "From").contains("anonymous.invalid"));
    let mut wire = session.bound().await;
    let (last, _) = wire.message().await;
    wire.answer(&last.head, 200).await;
    let bye = session.bye().await;
    assert_eq!(field(&bye, "Privacy"), "id");
    session.sending.await.unwrap().unwrap();
}

#[tokio::test]
async fn ct_com_04_a_session_that_lasts_is_refreshed_by_a_re_invite() {
    let mut session = invited().await;
    let accepted = session.accepted("");
    let accepted = accepted.header(Name::SessionExpires, "2;refresher=uac");
    let mut wire = session.bound_after(accepted.build()).await;
    let (last, _) = wire.message().await;
    // No UPDATE in its Allow: the same description again.
    let again = session.server.request(Method::Invite).await;
    let answer = session
        .server
        .accepted(&again, &session.media.path, "")
        .header(Name::SessionExpires, "1800;refresher=uac");
    let numbers = [&session.invite, &again].map(|transaction| {
        let cseq = transaction.request().headers().cseq();
        cseq.unwrap().unwrap().number
    });
    assert_eq!(numbers, [1, 2]);
    assert_eq!(again.request().body(), session.request().body());
    again.respond(answer.build());
    session.server.ack().await;
    wire.answer(&last.head, 200).await;
    session.ended().await.unwrap();
}

#[tokio::test]
async fn ct_com_04_a_session_that_nobody_refreshes_is_ended() {
    let mut session = invited().await;
    let accepted = session.accepted("");
    let accepted = accepted.header(Name::SessionExpires, "2;refresher=uas");
    let mut wire = session.bound_after(accepted.build()).await;
    wire.message().await;
    let outcome = session.ended().await;
    assert!(matches!(outcome, Err(ClientError::Expired)), "{outcome:?}");
}

#[tokio::test]
async fn a_bye_of_the_server_in_mid_upload_is_answered_and_told() {
    let mut session = invited().await;
    let mut wire = session.bound().await;
    wire.message().await;
    let request = session.request();
    let client_contact = request.headers().contacts().unwrap();
    let client_uri = client_contact.first().unwrap().uri.clone();
    let bye = sip::RequestBuilder::new(Method::Bye, &client_uri)
        .header(Name::MaxForwards, 70)
        .header(Name::From, "<sip:bob@example.org>;tag=server1")
        .header(Name::To, field(request, "From"))
        .header(Name::CallId, field(request, "Call-ID"))
        .header(Name::CSeq, "1 BYE")
        .raw_header("Reason", "SIP;cause=408")
        .build();
    let answered = session.server.ask(bye, &client_uri).await;
    assert_eq!(answered.status(), StatusCode::OK);
    let Err(ClientError::EndedByPeer(reason)) = session.sending.await.unwrap() else {
        panic!("not told");
    };
    assert_eq!(reason, ": SIP;cause=408");
}
