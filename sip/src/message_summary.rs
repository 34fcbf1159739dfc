//! `application/simple-message-summary` (RFC 3842 §5.2): counts by kind, then a block of headers for
//! each message that is named.

use std::fmt::{self, Write};

/// Media type of the document.
pub const MEDIA_TYPE: &str = "application/simple-message-summary";

/// Lines of a document that are read at most, and octets of one.
const LINES_MAX: usize = 4_096;

/// Counts of one message class, such as `Text-Message`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassCount {
    /// The class: `Voice-Message`, `Text-Message`, `Multimedia-Message`, …
    pub class: String,
    /// New messages, at most 2^32 − 1.
    pub new: u32,
    /// Old messages.
    pub old: u32,
    /// New and old urgent ones, where they are told.
    pub urgent: Option<(u32, u32)>,
}

/// Headers of one message, as SIP writes them.
pub type Block = Vec<(String, String)>;

/// A document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageSummary {
    /// Whether anything is new.
    pub is_waiting: bool,
    /// URI of the account, without angle brackets.
    pub account: Option<String>,
    /// Counts in their order.
    pub counts: Vec<ClassCount>,
    /// Messages named, in their order.
    pub blocks: Vec<Block>,
}

/// The document is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed message summary: {0}")]
pub struct BadSummary(&'static str);

impl fmt::Display for MessageSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = if self.is_waiting { "yes" } else { "no" };
        write!(f, "Messages-Waiting: {status}\r\n")?;
        if let Some(account) = &self.account {
            write!(f, "Message-Account: {account}\r\n")?;
        }
        for count in &self.counts {
            write!(f, "{}: {}/{}", count.class, count.new, count.old)?;
            if let Some((new, old)) = count.urgent {
                write!(f, " ({new}/{old})")?;
            }
            f.write_str("\r\n")?;
        }
        self.blocks
            .iter()
            .try_for_each(|block| write_block(f, block))
    }
}

fn write_block(f: &mut fmt::Formatter<'_>, block: &Block) -> fmt::Result {
    f.write_str("\r\n")?;
    for (name, value) in block {
        write!(f, "{name}: ")?;
        one_line(value).try_for_each(|letter| f.write_char(letter))?;
        f.write_str("\r\n")?;
    }
    Ok(())
}

/// A value on one line: a run of line ends, with the blanks that fold it, and every control character become
/// one space, so that no value begins a line of its own (requirements §2.4.3).
pub fn one_line(value: &str) -> impl Iterator<Item = char> + '_ {
    let mut letters = value.trim().chars().peekable();
    std::iter::from_fn(move || {
        let letter = letters.next()?;
        if !letter.is_control() {
            return Some(letter);
        }
        if matches!(letter, '\r' | '\n') {
            while letters
                .next_if(|next| matches!(next, '\r' | '\n' | ' ' | '\t'))
                .is_some()
            {}
        }
        Some(' ')
    })
}

impl std::str::FromStr for MessageSummary {
    type Err = BadSummary;

    /// Names in any letter case, lines that end in CRLF or LF, folded headers in blocks.
    fn from_str(text: &str) -> Result<Self, BadSummary> {
        let mut lines = text.lines().take(LINES_MAX);
        let first = lines.next().ok_or(BadSummary("empty"))?;
        let (name, status) = field(first).ok_or(BadSummary("no status line"))?;
        if !name.eq_ignore_ascii_case("Messages-Waiting") {
            return Err(BadSummary("no status line"));
        }
        let mut summary = Self {
            is_waiting: match status {
                status if status.eq_ignore_ascii_case("yes") => true,
                status if status.eq_ignore_ascii_case("no") => false,
                _ => return Err(BadSummary("status")),
            },
            ..Self::default()
        };
        let mut in_block = false;
        for line in lines {
            match line {
                "" => {
                    in_block = true;
                    summary.blocks.push(Block::new());
                }
                line if in_block => summary.block_line(line)?,
                line => summary.count_line(line)?,
            }
        }
        summary.blocks.retain(|block| !block.is_empty());
        Ok(summary)
    }
}

impl MessageSummary {
    /// The counts of a class, if they are told.
    #[must_use]
    pub fn count(&self, class: &str) -> Option<&ClassCount> {
        let mut counts = self.counts.iter();
        counts.find(|count| count.class.eq_ignore_ascii_case(class))
    }

    fn count_line(&mut self, line: &str) -> Result<(), BadSummary> {
        let (name, value) = field(line).ok_or(BadSummary("a line without a colon"))?;
        if name.eq_ignore_ascii_case("Message-Account") {
            self.account = Some(value.to_owned());
            return Ok(());
        }
        let (all, urgent) = match value.split_once('(') {
            Some((all, rest)) => {
                let urgent = rest.trim_end().strip_suffix(')');
                (all, Some(urgent.ok_or(BadSummary("urgent counts"))?))
            }
            None => (value, None),
        };
        let (new, old) = pair(all)?;
        self.counts.push(ClassCount {
            class: name.to_owned(),
            new,
            old,
            urgent: urgent.map(pair).transpose()?,
        });
        Ok(())
    }

