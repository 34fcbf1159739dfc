//! Giving up and ending sessions.

use msrp::Continuation;
use restante_im_client::ClientError;
use restante_im_client::client::Options;
use restante_im_client::upload::UploadControl;
use sip::{Method, Name, StatusCode};

use crate::media::Media;
use crate::server::{Server, field, reply};
use crate::{alice, in_time, text, upload};

#[tokio::test]
async fn ct_lmc_01_before_a_final_response_a_cancel_ends_it() {
    let mut server = Server::start().await;
    let (client, _events) = alice(&server, Options::default()).await;
    let control = UploadControl::default();
    let sending = upload(client, text(3000), &control);
    let invite = server.request(Method::Invite).await;
    invite.respond(reply(&invite, StatusCode::RINGING).build());
    control.cancel();
    in_time(invite.cancelled()).await;
    invite.respond(reply(&invite, StatusCode::REQUEST_TERMINATED).build());
    let outcome = sending.await.unwrap();
    assert!(
        matches!(outcome, Err(ClientError::Cancelled)),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn ct_lmc_01_a_200_that_crosses_the_cancel_is_acknowledged_and_ended() {
    let mut server = Server::start().await;
    let media = Media::listen().await;
    let (client, _events) = alice(&server, Options::default()).await;
    let control = UploadControl::default();
    let sending = upload(client, text(3000), &control);
    let invite = server.request(Method::Invite).await;
    invite.respond(reply(&invite, StatusCode::RINGING).build());
    control.cancel();
    in_time(invite.cancelled()).await;
    invite.respond(server.accepted(&invite, &media.path, "").build());
    server.ack().await;
    let bye = server.request(Method::Bye).await;
    bye.respond(reply(&bye, StatusCode::OK).build());
    let outcome = sending.await.unwrap();
    assert!(
        matches!(outcome, Err(ClientError::Cancelled)),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn cfl_07_given_up_in_the_middle_the_chunk_says_so_and_bye_follows() {
    let mut server = Server::start().await;
    let media = Media::listen().await;
    let options = Options {
        chunk_octets: 4000,
        ..Options::default()
    };
    let (client, _events) = alice(&server, options).await;
    let control = UploadControl::default();
    let sending = upload(client, text(10_000_000), &control);
    let invite = server.request(Method::Invite).await;
    invite.respond(server.accepted(&invite, &media.path, "").build());
    server.ack().await;
    let mut wire = media.bound().await;
    let first = wire.chunk().await;
    assert_eq!(first.flag, Continuation::More);
    control.cancel();
    // Chunks without answers fill the window; then comes the one that gives the message up.
    while wire.chunk().await.flag != Continuation::Aborted {}
    let bye = server.request(Method::Bye).await;
    bye.respond(reply(&bye, StatusCode::OK).build());
    let outcome = sending.await.unwrap();
    assert!(
        matches!(outcome, Err(ClientError::Cancelled)),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn ct_lmr_01_bye_follows_the_reversed_route_to_the_contact() {
    let mut server = Server::start().await;
    let media = Media::listen().await;
    let (client, _events) = alice(&server, Options::default()).await;
    let sending = upload(client, text(3000), &UploadControl::default());
    let invite = server.request(Method::Invite).await;
    let own = server.uri();
    let near = format!("<{own};lr>");
    let accepted = server
        .accepted(&invite, &media.path, "")
        .header(Name::RecordRoute, "<sip:far.example.org;lr>")
        .header(Name::RecordRoute, &near);
    invite.respond(accepted.build());
    let ack = server.ack().await;
    let expected = [near.clone(), "<sip:far.example.org;lr>".to_owned()];
    let routes = |request: &sip::Request| -> Vec<String> {
        let routes = request.headers().routes().unwrap();
        routes.iter().map(ToString::to_string).collect()
    };
    assert_eq!(routes(&ack), expected);
    let mut wire = media.bound().await;
    let (last, _) = wire.message().await;
    wire.answer(&last.head, 200).await;
    let bye = server.request(Method::Bye).await;
    assert_eq!(bye.request().raw_uri(), own.to_string());
    assert_eq!(routes(bye.request()), expected);
    bye.respond(reply(&bye, StatusCode::OK).build());
    sending.await.unwrap().unwrap();
    assert!(wire.is_closed().await);
}

#[tokio::test]
async fn ct_com_03_privacy_is_asked_for_in_invite_and_bye() {
    let mut server = Server::start().await;
    let media = Media::listen().await;
    let (client, _events) = alice(&server, Options::default()).await;
    let mut message = text(3000);
    message.envelope.anonymous = true;
    let sending = upload(client, message, &UploadControl::default());
    let invite = server.request(Method::Invite).await;
    assert_eq!(field(invite.request(), "Privacy"), "id");
    assert!(field(invite.request(), "From").contains("anonymous.invalid"));
    invite.respond(server.accepted(&invite, &media.path, "").build());
    server.ack().await;
    let mut wire = media.bound().await;
    let (last, _) = wire.message().await;
    wire.answer(&last.head, 200).await;
    let bye = server.request(Method::Bye).await;
    assert_eq!(field(bye.request(), "Privacy"), "id");
    bye.respond(reply(&bye, StatusCode::OK).build());
    sending.await.unwrap().unwrap();
}

#[tokio::test]
async fn ct_com_04_a_session_that_lasts_is_refreshed_by_a_re_invite() {
    let mut server = Server::start().await;
    let media = Media::listen().await;
    let (client, _events) = alice(&server, Options::default()).await;
    let sending = upload(client, text(3000), &UploadControl::default());
    let invite = server.request(Method::Invite).await;
    let timed = |transaction| {
        server
            .accepted(transaction, &media.path, "")
            .header(Name::SessionExpires, "2;refresher=uac")
            .build()
    };
    invite.respond(timed(&invite));
    server.ack().await;
    let mut wire = media.bound().await;
    let (last, _) = wire.message().await;
    // No UPDATE in its Allow: the same description again.
    let again = server.request(Method::Invite).await;
    let answer = server
        .accepted(&again, &media.path, "")
        .header(Name::SessionExpires, "1800;refresher=uac");
    let numbers = [&invite, &again].map(|transaction| {
        let cseq = transaction.request().headers().cseq();
        cseq.unwrap().unwrap().number
    });
    assert_eq!(numbers, [1, 2]);
    assert_eq!(again.request().body(), invite.request().body());
    again.respond(answer.build());
    server.ack().await;
    wire.answer(&last.head, 200).await;
    let bye = server.request(Method::Bye).await;
    bye.respond(reply(&bye, StatusCode::OK).build());
    sending.await.unwrap().unwrap();
}

#[tokio::test]
async fn ct_com_04_a_session_that_nobody_refreshes_is_ended() {
    let mut server = Server::start().await;
    let media = Media::listen().await;
    let (client, _events) = alice(&server, Options::default()).await;
    let sending = upload(client, text(3000), &UploadControl::default());
    let invite = server.request(Method::Invite).await;
    let accepted = server
        .accepted(&invite, &media.path, "")
        .header(Name::SessionExpires, "2;refresher=uas");
    invite.respond(accepted.build());
    server.ack().await;
    let mut wire = media.bound().await;
    wire.message().await;
    let bye = server.request(Method::Bye).await;
    bye.respond(reply(&bye, StatusCode::OK).build());
    let outcome = sending.await.unwrap();
    assert!(matches!(outcome, Err(ClientError::Expired)), "{outcome:?}");
}

#[tokio::test]
async fn a_bye_of_the_server_in_mid_upload_is_answered_and_told() {
    let mut server = Server::start().await;
    let media = Media::listen().await;
    let (client, _events) = alice(&server, Options::default()).await;
    let sending = upload(client, text(3000), &UploadControl::default());
    let invite = server.request(Method::Invite).await;
    invite.respond(server.accepted(&invite, &media.path, "").build());
    server.ack().await;
    let mut wire = media.bound().await;
    wire.message().await;
    let request = invite.request();
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
    let answered = server.ask(bye, &client_uri).await;
    assert_eq!(answered.status(), StatusCode::OK);
    let Err(ClientError::EndedByPeer(reason)) = sending.await.unwrap() else {
        panic!("not told");
    };
    assert_eq!(reason, ": SIP;cause=408");
}
