//! Whatever a SUBSCRIBE says: it is refused, or the dialog it makes is the same after it was kept and restored, and
//! its NOTIFY is a request that can be read. Whatever a Subscription-State says: it is refused, or reads the same once
//! printed.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sip::dialog::{Dialog, SavedDialog};
use sip::subscription::SubscriptionState;
use sip::{Limits, Message, Method, Name, Request, Uri, parse_datagram};

fuzz_target!(|octets: &[u8]| {
    let datagram = Bytes::copy_from_slice(octets);
    if let Ok(Message::Request(request)) = parse_datagram(datagram, &Limits::default()) {
        subscribe(&request);
    }
    if let Ok(text) = std::str::from_utf8(octets) {
        state(text);
    }
});

fn subscribe(request: &Request) {
    if request.check().is_err() {
        return;
    }
    let headers = request.headers();
    let _ = (headers.event(), headers.expires(), headers.contacts());
    let contact: Uri = "sip:edge.example.org".parse().expect("a URI");
    let Ok(dialog) = Dialog::uas(request, "ours", contact) else {
        return;
    };
    let saved = SavedDialog::of(&dialog);
    let mut restored = saved.restore(6).expect("what was kept can be restored");
    assert_eq!(SavedDialog::of(&restored), saved);
    let notify = restored
        .request(Method::Notify)
        .header(Name::MaxForwards, 70)
        .header(Name::Event, "message-summary")
        .build();
    let read = parse_datagram(notify.as_bytes().clone(), &Limits::default());
    let Ok(Message::Request(read)) = read else {
        panic!("a NOTIFY that nobody can read");
    };
    assert_eq!(
        read.headers().cseq().ok().flatten().map(|cseq| cseq.number),
        Some(7)
    );
    assert_eq!(
        read.headers().call_id().as_deref(),
        Some(saved.call_id.as_str())
    );
}

fn state(text: &str) {
    let Ok(read) = text.parse::<SubscriptionState>() else {
        return;
    };
    let again = read.to_string().parse::<SubscriptionState>();
    assert_eq!(again, Ok(read));
}
