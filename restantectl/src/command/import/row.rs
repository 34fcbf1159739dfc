//! A row of the table `silo`, as msilo of Kamailio and OpenSIPS writes it.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The columns, in the order of the table. OpenSIPS has none of the last three.
pub(super) const COLUMNS: [&str; 13] = [
    "id",
    "src_addr",
    "dst_addr",
    "username",
    "domain",
    "inc_time",
    "exp_time",
    "snd_time",
    "ctype",
    "body",
    "extra_hdrs",
    "callid",
    "status",
];

/// Without these a row is no message.
const NEEDED: [Column; 5] = [
    Column::Id,
    Column::SrcAddr,
    Column::IncTime,
    Column::ExpTime,
    Column::Body,
];

/// Content without a type is text, as msilo takes it.
const DEFAULT_TYPE: &str = "text/plain";

/// A column, by its place in [`COLUMNS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Id = 0,
    SrcAddr = 1,
    DstAddr = 2,
    Username = 3,
    Domain = 4,
    IncTime = 5,
    ExpTime = 6,
    SndTime = 7,
    Ctype = 8,
    Body = 9,
    ExtraHdrs = 10,
    Callid = 11,
    Status = 12,
}

/// Which columns a table or a file lacks that a message needs, by name; with some of them it may do without others.
pub(super) fn missing(has: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let has = |column: Column| has(COLUMNS[column as usize]);
    let needed = NEEDED.into_iter().filter(|column| !has(*column));
    let mut missing: Vec<_> = needed.map(|column| COLUMNS[column as usize]).collect();
    let has_user = has(Column::Username) && has(Column::Domain);
    if !has_user && !has(Column::DstAddr) {
        missing.extend(["username", "domain"]);
    }
    missing
}

/// The octets of each column; empty for NULL, and for a column that is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record([Vec<u8>; COLUMNS.len()]);

impl Record {
    /// Takes the columns from where they are found by place.
    pub(super) fn of<'a>(mut octets: impl FnMut(usize) -> Option<&'a [u8]>) -> Self {
        Self(std::array::from_fn(|place| {
            octets(place).unwrap_or_default().to_vec()
        }))
    }

    /// The columns as they were found.
    pub(super) fn fields(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }

    /// What people call the row.
    pub(super) fn label(&self) -> String {
        let id = String::from_utf8_lossy(self.octets(Column::Id));
        crate::output::text::escape(id.trim()).into_owned()
    }

    /// Where it stands among others: the time of its arrival, and its id. What has none comes first.
    pub(super) fn place(&self) -> (i64, i64) {
        let number = |column| self.number(column).unwrap_or_default();
        (number(Column::IncTime), number(Column::Id))
    }

    fn octets(&self, column: Column) -> &[u8] {
        &self.0[column as usize]
    }

    fn text(&self, column: Column) -> Result<String, BadColumn> {
        let octets = self.octets(column).to_vec();
        let text = String::from_utf8(octets).map_err(|_| bad(column, "is no UTF-8"))?;
        Ok(text.trim().to_owned())
    }

    /// Nothing is 0, as in the table.
    fn number(&self, column: Column) -> Result<i64, BadColumn> {
        let text = self.text(column)?;
        match text.as_str() {
            "" => Ok(0),
            text => i64::from_str(text).map_err(|_| bad(column, "is no whole number")),
        }
    }
}

/// What is wrong with a row.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{column} {problem}")]
pub(super) struct BadColumn {
    column: &'static str,
    problem: &'static str,
}

fn bad(column: Column, problem: &'static str) -> BadColumn {
    BadColumn {
        column: COLUMNS[column as usize],
        problem,
    }
}

/// A row that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) src_addr: String,
    pub(super) dst_addr: String,
    pub(super) username: String,
    pub(super) domain: String,
    /// Seconds since 1970, as all times.
    pub(super) inc_time: i64,
    pub(super) exp_time: i64,
    /// Of a reminder: when it is to be sent. 0: as soon as the user registers.
    pub(super) snd_time: i64,
    pub(super) ctype: String,
    pub(super) body: Vec<u8>,
    /// Lines of header fields.
    pub(super) extra_hdrs: String,
    pub(super) callid: String,
    /// 0: not sent.
    pub(super) status: i64,
}

impl Row {
    /// Reads the columns.
    ///
    /// # Errors
    /// The first column that is not what it should be.
    pub(super) fn read(record: &Record) -> Result<Self, BadColumn> {
        if record.text(Column::Id)?.is_empty() {
            return Err(bad(Column::Id, "is missing"));
        }
        let ctype = record.text(Column::Ctype)?;
        let extra_hdrs = String::from_utf8(unescaped(record.octets(Column::ExtraHdrs)));
        Ok(Self {
            id: record.number(Column::Id)?,
            src_addr: record.text(Column::SrcAddr)?,
            dst_addr: record.text(Column::DstAddr)?,
            username: record.text(Column::Username)?,
            domain: record.text(Column::Domain)?,
            inc_time: record.number(Column::IncTime)?,
            exp_time: record.number(Column::ExpTime)?,
            snd_time: record.number(Column::SndTime)?,
            ctype: match ctype.is_empty() {
                true => DEFAULT_TYPE.to_owned(),
                false => ctype,
            },
            body: unescaped(record.octets(Column::Body)),
            extra_hdrs: extra_hdrs.map_err(|_| bad(Column::ExtraHdrs, "is no UTF-8"))?,
            callid: record.text(Column::Callid)?,
            status: record.number(Column::Status)?,
        })
    }

