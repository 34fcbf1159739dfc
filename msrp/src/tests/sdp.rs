//! Offers, answers and what they agree on.

use proptest::prelude::*;

use super::{LOCAL, PEER, path};
use crate::AcceptTypes;
use crate::sdp::{
    AnswerRefused, Direction, MsrpMedia, Origin, Protocol, Role, SdpError, SessionDescription,
    Setup, agree, answer_media,
};

const PUSH_OFFER: &str = "v=0\r\n\
o=restante 3975 1 IN IP4 192.0.2.20\r\n\
s=-\r\n\
c=IN IP4 192.0.2.20\r\n\
t=0 0\r\n\
m=message 2855 TCP/MSRP *\r\n\
a=path:msrp://192.0.2.20:2855/k7Qp0x3mZ1uWc9RtE4sHaV;tcp\r\n\
a=accept-types:*\r\n\
a=sendonly\r\n\
a=setup:actpass\r\n";

const BOBS_ANSWER: &str = "v=0\r\n\
o=bob 8801 1 IN IP4 203.0.113.9\r\n\
s=-\r\n\
c=IN IP4 203.0.113.9\r\n\
t=0 0\r\n\
m=message 49200 TCP/MSRP *\r\n\
a=path:msrp://203.0.113.9:49200/b0bS3ss;tcp\r\n\
a=accept-types:multipart/mixed message/cpim text/plain\r\n\
a=accept-wrapped-types:*\r\n\
a=recvonly\r\n\
a=setup:active\r\n";

const ALICES_OFFER: &str = "v=0\r\n\
o=alice 3973 1 IN IP4 198.51.100.7\r\n\
s=-\r\n\
c=IN IP4 198.51.100.7\r\n\
t=0 0\r\n\
m=audio 4000 RTP/AVP 0\r\n\
m=message 7394 TCP/MSRP *\r\n\
a=path:msrp://198.51.100.7:7394/2s93i9idj;tcp\r\n\
a=accept-types:message/cpim text/plain\r\n\
a=sendonly\r\n\
a=filelength:3000\r\n\
a=file-selector:name:\"plan.pdf\" type:application/pdf size:3000\r\n\
a=setup:actpass\r\n";

fn origin(session_id: u64) -> Origin {
    let (user, host) = ("restante".to_owned(), "192.0.2.20".to_owned());
    Origin {
        user,
        session_id,
        version: 1,
        host,
    }
}

fn media(text: &str) -> MsrpMedia {
    SessionDescription::parse(text.as_bytes())
        .unwrap()
        .first_msrp()
        .expect("an MSRP line")
}

#[test]
fn push_offer_is_printed_as_in_the_requirements() {
    let offer = MsrpMedia::push_offer(path(LOCAL));
    assert_eq!(
        SessionDescription::print_offer(&origin(3975), &offer),
        PUSH_OFFER
    );
}

#[test]
fn bobs_answer_makes_us_passive_and_takes_multipart() {
    let answer = media(BOBS_ANSWER);
    let agreed = agree(&MsrpMedia::push_offer(path(LOCAL)), &answer).unwrap();
    assert_eq!(agreed.role, Role::Passive);
    assert_eq!(agreed.direction, Direction::SendOnly);
    assert_eq!(agreed.peer_path, path(PEER));
    assert!(!agreed.needs_reports);
    assert!(answer.accepts("multipart/mixed;boundary=\"x\""));
    assert!(!answer.accepts("message/sip"));
    assert!(answer.accepts_wrapped("message/sip"));
    assert!(answer.accepts_wrapped("message/sipfrag;version=2.0"));
}

#[test]
fn accept_types_alone_rule_parts_where_wrapped_types_are_absent() {
    let mut answer = media(BOBS_ANSWER);
    answer.accept_wrapped_types = None;
    assert!(!answer.accepts_wrapped("message/sip"));
    answer.accept_types = AcceptTypes::of(["Multipart/*", "message/SIP"]);
    assert!(answer.accepts("multipart/mixed"));
    assert!(answer.accepts_wrapped("message/sip;x=y"));
    assert!(!answer.accepts_wrapped("message/sipfrag"));
}

