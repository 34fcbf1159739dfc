//! Tables for people: columns that line up from page to page and fit the terminal.

use comfy_table::{CellAlignment, ColumnConstraint, Row, Table, Width, presets};

use super::text::escape;

/// Blanks between two columns.
const GAP: u16 = 2;
/// A column that may be cut is never narrower.
const NARROWEST: u16 = 6;

/// How one column behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    title: &'static str,
    is_cuttable: bool,
    is_number: bool,
}

impl Column {
    /// A column that is always shown whole, such as an id that must be copied.
    pub(crate) const fn whole(title: &'static str) -> Self {
        Self {
            title,
            is_cuttable: false,
            is_number: false,
        }
    }

    /// A column that is cut, marked by `…`, where the terminal is too narrow.
    pub(crate) const fn cuttable(title: &'static str) -> Self {
        Self {
            title,
            is_cuttable: true,
            is_number: false,
        }
    }

    /// A column of numbers.
    pub(crate) const fn number(title: &'static str) -> Self {
        Self {
            title,
            is_cuttable: false,
            is_number: true,
        }
    }
}

/// A table that is written page by page; columns keep the place they had on the page before unless
/// they need more room.
pub(crate) struct Grid {
    columns: &'static [Column],
    terminal: Option<u16>,
    widths: Option<Vec<u16>>,
}

impl Grid {
    /// A table as wide as the terminal on standard output, or as its content if that is none.
    pub(crate) fn new(columns: &'static [Column]) -> Self {
        Self::with_width(columns, Table::new().width())
    }

    fn with_width(columns: &'static [Column], terminal: Option<u16>) -> Self {
        Self {
            columns,
            terminal,
            widths: None,
        }
    }

    /// The next rows, each with its line feed, after the titles on the first page. Cells are
    /// escaped here.
    pub(crate) fn page(&mut self, rows: &[Vec<String>]) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        if self.widths.is_none() {
            table.set_header(self.columns.iter().map(|column| column.title));
        }
        for row in rows {
            let mut row = Row::from(row.iter().map(|cell| escape(cell)));
            row.max_height(1);
            table.add_row(row);
        }
        let widths = self.fitted(&table.column_max_content_widths());
        arrange(&mut table, self.columns, &widths);
        self.widths = Some(widths);
        table
            .trim_fmt()
            .lines()
            .map(|line| format!("{}\n", line.trim_end()))
            .collect()
    }

    /// Widths for this page: those of the last one, wider where needed and possible.
    fn fitted(&self, content: &[u16]) -> Vec<u16> {
        let last = self.widths.as_deref().unwrap_or(&[]);
        let last = last.iter().copied().chain(std::iter::repeat(0));
        self.shrunk(
            content
                .iter()
                .zip(last)
                .map(|(wanted, last)| last.max(*wanted))
                .collect(),
        )
    }

    fn shrunk(&self, mut widths: Vec<u16>) -> Vec<u16> {
        let gaps =
            GAP.saturating_mul(u16::try_from(widths.len().saturating_sub(1)).unwrap_or(u16::MAX));
        let available = self.terminal.unwrap_or(u16::MAX).saturating_sub(gaps);
        while widths.iter().map(|width| u32::from(*width)).sum::<u32>() > u32::from(available) {
            let Some(widest) = self.widest_cuttable(&widths) else {
                break;
            };
            widths[widest] -= 1;
        }
        widths
    }

    fn widest_cuttable(&self, widths: &[u16]) -> Option<usize> {
        let cuttable = (0..widths.len()).filter(|index| self.columns[*index].is_cuttable);
        cuttable
            .filter(|index| widths[*index] > NARROWEST)
            .max_by_key(|index| widths[*index])
    }
}

fn arrange(table: &mut Table, columns: &[Column], widths: &[u16]) {
    for ((index, column), width) in columns.iter().enumerate().zip(widths) {
        let Some(shown) = table.column_mut(index) else {
            continue;
        };
        let gap = if index + 1 == columns.len() { 0 } else { GAP };
        shown.set_padding((0, gap));
        let width = Width::Fixed(width.saturating_add(gap));
        shown.set_constraint(ColumnConstraint::Absolute(width));
        if column.is_number {
            shown.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// Named values, one per line, the values lined up and escaped.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<(&'static str, String)>);

impl Fields {
    /// Adds a value.
    pub(crate) fn line(mut self, name: &'static str, value: &str) -> Self {
        self.0.push((name, escape(value).into_owned()));
        self
    }

    /// Adds a value unless it is absent.
    pub(crate) fn optional(self, name: &'static str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.line(name, value),
            None => self,
        }
    }

    /// All lines.
    pub(crate) fn text(self) -> String {
        let width = self
            .0
            .iter()
            .map(|(name, _)| name.len() + 1)
            .max()
            .unwrap_or_default();
        let lines = self
            .0
            .iter()
            .map(|(name, value)| format!("{:<width$}  {value}\n", format!("{name}:")));
        lines.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column::whole("ID"),
        Column::number("SIZE"),
        Column::cuttable("FROM"),
    ];

    fn row(id: &str, size: &str, from: &str) -> Vec<String> {
        [id, size, from].map(str::to_owned).to_vec()
    }

    #[test]
    fn a_pipe_gets_everything() {
        let mut grid = Grid::with_width(&COLUMNS, None);
        let from = "sip:a-rather-long-name@example.org";
        let page = grid.page(&[row("1@h", "5", from)]);
        assert_eq!(page, format!("ID   SIZE  FROM\n1@h     5  {from}\n"));
    }

    #[test]
    fn a_terminal_gets_what_fits_and_whole_ids() {
        let mut grid = Grid::with_width(&COLUMNS, Some(24));
        let page = grid.page(&[row("1@h", "5", "sip:a-rather-long-name@example.org")]);
        assert_eq!(page, "ID   SIZE  FROM\n1@h     5  sip:a-rather…\n");
        assert!(page.lines().all(|line| line.chars().count() <= 24));
    }

    #[test]
    fn later_pages_line_up_without_titles() {
        let mut grid = Grid::with_width(&COLUMNS, Some(24));
        grid.page(&[row("10@h", "5", "sip:alice")]);
        assert_eq!(
            grid.page(&[row("1@h", "70", "sip:bob")]),
            "1@h     70  sip:bob\n"
        );
    }

    #[test]
    fn later_pages_may_need_more_room() {
        let mut grid = Grid::with_width(&COLUMNS, Some(24));
        grid.page(&[row("9@h", "5", "sip:alice")]);
        let page = grid.page(&[row("10@h", "5", "sip:a-long-name@example.org")]);
        assert_eq!(page, "10@h     5  sip:a-long-…\n");
    }

    #[test]
    fn cells_are_escaped_and_stay_one_line() {
        let mut grid = Grid::with_width(&COLUMNS, Some(40));
        let page = grid.page(&[row("1@h", "5", "a\nb\u{202e}c")]);
        assert_eq!(page, "ID   SIZE  FROM\n1@h     5  a\\nb\\u{202e}c\n");
    }
}
