//! What a sender says about a file (requirements §2.11), in the names of the draft of clause 10 and of RFC 5547.

use std::fmt::Write as _;

/// Which attributes are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spelling {
    /// `a=filename`, `a=filetype`, `a=filesize`, `a=disposition` (FT-01, FT-02).
    Draft,
    /// `a=file-selector`, `a=file-transfer-id`, `a=file-disposition` (RFC 5547).
    Published,
    /// All of them: a peer knows one or the other.
    #[default]
    Both,
}

/// What to do with a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disposition {
    /// Show it with the message.
    #[default]
    Inline,
    /// Keep it, show it only when asked (UPL-03).
    Attachment,
}

/// What is known of a file before it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDescription {
    /// Its name, without any folder.
    pub name: String,
    /// SHA-1 of its content, if it is told.
    pub sha1: Option<[u8; 20]>,
    /// Names this transfer: another one of the same file has another id.
    pub transfer_id: String,
    /// What to do with it.
    pub disposition: Disposition,
    /// Content-ID of its preview, if there is one (FT-04).
    pub icon: Option<String>,
}

impl FileDescription {
    /// The attributes of the media line for content of this type and length.
    #[must_use]
    pub fn attributes(
        &self,
        content_type: &str,
        octets: u64,
        spelling: Spelling,
    ) -> Vec<(String, Option<String>)> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let mut attributes = Vec::new();
        let mut add = |name: &str, value: String| attributes.push((name.to_owned(), Some(value)));
        if spelling != Spelling::Published {
            add("filename", without_controls(&self.name));
            add("filetype", media_type.to_owned());
            add("filesize", octets.to_string());
            let disposition = match self.disposition {
                Disposition::Inline => "inline",
                Disposition::Attachment => "attachment",
            };
            add("disposition", disposition.to_owned());
        }
        if spelling != Spelling::Draft {
            add("file-selector", self.selector(media_type, octets));
            add("file-transfer-id", self.transfer_id.clone());
            let disposition = match self.disposition {
                Disposition::Inline => "render",
                Disposition::Attachment => "attachment",
            };
            add("file-disposition", disposition.to_owned());
        }
        if let Some(icon) = &self.icon {
            add("file-icon", format!("cid:{icon}"));
        }
        attributes
    }

    /// `Content-Disposition` of the message itself; none where rendering is what anyone does anyway.
    #[must_use]
    pub fn content_disposition(&self) -> Option<String> {
        let name = without_controls(&self.name).replace(['"', '\\'], "_");
        match self.disposition {
            Disposition::Inline => None,
            Disposition::Attachment => Some(format!("attachment; filename=\"{name}\"")),
        }
    }

    fn selector(&self, media_type: &str, octets: u64) -> String {
        let name = percent_encoded(&self.name);
        let mut text = format!("name:\"{name}\" type:{media_type} size:{octets}");
        if let Some(hash) = self.sha1 {
            let pairs: Vec<_> = hash.iter().map(|octet| format!("{octet:02X}")).collect();
            // Writing to a String cannot fail.
            let _ = write!(text, " hash:sha-1:{}", pairs.join(":"));
        }
        text
    }
}

fn without_controls(name: &str) -> String {
    let letters = name.chars();
    letters
        .map(|letter| if letter.is_control() { '_' } else { letter })
        .collect()
}

/// A name between quotes (RFC 5547 §6, `filename-string`).
fn percent_encoded(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        match letter {
            '"' | '%' => text.push_str(&format!("%{:02X}", u32::from(letter))),
            control if control.is_control() => {
                let mut octets = [0; 4];
                for octet in control.encode_utf8(&mut octets).bytes() {
                    text.push_str(&format!("%{octet:02X}"));
                }
            }
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> FileDescription {
        FileDescription {
            name: "plan.pdf".to_owned(),
            sha1: None,
            transfer_id: "Q6LMoGymJdh0IKIgD6wD0jkcfgva4xvE".to_owned(),
            disposition: Disposition::Attachment,
            icon: Some("icon1@198.51.100.7".to_owned()),
        }
    }

    fn printed(file: &FileDescription, spelling: Spelling) -> Vec<String> {
        let attributes = file.attributes("application/pdf", 482_133, spelling);
        let lines = attributes.into_iter();
        lines
            .map(|(name, value)| format!("a={name}:{}", value.unwrap_or_default()))
            .collect()
    }

    #[test]
    fn ft_01_both_spellings_read_like_the_example() {
        let draft = [
            "a=filename:plan.pdf",
            "a=filetype:application/pdf",
            "a=filesize:482133",
            "a=disposition:attachment",
        ];
        let published = [
            "a=file-selector:name:\"plan.pdf\" type:application/pdf size:482133",
            "a=file-transfer-id:Q6LMoGymJdh0IKIgD6wD0jkcfgva4xvE",
            "a=file-disposition:attachment",
        ];
        let icon = ["a=file-icon:cid:icon1@198.51.100.7"];
        let file = plan();
        assert_eq!(
            printed(&file, Spelling::Draft),
            [&draft[..], &icon].concat()
        );
        assert_eq!(
            printed(&file, Spelling::Published),
            [&published[..], &icon].concat()
        );
        assert_eq!(
            printed(&file, Spelling::Both),
            [&draft[..], &published, &icon].concat()
        );
    }

    #[test]
    fn a_name_cannot_break_out_of_its_attribute() {
        let file = FileDescription {
            name: "a\"b%\r\na=x:y".to_owned(),
            sha1: Some([0xab; 20]),
            ..plan()
        };
        let lines = printed(&file, Spelling::Both);
        assert_eq!(lines[0], "a=filename:a\"b%__a=x:y");
        let hash = ["AB"; 20].join(":");
        assert_eq!(
            lines[4],
            format!(
                "a=file-selector:name:\"a%22b%25%0D%0Aa=x:y\" type:application/pdf size:482133 hash:sha-1:{hash}"
            )
        );
        assert_eq!(
            file.content_disposition().as_deref(),
            Some("attachment; filename=\"a_b%__a=x:y\"")
        );
    }
}