#[test]
fn roles_follow_setup_in_all_combinations() {
    let expectations = [
        (Some(Setup::ActPass), Some(Setup::Active), Ok(Role::Passive)),
        (Some(Setup::ActPass), Some(Setup::Passive), Ok(Role::Active)),
        (Some(Setup::ActPass), None, Ok(Role::Active)),
        (
            Some(Setup::ActPass),
            Some(Setup::ActPass),
            Err(AnswerRefused::Setup),
        ),
        (Some(Setup::Active), Some(Setup::Passive), Ok(Role::Active)),
        (
            Some(Setup::Active),
            Some(Setup::Active),
            Err(AnswerRefused::Setup),
        ),
        (
            Some(Setup::Passive),
            Some(Setup::Passive),
            Err(AnswerRefused::Setup),
        ),
        (None, None, Ok(Role::Active)),
    ];
    for (offered, answered, expected) in expectations {
        let mut offer = MsrpMedia::push_offer(path(LOCAL));
        let mut answer = media(BOBS_ANSWER);
        (offer.setup, answer.setup) = (offered, answered);
        assert_eq!(
            agree(&offer, &answer).map(|agreed| agreed.role),
            expected,
            "{offered:?} {answered:?}"
        );
    }
}

#[test]
fn answers_that_give_no_session_are_refused() {
    let offer = MsrpMedia::push_offer(path(LOCAL));
    let refused = |change: fn(&mut MsrpMedia)| {
        let mut answer = media(BOBS_ANSWER);
        change(&mut answer);
        agree(&offer, &answer).unwrap_err()
    };
    assert_eq!(refused(|answer| answer.port = 0), AnswerRefused::Rejected);
    assert_eq!(
        refused(|answer| answer.direction = Direction::SendOnly),
        AnswerRefused::Direction
    );
    assert_eq!(
        refused(|answer| answer.direction = Direction::Inactive),
        AnswerRefused::Direction
    );
    assert_eq!(
        refused(|answer| answer.protocol = Protocol::Tls),
        AnswerRefused::Protocol
    );
    assert_eq!(
        refused(|answer| answer.path = path("msrps://203.0.113.9:49200/b;tcp")),
        AnswerRefused::Protocol
    );
}

#[test]
fn relays_and_cema_make_reports_necessary() {
    let mut offer = MsrpMedia::push_offer(path(LOCAL));
    let mut answer = media(BOBS_ANSWER);
    answer.cema = true;
    assert!(!agree(&offer, &answer).unwrap().needs_reports);
    offer.cema = true;
    assert!(agree(&offer, &answer).unwrap().needs_reports);
    answer.cema = false;
    answer.path = path(&format!("msrp://relay.example.org:2855/r;tcp {PEER}"));
    assert!(agree(&offer, &answer).unwrap().needs_reports);
}

#[test]
fn answer_to_an_upload_mirrors_it_and_rejects_the_rest() {
    let description = SessionDescription::parse(ALICES_OFFER.as_bytes()).unwrap();
    let (place, offer) = description.msrp_media().next().unwrap();
    let offer = offer.unwrap();
    assert_eq!(offer.attribute("filelength"), Some("3000"));
    assert_eq!(
        offer.attribute("file-selector"),
        Some("name:\"plan.pdf\" type:application/pdf size:3000")
    );
    let (mut answer, agreed) = answer_media(
        &offer,
        path("msrp://192.0.2.20:2855/8rVq3LxT0mZc7YwKp5NbGd;tcp"),
    );
    answer.max_size = Some(10_485_760);
    assert_eq!(
        (agreed.role, agreed.direction),
        (Role::Passive, Direction::RecvOnly)
    );
    assert_eq!(
        description.print_answer(&origin(3974), place, &answer),
        "v=0\r\no=restante 3974 1 IN IP4 192.0.2.20\r\ns=-\r\nc=IN IP4 192.0.2.20\r\nt=0 0\r\n\
         m=audio 0 RTP/AVP 0\r\nm=message 2855 TCP/MSRP *\r\n\
         a=path:msrp://192.0.2.20:2855/8rVq3LxT0mZc7YwKp5NbGd;tcp\r\na=accept-types:*\r\n\
         a=max-size:10485760\r\na=recvonly\r\na=setup:passive\r\n"
    );
}

