//! A CSV file of rows, in the order in which their messages came.
//!
//! The file is read twice: for the place of each row, and row by row in their order. So no more of it is in memory than some
//! octets for each row.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use csv::{ByteRecord, Position, Reader, ReaderBuilder};

use super::row::{COLUMNS, Record, missing};
use super::source::Found;
use crate::exit::Failure;

/// Of where a file of Windows says that it is UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The name of standard input.
pub(super) const STANDARD_INPUT: &str = "-";

/// A file of rows.
pub(super) struct OrderedCsv {
    reader: Reader<File>,
    header: Header,
    /// Where the rows begin that are still to be read, the next one last.
    places: Vec<Place>,
    total: usize,
}

/// Where each column is, if it is there.
struct Header {
    fields: usize,
    columns: [Option<usize>; COLUMNS.len()],
}

/// Where a row begins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    arrival: (i64, i64),
    octet: u64,
    line: u64,
}

impl OrderedCsv {
    /// Looks through a file; `-` is standard input, which is copied to a temporary file.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let named = |error: io::Error| Failure::ImportFile {
            path: path.display().to_string(),
            source: error,
        };
        let file = match path.as_os_str() == STANDARD_INPUT {
            true => copied(&mut io::stdin().lock()).map_err(Failure::Input)?,
            false => File::open(path).map_err(named)?,
        };
        Self::of(file).map_err(|error| match error {
            Unusable::Read(error) => named(error),
            Unusable::NotRows(problem) => Failure::NotImportable {
                what: path.display().to_string(),
                problem,
            },
        })
    }

    fn of(file: File) -> Result<Self, Unusable> {
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(file);
        let header = Header::of(reader.byte_headers()?)?;
        let mut record = ByteRecord::new();
        let mut places = Vec::new();
        loop {
            let (octet, line) = (reader.position().byte(), reader.position().line());
            if !reader.read_byte_record(&mut record)? {
                break;
            }
            let arrival = header.record(&record).place();
            places.push(Place {
                arrival,
                octet,
                line,
            });
        }
        places.sort_unstable();
        places.reverse();
        Ok(Self {
            total: places.len(),
            reader,
            header,
            places,
        })
    }

    /// Rows in all.
    pub(super) fn total(&self) -> usize {
        self.total
    }

    /// The next row.
    pub(super) fn next(&mut self) -> Result<Option<Found>, io::Error> {
        let Some(place) = self.places.pop() else {
            return Ok(None);
        };
        let mut position = Position::new();
        position.set_byte(place.octet).set_line(place.line);
        let mut record = ByteRecord::new();
        self.reader.seek(position)?;
        self.reader.read_byte_record(&mut record)?;
        let (has, should) = (record.len(), self.header.fields);
        let problem = (has != should)
            .then(|| format!("it has {has} fields, and the header line has {should}"));
        let record = self.header.record(&record);
        let label = match record.label() {
            id if id.is_empty() => format!("in line {}", place.line),
            id => id,
        };
        Ok(Some(Found {
            label,
            record,
            problem,
        }))
    }
}

/// Why a file cannot be used.
enum Unusable {
    Read(io::Error),
    NotRows(String),
}

impl From<csv::Error> for Unusable {
    fn from(error: csv::Error) -> Self {
        Self::Read(error.into())
    }
}

impl Header {
    fn of(names: &ByteRecord) -> Result<Self, Unusable> {
        let names: Vec<String> = names.iter().map(name).collect();
        let place = |column: &str| names.iter().position(|name| name == column);
        let missing = missing(|column| place(column).is_some());
        if !missing.is_empty() {
            let missing = missing.join(", ");
            let problem = format!(
                "the first line must name the columns as in the table silo, and lacks: {missing}"
            );
            return Err(Unusable::NotRows(problem));
        }
        Ok(Self {
            fields: names.len(),
            columns: COLUMNS.map(place),
        })
    }

    fn record(&self, record: &ByteRecord) -> Record {
        Record::of(|place| record.get(self.columns[place]?))
    }
}

fn name(octets: &[u8]) -> String {
    let name = String::from_utf8_lossy(octets);
    let name = name.trim_start_matches(BYTE_ORDER_MARK).trim();
    name.to_ascii_lowercase()
}

/// What can be read once, in a file without a name.
fn copied(input: &mut dyn Read) -> Result<File, io::Error> {
    let mut file = tempfile::tempfile()?;
    io::copy(input, &mut file)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = "id,src_addr,username,domain,inc_time,exp_time,body";

    fn rows(text: &str) -> Result<Vec<Found>, String> {
        let file = copied(&mut text.as_bytes()).expect("a file");
        let mut rows = OrderedCsv::of(file).map_err(|error| match error {
            Unusable::Read(error) => error.to_string(),
            Unusable::NotRows(problem) => problem,
        })?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(|error| error.to_string())? {
            found.push(row);
        }
        assert_eq!(found.len(), rows.total());
        Ok(found)
    }

    fn labels(found: &[Found]) -> Vec<&str> {
        found.iter().map(|row| row.label.as_str()).collect()
    }

    #[test]
    fn rows_come_by_time_and_id() {
        let text = format!(
            "{HEAD}\n9,a,b,c,200,1,x\n10,a,b,c,200,1,x\n3,a,b,c,300,1,x\n4,a,b,c,100,1,x\n"
        );
        assert_eq!(labels(&rows(&text).unwrap()), ["4", "9", "10", "3"]);
    }

    #[test]
    fn quotes_line_ends_and_the_mark_of_windows_are_read() {
        let text = "\u{feff}ID, Body ,src_addr,dst_addr,inc_time,exp_time\r\n\
                    1,\"two\nlines, and \"\"quotes\"\"\",a,b,2,3\r\n2,,a,b,2,3\r\n";
        let found = rows(text).unwrap();
        assert_eq!(labels(&found), ["1", "2"]);
        let bodies: Vec<_> = found
            .iter()
            .map(|row| row.record.fields().nth(9).unwrap())
            .collect();
        assert_eq!(bodies, [&b"two\nlines, and \"quotes\""[..], b""]);
    }

    #[test]
    fn a_file_without_the_columns_is_refused() {
        let problem = rows("id,body\n1,x\n").unwrap_err();
        assert!(
            problem.ends_with("src_addr, inc_time, exp_time, username, domain"),
            "{problem}"
        );
        assert!(rows("").is_err());
    }

    #[test]
    fn a_row_with_other_fields_than_the_header_is_told() {
        let found = rows(&format!("{HEAD}\n1,a,b\n,a,b,c,2,3,x\n")).unwrap();
        assert_eq!(labels(&found), ["1", "in line 3"]);
        let problem = found[0].problem.as_deref();
        assert_eq!(problem, Some("it has 3 fields, and the header line has 7"));
        assert_eq!(found[1].problem, None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(id,src_addr,dst_addr,inc_time,exp_time,body\n)?[a-z0-9,\"\\\\x\n\r]{0,200}") {
            let _ = rows(&text);
        }

        #[test]
        fn what_is_written_is_read(bodies in proptest::collection::vec(any::<String>(), 0..20)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(HEAD.split(',')).unwrap();
            for (id, body) in bodies.iter().enumerate() {
                let id = id.to_string();
                writer.write_record([&id, "a", "b", "c", "1", "2", body]).unwrap();
            }
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let found = rows(&text).unwrap();
            let read: Vec<_> = found.iter().map(|row| row.record.fields().nth(9).unwrap()).collect();
            let written: Vec<_> = bodies.iter().map(String::as_bytes).collect();
            prop_assert_eq!(read, written);
        }
    }
}
