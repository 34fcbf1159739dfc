//! A row as the message that the store gets.
//!
//! What msilo has thrown away of a MESSAGE cannot be had back: the request is made anew of what it kept, as `m_dump` would make it, with
//! the body octet by octet and the header fields that msilo keeps beside it.

use cpim::imdn;
use prost_types::Timestamp;
use proto::v1::{ImportedMessage, MessageClass, MessageHeaders, Priority};
use sip::{Aor, MediaType, Method, Name, NameAddr, Params, Request, RequestBuilder};

use super::row::Row;
use crate::target::Address;

/// Fields that are made of other columns, or that were for hops behind which the message has long been.
const NOT_KEPT: [Name; 11] = [
    Name::Via,
    Name::From,
    Name::To,
    Name::CallId,
    Name::CSeq,
    Name::MaxForwards,
    Name::Route,
    Name::RecordRoute,
    Name::Contact,
    Name::ContentType,
    Name::ContentLength,
];

/// The message of a row.
///
/// # Errors
/// Which column names nobody.
pub(super) fn imported(row: &Row) -> Result<ImportedMessage, &'static str> {
    let served_user = recipient(row)?;
    let from = sender(row)?;
    let request = request(row, &served_user, from.clone());
    let fields = request.headers();
    let content_type = fields.content_type().ok().flatten();
    let cpim = wrapped(&request, content_type.as_ref());
    let cpim = cpim.as_ref();
    let asserted = fields.asserted_identities().unwrap_or_default();
    let known = asserted.iter().chain([&from]);
    let sender = known.filter_map(|held| Aor::from_uri(&held.uri)).next();
    let is_text = content_type.is_some_and(|held| held.is_of_type("text"))
        || cpim.is_some_and(|message| message.content_type().starts_with("text/"));
    let class = match cpim.is_some_and(imdn::is_notification) {
        true => MessageClass::Imdn,
        false => MessageClass::Pager,
    };
    let octets = request.as_bytes().clone();
    Ok(ImportedMessage {
        source_id: row.source_id(),
        served_user: served_user.to_string(),
        sender: sender
            .map(|sender| sender.as_str().to_owned())
            .unwrap_or_default(),
        class: class.into(),
        priority: priority(&request).into(),
        is_text,
        headers: Some(headers(&request, cpim)),
        body_offset: (octets.len() - request.body().len()) as u64,
        message: octets,
        received_at: Some(seconds(row.inc_time)),
        expires_at: Some(seconds(row.exp_time)),
        received_from: format!("msilo, row {}", row.id),
        messages_ahead: 0,
        octets_ahead: 0,
    })
}

fn seconds(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanos: 0 }
}

/// The owner of the message; where the table names none, whom it was to.
fn recipient(row: &Row) -> Result<Address, &'static str> {
    let (user, domain) = (&row.username, &row.domain);
    let owner = match (user.is_empty(), domain.is_empty()) {
        (false, false) => format!("sip:{user}@{domain}"),
        (false, true) if user.starts_with('+') => user.clone(),
        _ => {
            let to: NameAddr = row.dst_addr.parse().map_err(
                |_| "names no recipient: neither username and domain nor dst_addr is an address",
            )?;
            to.uri.to_string()
        }
    };
    let owner = owner.parse();
    owner.map_err(|_| "names no recipient: username and domain are no address")
}

fn sender(row: &Row) -> Result<NameAddr, &'static str> {
    let parsed = row.src_addr.parse::<NameAddr>().or_else(|_| {
        // As some scripts hand it over: without a scheme.
        let address: Address = row.src_addr.parse().map_err(|_| ())?;
        address.to_string().parse().map_err(|_| ())
    });
    parsed.map_err(|()| "names no sender: src_addr is no address")
}

fn request(row: &Row, served_user: &Address, mut from: NameAddr) -> Request {
    from.params = Params::default();
    from.params.set("tag", Some(&format!("msilo-{}", row.id)));
    let to = match row.dst_addr.parse::<NameAddr>() {
        Ok(to) => NameAddr::new(to.uri).to_string(),
        Err(_) => format!("<{served_user}>"),
    };
    let call_id = match row.callid.as_str() {
        "" => format!("msilo-{}-{}", row.id, row.inc_time),
        call_id => call_id.to_owned(),
    };
    let mut builder = RequestBuilder::new(Method::Message, served_user)
        .header(Name::From, from)
        .header(Name::To, to)
        .header(Name::CallId, call_id)
        .header(Name::CSeq, "1 MESSAGE");
    for (name, value) in fields(&row.extra_hdrs) {
        let is_kept =
            Name::from_bytes(name.as_bytes()).is_none_or(|name| !NOT_KEPT.contains(&name));
        if is_kept {
            builder = builder.raw_header(name, value);
        }
    }
    builder.body(&row.ctype, row.body.clone()).build()
}