#[test]
fn passive_offer_makes_us_active_on_port_9() {
    let mut offer = media(ALICES_OFFER);
    offer.setup = Some(Setup::Passive);
    let (answer, agreed) = answer_media(&offer, path(LOCAL));
    assert_eq!((answer.port, answer.setup), (9, Some(Setup::Active)));
    assert_eq!(agreed.role, Role::Active);
    offer.setup = None;
    assert_eq!(answer_media(&offer, path(LOCAL)).0.setup, None);
}

#[test]
fn session_level_direction_and_setup_hold_for_the_media() {
    let text = ALICES_OFFER
        .replace("a=sendonly\r\n", "")
        .replace("a=setup:actpass\r\n", "");
    assert_eq!(media(&text).direction, Direction::SendRecv);
    let text = text.replace("t=0 0\r\n", "t=0 0\r\na=sendonly\r\na=setup:active\r\n");
    assert_eq!(media(&text).direction, Direction::SendOnly);
    assert_eq!(media(&text).setup, Some(Setup::Active));
    let own = text.replace(
        "a=filelength:3000\r\n",
        "a=recvonly\r\na=setup:holdconn\r\n",
    );
    assert_eq!(
        (media(&own).direction, media(&own).setup),
        (Direction::RecvOnly, None)
    );
}

#[test]
fn unusable_descriptions_say_why() {
    let first = |text: &str| {
        let description = SessionDescription::parse(text.as_bytes())?;
        description
            .msrp_media()
            .next()
            .map(|(_, media)| media)
            .transpose()
    };
    assert_eq!(first("hello"), Err(SdpError::Undecodable));
    assert_eq!(first(&BOBS_ANSWER.replace("TCP/MSRP", "RTP/AVP")), Ok(None));
    let no_path = BOBS_ANSWER.replace("a=path:", "a=trap:");
    assert_eq!(first(&no_path), Err(SdpError::PathMissing));
    let bad_path = BOBS_ANSWER.replace("a=path:msrp", "a=path:http");
    assert_eq!(first(&bad_path), Err(SdpError::Attribute("path")));
    let bad_setup = BOBS_ANSWER.replace("setup:active", "setup:maybe");
    assert_eq!(first(&bad_setup), Err(SdpError::Attribute("setup")));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(description) = SessionDescription::parse(&text) {
            let _ = description.msrp_media().count();
        }
    }

    #[test]
    fn printed_media_reads_back(
        types in proptest::collection::vec("[a-z]{1,6}/[a-z]{1,6}", 1..4),
        max_size in proptest::option::of(any::<u64>()),
        attributes in proptest::collection::vec(("x-[a-z]{1,8}", proptest::option::of("[!-~]{1,12}")), 0..4),
    ) {
        let mut media = MsrpMedia::push_offer(path(LOCAL));
        media.accept_types = AcceptTypes::of(types.iter().map(String::as_str));
        media.accept_wrapped_types = Some(AcceptTypes::any());
        media.max_size = max_size;
        media.attributes = attributes;
        let text = SessionDescription::print_offer(&origin(1), &media);
        let read = SessionDescription::parse(text.as_bytes()).unwrap().first_msrp();
        prop_assert_eq!(read, Some(media));
    }
}
