//! Whatever a body of type message/cpim holds: the content is its end and all of it, values are trimmed text of its
//! head, and what is said about notifications follows from the headers.

#![no_main]

use bytes::Bytes;
use cpim::{HEAD_LIMIT_OCTETS, Message, imdn};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let body = Bytes::copy_from_slice(octets);
    let Ok(message) = Message::parse(&body) else {
        return;
    };
    content_is_the_end(&body, &message);
    values_are_text_of_the_head(&body, &message);
    let asked = imdn::requested(&message);
    assert!(
        !imdn::is_notification(&message) || asked.is_empty(),
        "a notification asks for none"
    );
    assert!(imdn::message_id(&message).is_none_or(|id| !id.is_empty() && id == id.trim()));
    a_longer_content_changes_nothing_else(&body, &message);
    what_is_repeated_is_one_line(&message);
    processing_is_taken_out_once(&body);
    a_notification_is_read_as_it_is_written(&message);
});

fn what_is_repeated_is_one_line(message: &Message) {
    let Some(request) = imdn::request(message) else {
        return;
    };
    assert!(!request.asked.is_empty() && !request.message_id.is_empty());
    for text in [
        &request.message_id,
        &request.from,
        &request.to,
        &request.original_recipient,
    ] {
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}

fn processing_is_taken_out_once(body: &Bytes) {
    let unwanted = [imdn::Disposition::Processing];
    if let Ok(Some(without)) = imdn::without(body, &unwanted) {
        assert_eq!(imdn::without(&without, &unwanted), Ok(None));
        let (before, after) = (Message::parse(body), Message::parse(&without));
        let content = |message: Result<Message, _>| message.map(|message| message.content());
        assert_eq!(content(before), content(after));
    }
}

fn a_notification_is_read_as_it_is_written(message: &Message) {
    if let Ok(read) = imdn::Notification::read(&message.content()) {
        let written = read.document();
        let again = imdn::Notification::read(written.as_bytes());
        assert_eq!(again.map(|again| again.status), Ok(read.status));
    }
}

fn content_is_the_end(body: &Bytes, message: &Message) {
    let content = message.content();
    assert!(body.ends_with(&content));
    let head = &body[..body.len() - content.len()];
    assert!(
        head.ends_with(b"\n\n") || head.ends_with(b"\n\r\n"),
        "an empty line ends the heads"
    );
    // The line that ends the head may begin before the limit and end behind it.
    assert!(head.len() <= HEAD_LIMIT_OCTETS + 2, "{}", head.len());
}

fn values_are_text_of_the_head(body: &Bytes, message: &Message) {
    let head = &body[..body.len() - message.content().len()];
    let head = String::from_utf8_lossy(head);
    for name in [
        "From",
        "To",
        "cc",
        "DateTime",
        "Subject",
        "NS",
        "Require",
        "imdn.Message-ID",
    ] {
        for value in message.values(name) {
            assert_eq!(value, value.trim());
            assert!(head.contains(value), "{value:?}");
            assert!(!value.contains('\n'), "a value is one line");
        }
    }
    assert!(!message.content_type().contains(';'));
    assert_eq!(
        message.content_header("Content-Type"),
        message.content_header("content-type")
    );
}

fn a_longer_content_changes_nothing_else(body: &Bytes, message: &Message) {
    let longer = Bytes::from([body, &b"\r\n\r\nX: y\r\n\r\n"[..]].concat());
    let read = Message::parse(&longer).expect("its heads are the same");
    assert_eq!(read.content().len(), message.content().len() + 12);
    assert_eq!(read.content_type(), message.content_type());
    assert_eq!(imdn::message_id(&read), imdn::message_id(message));
}