/// The header fields of these lines, folded ones joined; what is none is left out.
fn fields(lines: &str) -> Vec<(&str, String)> {
    let mut fields: Vec<(&str, String)> = Vec::new();
    for line in lines.lines() {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
            continue;
        }
        if let Some((name, value)) = line.split_once(':') {
            let name = name.trim_end();
            if !name.is_empty() && name.bytes().all(is_token_octet) {
                fields.push((name, value.trim().to_owned()));
            }
        }
    }
    fields
}

/// What a name may have (RFC 3261 §25.1).
fn is_token_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&octet)
}

fn wrapped(request: &Request, content_type: Option<&MediaType>) -> Option<cpim::Message> {
    content_type.filter(|held| held.is("message/cpim"))?;
    cpim::Message::parse(request.body()).ok()
}

fn priority(request: &Request) -> Priority {
    match request.headers().priority().unwrap_or_default() {
        sip::Priority::NonUrgent => Priority::NonUrgent,
        sip::Priority::Normal => Priority::Normal,
        sip::Priority::Urgent => Priority::Urgent,
        sip::Priority::Emergency => Priority::Emergency,
    }
}

/// Header values, as an edge tells them of a MESSAGE.
fn headers(request: &Request, cpim: Option<&cpim::Message>) -> MessageHeaders {
    let fields = request.headers();
    let value = |name: &str| {
        let field = fields.first_named(name);
        field
            .map(|field| field.value().into_owned())
            .unwrap_or_default()
    };
    let asserted: Vec<_> = fields.values(Name::PAssertedIdentity).collect();
    MessageHeaders {
        from: value("From"),
        to: value("To"),
        call_id: value("Call-ID"),
        subject: value("Subject"),
        date: value("Date"),
        priority: value("Priority"),
        privacy: fields.privacy().join(";"),
        asserted_identity: asserted.join(", "),
        content_type: value("Content-Type"),
        imdn_message_id: cpim
            .and_then(imdn::message_id)
            .unwrap_or_default()
            .to_owned(),
        conversation_id: value("Conversation-ID"),
        contribution_id: value("Contribution-ID"),
        ..MessageHeaders::default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::row::tests::record;
    use super::*;

    fn row(columns: &[(&str, &str)]) -> Row {
        let given = |name: &str| columns.iter().any(|(given, _)| *given == name);
        let usual = [
            ("id", "17"),
            ("src_addr", "sip:alice@example.org"),
            ("dst_addr", "sip:bob@example.org"),
            ("username", "bob"),
            ("domain", "example.org"),
            ("inc_time", "1790000000"),
            ("exp_time", "1790086400"),
            ("ctype", "text/plain"),
            ("body", "Lunch?"),
            ("callid", "1-2@192.0.2.1"),
        ];
        let usual = usual.into_iter().filter(|(name, _)| !given(name));
        let all: Vec<_> = usual.chain(columns.iter().copied()).collect();
        Row::read(&record(&all)).expect("a row")
    }

    fn read(columns: &[(&str, &str)]) -> ImportedMessage {
        imported(&row(columns)).expect("a message")
    }

    fn text(message: &ImportedMessage) -> String {
        String::from_utf8(message.message.to_vec()).expect("text")
    }

    #[test]
    fn a_row_becomes_the_message_that_it_was() {
        let message = read(&[]);
        let expected = "MESSAGE sip:bob@example.org SIP/2.0\r\n\
            From: <sip:alice@example.org>;tag=msilo-17\r\n\
            To: <sip:bob@example.org>\r\n\
            Call-ID: 1-2@192.0.2.1\r\n\
            CSeq: 1 MESSAGE\r\n\
            Content-Type: text/plain\r\n\
            Content-Length: 6\r\n\r\nLunch?";
        assert_eq!(text(&message), expected);
        assert_eq!(message.body_offset, expected.len() as u64 - 6);
        assert_eq!(message.served_user, "sip:bob@example.org");
        assert_eq!(message.sender, "sip:alice@example.org");
        assert_eq!(message.class(), MessageClass::Pager);
        assert!(message.is_text);
        assert_eq!(message.received_at, Some(seconds(1_790_000_000)));
        assert_eq!(message.expires_at, Some(seconds(1_790_086_400)));
    }

    #[test]
    fn addresses_come_in_every_spelling() {
        let sender = |src_addr| read(&[("src_addr", src_addr)]).sender;
        assert_eq!(
            sender("\"Alice\" <sip:alice@EXAMPLE.org:5060>;tag=x"),
            "sip:alice@example.org"
        );
        assert_eq!(sender("alice@example.org"), "sip:alice@example.org");
        assert_eq!(sender("tel:+49-30-123"), "tel:+4930123");
        assert_eq!(
            sender("sip:alice@example.org;transport=tcp"),
            "sip:alice@example.org"
        );
        let named = read(&[("src_addr", "\"Alice\" <sip:alice@example.org>")]);
        assert!(text(&named).contains("From: \"Alice\" <sip:alice@example.org>;tag=msilo-17\r\n"));
        let user = |columns: &[(&str, &str)]| read(columns).served_user;
        assert_eq!(user(&[("domain", "EXAMPLE.org")]), "sip:bob@example.org");
        assert_eq!(
            user(&[("username", "+4930123"), ("domain", "")]),
            "tel:+4930123"
        );
        let to = ("dst_addr", "\"Bob\" <sip:bobby@example.net>");
        assert_eq!(
            user(&[("username", ""), ("domain", ""), to]),
            "sip:bobby@example.net"
        );
    }

    #[test]
    fn who_is_nobody_is_told() {
        let problem = |columns: &[(&str, &str)]| imported(&row(columns)).unwrap_err();
        assert!(problem(&[("src_addr", "")]).contains("src_addr"));
        assert!(problem(&[("src_addr", "al ice")]).contains("src_addr"));
        assert!(problem(&[("username", "a b")]).contains("recipient"));
        let nobody = [("username", ""), ("domain", ""), ("dst_addr", "")];
        assert!(problem(&nobody).contains("dst_addr"));
    }

    #[test]
    fn fields_that_msilo_has_kept_go_along() {
        let lines = "P-Asserted-Identity: \"Alice\" <sip:al@example.org>\r\nPrivacy: id\r\n\
            X-Folded: one\r\n two\r\nno header\r\nContent-Type: evil/type\r\nSubject: Food\r\nVia: x\r\n";
        let message = read(&[("extra_hdrs", lines)]);
        assert_eq!(message.sender, "sip:al@example.org");
        let headers = message.headers.clone().expect("headers");
        assert_eq!(headers.asserted_identity, "\"Alice\" <sip:al@example.org>");
        assert_eq!((&*headers.privacy, &*headers.subject), ("id", "Food"));
        assert_eq!(headers.content_type, "text/plain");
        let text = text(&message);
        assert!(text.contains("X-Folded: one two\r\n"), "{text}");
        assert!(!text.contains("evil") && !text.contains("Via") && !text.contains("no header"));
    }

    #[test]
    fn an_identifier_is_made_where_the_table_has_none() {
        let message = read(&[("callid", "")]);
        assert!(text(&message).contains("Call-ID: msilo-17-1790000000\r\n"));
    }

    #[test]
    fn notifications_and_media_are_told_apart() {
        assert!(!read(&[("ctype", "image/png")]).is_text);
        let cpim = "From: <sip:a@b>\r\nTo: <sip:c@d>\r\nNS: imdn <urn:ietf:params:imdn>\r\n\
            imdn.Message-ID: m1\r\n\r\nContent-Type: message/imdn+xml\r\n\r\n<imdn/>";
        let message = read(&[("ctype", "message/cpim"), ("body", cpim)]);
        assert_eq!(message.class(), MessageClass::Imdn);
        assert_eq!(message.headers.expect("headers").imdn_message_id, "m1");
    }

    proptest! {
        #[test]
        fn any_row_is_one_message_with_its_body_or_none(
            body in any::<Vec<u8>>(),
            ctype in "\\PC{0,20}",
            extra in "[A-Za-z: \r\n\t\\PC]{0,60}",
            src in "(sip:a@b|\\PC{0,20})",
            callid in "[\\PC\r\n]{0,20}",
        ) {
            let digits: String = body.iter().map(|octet| format!("{octet:02x}")).collect();
            let body_text = format!("\\x{digits}");
            let columns = [
                ("body", &*body_text), ("ctype", &*ctype), ("extra_hdrs", &*extra), ("src_addr", &*src), ("callid", &*callid),
            ];
            if let Ok(message) = imported(&row(&columns)) {
                let offset = usize::try_from(message.body_offset).unwrap();
                prop_assert_eq!(&message.message[offset..], &body[..]);
                let parsed = sip::parse_datagram(message.message, &sip::Limits::default());
                match parsed {
                    Ok(sip::Message::Request(request)) => prop_assert_eq!(&request.body()[..], &body[..]),
                    other => prop_assert!(false, "{:?}", other),
                }
            }
        }
    }
}
