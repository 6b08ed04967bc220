//! Columns of text as Go's tabwriter sets them for runc: at least 12 wide, 3 apart.

pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let widest = rows.iter().map(|r| r[column].chars().count()).max();
        (widest.unwrap_or(0) + 3).max(12)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            text.push_str(cell);
            if column + 1 < columns {
                text.extend(std::iter::repeat_n(' ', width - cell.chars().count()));
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_at_least_twelve_wide() {
        let row = |cells: &[&str]| cells.iter().map(|&c| c.to_owned()).collect();
        let rows = [row(&["ID", "PID"]), row(&["a-longer-name", "7"])];
        assert_eq!(
            super::table(&rows),
            "ID              PID\na-longer-name   7\n"
        );
    }
}