    /// What it is called in the store that it goes to: the same for the same row, wherever it is read from.
    pub(super) fn source_id(&self) -> String {
        format!("msilo {} {} {}", self.id, self.inc_time, self.callid)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)
    }
}

/// PostgreSQL writes octets as `\x` and hexadecimal digits, Kamailio writes header fields so into a column of text; all else stands
/// for itself.
fn unescaped(octets: &[u8]) -> Vec<u8> {
    let digits = octets
        .strip_prefix(b"\\x")
        .filter(|digits| digits.len() % 2 == 0);
    let pairs = digits.map(|digits| digits.chunks_exact(2));
    let decoded: Option<Vec<u8>> = pairs.and_then(|mut pairs| {
        pairs.try_fold(Vec::new(), |mut decoded, pair| {
            let (high, low) = (
                char::from(pair[0]).to_digit(16)?,
                char::from(pair[1]).to_digit(16)?,
            );
            decoded.push(u8::try_from(high * 16 + low).ok()?);
            Some(decoded)
        })
    });
    decoded.unwrap_or_else(|| octets.to_vec())
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A record of these columns.
    pub(in super::super) fn record(columns: &[(&str, &str)]) -> Record {
        Record::of(|place| {
            let found = columns.iter().find(|(name, _)| *name == COLUMNS[place]);
            found.map(|(_, value)| value.as_bytes())
        })
    }

    #[test]
    fn a_row_of_kamailio_is_read() {
        let row = Row::read(&record(&[
            ("id", "17"),
            ("src_addr", "sip:alice@example.org"),
            ("dst_addr", "sip:bob@example.org"),
            ("username", "bob"),
            ("domain", "example.org"),
            ("inc_time", "1790000000"),
            ("exp_time", "1790086400"),
            ("snd_time", "0"),
            ("ctype", "text/plain"),
            ("body", "\\x477275c39f"),
            ("extra_hdrs", "\\x505269766163793a2069640d0a"),
            ("callid", "a@b"),
            ("status", "0"),
        ]));
        let row = row.expect("a row");
        assert_eq!(
            (row.id, row.inc_time, row.exp_time),
            (17, 1_790_000_000, 1_790_086_400)
        );
        assert_eq!(row.body, "Gruß".as_bytes());
        assert_eq!(row.extra_hdrs, "PRivacy: id\r\n");
        assert_eq!(row.source_id(), "msilo 17 1790000000 a@b");
    }

    #[test]
    fn nothing_is_as_in_the_table() {
        let row = Row::read(&record(&[("id", "1")])).expect("a row");
        assert_eq!(
            (row.inc_time, row.exp_time, row.snd_time, row.status),
            (0, 0, 0, 0)
        );
        assert_eq!(row.ctype, "text/plain");
        assert!(row.body.is_empty() && row.callid.is_empty());
    }

    #[test]
    fn what_is_wrong_is_said_by_column() {
        let problem =
            |columns: &[(&str, &str)]| Row::read(&record(columns)).unwrap_err().to_string();
        assert_eq!(problem(&[]), "id is missing");
        assert_eq!(problem(&[("id", "x")]), "id is no whole number");
        let time = ("inc_time", "2026-01-01");
        assert_eq!(problem(&[("id", "1"), time]), "inc_time is no whole number");
        let huge = ("exp_time", "99999999999999999999");
        assert_eq!(problem(&[("id", "1"), huge]), "exp_time is no whole number");
        let latin = Record::of(|place| match COLUMNS[place] {
            "id" => Some(b"1"),
            "src_addr" => Some(b"sip:j\xfcrgen@example.org"),
            _ => None,
        });
        assert_eq!(
            Row::read(&latin).unwrap_err().to_string(),
            "src_addr is no UTF-8"
        );
    }

    #[test]
    fn only_what_is_hexadecimal_is_decoded() {
        assert_eq!(unescaped(b"\\x48656C6c6f"), b"Hello");
        for text in ["\\x", "Hello", "\\x4", "\\xyz", "x4865", "\\x48 65"] {
            let decoded = unescaped(text.as_bytes());
            let expected = if text == "\\x" { "" } else { text };
            assert_eq!(decoded, expected.as_bytes(), "{text}");
        }
    }

    #[test]
    fn columns_that_no_message_can_do_without_are_named() {
        let of = |columns: &[&str]| missing(|name| columns.contains(&name));
        assert!(of(&COLUMNS).is_empty());
        assert!(of(&COLUMNS[..10]).is_empty());
        assert!(of(&["id", "src_addr", "dst_addr", "inc_time", "exp_time", "body"]).is_empty());
        assert_eq!(
            of(&["id", "src_addr", "inc_time", "body"]),
            ["exp_time", "username", "domain"]
        );
    }

    proptest! {
        #[test]
        fn octets_survive_the_way_through_hexadecimal_digits(octets in any::<Vec<u8>>()) {
            let digits: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
            prop_assert_eq!(unescaped(format!("\\x{digits}").as_bytes()), octets);
        }

        #[test]
        fn any_record_is_read_or_refused(fields in proptest::collection::vec(any::<Vec<u8>>(), 13)) {
            let record = Record::of(|place| fields.get(place).map(Vec::as_slice));
            let _ = (Row::read(&record), record.place(), record.label());
        }
    }
}
