//! What an offer says of a file, in either spelling (FT-01, FT-02, FT-04, requirements §2.11).

use msrp::sdp::MsrpMedia;
use storage_client::message::FileAttributes;

use super::offer::octets;

/// Attributes of file transfer that describe the content, in both spellings (requirements §2.11).
pub const ATTRIBUTES: [&str; 9] = [
    "file-selector",
    "file-transfer-id",
    "file-disposition",
    "file-date",
    "file-range",
    "filename",
    "filetype",
    "filesize",
    "disposition",
];

/// The file of a media line; `title` is its `i=` line. None if nothing names a file: a size alone is the
/// size of any message.
pub fn attributes(media: &MsrpMedia, title: Option<&str>) -> Option<FileAttributes> {
    let selector = Selector::of(media);
    let plain = |names: &[&str]| {
        let found = names.iter().find_map(|name| media.attribute(name));
        found.unwrap_or_default().trim().to_owned()
    };
    let or = |first: String, second: Option<&str>| match first.is_empty() {
        true => second.unwrap_or_default().to_owned(),
        false => first,
    };
    let icon = plain(&["file-icon", "icon"]);
    let file = FileAttributes {
        name: or(unquoted(&plain(&["filename"])).to_owned(), selector.name),
        media_type: or(plain(&["filetype"]), selector.media_type),
        octets: octets(&plain(&["filesize"])).or(selector.octets),
        hash: selector.hash.unwrap_or_default().to_owned(),
        disposition: disposition(&plain(&["file-disposition", "disposition"])),
        icon: icon.strip_prefix("cid:").unwrap_or(&icon).to_owned(),
        transfer_id: plain(&["file-transfer-id"]),
        description: title.unwrap_or_default().to_owned(),
    };
    let is_file = FileAttributes {
        description: String::new(),
        ..file.clone()
    } != FileAttributes::default();
    is_file.then_some(file)
}

/// The size in `a=file-selector`.
pub(super) fn selected_octets(media: &MsrpMedia) -> Option<u64> {
    Selector::of(media).octets
}

/// RFC 5547 renders or attaches; the older spelling says `inline` (FT-02).
fn disposition(text: &str) -> String {
    if text.eq_ignore_ascii_case("inline") {
        "render".to_owned()
    } else {
        text.to_ascii_lowercase()
    }
}

/// `a=file-selector` (RFC 5547 §6), values as written.
#[derive(Debug, Default)]
struct Selector<'a> {
    name: Option<&'a str>,
    media_type: Option<&'a str>,
    octets: Option<u64>,
    hash: Option<&'a str>,
}

impl<'a> Selector<'a> {
    fn of(media: &'a MsrpMedia) -> Selector<'a> {
        let mut selector = Selector::default();
        for entry in entries(media.attribute("file-selector").unwrap_or_default()) {
            match entry.split_once(':') {
                Some(("name", value)) => selector.name = Some(unquoted(value)),
                Some(("type", value)) => selector.media_type = Some(value),
                Some(("size", value)) => selector.octets = octets(value),
                // The first of several hashes is enough for people.
                Some(("hash", value)) => {
                    selector.hash.get_or_insert(value);
                }
                _ => {}
            }
        }
        selector
    }
}

/// Parts between blanks; blanks within quotes do not part.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |letter| {
        is_quoted ^= letter == '"';
        letter == ' ' && !is_quoted
    })
    .filter(|entry| !entry.is_empty())
}

fn unquoted(text: &str) -> &str {
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(attributes: &[(&str, &str)]) -> MsrpMedia {
        let path = "msrp://198.51.100.7:7394/ft1;tcp".parse().expect("a path");
        let mut media = MsrpMedia::new(path);
        media.attributes = attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned())))
            .collect();
        media
    }

    #[test]
    fn both_spellings_say_the_same() {
        let draft = media(&[
            ("filename", "plan.pdf"),
            ("filetype", "application/pdf"),
            ("filesize", "482133"),
            ("disposition", "inline"),
        ]);
        let published = media(&[
            (
                "file-selector",
                "name:\"plan.pdf\" type:application/pdf size:482133",
            ),
            ("file-disposition", "render"),
        ]);
        let file = attributes(&draft, None).expect("a file");
        assert_eq!(attributes(&published, None), Some(file.clone()));
        assert_eq!(file.name, "plan.pdf");
        assert_eq!(file.media_type, "application/pdf");
        assert_eq!(file.octets, Some(482_133));
        assert_eq!(file.disposition, "render");
    }

    #[test]
    fn names_with_blanks_hashes_icons_and_ids_are_read() {
        let media = media(&[
            (
                "file-selector",
                "name:\"my plan: size:7.pdf\" size:5 hash:sha-1:72:24:5F",
            ),
            ("file-icon", "cid:icon1@198.51.100.7"),
            ("file-transfer-id", "Q6LMoGymJdh0IKIgD6wD0jkcfgva4xvE"),
        ]);
        let file = attributes(&media, Some("The plan")).expect("a file");
        assert_eq!(file.name, "my plan: size:7.pdf");
        assert_eq!(
            (file.octets, file.hash.as_str()),
            (Some(5), "sha-1:72:24:5F")
        );
        assert_eq!(file.icon, "icon1@198.51.100.7");
        assert_eq!(file.transfer_id, "Q6LMoGymJdh0IKIgD6wD0jkcfgva4xvE");
        assert_eq!(file.description, "The plan");
    }

    proptest::proptest! {
        #[test]
        fn what_is_selected_stands_in_the_selector(text in "[a-z:\" 0-9]{0,40}") {
            let selecting = media(&[("file-selector", &text)]);
            let selector = Selector::of(&selecting);
            let values = [selector.name, selector.media_type, selector.hash];
            for value in values.into_iter().flatten() {
                proptest::prop_assert!(text.contains(value));
            }
            proptest::prop_assert!(entries(&text).all(|entry| text.contains(entry)));
        }
    }

    #[test]
    fn a_size_of_a_message_makes_no_file() {
        assert_eq!(attributes(&media(&[("filelength", "10")]), Some("x")), None);
    }
}
