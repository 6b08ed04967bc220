//! Columns as Docker's CLI lays them out (Go's tabwriter: at least 10 wide, 3 spaces between).

const MIN_WIDTH: usize = 10;
const PADDING: usize = 3;

/// Lays out `rows`; the last column is never padded.
pub(crate) fn render(rows: &[Vec<String>]) -> String {
    render_wide(rows, MIN_WIDTH)
}

/// Lays out `rows` in columns that are at least `least` wide.
pub(crate) fn render_wide(rows: &[Vec<String>], least: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(rows, column).max(least))
        .collect();
    let mut out = String::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            out.push_str(cell);
            if column + 1 < row.len() {
                let pad = widths[column].saturating_sub(cell.chars().count());
                out.extend(std::iter::repeat_n(' ', pad));
            }
        }
        out.push('\n');
    }
    out
}

/// Lays out text whose lines hold tab-separated cells.
pub(crate) fn render_text(text: &str) -> String {
    let rows: Vec<Vec<String>> = text
        .lines()
        .map(|line| line.split('\t').map(str::to_owned).collect())
        .collect();
    render(&rows)
}

fn width(rows: &[Vec<String>], column: usize) -> usize {
    rows.iter()
        .filter(|row| column + 1 < row.len())
        .map(|row| row[column].chars().count() + PADDING)
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_at_least_ten_wide_and_three_apart() {
        let text = render_text("ID\tNAME\tX\n0123456789ab\tweb\t1\n");
        assert_eq!(
            text,
            "ID             NAME      X\n0123456789ab   web       1\n"
        );
    }

    #[test]
    fn width_counts_characters() {
        assert_eq!(render_text("äöüäöüäöü\tb\n"), "äöüäöüäöü   b\n");
    }
}