    fn block_line(&mut self, line: &str) -> Result<(), BadSummary> {
        let block = self.blocks.last_mut().ok_or(BadSummary("block"))?;
        if line.starts_with([' ', '\t']) {
            let (_, value) = block.last_mut().ok_or(BadSummary("folded line"))?;
            value.push(' ');
            value.push_str(line.trim());
            return Ok(());
        }
        let (name, value) = field(line).ok_or(BadSummary("a line without a colon"))?;
        block.push((name.to_owned(), value.to_owned()));
        Ok(())
    }
}

fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let name = name.trim_end();
    crate::text::is_token(name.as_bytes()).then(|| (name, value.trim()))
}

fn pair(text: &str) -> Result<(u32, u32), BadSummary> {
    let bad = || BadSummary("counts");
    let (new, old) = text.split_once('/').ok_or_else(bad)?;
    let number = |text: &str| text.trim().parse().map_err(|_| bad());
    Ok((number(new)?, number(old)?))
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use proptest::prelude::*;

    use super::*;

    fn count() -> impl Strategy<Value = ClassCount> {
        let urgent = proptest::option::of(any::<(u32, u32)>());
        ("[A-Za-z][a-z-]{0,12}x", any::<(u32, u32)>(), urgent).prop_map(
            |(class, (new, old), urgent)| ClassCount {
                class,
                new,
                old,
                urgent,
            },
        )
    }

    fn block() -> impl Strategy<Value = Block> {
        let header = ("[A-Za-z-]{1,12}", "([!-~]([ -~]{0,30}[!-~])?)?");
        proptest::collection::vec(header, 1..4)
    }

    /// A line of a document, with more freedom than we take.
    fn line() -> impl Strategy<Value = String> {
        let end = prop_oneof![Just("\r\n"), Just("\n")];
        let content = prop_oneof![
            Just(String::new()),
            "[A-Za-z-]{1,12} ?:[^\n]{0,30}",
            "[ \t][^\n]{0,30}",
            "[A-Za-z-]{1,12}: ?[0-9]{1,11} ?/ ?[0-9]{1,3}( \\([0-9]/[0-9]\\))?",
            "Message-Account:[^\n]{0,20}",
        ];
        (content, end).prop_map(|(content, end)| content + end)
    }

    proptest! {
        #[test]
        fn documents_round_trip(
            is_waiting in any::<bool>(),
            account in proptest::option::of("sip:[a-z]{1,9}@[a-z.]{1,9}"),
            counts in proptest::collection::vec(count(), 0..4),
            blocks in proptest::collection::vec(block(), 0..4),
        ) {
            let summary = MessageSummary { is_waiting, account, counts, blocks };
            prop_assert_eq!(MessageSummary::from_str(&summary.to_string()), Ok(summary));
        }

        #[test]
        fn no_value_begins_a_line(value in "(?s).{0,60}") {
            let summary = MessageSummary {
                blocks: vec![vec![("Subject".to_owned(), value)]],
                ..MessageSummary::default()
            };
            let text = summary.to_string();
            prop_assert_eq!(text.matches('\n').count(), 3);
            prop_assert!(!text.replace("\r\n", "").contains(|c: char| c.is_control()));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(?s).{0,200}") {
            drop(MessageSummary::from_str(&text));
        }

        #[test]
        fn what_is_read_reads_the_same_once_written(
            lines in proptest::collection::vec(line(), 0..12),
        ) {
            let text = format!("Messages-Waiting: yes\r\n{}", lines.concat());
            let Ok(read) = MessageSummary::from_str(&text) else {
                return Ok(());
            };
            let again = MessageSummary::from_str(&read.to_string());
            let again = again.map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!((&again.account, &again.counts), (&read.account, &read.counts));
            prop_assert_eq!(again.blocks.len(), read.blocks.len());
            // Control characters have become blanks, and those at the ends are gone.
            prop_assert_eq!(MessageSummary::from_str(&again.to_string()), Ok(again));
        }
    }

    #[test]
    fn the_example_of_the_rfc_is_read() {
        let text = "Messages-Waiting: yes\r\nMessage-Account: sip:alice@vmail.example.com\r\n\
                    voice-message: 2/8 (0/2)\r\n\r\nTo: <alice@atlanta.example.com>\r\n\
                    From: <bob@biloxi.example.com>\r\nSubject: carpool\r\n tomorrow\r\n\r\n";
        let summary = MessageSummary::from_str(text).expect("a document");
        let voice = summary.count("Voice-Message").expect("voice");
        assert_eq!((voice.new, voice.old, voice.urgent), (2, 8, Some((0, 2))));
        assert_eq!(summary.blocks.len(), 1);
        assert_eq!(summary.blocks[0][2].1, "carpool tomorrow");
    }
}
