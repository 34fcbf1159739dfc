//! Whatever a peer sends as SDP: each MSRP media line is understood or says why not; one that is understood reads back
//! from an offer and from an answer as the same line; an answer has exactly the media lines of its offer; offer and
//! answer of one line agree on one side that connects.

#![no_main]

use libfuzzer_sys::fuzz_target;
use msrp::sdp::{MsrpMedia, Origin, Role, SessionDescription, agree, answer_media};

fuzz_target!(|text: &[u8]| {
    let Ok(description) = SessionDescription::parse(text) else {
        return;
    };
    let _ = description.first_msrp();
    let lines: Vec<_> = description.msrp_media().collect();
    for (place, line) in &lines {
        let _ = (description.host(*place), description.title(*place));
        let Ok(line) = line else { continue };
        reads_back(&SessionDescription::print_offer(&origin(line), line), line);
        answered(&description, *place, line);
        let _ = (
            line.accepts("message/cpim"),
            line.accepts_wrapped("text/plain"),
        );
    }
    let rejection = description.print_rejection(&rejecting());
    let read = SessionDescription::parse(rejection.as_bytes()).expect("a rejection is SDP");
    assert!(read.first_msrp().is_none(), "a rejected line has no path");
});

fn reads_back(printed: &str, line: &MsrpMedia) {
    let read = SessionDescription::parse(printed.as_bytes()).expect("what is printed is SDP");
    assert_eq!(read.first_msrp().as_ref(), Some(line), "{printed}");
}

fn answered(offer: &SessionDescription, place: usize, line: &MsrpMedia) {
    let local = "msrp://store.example.org:2855/fuzz;tcp"
        .parse()
        .expect("a path");
    let (answer, own) = answer_media(line, local);
    let printed = offer.print_answer(&origin(&answer), place, &answer);
    let read = SessionDescription::parse(printed.as_bytes()).expect("an answer is SDP");
    let answered: Vec<_> = read
        .msrp_media()
        .filter_map(|(at, line)| Some((at, line.ok()?)))
        .collect();
    assert_eq!(answered, [(place, answer.clone())], "{printed}");
    assert_eq!(media_lines(&read), media_lines(offer), "RFC 3264 section 6");
    if let Ok(theirs) = agree(line, &answer) {
        assert_ne!(
            theirs.role == Role::Active,
            own.role == Role::Active,
            "one side connects"
        );
        assert_eq!(theirs.direction, own.direction.mirrored());
    }
}

/// How many media lines the description has, counted by what rejecting all of them prints.
fn media_lines(description: &SessionDescription) -> usize {
    let rejection = description.print_rejection(&rejecting());
    rejection
        .lines()
        .filter(|line| line.starts_with("m="))
        .count()
}

fn rejecting() -> Origin {
    Origin {
        user: "-".to_owned(),
        session_id: 1,
        version: 1,
        host: "store.example.org".to_owned(),
    }
}

fn origin(line: &MsrpMedia) -> Origin {
    Origin {
        host: line.path.first().host().to_owned(),
        ..rejecting()
    }
}
