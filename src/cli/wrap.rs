//! Text in lines of bounded width.

use std::fmt::Write as _;

/// Columns of a terminal that texts fit into.
pub const COLUMNS: usize = 80;

/// Text in lines of at most so many columns where its words allow it; all but the first begin with `indent`.
pub fn wrap(text: &str, width: usize, indent: &str) -> String {
    let mut wrapped = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            let _ = write!(wrapped, "\n{indent}");
            column = 0;
        } else if column > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += length;
    }
    wrapped
}
